#include "coordinator/judge/rank.h"

#include <math.h>
#include <string.h>

#include "coordinator/judge/bootstrap.h"

#define LANES    16    /* replicates whose counts stand in memory at once */
#define TAIL     0.025 /* on either side */
#define PER_CENT 100.0

struct rank {
    int32_t models, categories, replicates;
    uint64_t seed;
    double *weights;     /* [categories] */
    double *task_weight; /* [categories]: of the tasks added so far */
    double *point;       /* [models][categories]: sum w value */
    double *drawn;       /* [replicates][models][categories] */
};

struct rank *rank_new(int32_t models, int32_t categories, const double *weights, uint64_t seed,
                      int32_t replicates)
{
    assert(models > 0 && categories > 0);
    assert(replicates > 0 && replicates <= RANK_REPLICATES_MAX);
    struct rank *r = must_calloc(1, sizeof(*r));
    size_t cells = (size_t)models * categories;
    r->models = models;
    r->categories = categories;
    r->replicates = replicates;
    r->seed = seed;
    r->weights = must_calloc((size_t)categories, sizeof(double));
    memcpy(r->weights, weights, (size_t)categories * sizeof(double));
    r->task_weight = must_calloc((size_t)categories, sizeof(double));
    r->point = must_calloc(cells, sizeof(double));
    r->drawn = must_calloc(cells * replicates, sizeof(double));
    return r;
}

void rank_free(struct rank *rank)
{
    if (!rank)
        return;
    free(rank->weights);
    free(rank->task_weight);
    free(rank->point);
    free(rank->drawn);
    free(rank);
}

void rank_add_point(struct rank *rank, const struct rank_task *task)
{
    assert(task->category >= 0 && task->category < rank->categories);
    assert(task->weight > 0);
    rank->task_weight[task->category] += task->weight;
    for (int32_t m = 0; m < rank->models; m++)
        rank->point[(size_t)m * rank->categories + task->category] +=
            task->weight * aggregate(task->aggregation, task->values[m], task->n, 0).value;
}

/* ---- what is summed over drawn items: one column a model, or the classes of pairs ---- */

static int32_t classes_of(const struct rank_task *task, int32_t models)
{
    double most = 0;
    for (int32_t m = 0; m < models; m++)
        for (size_t i = 0; i < 2 * (size_t)task->n; i++)
            most = fmax(most, task->values[m][i]);
    assert(most < AGGREGATE_CLASSES_MAX);
    return (int32_t)most + 1;
}

/* Golds are the same for all models: K shared columns, then K choices and K hits a model. */
static void columns_of_pairs(double *out, const struct rank_task *task, int32_t models,
                             int32_t classes, int32_t columns)
{
    for (int32_t i = 0; i < task->n; i++, out += columns) {
        out[(int32_t)task->values[0][2 * (size_t)i]] = 1;
        for (int32_t m = 0; m < models; m++) {
            int32_t gold = (int32_t)task->values[m][2 * (size_t)i];
            int32_t choice = (int32_t)task->values[m][2 * (size_t)i + 1];
            double *mine = out + classes + (size_t)m * 2 * classes;
            mine[choice] = 1;
            mine[classes + gold] = gold == choice;
        }
    }
}

static void columns_of_numbers(double *out, const struct rank_task *task, int32_t models,
                               int32_t columns)
{
    for (int32_t m = 0; m < models; m++)
        for (int32_t i = 0; i < task->n; i++)
            out[(size_t)i * columns + m] = task->values[m][i];
}

/* Columns of zeros fill the last vector. */
static int32_t round_up(int32_t columns) { return (columns + 3) / 4 * 4; }

static double value_of_pairs(enum aggregation aggregation, const double *sums, int32_t model,
                             int32_t classes)
{
    struct confusion c = { .classes_count = classes };
    const double *mine = sums + classes + (size_t)model * 2 * classes;
    size_t size = (size_t)classes * sizeof(double);
    memcpy(c.gold, sums, size);
    memcpy(c.choice, mine, size);
    memcpy(c.hit, mine + classes, size);
    return aggregate_confusion(aggregation, &c);
}

static double value_of_sum(enum aggregation aggregation, double sum, int32_t n)
{
    return aggregation == AGGREGATE_PERPLEXITY ? exp(-sum / n) : sum / n;
}

