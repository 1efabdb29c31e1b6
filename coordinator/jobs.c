#define _GNU_SOURCE /* pipe2 */
#include "coordinator/jobs.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"

const char *job_kind_name(enum job_kind kind)
{
    static const char *const names[JOB_KINDS] = { "plan", "score", "rank" };
    return names[kind];
}

static struct job *find(const struct jobs *jobs, pid_t pid)
{
    for (int32_t i = 0; i < jobs->most; i++)
        if (jobs->list[i].pid == pid)
            return (struct job *)&jobs->list[i];
    return NULL;
}

bool jobs_room(const struct jobs *jobs) { return find(jobs, 0) != NULL; }

int32_t jobs_running(const struct jobs *jobs)
{
    int32_t n = 0;
    for (int32_t i = 0; i < jobs->most; i++)
        n += jobs->list[i].pid != 0;
    return n;
}

/* The child starts with no signal blocked and nothing of ours open but the pipe. */
static int spawn(pid_t *pid, const char *program, char *const *argv, int out)
{
    extern char **environ;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, out, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&files, out, STDERR_FILENO);
    posix_spawnattr_init(&attr);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    posix_spawnattr_setsigmask(&attr, &none);
    int failed = posix_spawn(pid, program, &files, &attr, argv, environ);
    posix_spawnattr_destroy(&attr);
    posix_spawn_file_actions_destroy(&files);
    return failed;
}

bool jobs_start(struct jobs *jobs, enum job_kind kind, int64_t job_id, int32_t attempt,
                int64_t now_ms, struct err *err)
{
    char id[24], no[12], words[4][8] = { "koeval", "job", "run", "" };
    snprintf(id, sizeof(id), "%" PRId64, job_id);
    snprintf(no, sizeof(no), "%" PRId32, attempt);
    snprintf(words[3], sizeof(words[3]), "%s", job_kind_name(kind));
    char *argv[] = { words[0], words[1], words[2], words[3], id, no, NULL };
    struct job *job = find(jobs, 0);
    assert(job);
    pid_t pid = 0;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC))
        return err_set(err, ERR_RETRY, "pipe: %s", strerror(errno));
    fcntl(ends[0], F_SETFL, O_NONBLOCK); /* our end alone: the child's may wait for us */
    int failed = spawn(&pid, jobs->program, argv, ends[1]);
    close(ends[1]);
    if (failed) {
        close(ends[0]);
        return err_set(err, ERR_RETRY, "%s: %s", jobs->program, strerror(failed));
    }
    *job = (struct job){ pid, kind, job_id, now_ms, attempt, ends[0], 0, "" };
    return true;
}

/* ---- what they say ---- */

static void line_end(struct job *job)
{
    if (job->filled)
        log_event(LOG_WARN, "job.said", "kind=%s job=%" PRId64 " attempt=%" PRId32 " text=\"%.*s\"",
                  job_kind_name(job->kind), job->job_id, job->attempt, (int)job->filled, job->line);
    job->filled = 0;
}

static void hear(struct job *job)
{
    char bytes[4096];
    ssize_t n = -1;
    while (job->said >= 0 && (n = read(job->said, bytes, sizeof(bytes))) > 0)
        for (ssize_t i = 0; i < n; i++) {
            if (bytes[i] == '\n')
                line_end(job);
            else if (job->filled < JOB_LINE_MAX)
                job->line[job->filled++] = bytes[i];
        }
    if (n == 0) { /* closed: asked again it would be ready for ever */
        close(job->said);
        job->said = -1;
    }
}

void jobs_hear(struct jobs *jobs)
{
    for (int32_t i = 0; i < jobs->most; i++)
        if (jobs->list[i].pid)
            hear(&jobs->list[i]);
}

bool jobs_end(struct job *out, struct jobs *jobs, pid_t pid)
{
    struct job *job = pid > 0 ? find(jobs, pid) : NULL;
    if (!job)
        return false;
    hear(job);
    line_end(job);
    if (job->said >= 0)
        close(job->said);
    job->said = -1;
    *out = *job;
    job->pid = 0;
    return true;
}

void jobs_signal(const struct jobs *jobs, int signal)
{
    for (int32_t i = 0; i < jobs->most; i++)
        if (jobs->list[i].pid)
            kill(jobs->list[i].pid, signal);
}
