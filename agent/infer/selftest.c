#include "agent/infer/selftest.h"

#include "agent/model/config.h"

#include <stdio.h>
#include <string.h>

enum { SET_REQUESTS = 16, SET_LONGEST = 140, SHORT_REQUESTS = 3, SHORT_LONGEST = 10 };

struct set {
    int32_t tokens[SET_REQUESTS][SET_LONGEST];
    struct request request[SET_REQUESTS];
    int32_t count;
};

struct answers {
    struct engine_answer answer[SET_REQUESTS];
    float logprob[SET_REQUESTS][SET_LONGEST];
};

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static int32_t below(uint64_t *state, int32_t n) { return (int32_t)(next(state) % (uint64_t)n); }

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

/* Each keeps a prefix of an earlier one, of any length or around the edge of a page. */
static void set_make(struct set *set, int32_t count, int32_t longest, int32_t vocab)
{
    uint64_t state = 1;

    set->count = count;
    for (int32_t i = 0; i < count; i++) {
        const struct request *from = i ? &set->request[below(&state, i)] : NULL;
        int32_t edge = PLAN_SLOTS - 1 + below(&state, 3), keep = 0;
        if (from)
            keep = below(&state, 2) ? below(&state, from->n) : least(edge, from->n);
        int32_t n = keep + 2 + below(&state, longest);
        n = least(n, longest);
        keep = least(keep, n);
        if (from)
            memcpy(set->tokens[i], from->tokens, (size_t)keep * sizeof(int32_t));
        for (int32_t t = keep; t < n; t++)
            set->tokens[i][t] = below(&state, vocab);
        set->request[i] = (struct request){ set->tokens[i], 1 + below(&state, n - 1), n };
    }
}

/* Requests pick[0 .. n) in that order, as one call. */
static bool score(struct engine *engine, const struct set *set, const int32_t *pick, int32_t n,
                  struct answers *out, struct err *err)
{
    struct request request[SET_REQUESTS];
    struct engine_answer answer[SET_REQUESTS];
    AUTO(free) float *logprob = must_calloc(SET_REQUESTS * SET_LONGEST, sizeof(*logprob));
    const float *from = logprob;

    for (int32_t i = 0; i < n; i++)
        request[i] = set->request[pick[i]];
    if (!engine_score(engine, request, n, answer, logprob, NULL, NULL, err))
        return false;
    for (int32_t i = 0; i < n; from += answer[i++].tokens) {
        out->answer[pick[i]] = answer[i];
        memcpy(out->logprob[pick[i]], from, (size_t)answer[i].tokens * sizeof(*from));
    }
    return true;
}

static int64_t bits_differ(const void *a, const void *b, size_t size)
{
    const uint8_t *x = a, *y = b;
    int64_t count = 0;

    for (size_t i = 0; i < size; i++)
        count += __builtin_popcount((unsigned)(x[i] ^ y[i]));
    return count;
}

static void compare(struct selftest_result *result, const struct set *set, const struct answers *a,
                    const struct answers *b)
{
    for (int32_t i = 0; i < set->count; i++) {
        const struct engine_answer *x = &a->answer[i], *y = &b->answer[i];
        size_t size = (size_t)x->tokens * sizeof(float);
        result->compared += 8 * (int64_t)size + 64 + 2;
        result->differing += bits_differ(a->logprob[i], b->logprob[i], size) +
                             bits_differ(&x->loglik, &y->loglik, sizeof(x->loglik)) +
                             (x->greedy != y->greedy) + (x->verdict != y->verdict);
    }
    result->schedules++;
}

/* ---- one engine under several schedules ---- */

static bool score_alone(struct engine *engine, const struct set *set, struct answers *out,
                        struct err *err)
{
    for (int32_t i = 0; i < set->count; i++)
        if (!score(engine, set, &i, 1, out, err))
            return false;
    return true;
}

/* A shuffle in `shards` calls; seed 0 keeps the order. */
static bool score_shards(struct engine *engine, const struct set *set, int32_t shards,
                         uint64_t seed, struct answers *out, struct err *err)
{
    int32_t deck[SET_REQUESTS] = { 0 };

    for (int32_t i = 0; i < set->count; i++) {
        int32_t j = seed ? below(&seed, i + 1) : i;
        deck[i] = deck[j];
        deck[j] = i;
    }
    for (int32_t s = 0; s < shards; s++) {
        int32_t from = set->count * s / shards, to = set->count * (s + 1) / shards;
        if (to > from && !score(engine, set, deck + from, to - from, out, err))
            return false;
    }
    return true;
}

/* ---- the long form ---- */

/* An engine that may differ in no bit from any other. */
struct variant {
    const char *device;
    int32_t threads, wave_rows, chunk_rows;
};

struct testing {
    const struct selftest *test;
    enum engine_dtype dtype;
    enum engine_mode mode;
    struct set set;
    struct answers alone;
    struct selftest_result *result;
};

static bool variant_open(struct engine **out, const struct testing *t, const struct variant *v,
                         bool fault, struct err *err)
{
    struct engine_conf conf = { .device = v->device,
                                .threads = v->threads,
                                .memory_bytes = t->test->engine.memory_bytes,
                                .wave_rows = v->wave_rows,
                                .chunk_rows = v->chunk_rows };

    return engine_open(out, &conf, err) &&
           engine_load(*out, t->test->dir, t->dtype, t->mode, err) &&
           (!fault || engine_fault(*out, err));
}