void rank_add_replicates(struct rank *rank, const struct rank_task *task, int32_t first,
                         int32_t count)
{
    assert(first >= 0 && count >= 0 && first + count <= rank->replicates);
    bool pairs = aggregation_width(task->aggregation) == 2;
    int32_t models = rank->models, n = task->n;
    int32_t classes = pairs ? classes_of(task, models) : 0;
    int32_t columns = round_up(pairs ? classes * (1 + 2 * models) : models);
    AUTO(free) double *values = must_calloc((size_t)n * columns, sizeof(double));
    AUTO(free) double *sums = must_calloc((size_t)LANES * columns, sizeof(double));
    AUTO(free) uint16_t *counts = must_calloc((size_t)LANES * n, sizeof(uint16_t));
    if (pairs)
        columns_of_pairs(values, task, models, classes, columns);
    else
        columns_of_numbers(values, task, models, columns);

    for (int32_t at = first; at < first + count; at += LANES) {
        int32_t lanes = first + count - at < LANES ? first + count - at : LANES;
        for (int32_t l = 0; l < lanes; l++)
            bootstrap_counts(counts + (size_t)l * n, n,
                             bootstrap_key(rank->seed, task->key, at + l));
        bootstrap_product(sums, counts, lanes, values, n, columns);
        for (int32_t l = 0; l < lanes; l++)
            for (int32_t m = 0; m < models; m++) {
                const double *s = sums + (size_t)l * columns;
                size_t cell = ((size_t)(at + l) * models + m) * rank->categories + task->category;
                rank->drawn[cell] +=
                    task->weight * (pairs ? value_of_pairs(task->aggregation, s, m, classes)
                                          : value_of_sum(task->aggregation, s[m], n));
            }
    }
}

void rank_add(struct rank *rank, const struct rank_task *task)
{
    rank_add_point(rank, task);
    rank_add_replicates(rank, task, 0, rank->replicates);
}

/* ---- from sums to rows ---- */

static double category_of(const struct rank *rank, const double *cells, int32_t category)
{
    assert(rank->task_weight[category] > 0);
    return PER_CENT * cells[category] / rank->task_weight[category];
}

static double board_of(const struct rank *rank, const double *cells)
{
    double sum = 0, weights = 0;
    for (int32_t c = 0; c < rank->categories; c++) {
        sum += rank->weights[c] * category_of(rank, cells, c);
        weights += rank->weights[c];
    }
    return sum / weights;
}

static const double *drawn_cells(const struct rank *rank, int32_t replicate, int32_t model)
{
    return rank->drawn + ((size_t)replicate * rank->models + model) * rank->categories;
}

/* scores[models][replicates] */
static double *drawn_scores(const struct rank *rank)
{
    double *scores = must_calloc((size_t)rank->models * rank->replicates, sizeof(double));
    for (int32_t m = 0; m < rank->models; m++)
        for (int32_t r = 0; r < rank->replicates; r++)
            scores[(size_t)m * rank->replicates + r] = board_of(rank, drawn_cells(rank, r, m));
    return scores;
}

static double deviation(const double *values, int32_t n)
{
    double mean = 0, sum = 0;
    for (int32_t i = 0; i < n; i++)
        mean += values[i] / n;
    for (int32_t i = 0; i < n; i++)
        sum += (values[i] - mean) * (values[i] - mean);
    return n > 1 ? sqrt(sum / (n - 1)) : NAN;
}

static int32_t rank_of(const struct rank_row *rows, int32_t models, int32_t model)
{
    int32_t greater = 0;
    for (int32_t m = 0; m < models; m++)
        greater += rows[m].score > rows[model].score;
    return greater + 1;
}

