/* rank.h - a leaderboard with the uncertainty of its items: scores, errors, rank ranges, ties.
 *
 * An average is tasks -> category -> board, each step a weighted mean:
 *
 *     category = sum w_t value_t / sum w_t      over its tasks
 *     board    = 100 sum W_c category_c / sum W_c
 *
 * A replicate of the paired bootstrap (bootstrap.h) resamples the items of every task, gives every
 * model a board score and so every model a rank.  From the replicates come
 *
 *     error              sample deviation of the score
 *     rank_lo, rank_hi   2.5 % and 97.5 % of the rank; a replicate in which models are equal counts
 *                        its best place for lo and its worst for hi; the rank itself is inside
 *     tie_group          rank of the best model it cannot be told from: walking down the board, a
 *                        model belongs to the group's leader while it does at least as well in more
 *                        than 2.5 % of the replicates
 *
 * and rank = 1 + the number of models with a greater score.  Everything is a function of the
 * values, the weights, the seed and the number of replicates: not of the order of models or tasks
 * added, and not of how replicates are shared among threads. */
#ifndef RANK_H
#define RANK_H

#include "coordinator/judge/aggregate.h"

#define RANK_REPLICATES_MAX 100000

/* One task of the board with what every model made of it. */
struct rank_task {
    uint64_t key;     /* whose draws: one key, one set of items */
    int32_t category; /* 0 .. categories - 1 */
    double weight;    /* inside the category, > 0 */
    enum aggregation aggregation;
    int32_t n;                   /* items */
    const double *const *values; /* [models]: n * width numbers of each */
};

struct rank_row {
    double score, error; /* 0 .. 100 */
    int32_t rank, rank_lo, rank_hi, tie_group;
};

struct rank;
/* weights[categories] of the categories in the board, > 0. */
struct rank *rank_new(int32_t models, int32_t categories, const double *weights, uint64_t seed,
                      int32_t replicates);
void rank_free(struct rank *rank);
AUTO_FREES(struct rank *, rank_free)

/* Adds a task: the point estimate and every replicate.  The values are not kept. */
void rank_add(struct rank *rank, const struct rank_task *task);

/* The same in parts, for threads: the point once, then every replicate once, in any division; two
 * threads may work at disjoint ranges of one rank. */
void rank_add_point(struct rank *rank, const struct rank_task *task);
void rank_add_replicates(struct rank *rank, const struct rank_task *task, int32_t first,
                         int32_t count);

/* rows[models]; categories[models * categories], 0 .. 100, or NULL.  Every category has a task. */
void rank_rows(struct rank_row *rows, struct estimate *categories, const struct rank *rank);

#endif
