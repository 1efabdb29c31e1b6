#include "coordinator/judge/rank.h"

#include <math.h>
#include <pthread.h>

#include "coordinator/judge/bootstrap.h"
#include "tests/test.h"

enum { MODELS = 6, ITEMS = 240, TASKS = 4, REPLICATES = 400 };

static const double strengths[MODELS] = { 0.85, 0.35, 0.62, 0.60, 0.35, 0.75 };
static const double even[] = { 1, 1 };

/* Scores of a model whose answer to an item depends on the item's difficulty: pairs matter. */
static void answers(double *out, double strength, int task, uint64_t salt)
{
    for (int i = 0; i < ITEMS; i++) {
        double hard = (double)(bootstrap_word(9, (uint64_t)(task * ITEMS + i)) >> 11) * 0x1p-53;
        double luck = (double)(bootstrap_word(salt, (uint64_t)(task * ITEMS + i)) >> 11) * 0x1p-53;
        out[i] = luck < strength + 0.3 * (0.5 - hard);
    }
}

struct world {
    double values[TASKS][MODELS][ITEMS];
    struct rank_row rows[MODELS];
    struct estimate categories[MODELS * 2];
};

static void world_fill(struct world *w)
{
    for (int t = 0; t < TASKS; t++)
        for (int m = 0; m < MODELS; m++)
            answers(w->values[t][m], strengths[m], t, 100 + (uint64_t)m);
}

/* order[place] names the model that stands there. */
static void world_rank(struct world *w, const int *order, uint64_t seed)
{
    AUTO(rank_free) struct rank *rank = rank_new(MODELS, 2, even, seed, REPLICATES);
    for (int t = 0; t < TASKS; t++) {
        const double *values[MODELS];
        for (int m = 0; m < MODELS; m++)
            values[m] = w->values[t][order[m]];
        struct rank_task task = { (uint64_t)t, t % 2, 1.0 + t, AGGREGATE_MEAN, ITEMS, values };
        rank_add(rank, &task);
    }
    rank_rows(w->rows, w->categories, rank);
}

static const int as_is[MODELS] = { 0, 1, 2, 3, 4, 5 };

static bool same_row(const struct rank_row *a, const struct rank_row *b)
{
    return a->score == b->score && a->error == b->error && a->rank == b->rank &&
           a->rank_lo == b->rank_lo && a->rank_hi == b->rank_hi && a->tie_group == b->tie_group;
}

TEST(counts_of_a_replicate_sum_to_n_and_depend_on_the_key_alone)
{
    uint16_t a[101], b[101];
    int sum = 0, differ = 0;
    bootstrap_counts(a, 101, bootstrap_key(7, 3, 12));
    bootstrap_counts(b, 101, bootstrap_key(7, 3, 12));
    for (int i = 0; i < 101; i++)
        sum += a[i];
    CHECK(sum == 101 && !memcmp(a, b, sizeof(a)));
    bootstrap_counts(b, 101, bootstrap_key(7, 3, 13));
    for (int i = 0; i < 101; i++)
        differ += a[i] != b[i];
    CHECK(differ > 20);
    uint16_t one;
    bootstrap_counts(&one, 1, 5);
    CHECK(one == 1);
}

/* Known words: a seed stored today must give the same board in ten years. */
TEST(the_generator_never_changes)
{
    CHECK(bootstrap_word(0, 0) == 0xe220a8397b1dcdafu); /* SplitMix64's first word from seed 0 */
    CHECK(bootstrap_word(0, 1) == 0x6e789e6aa1b965f4u);
    uint16_t counts[8];
    bootstrap_counts(counts, 8, bootstrap_key(1, 2, 3));
    uint64_t digest = 0;
    for (int i = 0; i < 8; i++)
        digest = digest * 10 + counts[i];
    CHECK(digest == 13110020);
}

