#include "coordinator/jobs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

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

/* The child starts with no signal blocked and nothing of ours open but stderr. */
static int spawn(pid_t *pid, const char *program, char *const *argv)
{
    extern char **environ;
    posix_spawn_file_actions_t files;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&files);
    posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&files, STDERR_FILENO, STDOUT_FILENO);
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
    int failed = spawn(&pid, jobs->program, argv);
    if (failed)
        return err_set(err, ERR_RETRY, "%s: %s", jobs->program, strerror(failed));
    *job = (struct job){ pid, kind, job_id, now_ms, attempt };
    return true;
}

bool jobs_end(struct job *out, struct jobs *jobs, pid_t pid)
{
    struct job *job = pid > 0 ? find(jobs, pid) : NULL;
    if (!job)
        return false;
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