static void variant_say(const struct testing *t, const struct variant *v, int64_t differing)
{
    static const char *const dtypes[] = { "f32", "bf16", "f16" };
    char line[200];

    snprintf(line, sizeof(line), "%s %s, %s, threads %d, wave %d, chunk %d: %lld bits differ",
             dtypes[t->dtype], t->mode == ENGINE_HF ? "hf" : "fp32", v->device, v->threads,
             v->wave_rows, v->chunk_rows, (long long)differing);
    t->test->say(t->test->self, line);
}

static bool variant_run(struct testing *t, const struct variant *v, bool fault, struct err *err)
{
    static const int32_t shards[] = { 1, 1, 2, 3, 7 };
    AUTO(engine_close) struct engine *engine = NULL;
    AUTO(free) struct answers *got = must_calloc(1, sizeof(*got));
    int64_t before = t->result->differing;

    if (!variant_open(&engine, t, v, fault, err))
        return false;
    for (size_t i = 0; i < COUNT(shards); i++) {
        if (!score_shards(engine, &t->set, shards[i], i, got, err))
            return false;
        compare(t->result, &t->set, got, &t->alone);
    }
    variant_say(t, v, t->result->differing - before);
    return true;
}

/* Caps of an instruction set that the machine lacks run as the best below: nothing is lost. */
static bool variants_run(struct testing *t, struct err *err)
{
    const char *device = t->test->engine.device;
    int32_t most = t->test->engine.threads > 1 ? t->test->engine.threads : 1;
    bool cpu = !strcmp(device, "cpu"), fault = t->test->fault;
    const struct variant variants[] = {
        { device, 1, 0, 0 },           { device, most, 1, 7 },          { device, most, 150, 33 },
        { device, most, 0, 1 },        { "cpu:avx512", most, 200, 64 }, { "cpu:avx2", 1, 300, 16 },
        { "cpu:scalar", most, 0, 48 },
    };

    for (size_t i = 0; i < COUNT(variants); i++)
        if ((cpu || variants[i].device == device) &&
            !variant_run(t, &variants[i], fault && i % 2, err))
            return false;
    for (int32_t n = 2; n <= most; n++)
        if (!variant_run(t, &(struct variant){ device, n, 0, 0 }, fault && n % 2, err))
            return false;
    return true;
}

static bool mode_run(struct testing *t, enum engine_mode mode, struct err *err)
{
    const struct variant first = { t->test->engine.device, 1, 0, 0 };
    AUTO(engine_close) struct engine *engine = NULL;

    t->mode = mode;
    if (!variant_open(&engine, t, &first, false, err))
        return false;
    const struct model_config *model = engine_model(engine);
    set_make(&t->set, SET_REQUESTS, least(SET_LONGEST, model->positions_max), model->vocab);
    if (!score_alone(engine, &t->set, &t->alone, err))
        return false;
    engine_close(TAKE(engine));
    return variants_run(t, err);
}

static bool known_ask(struct selftest_result *out, const struct selftest *test, struct err *err)
{
    AUTO(engine_close) struct engine *engine = NULL;
    char line[600];

    if (!engine_open(&engine, &test->engine, err) || !engine_class_check(engine, test->fault, err))
        return false;
    out->known = !strstr(engine_class_facts(engine), "\"bits\"");
    snprintf(line, sizeof(line), "device: %s", engine_about(engine));
    test->say(test->self, line);
    snprintf(line, sizeof(line), "class %s: its known bits %s", engine_class_facts(engine),
             out->known ? "are as committed" : "are NOT as committed");
    test->say(test->self, line);
    return true;
}

bool selftest_run(struct selftest_result *out, const struct selftest *test, struct err *err)
{
    static const enum engine_dtype dtypes[] = {
        [MODEL_F32] = ENGINE_F32, [MODEL_BF16] = ENGINE_BF16, [MODEL_F16] = ENGINE_F16
    };
    AUTO(free) struct model_config *config = must_calloc(1, sizeof(*config));
    AUTO(free) struct testing *t = must_calloc(1, sizeof(*t));

    *out = (struct selftest_result){ 0 };
    if (!model_config_open(config, test->dir, err) || !known_ask(out, test, err))
        return false;
    t->test = test;
    t->dtype = dtypes[config->dtype];
    t->result = out;
    return mode_run(t, ENGINE_HF, err) && (t->dtype == ENGINE_F32 || mode_run(t, ENGINE_FP32, err));
}

/* ---- the short form ---- */

bool selftest_short(struct engine *engine, int64_t *differing, struct err *err)
{
    const struct model_config *model = engine_model(engine);
    AUTO(free) struct set *set = must_calloc(1, sizeof(*set));
    AUTO(free) struct answers *alone = must_calloc(1, sizeof(*alone));
    AUTO(free) struct answers *got = must_calloc(1, sizeof(*got));
    struct selftest_result result = { 0 };

    set_make(set, SHORT_REQUESTS, least(SHORT_LONGEST, model->positions_max), model->vocab);
    if (!score_alone(engine, set, alone, err))
        return false;
    for (uint64_t seed = 0; seed < 2; seed++) {
        if (!score_shards(engine, set, 1, seed, got, err))
            return false;
        compare(&result, set, got, alone);
    }
    *differing = result.differing;
    return true;
}
