/* aggregate.h - the numbers of all items become one value and its standard error.
 *
 * As lm-evaluation-harness 0.4 (api/metrics.py) does it:
 *
 *     mean          sum / n                         standard error: sample deviation / sqrt n
 *     perplexity    exp(-mean)                      bootstrap
 *     f1            binary, class 1                 bootstrap
 *     macro_f1      mean over the union of gold     none ("N/A")
 *                   and predicted classes
 *     micro_f1, weighted_f1                         none
 *     mcc           Matthews, any classes           bootstrap
 *     brier_score   mean                            none
 *
 * The bootstrap is the harness's own, bit for bit: chunk j of 1,000 replicates draws with
 * random.Random(j), index floor(random() * n); the sample deviation of all replicates is the error.
 * Sums are compensated as Python's sum() is since 3.12.  Groups of tasks are summed up in SQL:
 * view group_list. */
#ifndef AGGREGATE_H
#define AGGREGATE_H

#include "common/base.h"

enum aggregation {
    AGGREGATE_MEAN,
    AGGREGATE_PERPLEXITY,
    AGGREGATE_F1,
    AGGREGATE_F1_MACRO,
    AGGREGATE_F1_MICRO,
    AGGREGATE_F1_WEIGHTED,
    AGGREGATE_MCC,
    AGGREGATE_BRIER,
};

#define AGGREGATE_CLASSES_MAX     256
#define AGGREGATE_BOOTSTRAP_ITERS 100000 /* the harness's default */

/* The words of a task definition: "mean", "perplexity", "f1", "macro_f1", ... */
bool aggregation_find(enum aggregation *out, const char *word);
const char *aggregation_word(enum aggregation aggregation);
/* Numbers an item has: 2 for what is computed from (gold, choice), else 1. */
int32_t aggregation_width(enum aggregation aggregation);

/* How often each class was right, predicted, and both; bootstrap counts make them weights. */
struct confusion {
    int32_t classes_count;
    double gold[AGGREGATE_CLASSES_MAX], choice[AGGREGATE_CLASSES_MAX], hit[AGGREGATE_CLASSES_MAX];
};
double aggregate_confusion(enum aggregation aggregation, const struct confusion *confusion);

struct estimate {
    double value;
    double error; /* standard error; nan: none is defined */
};

/* values[n * width], item by item, n >= 1.  iterations: of the bootstrap where there is one; 0: no
 * error. */
struct estimate aggregate(enum aggregation aggregation, const double *values, int32_t n,
                          int32_t iterations);

#endif
