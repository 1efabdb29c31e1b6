/* random_model.h - a folder of random weights for a config.json, from a seed.
 *
 * The same numbers as tests/fixtures/random_model.py: number i of tensor t is
 * mean + bound * u with u uniform in [-1, 1), the top 24 bits of mix(mix(1000003 seed + t) + i).
 * Header only, for test programs. */
#ifndef RANDOM_MODEL_H
#define RANDOM_MODEL_H

#include "agent/model/tensors.h"
#include "common/buf.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* In the order of the file: outside, layer by layer, outside. */
static const enum role random_layer_roles[] = {
    ROLE_NORM_ATTN, ROLE_Q,       ROLE_Q_BIAS, ROLE_K,         ROLE_K_BIAS, ROLE_V,
    ROLE_V_BIAS,    ROLE_O,       ROLE_O_BIAS, ROLE_NORM_MLP,  ROLE_GATE,   ROLE_GATE_BIAS,
    ROLE_UP,        ROLE_UP_BIAS, ROLE_DOWN,   ROLE_DOWN_BIAS,
};

struct random_model {
    const struct model_config *config;
    uint64_t seed, tensors;
    enum tensor_type type;
    struct buf header, data;
};

/* The finaliser of splitmix64. */
static inline uint64_t random_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* bf16 to nearest even; what is not finite does not occur. */
static inline uint16_t random_bf16(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static inline void random_put(struct random_model *m, float x)
{
    uint16_t half = random_bf16(x);
    _Float16 f16 = (_Float16)x;

    if (m->type == TENSOR_F32)
        buf_put(&m->data, &x, sizeof(x));
    else if (m->type == TENSOR_BF16)
        buf_put(&m->data, &half, sizeof(half));
    else
        buf_put(&m->data, &f16, sizeof(f16));
}

static inline void random_tensor(struct random_model *m, enum role role, int32_t layer)
{
    static const char *const type_names[] = { "F32", "BF16", "F16" };
    const struct arch *arch = m->config->arch;
    struct role_shape s = role_shape(m->config, role);
    bool norm = role == ROLE_NORM_ATTN || role == ROLE_NORM_MLP || role == ROLE_NORM_OUT;
    double mean = norm ? 1 : 0, bound = norm ? 0.25 : s.vector ? 0.5 : sqrt(3.0 / s.cols);
    uint64_t key = random_mix(m->seed * 1000003 + m->tensors++);
    size_t begin = m->data.size;

    for (int64_t i = 0; i < (int64_t)s.rows * s.cols; i++) {
        int64_t top = (int64_t)(random_mix(key + (uint64_t)i) >> 40) - (1 << 23);
        random_put(m, (float)(mean + (double)top * 0x1p-23 * bound));
    }
    buf_put_text(&m->header, m->header.size ? ",\"" : "{\"");
    if (role >= ROLE_LAYER)
        buf_put_fmt(&m->header, "%s%d.", arch->layer_prefix, layer);
    buf_put_fmt(&m->header, "%s\":{\"dtype\":\"%s\",\"shape\":[", arch->names[role],
                type_names[m->type]);
    if (!s.vector)
        buf_put_fmt(&m->header, "%d,", s.rows);
    buf_put_fmt(&m->header, "%d],\"data_offsets\":[%zu,%zu]}", s.cols, begin, m->data.size);
}

static inline void random_tensors(struct random_model *m)
{
    random_tensor(m, ROLE_EMBED, 0);
    for (int32_t layer = 0; layer < m->config->layers; layer++)
        for (size_t i = 0; i < COUNT(random_layer_roles); i++)
            if (role_exists(m->config, random_layer_roles[i]))
                random_tensor(m, random_layer_roles[i], layer);
    random_tensor(m, ROLE_NORM_OUT, 0);
    if (!m->config->tied)
        random_tensor(m, ROLE_HEAD, 0);
    buf_put_char(&m->header, '}');
}

static inline void random_file(const char *dir, const char *name, const struct buf *const *parts,
                               int32_t count)
{
    char path[512];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "wb");
    assert(file);
    for (int32_t i = 0; i < count; i++)
        if (fwrite(buf_text(parts[i]), 1, parts[i]->size, file) != parts[i]->size)
            abort();
    if (fclose(file) != 0)
        abort();
}

/* FNV-1a, 64 bits. */
static inline uint64_t random_fnv(const void *bytes, size_t size)
{
    const unsigned char *byte = bytes;
    uint64_t hash = 0xcbf29ce484222325u;
    for (size_t i = 0; i < size; i++)
        hash = (hash ^ byte[i]) * 0x100000001b3u;
    return hash;
}

/* Writes DIR/config.json and DIR/model.safetensors into a new folder under /tmp, whose name is
 * left in dir; returns the checksum of the weights.  The text is a valid config.json. */
static inline uint64_t random_model_write(char dir[64], const char *text, size_t size,
                                          uint64_t seed, enum tensor_type type)
{
    struct err err = { 0 };
    static struct model_config config;
    AUTO(buf_free) struct buf json = { 0 }, length = { 0 };
    struct random_model m = { .config = &config, .seed = seed, .type = type };

    if (!model_config_read(&config, text, size, &err)) {
        fprintf(stderr, "%s\n", err.text);
        abort();
    }
    random_tensors(&m);
    buf_put(&json, text, size);
    uint64_t header_size = m.header.size;
    buf_put(&length, &header_size, sizeof(header_size));
    snprintf(dir, 64, "/tmp/koeval-model-XXXXXX");
    if (!mkdtemp(dir))
        abort();
    random_file(dir, "config.json", (const struct buf *const[]){ &json }, 1);
    random_file(dir, "model.safetensors",
                (const struct buf *const[]){ &length, &m.header, &m.data }, 3);
    uint64_t fnv = random_fnv(m.data.bytes, m.data.size);
    buf_free(&m.header);
    buf_free(&m.data);
    return fnv;
}

static inline void random_model_remove(const char *dir)
{
    static const char *const names[] = { "config.json", "model.safetensors" };
    char path[512];
    for (size_t i = 0; i < COUNT(names); i++) {
        snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
        unlink(path);
    }
    rmdir(dir);
}

#endif
