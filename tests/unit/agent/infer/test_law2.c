/* A response is a function of (weights, the request's own tokens and where its prompt ends,
 * numerics class) and of nothing else: random tries under every schedule, compared bit by bit with
 * each request alone.
 *
 * KOEVAL_SEEDS=N runs N seeds a model instead of a few; KOEVAL_NO_SCALAR=1 leaves the scalar
 * instruction set out.  KOEVAL_DEVICE=cuda:0 asks the same of another backend: then engines differ
 * in chunks and waves, and one streams its weights; known bits are those of the first engine. */
#include "agent/infer/engine.h"
#include "tests/random_model.h"
#include "tests/requests.h"
#include "tests/sets.h"
#include "tests/test.h"

#define SEEDS_DEFAULT 3
#define POISON        37 /* this token's embedding is infinite in the poisoned model */
#define TARGETS_MAX   (POOL_REQUESTS_MAX * POOL_TOKENS_MAX)

#define DIMS                                                                                  \
    "\"vocab_size\":500,\"hidden_size\":64,\"intermediate_size\":96,\"num_hidden_layers\":3," \
    "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"max_position_embeddings\":256,"

static const struct kind {
    const char *config;
    enum tensor_type file;
    enum engine_dtype dtype;
    enum engine_mode mode;
    const char *bits; /* digest of known bits: see the last test */
} kinds[] = {
    { "{\"model_type\":\"llama\"," DIMS "\"rope_theta\":10000}", TENSOR_F32, ENGINE_F32, ENGINE_HF,
      "85c98163b3d6fdb8" },
    { "{\"model_type\":\"qwen2\"," DIMS "\"use_sliding_window\":true,\"sliding_window\":70,"
      "\"layer_types\":[\"sliding_attention\",\"full_attention\",\"sliding_attention\"]}",
      TENSOR_BF16, ENGINE_BF16, ENGINE_HF, "2dac356f96daacd0" },
    { "{\"model_type\":\"mistral\"," DIMS "\"sliding_window\":5,\"tie_word_embeddings\":true}",
      TENSOR_F16, ENGINE_F16, ENGINE_HF, "b8e768e88a0b125f" },
    { "{\"model_type\":\"llama\"," DIMS "\"attention_bias\":true}", TENSOR_BF16, ENGINE_BF16,
      ENGINE_FP32, "d00a10a76bdd20ee" },
};

/* Engines that may differ in no bit. */
static const struct engine_conf confs[] = {
    { .device = "cpu", .threads = 1, .chunk_rows = 16 },
    { .device = "cpu:scalar", .threads = 1, .chunk_rows = 33, .wave_rows = 300 },
    { .device = "cpu", .threads = 2, .chunk_rows = 7, .wave_rows = 1 },
    { .device = "cpu:avx2", .threads = 2, .chunk_rows = 64, .wave_rows = 210 },
    { .device = "cpu", .threads = 1, .chunk_rows = 1 },
    { .device = "cpu:avx512", .threads = 1, .chunk_rows = 29, .wave_rows = 400 },
    { .device = "cpu:avx512_bf16", .threads = 2, .chunk_rows = 512, .wave_rows = 250 },
};

struct answers {
    struct engine_answer answer[POOL_REQUESTS_MAX];
    float logprob[POOL_REQUESTS_MAX][POOL_TOKENS_MAX];
};

struct bench {
    const struct kind *kind;
    char dir[64];
    struct engine *engine[COUNT(confs)];
    struct err err;
};

static int32_t seeds_count(void)
{
    const char *text = getenv("KOEVAL_SEEDS");
    return text ? (int32_t)strtol(text, NULL, 10) : SEEDS_DEFAULT;
}

static const char *device_other(void) { return getenv("KOEVAL_DEVICE"); }

static bool bench_open(struct bench *b, const struct kind *kind)
{
    *b = (struct bench){ .kind = kind };
    random_model_write(b->dir, kind->config, strlen(kind->config), 1, kind->file);
    for (size_t i = 0; i < COUNT(confs); i++) {
        struct engine_conf conf = confs[i];
        char name[64];
        conf.device = set_device(conf.device, name);
        if (getenv("KOEVAL_NO_SCALAR") && strcmp(conf.device, "cpu:scalar") == 0)
            conf.device = "cpu";
        char streamed[64];
        snprintf(streamed, sizeof(streamed), "%s:streamed", device_other() ? device_other() : "");
        if (device_other())
            conf.device = i == 1 ? streamed : device_other();
        if (!engine_open(&b->engine[i], &conf, &b->err) ||
            !engine_load(b->engine[i], b->dir, kind->dtype, kind->mode, &b->err)) {
            printf("%s: %s\n", conf.device, b->err.text);
            return false;
        }
    }
    return true;
}

static void bench_close(struct bench *b)
{
    for (size_t i = 0; i < COUNT(confs); i++)
        engine_close(b->engine[i]);
    random_model_remove(b->dir);
}
AUTO_ENDS(struct bench, bench_close)