/* best[m] and worst[m] count how often a model's place was at most 1, 2, ... */
static void range_of(struct rank_row *row, const struct rank *rank, const double *scores,
                     int32_t model)
{
    AUTO(free) int32_t *best = must_calloc((size_t)rank->models + 1, sizeof(int32_t));
    AUTO(free) int32_t *worst = must_calloc((size_t)rank->models + 1, sizeof(int32_t));
    int32_t n = rank->replicates;
    for (int32_t r = 0; r < n; r++) {
        int32_t greater = 0, equal = 0;
        double mine = scores[(size_t)model * n + r];
        for (int32_t m = 0; m < rank->models; m++) {
            greater += scores[(size_t)m * n + r] > mine;
            equal += scores[(size_t)m * n + r] == mine;
        }
        best[greater + 1]++;
        worst[greater + equal]++;
    }
    row->rank_lo = row->rank_hi = 0;
    int32_t lo = 0, hi = 0;
    for (int32_t place = 1; place <= rank->models; place++) {
        lo += best[place];
        hi += worst[place];
        if (!row->rank_lo && lo > TAIL * n)
            row->rank_lo = place;
        if (!row->rank_hi && hi >= (1 - TAIL) * n)
            row->rank_hi = place;
    }
    /* Replicates of a lopsided task may miss the board as it is. */
    row->rank_lo = row->rank < row->rank_lo ? row->rank : row->rank_lo;
    row->rank_hi = row->rank > row->rank_hi ? row->rank : row->rank_hi;
}

/* Equal scores are ordered by their replicates, so that no order of the models is left to choose.
 */
static bool is_before(const struct rank *rank, const struct rank_row *rows, const double *scores,
                      int32_t a, int32_t b)
{
    if (rows[a].score != rows[b].score)
        return rows[a].score > rows[b].score;
    const double *x = scores + (size_t)a * rank->replicates;
    const double *y = scores + (size_t)b * rank->replicates;
    for (int32_t r = 0; r < rank->replicates; r++)
        if (x[r] != y[r])
            return x[r] > y[r];
    return a < b;
}

static int32_t *order_of(const struct rank *rank, const struct rank_row *rows, const double *scores)
{
    int32_t *order = must_calloc((size_t)rank->models, sizeof(int32_t));
    for (int32_t m = 0; m < rank->models; m++) {
        int32_t at = m;
        for (; at > 0 && is_before(rank, rows, scores, m, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = m;
    }
    return order;
}

static bool is_tied(const struct rank *rank, const double *scores, int32_t leader, int32_t model)
{
    const double *x = scores + (size_t)leader * rank->replicates;
    const double *y = scores + (size_t)model * rank->replicates;
    int32_t as_good = 0;
    for (int32_t r = 0; r < rank->replicates; r++)
        as_good += y[r] >= x[r];
    return as_good > TAIL * rank->replicates;
}

static void tie_groups(struct rank_row *rows, const struct rank *rank, const double *scores)
{
    AUTO(free) int32_t *order = order_of(rank, rows, scores);
    int32_t leader = order[0];
    for (int32_t i = 0; i < rank->models; i++) {
        /* An equal score is a tie whatever the replicates say. */
        if (rows[order[i]].score < rows[leader].score && !is_tied(rank, scores, leader, order[i]))
            leader = order[i];
        rows[order[i]].tie_group = rows[leader].rank;
    }
}

static void category_rows(struct estimate *out, const struct rank *rank)
{
    AUTO(free) double *drawn = must_calloc((size_t)rank->replicates, sizeof(double));
    for (int32_t m = 0; m < rank->models; m++)
        for (int32_t c = 0; c < rank->categories; c++) {
            for (int32_t r = 0; r < rank->replicates; r++)
                drawn[r] = category_of(rank, drawn_cells(rank, r, m), c);
            *out++ = (struct estimate){
                category_of(rank, rank->point + (size_t)m * rank->categories, c),
                deviation(drawn, rank->replicates),
            };
        }
}

void rank_rows(struct rank_row *rows, struct estimate *categories, const struct rank *rank)
{
    AUTO(free) double *scores = drawn_scores(rank);
    for (int32_t m = 0; m < rank->models; m++) {
        rows[m].score = board_of(rank, rank->point + (size_t)m * rank->categories);
        rows[m].error = deviation(scores + (size_t)m * rank->replicates, rank->replicates);
    }
    for (int32_t m = 0; m < rank->models; m++) {
        rows[m].rank = rank_of(rows, rank->models, m);
        range_of(&rows[m], rank, scores, m);
    }
    tie_groups(rows, rank, scores);
    if (categories)
        category_rows(categories, rank);
}
