/* metric.h - one item's answer against its gold: the numbers that a metric keeps of an item.
 *
 * As lm-evaluation-harness 0.4 computes them (api/task.py, process_results), without a filter:
 *
 *     acc              argmax ll = gold             acc_norm    argmax ll / code points of the
 * choice acc_bytes        argmax ll / UTF-8 bytes      acc_mutual_info   argmax (ll - unconditional
 * ll) exact_match      the gold choice is greedy    f1, mcc     the pair (gold, argmax ll)
 *     brier_score      sum over choices of (softmax ll - 1[gold])^2
 *
 * and for a loglikelihood task acc = greedy, perplexity = ll.  argmax is numpy's: the first index
 * of the greatest value (the first nan, should there be one).  Code points, not bytes, not
 * syllables: a decomposed syllable counts each jamo.  Numbers of an item are its judgement; what
 * they mean together is aggregate.h's business. */
#ifndef METRIC_H
#define METRIC_H

#include "common/err.h"
#include "common/text.h"

#define METRIC_WIDTH_MAX   2
#define METRIC_CHOICES_MAX 256

/* What an item's gold says; read from {"gold":[i,...],"chars":[...],"bytes":[...]}. */
struct gold {
    int32_t golds_count, choices_count;
    int32_t golds[METRIC_CHOICES_MAX]; /* indices of right choices; more than one: any counts */
    int32_t chars[METRIC_CHOICES_MAX]; /* code points of each choice */
    int32_t bytes[METRIC_CHOICES_MAX];
};

/* Errors name an offset or a number, never the text. */
bool gold_read(struct gold *out, struct text json, struct err *err) MUST;

/* A response, in request order: one request a choice, then, where the task asks for mutual
 * information, the same choices once more after an empty prompt. */
struct answer {
    int32_t requests_count;
    const double *loglik;
    const bool *greedy;
};

/* Entries of a constant table. */
struct metric {
    const char *name;
    bool multiple_choice; /* else of a loglikelihood task */
    int32_t width;        /* numbers an item keeps */
    int32_t requests;     /* per choice: 2 with unconditional ones */
    void (*item)(double *out, const struct gold *gold, const struct answer *answer);
};

/* NULL: there is no such metric for that kind of task. */
const struct metric *metric_find(const char *name, bool multiple_choice);
/* The i-th of all, NULL past the end. */
const struct metric *metric_at(int i);

/* out[metric->width].  Refuses an answer whose number of requests does not fit the gold. */
bool metric_item(double *out, const struct metric *metric, const struct gold *gold,
                 const struct answer *answer, struct err *err) MUST;

#endif
