/* job.h - the work that is too long for the coordinator's one thread: planning, scoring, ranking.
 *
 * A job is a row.  The coordinator claims it and starts `koeval job run KIND JOB ATTEMPT` as a
 * child process; (job, attempt) is the fence: every write goes through a function that calls
 * job_check, so a job whose attempt is over can change nothing, and killing one loses nothing.  A
 * job that fails returns false; the caller stores the reason with job_fail.
 *
 * Nothing here prints, and no error text holds anything of an item (law 4). */
#ifndef JOB_H
#define JOB_H

#include "common/err.h"
#include "coordinator/store/db.h"

/* The job's key is a plan_id: draws the shots of every item and seals the plan. */
bool job_plan(struct db *db, int64_t job, int32_t attempt, struct err *err) MUST;

/* The job's key is a run_id: every metric of the run's task from its responses and golds. */
bool job_score(struct db *db, int64_t job, int32_t attempt, struct err *err) MUST;

/* The job's key is a board_id: a new snapshot with rank ranges, published. */
bool job_rank(struct db *db, int64_t job, int32_t attempt, struct err *err) MUST;

#endif
