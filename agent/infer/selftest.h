/* selftest.h - law 2 asked of this machine and a model: are answers the same bits whatever the
 * schedule?
 *
 * A set of requests from a seed (prefixes of each other, branches around the edges of pages) is
 * scored one request at a time on one thread; then as a whole, permuted, in shards, in other wave
 * and chunk sizes, on 1 .. n threads (tiles follow from these) and under every instruction set that
 * the machine has.  What is counted are bits of log-probs that differ. */
#ifndef SELFTEST_H
#define SELFTEST_H

#include "agent/infer/engine.h"

struct selftest {
    struct engine_conf engine; /* device, memory; threads: up to how many */
    const char *dir;           /* of the model */
    bool fault; /* plant one: every second engine computes with a bit of its weights flipped */
    void (*say)(void *self, const char *line); /* a line of the report; no line end */
    void *self;
};

struct selftest_result {
    int64_t compared, differing; /* bits */
    int32_t schedules;
    bool known; /* the class's known bits are the committed ones */
};

/* Both dtypes' modes: the model's own dtype as hf and as fp32.  False: it could not be run. */
bool selftest_run(struct selftest_result *out, const struct selftest *test, struct err *err) MUST;

/* The short form, on the model that is loaded: a few requests alone, together, and shuffled. */
bool selftest_short(struct engine *engine, int64_t *differing, struct err *err) MUST;

#endif