/* The requests pick[0..n) of the pool, in that order, as one call. */
static bool score(struct bench *b, size_t conf, const struct pool *pool, const int32_t *pick,
                  int32_t n, struct answers *out)
{
    static float logprob[TARGETS_MAX];
    static struct request request[POOL_REQUESTS_MAX];
    static struct engine_answer answer[POOL_REQUESTS_MAX];

    for (int32_t i = 0; i < n; i++)
        request[i] = pool->request[pick[i]];
    if (!engine_score(b->engine[conf], request, n, answer, logprob, NULL, NULL, &b->err)) {
        printf("%s\n", b->err.text);
        return false;
    }
    const float *from = logprob;
    for (int32_t i = 0; i < n; from += answer[i++].tokens) {
        out->answer[pick[i]] = answer[i];
        memcpy(out->logprob[pick[i]], from, (size_t)answer[i].tokens * sizeof(*from));
    }
    return true;
}

static bool score_alone(struct bench *b, const struct pool *pool, struct answers *out)
{
    for (int32_t i = 0; i < pool->count; i++)
        if (!score(b, 0, pool, &i, 1, out))
            return false;
    return true;
}

static bool answers_equal(const struct answers *a, const struct answers *b, int32_t i)
{
    const struct engine_answer *x = &a->answer[i], *y = &b->answer[i];
    return x->verdict == y->verdict && x->greedy == y->greedy && x->tokens == y->tokens &&
           memcmp(&x->loglik, &y->loglik, sizeof(x->loglik)) == 0 &&
           memcmp(a->logprob[i], b->logprob[i], (size_t)x->tokens * sizeof(float)) == 0;
}

/* A shuffle of all requests, or of about half of them. */
static int32_t deck_make(int32_t deck[POOL_REQUESTS_MAX], int32_t count, uint64_t *seed)
{
    bool subset = rnd_below(seed, 3) == 0;
    int32_t n = 0;

    for (int32_t i = 0; i < count; i++) {
        if (subset && rnd_below(seed, 2))
            continue;
        int32_t j = rnd_below(seed, n + 1);
        deck[n] = deck[j];
        deck[j] = i;
        n++;
    }
    return n;
}

/* One schedule of the pool: an engine, an order, a subset, a number of shards.  How many answers
 * differ from those alone; -1: it failed. */
static int32_t schedule_differs(struct bench *b, size_t conf, const struct pool *pool,
                                const struct answers *alone, uint64_t *seed)
{
    static const int32_t shards_all[] = { 1, 2, 3, 7 };
    static struct answers got;
    int32_t deck[POOL_REQUESTS_MAX], n = deck_make(deck, pool->count, seed), differ = 0;
    int32_t shards = RND_PICK(shards_all, seed);

    for (int32_t s = 0; s < shards; s++) {
        int32_t from = n * s / shards, to = n * (s + 1) / shards;
        if (!score(b, conf, pool, deck + from, to - from, &got))
            return -1;
    }
    for (int32_t i = 0; i < n; i++)
        differ += !answers_equal(&got, alone, deck[i]);
    return differ;
}

static bool kind_is_invariant(const struct kind *kind, int32_t seeds)
{
    static struct pool pool;
    static struct answers alone;
    AUTO(bench_close) struct bench b;
    int32_t differ = 0;

    if (!bench_open(&b, kind))
        return false;
    for (int32_t s = 1; s <= seeds; s++) {
        uint64_t seed = (uint64_t)s;
        pool_make(&pool, PLAN_SLOTS, POOL_TOKENS_MAX, 500, &seed);
        if (!score_alone(&b, &pool, &alone))
            return false;
        for (size_t conf = 0; conf < COUNT(confs); conf++) {
            int32_t more = schedule_differs(&b, conf, &pool, &alone, &seed);
            if (more)
                printf("  seed %d, engine %zu: %d of %d answers differ\n", s, conf, more,
                       pool.count);
            differ += more != 0;
        }
    }
    return differ == 0;
}

TEST(fp32_answers_depend_on_nothing_but_their_request)
{
    CHECK(kind_is_invariant(&kinds[0], seeds_count()));
}

TEST(bf16_answers_under_mixed_windows_depend_on_nothing_but_their_request)
{
    CHECK(kind_is_invariant(&kinds[1], seeds_count()));
}

TEST(f16_answers_under_a_short_window_depend_on_nothing_but_their_request)
{
    CHECK(kind_is_invariant(&kinds[2], seeds_count()));
}

TEST(answers_of_bf16_weights_in_fp32_depend_on_nothing_but_their_request)
{
    CHECK(kind_is_invariant(&kinds[3], seeds_count() / 2));
}

/* The model again, with an infinity in the first number of the poisoned token's embedding, which is
 * the file's first tensor. */
