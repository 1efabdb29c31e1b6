/* test_log.c - lines on stderr, which here is a file that can be full. */
#include "common/log.h"
#include "tests/test.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* What stderr takes while its file may have at most so many bytes, then without a limit. */
static char text[8192];
static int file, before;

static void begin(void)
{
    char path[] = "/tmp/koeval-log.XXXXXX";
    file = mkstemp(path);
    unlink(path);
    before = dup(STDERR_FILENO);
    dup2(file, STDERR_FILENO);
}

static void limit(rlim_t bytes)
{
    struct rlimit now = { bytes, RLIM_INFINITY };
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &now);
}

static void end(void)
{
    dup2(before, STDERR_FILENO);
    close(before);
    ssize_t n = pread(file, text, sizeof(text) - 1, 0);
    text[n > 0 ? n : 0] = 0;
    close(file);
}

TEST(an_event_is_one_line_whatever_its_values_hold)
{
    begin();
    log_event(LOG_INFO, "shard.done", "shard=%d why=\"%s\"", 7, "a\nb\033c");
    log_event(LOG_DEBUG, "never.seen", "x=%d", 1);
    end();
    CHECK(strstr(text, "Z I shard.done shard=7 why=\"a b c\"\n"));
    CHECK(!strstr(text, "never.seen"));
}

TEST(lines_that_the_disk_did_not_take_are_counted_in_the_first_that_it_takes)
{
    begin();
    log_event(LOG_INFO, "first", "n=%d", 1);
    limit(0);
    for (int i = 0; i < 5; i++)
        log_event(LOG_INFO, "middle", "n=%d", i);
    limit(RLIM_INFINITY);
    log_event(LOG_INFO, "last", "n=%d", 2);
    log_event(LOG_INFO, "after", "n=%d", 3);
    end();
    CHECK(strstr(text, " I first n=1\n") && !strstr(text, "middle"));
    CHECK(strstr(text, " E log.lost lines=5\n") && strstr(text, " I last n=2\n"));
    CHECK(strstr(strstr(text, "log.lost") + 1, "log.lost") == NULL);
}

TEST(a_line_that_was_cut_does_not_swallow_the_next)
{
    begin();
    limit(20);
    log_event(LOG_INFO, "half", "n=%d", 1);
    limit(RLIM_INFINITY);
    log_event(LOG_INFO, "whole", "n=%d", 2);
    end();
    CHECK(strstr(text, "\n") == text + 20 && strstr(text, " E log.lost lines=1\n"));
}
