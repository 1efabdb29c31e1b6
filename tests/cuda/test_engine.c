/* Law 2 on whole models: an answer has the same bits alone and in any company, whatever the chunks,
 * the waves, and whether weights are resident or streamed. */
#include "agent/infer/engine.h"
#include "tests/random_model.h"
#include "tests/requests.h"
#include "tests/test.h"

#define DIMS                                                                                  \
    "\"vocab_size\":120,\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":4," \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"max_position_embeddings\":256,"

enum { REQUESTS = 9, PATH = 90 };

static const struct kind {
    const char *config;
    enum engine_dtype dtype;
    enum engine_mode mode;
} kinds[] = {
    { "{\"model_type\":\"mistral\"," DIMS "\"sliding_window\":20}", ENGINE_BF16, ENGINE_HF },
    { "{\"model_type\":\"llama\"," DIMS "\"tie_word_embeddings\":true}", ENGINE_F16, ENGINE_HF },
    { "{\"model_type\":\"qwen2\"," DIMS "\"head_dim\":16}", ENGINE_BF16, ENGINE_FP32 },
};

static const struct {
    const char *more; /* of the device's name */
    int32_t chunk, wave;
} engines[] = { { "", 64, 0 }, { ":streamed", 33, 150 }, { "", 16, 1 } };

struct answers {
    struct engine_answer answer[REQUESTS];
    float logprob[REQUESTS][PATH];
};

static bool engine_get(struct engine **out, size_t number, const struct kind *kind, const char *dir,
                       struct err *err)
{
    const char *name = getenv("KOEVAL_DEVICE");
    char device[64];

    snprintf(device, sizeof(device), "%s%s", name ? name : "cuda:0", engines[number].more);
    struct engine_conf conf = { .device = device,
                                .chunk_rows = engines[number].chunk,
                                .wave_rows = engines[number].wave };
    return engine_open(out, &conf, err) && engine_load(*out, dir, kind->dtype, kind->mode, err);
}

/* Requests pick[0 .. n) in that order. */
static bool score(struct engine *e, const struct pool *pool, const int32_t *pick, int32_t n,
                  struct answers *out, struct err *err)
{
    static float logprob[REQUESTS * PATH];
    static struct request request[REQUESTS];
    static struct engine_answer answer[REQUESTS];
    const float *from = logprob;

    for (int32_t i = 0; i < n; i++)
        request[i] = pool->request[pick[i]];
    if (!engine_score(e, request, n, answer, logprob, NULL, NULL, err))
        return false;
    for (int32_t i = 0; i < n; from += answer[i++].tokens) {
        out->answer[pick[i]] = answer[i];
        memcpy(out->logprob[pick[i]], from, (size_t)answer[i].tokens * sizeof(*from));
    }
    return true;
}

static int32_t differ(const struct answers *a, const struct answers *b, int32_t count)
{
    int32_t wrong = 0;
    for (int32_t i = 0; i < count; i++) {
        const struct engine_answer *x = &a->answer[i], *y = &b->answer[i];
        wrong += x->verdict != ENGINE_ANSWERED || y->verdict != ENGINE_ANSWERED ||
                 x->greedy != y->greedy || x->tokens != y->tokens ||
                 memcmp(&x->loglik, &y->loglik, sizeof(x->loglik)) ||
                 memcmp(a->logprob[i], b->logprob[i], (size_t)x->tokens * sizeof(float));
    }
    return wrong;
}

/* All, from the last to the first, by one engine. */
static bool reversed(const struct kind *kind, size_t number, const char *dir,
                     const struct pool *pool, struct answers *out, struct err *err)
{
    AUTO(engine_close) struct engine *e = NULL;
    int32_t pick[REQUESTS];

    for (int32_t i = 0; i < pool->count; i++)
        pick[i] = pool->count - 1 - i;
    return engine_get(&e, number, kind, dir, err) && score(e, pool, pick, pool->count, out, err);
}

static bool kind_holds(const struct kind *kind, struct err *err)
{
    static struct pool pool;
    static struct answers alone, got;
    AUTO(engine_close) struct engine *e = NULL;
    uint64_t seed = 3;
    char dir[64];
    int32_t wrong = 0;

    random_model_write(dir, kind->config, strlen(kind->config), 1, TENSOR_BF16);
    pool_make(&pool, PLAN_SLOTS, PATH, 120, &seed);
    pool.count = pool.count < REQUESTS ? pool.count : REQUESTS;
    bool ok = engine_get(&e, 0, kind, dir, err);
    for (int32_t i = 0; ok && i < pool.count; i++)
        ok = score(e, &pool, &i, 1, &alone, err);
    for (size_t i = 0; ok && i < COUNT(engines); i++) {
        ok = reversed(kind, i, dir, &pool, &got, err);
        int32_t bad = ok ? differ(&alone, &got, pool.count) : 0;
        if (bad)
            printf("engine %zu: %d of %d answers differ\n", i, bad, pool.count);
        wrong += bad;
    }
    random_model_remove(dir);
    if (!ok)
        printf("%s\n", err->text);
    return ok && wrong == 0;
}

TEST(bf16_answers_under_a_window_depend_on_nothing_but_their_request)
{
    CHECK(kind_holds(&kinds[0], &(struct err){ 0 }));
}

TEST(f16_answers_depend_on_nothing_but_their_request)
{
    CHECK(kind_holds(&kinds[1], &(struct err){ 0 }));
}

TEST(answers_in_fp32_depend_on_nothing_but_their_request)
{
    CHECK(kind_holds(&kinds[2], &(struct err){ 0 }));
}