static void poison(const char *dir)
{
    const float infinity = INFINITY;
    const long embedding = (long)POISON * 64 * (long)sizeof(float);
    uint64_t header;
    char path[512];

    snprintf(path, sizeof(path), "%s/model.safetensors", dir);
    FILE *file = fopen(path, "r+b");
    assert(file);
    if (fread(&header, sizeof(header), 1, file) != 1 ||
        fseek(file, 8 + (long)header + embedding, SEEK_SET) != 0 ||
        fwrite(&infinity, sizeof(infinity), 1, file) != 1)
        abort();
    fclose(file);
}

static bool path_is_poisoned(const struct request *r)
{
    for (int32_t i = 0; i < r->n - 1; i++)
        if (r->tokens[i] == POISON)
            return true;
    return false;
}

/* Requests whose path holds the token have no answer; all others have the bits of the clean model,
 * whose head does not know the embedding. */
static bool poison_is_contained(struct bench *b, const struct pool *pool,
                                const struct answers *clean, uint64_t *seed, int32_t *spoilt)
{
    static struct answers got;
    int32_t deck[POOL_REQUESTS_MAX], n = deck_make(deck, pool->count, seed);

    for (size_t conf = 0; conf < COUNT(confs); conf++) {
        if (!score(b, conf, pool, deck, n, &got))
            return false;
        for (int32_t i = 0; i < n; i++) {
            bool poisoned = path_is_poisoned(&pool->request[deck[i]]);
            *spoilt += poisoned;
            if (poisoned ? got.answer[deck[i]].verdict != ENGINE_NONFINITE
                         : !answers_equal(&got, clean, deck[i]))
                return false;
        }
    }
    return true;
}

TEST(a_value_that_is_not_finite_spoils_its_own_path_and_no_neighbour)
{
    static struct pool pool;
    static struct answers clean;
    AUTO(bench_close) struct bench b;
    int32_t spoilt = 0;

    CHECK(bench_open(&b, &kinds[0]));
    for (int32_t s = 1; s <= seeds_count() || (spoilt == 0 && s < 50); s++) {
        uint64_t seed = (uint64_t)s;
        pool_make(&pool, PLAN_SLOTS, POOL_TOKENS_MAX, 500, &seed);
        CHECK(engine_load(b.engine[0], b.dir, ENGINE_F32, ENGINE_HF, &b.err));
        CHECK(score_alone(&b, &pool, &clean));
        AUTO(bench_close) struct bench bad;
        CHECK(bench_open(&bad, &kinds[0]));
        poison(bad.dir);
        for (size_t i = 0; i < COUNT(confs); i++)
            CHECK(engine_load(bad.engine[i], bad.dir, ENGINE_F32, ENGINE_HF, &bad.err));
        CHECK(poison_is_contained(&bad, &pool, &clean, &seed, &spoilt));
    }
    CHECK(spoilt > 0);
}

static uint64_t fnv_more(uint64_t hash, const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

/* FNV-1a over the log-likelihoods and greedy flags of fixed pools. */
static bool bits_of(uint64_t *out, struct bench *b, size_t conf)
{
    static struct pool pool;
    static struct answers got;
    int32_t all[POOL_REQUESTS_MAX];

    for (int32_t i = 0; i < POOL_REQUESTS_MAX; i++)
        all[i] = i;
    *out = 0xcbf29ce484222325u;
    for (uint64_t s = 1; s <= 4; s++) {
        uint64_t seed = s;
        pool_make(&pool, PLAN_SLOTS, POOL_TOKENS_MAX, 500, &seed);
        if (!score(b, conf, &pool, all, pool.count, &got))
            return false;
        for (int32_t i = 0; i < pool.count; i++) {
            *out = fnv_more(*out, &got.answer[i].loglik, sizeof(double));
            *out = fnv_more(*out, &got.answer[i].greedy, 1);
        }
    }
    return true;
}

/* A change that fails here changes answers that are stored already: it needs a higher
 * ENGINE_NUMERICS (agent/infer/engine.c) or the kernels' own number, and then new digests. */
TEST(known_bits_stay_as_long_as_the_numerics_version)
{
    bool same = true;
    for (size_t k = 0; k < COUNT(kinds); k++) {
        AUTO(bench_close) struct bench b;
        char first[17];
        CHECK(bench_open(&b, &kinds[k]));
        for (size_t conf = 0; conf < COUNT(confs); conf++) {
            uint64_t bits;
            char text[17];
            CHECK(bits_of(&bits, &b, conf));
            snprintf(text, sizeof(text), "%016" PRIx64, bits);
            if (conf == 0)
                snprintf(first, sizeof(first), "%s", device_other() ? text : kinds[k].bits);
            if (strcmp(text, first) != 0) {
                printf("  kind %zu, engine %zu: %s\n", k, conf, text);
                same = false;
            }
        }
    }
    CHECK(same);
}
