#include <string.h>

#include "coordinator/job/job.h"
#include "coordinator/judge/bootstrap.h"
#include "coordinator/store/store_rank.h"

/* Ten thousand replicates steady the second digit of an error and cost seconds on a small board; a
 * board of a hundred million numbers takes a thousand. */
#define REPLICATES_MANY 10000
#define REPLICATES_FEW  1000
#define NUMBERS_MANY    2000000

/* One seed a board for ever: ranges move when scores move, and not when they are computed again. */
#define SEED_BOARDS 0x6b6f6576616cu

struct task_values {
    int32_t count;
    double **values;
};

static void task_values_free(struct task_values *v)
{
    for (int32_t i = 0; i < v->count; i++)
        free(v->values[i]);
    free(v->values);
}
AUTO_ENDS(struct task_values, task_values_free)

static int32_t replicates_for(const struct rank_input *in)
{
    int64_t numbers = 0;
    for (int32_t i = 0; i < in->scores_count; i++)
        numbers += in->scores[i].n;
    return numbers <= NUMBERS_MANY ? REPLICATES_MANY : REPLICATES_FEW;
}

/* Pairs are pairs only when every model answered the same items. */
static bool same_items(const struct rank_score *scores, int32_t count, struct err *err)
{
    for (int32_t i = 1; i < count; i++)
        if (scores[i].n != scores[0].n || scores[i].aggregation != scores[0].aggregation)
            return err_set(err, ERR_INPUT,
                           "scores %lld and %lld of task %d are over %d and %d items: narrow the "
                           "board's params",
                           (long long)scores[0].score, (long long)scores[i].score,
                           scores[0].task_no, scores[0].n, scores[i].n);
    return true;
}

/* scores[models_count] of one task. */
static bool add_task(struct rank *rank, const struct rank_score *scores, int32_t models,
                     struct db *db, int64_t job, int32_t attempt, struct err *err)
{
    AUTO(task_values_free)
    struct task_values v = { models, must_calloc((size_t)models, sizeof(*v.values)) };
    if (!same_items(scores, models, err) ||
        !store_rank_values(v.values, db, job, attempt, scores, models, err))
        return false;
    struct rank_task task = {
        .key = (uint64_t)scores[0].task_version,
        .category = scores[0].category,
        .weight = scores[0].weight,
        .aggregation = scores[0].aggregation,
        .n = scores[0].n,
        .values = (const double *const *)v.values,
    };
    rank_add(rank, &task);
    return true;
}

/* A board that nobody has finished is published empty: withdrawn models must leave it. */
static bool publish_nobody(struct db *db, int64_t job, int32_t attempt, struct rank_input *in,
                           struct err *err)
{
    struct rank_result none = { bootstrap_word(SEED_BOARDS, (uint64_t)in->board) >> 1,
                                REPLICATES_FEW, NULL, NULL };
    return store_rank_publish(db, job, attempt, in, &none, err);
}

bool job_rank(struct db *db, int64_t job, int32_t attempt, struct err *err)
{
    AUTO(rank_input_free) struct rank_input in = { 0 };
    if (!store_rank_begin(&in, db, job, attempt, err))
        return false;
    int32_t models = in.models_count;
    if (!models)
        return publish_nobody(db, job, attempt, &in, err);

    /* Half of the generator's range: the column is signed. */
    uint64_t seed = bootstrap_word(SEED_BOARDS, (uint64_t)in.board) >> 1;
    int32_t replicates = replicates_for(&in);
    AUTO(rank_free)
    struct rank *rank =
        rank_new(models, in.categories_count, in.category_weights, seed, replicates);
    for (int32_t i = 0; i < in.scores_count; i += models)
        if (!add_task(rank, in.scores + i, models, db, job, attempt, err))
            return err_wrap(err, "board %lld", (long long)in.board);

    AUTO(free) struct rank_row *rows = must_calloc((size_t)models, sizeof(*rows));
    AUTO(free)
    struct estimate *categories =
        must_calloc((size_t)models * in.categories_count, sizeof(*categories));
    rank_rows(rows, categories, rank);
    struct rank_result result = { seed, replicates, rows, categories };
    return store_rank_publish(db, job, attempt, &in, &result, err);
}