TEST(draws_are_uniform)
{
    enum { N = 50, R = 4000 };
    double chi = 0;
    int total[N] = { 0 };
    for (int r = 0; r < R; r++) {
        uint16_t counts[N];
        bootstrap_counts(counts, N, bootstrap_key(2026, 1, r));
        for (int i = 0; i < N; i++)
            total[i] += counts[i];
    }
    for (int i = 0; i < N; i++)
        chi += (total[i] - R) * (double)(total[i] - R) / R;
    CHECK(chi < 95); /* 49 degrees: above that once in 10,000 */
}

TEST(the_product_is_the_sum_over_drawn_items)
{
    enum { N = 3000, C = 5, R = 3 };
    AUTO(free) double *values = must_calloc(N * C, sizeof(double));
    AUTO(free) uint16_t *counts = must_calloc(N * R, sizeof(uint16_t));
    double sums[R * C];
    for (int i = 0; i < N * C; i++)
        values[i] = (double)(bootstrap_word(1, (uint64_t)i) >> 60);
    for (int r = 0; r < R; r++)
        bootstrap_counts(counts + r * N, N, bootstrap_key(1, 1, r));
    bootstrap_product(sums, counts, R, values, N, C);
    for (int r = 0; r < R; r++)
        for (int c = 0; c < C; c++) {
            double sum = 0;
            for (int i = 0; i < N; i++)
                sum += counts[r * N + i] * values[i * C + c];
            CHECK(sums[r * C + c] == sum);
        }
}

TEST(the_order_of_models_changes_nothing)
{
    static const int order[MODELS] = { 3, 5, 0, 4, 1, 2 };
    AUTO(free) struct world *w = must_calloc(1, sizeof(*w));
    struct rank_row rows[MODELS];
    world_fill(w);
    world_rank(w, as_is, 42);
    memcpy(rows, w->rows, sizeof(rows));
    world_rank(w, order, 42);
    for (int m = 0; m < MODELS; m++)
        CHECK(same_row(&w->rows[m], &rows[order[m]]));
}

TEST(equal_models_tie_and_share_their_range)
{
    AUTO(free) struct world *w = must_calloc(1, sizeof(*w));
    world_fill(w);
    for (int t = 0; t < TASKS; t++)
        memcpy(w->values[t][5], w->values[t][0], sizeof(w->values[t][0]));
    world_rank(w, as_is, 42);
    CHECK(same_row(&w->rows[0], &w->rows[5]));
    CHECK(w->rows[0].rank == 1 && w->rows[0].rank_lo == 1 && w->rows[0].rank_hi == 2);
    CHECK(w->rows[2].rank >= 3);
}

TEST(clearly_different_models_have_disjoint_ranges_and_close_ones_overlap)
{
    AUTO(free) struct world *w = must_calloc(1, sizeof(*w));
    world_fill(w);
    world_rank(w, as_is, 42);
    CHECK(w->rows[0].rank == 1 && w->rows[0].rank_hi == 1);
    CHECK(w->rows[0].rank_hi < w->rows[1].rank_lo);
    CHECK(w->rows[2].tie_group == w->rows[3].tie_group);
    CHECK(w->rows[2].tie_group != w->rows[5].tie_group);
    for (int m = 0; m < MODELS; m++) {
        CHECK(w->rows[m].rank_lo <= w->rows[m].rank && w->rows[m].rank <= w->rows[m].rank_hi);
        CHECK(w->rows[m].tie_group <= w->rows[m].rank);
    }
}

TEST(the_seed_decides_and_another_seed_moves_only_the_noise)
{
    AUTO(free) struct world *w = must_calloc(1, sizeof(*w));
    struct rank_row rows[MODELS];
    world_fill(w);
    world_rank(w, as_is, 42);
    memcpy(rows, w->rows, sizeof(rows));
    world_rank(w, as_is, 42);
    CHECK(!memcmp(rows, w->rows, sizeof(rows)));
    world_rank(w, as_is, 43);
    CHECK(rows[0].score == w->rows[0].score && rows[0].error != w->rows[0].error);
    CHECK(fabs(rows[0].error - w->rows[0].error) < 0.15 * rows[0].error);
}

