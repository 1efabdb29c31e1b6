/* store_rank.h - what a rank job reads and writes.  Every call is fenced by (job, attempt). */
#ifndef STORE_RANK_H
#define STORE_RANK_H

#include "coordinator/judge/rank.h"
#include "coordinator/store/db.h"

/* A score that the board counts: of one of its tasks, by a model that has them all. */
struct rank_score {
    int64_t score;
    int32_t task_no, category; /* category: its place in rank_input */
    int64_t task_version;
    double weight;
    enum aggregation aggregation;
    int32_t n;
};

/* The board as it is ranked now. */
struct rank_input {
    int64_t board, dirty;
    int32_t models_count, categories_count, scores_count;
    int32_t *models; /* model_id, ascending */
    char **categories;
    double *category_weights;
    struct rank_score *scores; /* by task_no, then model: every model at every task */
};
void rank_input_free(struct rank_input *input);
AUTO_ENDS(struct rank_input, rank_input_free)

bool store_rank_begin(struct rank_input *out, struct db *db, int64_t job, int32_t attempt,
                      struct err *err) MUST;

/* The items' numbers of `count` scores (n * width each), in the order asked; each is owned. */
bool store_rank_values(double **values, struct db *db, int64_t job, int32_t attempt,
                       const struct rank_score *scores, int32_t count, struct err *err) MUST;

/* rows[models_count], categories[models_count * categories_count] in the order of the input. */
struct rank_result {
    uint64_t seed;
    int32_t replicates;
    const struct rank_row *rows;
    const struct estimate *categories;
};

/* A snapshot, the pointer, the history, and the end of the job: one transaction. */
bool store_rank_publish(struct db *db, int64_t job, int32_t attempt, const struct rank_input *input,
                        const struct rank_result *result, struct err *err) MUST;

#endif
