/* store_score.h - what a score job reads and writes.  Every call is fenced by (job, attempt). */
#ifndef STORE_SCORE_H
#define STORE_SCORE_H

#include "coordinator/judge/aggregate.h"
#include "coordinator/judge/metric.h"
#include "coordinator/store/db.h"

struct score_run {
    int64_t run;
    int32_t items_count;
    char *definition; /* the task's, canonical JSON; owned */
    size_t definition_size;
};
void score_run_free(struct score_run *run);
AUTO_ENDS(struct score_run, score_run_free)

bool store_score_begin(struct score_run *out, struct db *db, int64_t job, int32_t attempt,
                       struct err *err) MUST;

/* Each evaluated item in item order with its gold (borrowed for the call) and its answer. */
typedef bool store_score_item_fn(void *self, struct text gold, const struct answer *answer,
                                 struct err *err);
bool store_score_each(struct db *db, int64_t job, int32_t attempt, store_score_item_fn *each,
                      void *self, struct err *err) MUST;

struct score {
    const char *metric;
    enum aggregation aggregation;
    struct estimate estimate;
    int32_t width;
    const double *values; /* [n * width] */
};

/* Registers this program's scorer, writes all scores and ends the job, in one transaction. */
bool store_score_write(struct db *db, int64_t job, int32_t attempt, const struct score *scores,
                       int32_t count, int32_t n, struct err *err) MUST;

#endif