TEST(a_board_is_the_weighted_mean_of_weighted_means)
{
    AUTO(free) struct world *w = must_calloc(1, sizeof(*w));
    double v[TASKS];
    world_fill(w);
    world_rank(w, as_is, 42);
    for (int t = 0; t < TASKS; t++)
        v[t] = aggregate(AGGREGATE_MEAN, w->values[t][2], ITEMS, 0).value;
    double zero = (1 * v[0] + 3 * v[2]) / 4, one = (2 * v[1] + 4 * v[3]) / 6;
    CHECK(fabs(w->categories[2 * 2].value - 100 * zero) < 1e-9);
    CHECK(fabs(w->categories[2 * 2 + 1].value - 100 * one) < 1e-9);
    CHECK(fabs(w->rows[2].score - 50 * (zero + one)) < 1e-9);
}

TEST(the_bootstrap_error_of_one_task_is_its_standard_error)
{
    double values[ITEMS];
    const double *models[] = { values }, weight = 1;
    struct rank_row row;
    answers(values, 0.6, 0, 5);
    AUTO(rank_free) struct rank *rank = rank_new(1, 1, &weight, 1, 4000);
    struct rank_task task = { 1, 0, 2.5, AGGREGATE_MEAN, ITEMS, models };
    rank_add(rank, &task);
    rank_rows(&row, NULL, rank);
    double error = 100 * aggregate(AGGREGATE_MEAN, values, ITEMS, 0).error;
    CHECK(fabs(row.error / error - 1) < 0.05);
    CHECK(row.rank == 1 && row.rank_lo == 1 && row.rank_hi == 1 && row.tie_group == 1);
}

TEST(f1_is_resampled_as_f1)
{
    enum { N = 60 };
    double a[2 * N], b[2 * N];
    const double *models[] = { a, b }, weight = 1;
    struct rank_row rows[2];
    for (int i = 0; i < N; i++) {
        a[2 * i] = b[2 * i] = i % 3;
        a[2 * i + 1] = i % 7 ? i % 3 : 0;
        b[2 * i + 1] = 0;
    }
    AUTO(rank_free) struct rank *rank = rank_new(2, 1, &weight, 1, 500);
    struct rank_task task = { 1, 0, 1, AGGREGATE_F1_MACRO, N, models };
    rank_add(rank, &task);
    rank_rows(rows, NULL, rank);
    CHECK(fabs(rows[0].score - 100 * aggregate(AGGREGATE_F1_MACRO, a, N, 0).value) < 1e-9);
    CHECK(fabs(rows[1].score - 100 * 0.5 / 3) < 1e-9);
    CHECK(rows[0].error > 0 && rows[0].rank_hi == 1 && rows[1].rank_lo == 2);
}

/* ---- threads ---- */

struct part {
    struct rank *rank;
    const struct rank_task *task;
    int first, count;
};

static void *part_run(void *self)
{
    struct part *p = self;
    rank_add_replicates(p->rank, p->task, p->first, p->count);
    return NULL;
}

TEST(any_division_among_threads_gives_the_same_bits)
{
    AUTO(free) struct world *w = must_calloc(1, sizeof(*w));
    const double *values[MODELS];
    struct rank_row alone[MODELS], shared[MODELS];
    world_fill(w);
    for (int m = 0; m < MODELS; m++)
        values[m] = w->values[0][m];
    struct rank_task task = { 1, 0, 1, AGGREGATE_MEAN, ITEMS, values };
    AUTO(rank_free) struct rank *one = rank_new(MODELS, 1, even, 5, REPLICATES);
    AUTO(rank_free) struct rank *many = rank_new(MODELS, 1, even, 5, REPLICATES);
    rank_add(one, &task);
    rank_add_point(many, &task);
    struct part parts[3] = { { many, &task, 0, 7 },
                             { many, &task, 7, 201 },
                             { many, &task, 208, 192 } };
    pthread_t threads[3];
    for (int i = 0; i < 3; i++)
        CHECK(!pthread_create(&threads[i], NULL, part_run, &parts[i]));
    for (int i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    rank_rows(alone, NULL, one);
    rank_rows(shared, NULL, many);
    CHECK(!memcmp(alone, shared, sizeof(alone)));
}
