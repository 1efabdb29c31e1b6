#include "common/log.h"

#include "common/clock.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 1024

/* The one piece of process-wide state: where the threshold stands, and how many lines the disk did
 * not take. */
static _Atomic int log_most = LOG_INFO;
static _Atomic int64_t log_lost;

void log_level_set(enum log_level most) { atomic_store(&log_most, (int)most); }

static size_t log_stamp(char *line, enum log_level level, const char *event)
{
    int64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000);
    struct tm utc;
    gmtime_r(&seconds, &utc);

    size_t at = strftime(line, LOG_LINE_MAX, "%Y-%m-%dT%H:%M:%S", &utc);
    int more = snprintf(line + at, LOG_LINE_MAX - at, ".%03dZ %c %s", (int)(now_ms % 1000),
                        "EWID"[level], event);
    return at + (size_t)more;
}

static bool log_write(char *line, size_t size)
{
    for (size_t i = 0; i < size; i++) /* one event is one line, whatever its values hold */
        if ((unsigned char)line[i] < 0x20)
            line[i] = ' ';
    line[size++] = '\n';
    return write(STDERR_FILENO, line, size) == (ssize_t)size;
}

/* A log that cannot be written says so as soon as it can: a full disk stops no daemon, and is not
 * forgotten either.  The line before may have been cut, so this one begins anew. */
static void log_tell_lost(int64_t lost)
{
    char line[LOG_LINE_MAX];
    size_t at = log_stamp(line + 1, LOG_ERROR, "log.lost") + 1;
    line[0] = '\n';
    at += (size_t)snprintf(line + at, sizeof(line) - at, " lines=%lld\n", (long long)lost);
    if (write(STDERR_FILENO, line, at) != (ssize_t)at)
        atomic_fetch_add(&log_lost, lost);
}

void log_event(enum log_level level, const char *event, const char *fmt, ...)
{
    if ((int)level > atomic_load(&log_most))
        return;

    char line[LOG_LINE_MAX];
    size_t at = log_stamp(line, level, event);
    if (*fmt && at < sizeof(line) - 2) {
        line[at++] = ' ';
        va_list args;
        va_start(args, fmt);
        int more = vsnprintf(line + at, sizeof(line) - at - 1, fmt, args);
        va_end(args);
        at += (size_t)more < sizeof(line) - at - 1 ? (size_t)more : sizeof(line) - at - 2;
    }
    int64_t lost = atomic_exchange(&log_lost, 0);
    if (lost)
        log_tell_lost(lost);
    if (!log_write(line, at))
        atomic_fetch_add(&log_lost, 1);
}
