/* jobs.h - plan, score and rank as child processes, so that the one thread never waits.
 *
 * A child is `koeval job run KIND JOB ATTEMPT` and finds the database by KOEVAL_DB.  It reports its
 * own end in the job's row; what a child that died says is told by whoever reaps it, and the pair
 * (job, attempt) is the fence between the two.  Its lines come through a pipe and are logged, so
 * that each has a time, an event and the job that said it. */
#ifndef JOBS_H
#define JOBS_H

#include <sys/types.h>

#include "common/err.h"

#define JOBS_MAX     16
#define JOB_LINE_MAX 400 /* bytes of a line that are kept */

enum job_kind { JOB_PLAN, JOB_SCORE, JOB_RANK, JOB_KINDS };
const char *job_kind_name(enum job_kind kind);

struct job {
    pid_t pid; /* 0: free */
    enum job_kind kind;
    int64_t job_id, started_ms;
    int32_t attempt;
    int said;       /* its stdout and stderr, until they are closed; -1 */
    int32_t filled; /* of a line that has not ended */
    char line[JOB_LINE_MAX];
};

struct jobs {
    const char *program; /* path of koeval */
    int32_t most;        /* at once, <= JOBS_MAX */
    struct job list[JOBS_MAX];
};

bool jobs_room(const struct jobs *jobs);
int32_t jobs_running(const struct jobs *jobs);
/* There must be room. */
bool jobs_start(struct jobs *jobs, enum job_kind kind, int64_t job_id, int32_t attempt,
                int64_t now_ms, struct err *err) MUST;
/* Logs the lines that came since, never waits. */
void jobs_hear(struct jobs *jobs);
/* The job of a child that ended, which is forgotten, with its last lines logged; false: it was none
 * of ours. */
bool jobs_end(struct job *out, struct jobs *jobs, pid_t pid);
void jobs_signal(const struct jobs *jobs, int signal);

#endif
