/* store_plan.h - what a plan job reads and writes; every write is fenced by (job, attempt). */
#ifndef STORE_PLAN_H
#define STORE_PLAN_H

#include "coordinator/store/db.h"

struct store_plan {
    int64_t plan;
    char *definition; /* of the task version; JSON */
    /* The draw. */
    int32_t shots, limit; /* limit -1: every item */
    int64_t seed;
    bool first_n; /* the sampler; false: the task's or "default" */
    /* item_ids in item order: equal content, equal id. */
    int64_t *items, *pool;
    int32_t items_count, pool_count;
};

/* Begins again from an empty plan; out->plan stays 0 when the plan is sealed already and the job
 * thereby done. */
bool store_plan_begin(struct store_plan *out, struct db *db, int64_t job, int32_t attempt,
                      struct err *err) MUST;
void store_plan_free(struct store_plan *plan);
AUTO_ENDS(struct store_plan, store_plan_free)

/* Rows first, first + 1, ... of the plan: item numbers, and shots_count shots of each, flat. */
bool store_plan_write(struct db *db, int64_t job, int32_t attempt, int32_t first,
                      const int32_t *items, int32_t count, int32_t shots_count,
                      const int32_t *shots, struct err *err) MUST;
/* Seals the plan, starts its runs and finishes the job. */
bool store_plan_seal(struct db *db, int64_t job, int32_t attempt, struct err *err) MUST;

#endif
