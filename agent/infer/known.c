#include "agent/infer/known.h"

#include "agent/infer/forward.h"

#include <math.h>
#include <string.h>

enum { VOCAB = 320, HIDDEN = 48, INTER = 80, LAYERS = 2, HEADS = 4, KV_HEADS = 2, DIM = 12 };
enum { REQUESTS = 5, SHARED = 61, LONGEST = 76, CHUNK = 32, POSITIONS = 128 };

#define FNV_BEGIN 0xcbf29ce484222325u

/* Two layers, the first with a window, over more than a page of positions. */
static const char config_text[] =
    "{\"model_type\":\"qwen2\",\"vocab_size\":320,\"hidden_size\":48,\"intermediate_size\":80,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
    "\"max_position_embeddings\":128,\"use_sliding_window\":true,\"sliding_window\":40,"
    "\"layer_types\":[\"sliding_attention\",\"full_attention\"]}";

/* Knuth's MMIX generator; the top bits of its state. */
static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* count numbers of mean and bound, each exact in fp32. */
static float *numbers(int64_t count, float mean, float bound, uint64_t *state)
{
    float *made = must_calloc((size_t)count, sizeof(*made));
    for (int64_t i = 0; i < count; i++)
        made[i] = mean + bound * (float)((int32_t)(next(state) >> 8) - (1 << 23)) * 0x1p-23f;
    return made;
}

struct making {
    struct dev *dev;
    uint64_t state;
    bool fault;
    struct err *err;
};

static bool weight_of(struct weight **out, struct making *m, int32_t n, int32_t k)
{
    AUTO(free) float *rows = numbers((int64_t)n * k, 0, sqrtf(3.0f / (float)k), &m->state);
    struct weight_source source = { rows, F32, n, k, -1 };

    if (m->fault)
        rows[0] = -rows[0];
    return weight_make(out, m->dev, &source, m->err);
}

static bool vector_of(struct mat *out, struct making *m, int32_t cols, float mean)
{
    AUTO(free) float *row = numbers(cols, mean, 0.25f, &m->state);
    return mat_make(out, m->dev, row, F32, 1, cols, m->err);
}

static bool layer_of(struct layer_weights *l, struct making *m)
{
    const int32_t q = HEADS * DIM, kv = KV_HEADS * DIM;

    l->attn_norm = l->mlp_norm = (struct norm){ .kind = NORM_LLAMA, .eps = 1e-6f };
    return weight_of(&l->q, m, q, HIDDEN) && weight_of(&l->k, m, kv, HIDDEN) &&
           weight_of(&l->v, m, kv, HIDDEN) && weight_of(&l->o, m, HIDDEN, q) &&
           weight_of(&l->gate, m, INTER, HIDDEN) && weight_of(&l->up, m, INTER, HIDDEN) &&
           weight_of(&l->down, m, HIDDEN, INTER) && vector_of(&l->attn_norm.weight, m, HIDDEN, 1) &&
           vector_of(&l->mlp_norm.weight, m, HIDDEN, 1) && vector_of(&l->q_bias, m, q, 0) &&
           vector_of(&l->k_bias, m, kv, 0) && vector_of(&l->v_bias, m, kv, 0);
}

static bool weights_of(struct weights *w, struct making *m)
{
    *w = (struct weights){ .norm_out = { .kind = NORM_LLAMA, .eps = 1e-6f },
                           .layer = must_calloc(LAYERS, sizeof(*w->layer)) };
    if (!weight_of(&w->embed, m, VOCAB, HIDDEN) || !weight_of(&w->head, m, VOCAB, HIDDEN) ||
        !vector_of(&w->norm_out.weight, m, HIDDEN, 1))
        return false;
    while (w->layers < LAYERS)
        if (!layer_of(&w->layer[w->layers++], m))
            return false;
    return true;
}

/* Requests that branch before, at and after a page's edge. */
static void requests_of(struct request *request, int32_t (*tokens)[LONGEST], uint64_t *state)
{
    for (int32_t i = 0; i < REQUESTS; i++) {
        int32_t keep = i ? SHARED + i : 0;
        memcpy(tokens[i], tokens[0], (size_t)keep * sizeof(**tokens));
        for (int32_t t = keep; t < LONGEST; t++)
            tokens[i][t] = (int32_t)(next(state) % VOCAB);
        request[i] = (struct request){ tokens[i], LONGEST - 3 - i, LONGEST };
    }
}

static uint64_t fnv(uint64_t hash, const void *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3u;
    return hash;
}

/* One wave; what it answers goes into the number. */
static bool wave_bits(uint64_t *hash, struct forward *f, const struct trie *trie,
                      const struct cut *cut, struct err *err)
{
    float lse[REQUESTS * LONGEST], logit[REQUESTS * LONGEST];
    int32_t argmax[REQUESTS * LONGEST], token[REQUESTS * LONGEST];
    uint8_t mark[REQUESTS * LONGEST + 1];
    struct scores scores = { lse, argmax, logit, mark };
    AUTO(wave_free) struct wave wave = { 0 };

    wave_build(&wave, trie, cut, PLAN_SLOTS);
    size_t scored = (size_t)wave.scored, targets = (size_t)wave.target_at[scored];
    for (size_t i = 0; i < targets; i++)
        token[i] = wave.target[i].token;
    if (!forward_wave(f, &wave, token, &scores, &(struct stop){ 0 }, err))
        return false;
    *hash = fnv(*hash, lse, scored * sizeof(*lse));
    *hash = fnv(*hash, argmax, scored * sizeof(*argmax));
    *hash = fnv(*hash, logit, targets * sizeof(*logit));
    return true;
}

static bool model_bits(uint64_t *hash, struct dev *dev, const struct model_config *config,
                       const struct weights *weights, struct err *err)
{
    static const struct costs no_limit = { .budget = INT64_MAX, .wave_cost = 1, .chunk = CHUNK };
    int32_t tokens[REQUESTS][LONGEST];
    struct request request[REQUESTS];
    uint64_t state = 2;
    struct forward forward = { 0 };
    AUTO(trie_free) struct trie trie = { 0 };
    AUTO(cuts_free) struct cuts cuts = { 0 };

    requests_of(request, tokens, &state);
    bool good = trie_sort(&trie, request, REQUESTS, err) &&
                cuts_pick(&cuts, &trie, PLAN_SLOTS, &no_limit, err) &&
                forward_open(&forward, dev, config, weights, CHUNK, (int32_t)cuts.cut[0].rows,
                             POSITIONS, err) &&
                wave_bits(hash, &forward, &trie, &cuts.cut[0], err);
    forward_close(&forward);
    return good;
}

bool known_bits(uint64_t *out, struct dev *dev, bool fault, struct err *err)
{
    static const enum dtype types[] = { F32, BF16, F16 };
    AUTO(free) struct model_config *config = must_calloc(1, sizeof(*config));
    bool good = model_config_read(config, config_text, sizeof(config_text) - 1, err);

    *out = FNV_BEGIN;
    for (size_t i = 0; i < COUNT(types) && good; i++) {
        struct making making = { dev, 1, fault, err };
        struct weights weights;
        dev_numerics(dev, types[i], MODE_HF);
        good = weights_of(&weights, &making) && model_bits(out, dev, config, &weights, err);
        weights_free(&weights, dev);
    }
    return good;
}
