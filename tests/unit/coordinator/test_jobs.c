#include "coordinator/jobs.h"
#include "tests/test.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* A program in a folder of its own, and what our log holds after it ran. */
struct stage {
    char dir[40], program[64], log[64];
    int stderr_was;
    char said[8192];
};

static void stage_open(struct stage *s, const char *script)
{
    snprintf(s->dir, sizeof s->dir, "/tmp/koeval-jobs-XXXXXX");
    if (!mkdtemp(s->dir))
        abort();
    snprintf(s->program, sizeof s->program, "%s/koeval", s->dir);
    snprintf(s->log, sizeof s->log, "%s/log", s->dir);
    FILE *out = fopen(s->program, "w");
    if (!out || fprintf(out, "#!/bin/sh\n%s", script) < 0 || fclose(out) || chmod(s->program, 0755))
        abort();
    int log = open(s->log, O_CREAT | O_RDWR, 0600);
    s->stderr_was = dup(STDERR_FILENO);
    if (log < 0 || s->stderr_was < 0 || dup2(log, STDERR_FILENO) < 0)
        abort();
    close(log);
}

static void stage_close(struct stage *s)
{
    dup2(s->stderr_was, STDERR_FILENO);
    close(s->stderr_was);
    FILE *in = fopen(s->log, "r");
    if (!in)
        abort();
    s->said[fread(s->said, 1, sizeof s->said - 1, in)] = 0;
    fclose(in);
    unlink(s->log);
    unlink(s->program);
    rmdir(s->dir);
}

/* Runs the script as job 7 until it ends, hearing it all the while; its status. */
static int run(struct stage *s, const char *script)
{
    struct err err = { 0 };
    struct job job = { 0 };
    int status = 0;
    stage_open(s, script);
    struct jobs jobs = { .program = s->program, .most = 2 };
    if (!jobs_start(&jobs, JOB_SCORE, 7, 3, 0, &err))
        abort();
    pid_t pid = jobs.list[0].pid;
    while (!waitpid(pid, &status, WNOHANG)) {
        jobs_hear(&jobs);
        usleep(1000);
    }
    if (!jobs_end(&job, &jobs, pid) || job.job_id != 7 || jobs_running(&jobs))
        abort();
    stage_close(s);
    return status;
}

static int count(const char *text, const char *word)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, word)); at += strlen(word))
        n++;
    return n;
}

TEST(each_line_of_a_child_is_an_event_with_its_job)
{
    struct stage s = { 0 };
    int status = run(&s, "echo one; echo two >&2; printf 'no end'; exit 3\n");
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 3);
    CHECK(count(s.said, "\n") == 3 &&
          count(s.said, " W job.said kind=score job=7 attempt=3 ") == 3);
    CHECK(strstr(s.said, "text=\"one\"\n") && strstr(s.said, "text=\"two\"\n"));
    CHECK(strstr(s.said, "text=\"no end\"\n"));
}

TEST(a_silent_child_is_not_in_the_log)
{
    struct stage s = { 0 };
    CHECK(run(&s, "exit 0\n") == 0);
    CHECK(!*s.said);
}

TEST(a_child_that_says_more_than_a_pipe_holds_is_not_blocked)
{
    struct stage s = { 0 };
    CHECK(run(&s, "i=0; while [ $i -lt 30 ]; do printf '%8000s' x; i=$((i + 1)); done\n") == 0);
    CHECK(count(s.said, "\n") == 1 && strlen(s.said) < JOB_LINE_MAX + 200);
}

TEST(a_child_that_closes_its_mouth_leaves_nothing_to_wait_for)
{
    struct stage s = { 0 };
    struct err err = { 0 };
    struct job job;
    int status;
    stage_open(&s, "exec >&- 2>&-; read x; exit 0\n");
    struct jobs jobs = { .program = s.program, .most = 1 };
    CHECK(jobs_start(&jobs, JOB_PLAN, 1, 1, 0, &err) && !jobs_room(&jobs));
    for (int i = 0; i < 5000 && jobs.list[0].said >= 0; i++) {
        jobs_hear(&jobs);
        usleep(1000);
    }
    bool closed = jobs.list[0].said == -1;
    pid_t pid = jobs.list[0].pid;
    waitpid(pid, &status, 0);
    bool ended = jobs_end(&job, &jobs, pid);
    stage_close(&s);
    CHECK(closed && ended && jobs_room(&jobs));
}

TEST(a_program_that_is_not_there_is_an_error_and_no_job)
{
    struct err err = { 0 };
    struct jobs jobs = { .program = "/nowhere/koeval", .most = 1 };
    CHECK(!jobs_start(&jobs, JOB_RANK, 1, 1, 0, &err) && strstr(err.text, "/nowhere/koeval"));
    CHECK(jobs_room(&jobs) && !jobs_running(&jobs));
}
