#include "coordinator/judge/aggregate.h"

#include <math.h>
#include <string.h>

#include "common/python_random.h"

#define CHUNK 1000

/* clang-format off */
static const struct kind {
    const char *word;
    int32_t width;
    bool has_bootstrap;
} kinds[] = {
    [AGGREGATE_MEAN]        = { "mean",        1, false },
    [AGGREGATE_PERPLEXITY]  = { "perplexity",  1, true  },
    [AGGREGATE_F1]          = { "f1",          2, true  },
    [AGGREGATE_F1_MACRO]    = { "macro_f1",    2, false },
    [AGGREGATE_F1_MICRO]    = { "micro_f1",    2, false },
    [AGGREGATE_F1_WEIGHTED] = { "weighted_f1", 2, false },
    [AGGREGATE_MCC]         = { "mcc",         2, true  },
    [AGGREGATE_BRIER]       = { "brier_score", 1, false },
};
/* clang-format on */

bool aggregation_find(enum aggregation *out, const char *word)
{
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (!strcmp(kinds[i].word, word)) {
            *out = (enum aggregation)i;
            return true;
        }
    return false;
}

const char *aggregation_word(enum aggregation aggregation) { return kinds[aggregation].word; }
int32_t aggregation_width(enum aggregation aggregation) { return kinds[aggregation].width; }

/* Neumaier's sum, as Python's: what is lost of each addition is kept apart. */
struct total {
    double sum, lost;
};

static void add(struct total *total, double x)
{
    double sum = total->sum + x;
    if (fabs(total->sum) >= fabs(x))
        total->lost += (total->sum - sum) + x;
    else
        total->lost += (x - sum) + total->sum;
    total->sum = sum;
}

static double total_of(const struct total *total)
{
    return isfinite(total->lost) ? total->sum + total->lost : total->sum;
}

static double mean_of(const double *values, int32_t n)
{
    struct total total = { 0, 0 };
    for (int32_t i = 0; i < n; i++)
        add(&total, values[i]);
    return total_of(&total) / n;
}

static double deviation_of(const double *values, int32_t n)
{
    double mean = mean_of(values, n);
    struct total total = { 0, 0 };
    for (int32_t i = 0; i < n; i++)
        add(&total, (values[i] - mean) * (values[i] - mean));
    return sqrt(total_of(&total) / (n - 1));
}

static double f1_of(const struct confusion *c, int32_t k)
{
    double either = c->gold[k] + c->choice[k];
    return either > 0 ? 2 * c->hit[k] / either : 0;
}

/* A class that nobody has and nobody chose enters no mean. */
static double f1_over_classes(const struct confusion *c, bool weighted)
{
    double sum = 0, weights = 0;
    for (int32_t k = 0; k < c->classes_count; k++) {
        double weight = weighted ? c->gold[k] : c->gold[k] + c->choice[k] > 0;
        sum += weight * f1_of(c, k);
        weights += weight;
    }
    return weights > 0 ? sum / weights : 0;
}

/* R_K of Gorodkin 2004, as scikit-learn: 0 where it is undefined. */
static double mcc_of(const struct confusion *c)
{
    double n = 0, hits = 0, both = 0, golds = 0, choices = 0;
    for (int32_t k = 0; k < c->classes_count; k++) {
        n += c->gold[k];
        hits += c->hit[k];
        both += c->gold[k] * c->choice[k];
        golds += c->gold[k] * c->gold[k];
        choices += c->choice[k] * c->choice[k];
    }
    double below = (n * n - choices) * (n * n - golds);
    return below > 0 ? (hits * n - both) / sqrt(below) : 0;
}

static double micro_of(const struct confusion *c)
{
    double n = 0, hits = 0;
    for (int32_t k = 0; k < c->classes_count; k++) {
        n += c->gold[k];
        hits += c->hit[k];
    }
    return n > 0 ? hits / n : 0;
}

double aggregate_confusion(enum aggregation aggregation, const struct confusion *confusion)
{
    switch (aggregation) {
    case AGGREGATE_F1:
        return confusion->classes_count > 1 ? f1_of(confusion, 1) : 0;
    case AGGREGATE_F1_MACRO:
        return f1_over_classes(confusion, false);
    case AGGREGATE_F1_WEIGHTED:
        return f1_over_classes(confusion, true);
    case AGGREGATE_F1_MICRO:
        return micro_of(confusion);
    case AGGREGATE_MCC:
        return mcc_of(confusion);
    default:
        assert(!"an aggregation of pairs");
        return NAN;
    }
}

static void confusion_add(struct confusion *c, const double *pair)
{
    int32_t gold = (int32_t)pair[0], choice = (int32_t)pair[1];
    assert(gold >= 0 && gold < AGGREGATE_CLASSES_MAX);
    assert(choice >= 0 && choice < AGGREGATE_CLASSES_MAX);
    int32_t most = gold > choice ? gold : choice;
    for (; c->classes_count <= most; c->classes_count++)
        c->gold[c->classes_count] = c->choice[c->classes_count] = c->hit[c->classes_count] = 0;
    c->gold[gold]++;
    c->choice[choice]++;
    c->hit[gold] += gold == choice;
}

/* The value over n items that `pick` names (NULL: each once, in order). */
static double value_of(enum aggregation aggregation, const double *values, int32_t n,
                       const int32_t *pick)
{
    struct total total = { 0, 0 };
    struct confusion confusion;
    bool pairs = kinds[aggregation].width == 2;
    confusion.classes_count = 0;
    for (int32_t i = 0; i < n; i++) {
        int32_t at = pick ? pick[i] : i;
        if (pairs)
            confusion_add(&confusion, values + 2 * (size_t)at);
        else
            add(&total, values[at]);
    }
    if (pairs)
        return aggregate_confusion(aggregation, &confusion);
    double mean = total_of(&total) / n;
    return aggregation == AGGREGATE_PERPLEXITY ? exp(-mean) : mean;
}

static double bootstrap_error(enum aggregation aggregation, const double *values, int32_t n,
                              int32_t iterations)
{
    int32_t chunk = iterations < CHUNK ? iterations : CHUNK;
    int32_t count = iterations / chunk * chunk;
    AUTO(free) double *replicates = must_calloc((size_t)count, sizeof(*replicates));
    AUTO(free) int32_t *pick = must_calloc((size_t)n, sizeof(*pick));
    struct python_random random;
    for (int32_t r = 0; r < count; r++) {
        if (r % chunk == 0)
            python_random_seed(&random, (uint64_t)(r / chunk));
        for (int32_t i = 0; i < n; i++)
            pick[i] = (int32_t)(python_random_unit(&random) * n);
        replicates[r] = value_of(aggregation, values, n, pick);
    }
    return count > 1 ? deviation_of(replicates, count) : NAN;
}

static double error_of(enum aggregation aggregation, const double *values, int32_t n,
                       int32_t iterations)
{
    if (n <= 1)
        return NAN;
    if (aggregation == AGGREGATE_MEAN)
        return deviation_of(values, n) / sqrt(n);
    if (!kinds[aggregation].has_bootstrap || iterations <= 0)
        return NAN;
    return bootstrap_error(aggregation, values, n, iterations);
}

struct estimate aggregate(enum aggregation aggregation, const double *values, int32_t n,
                          int32_t iterations)
{
    assert(n >= 1);
    return (struct estimate){
        .value = value_of(aggregation, values, n, NULL),
        .error = error_of(aggregation, values, n, iterations),
    };
}
