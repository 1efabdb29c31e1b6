/* The very bits of every op, as digests.
 *
 * Responses are comparable only within a numerics class, and the class names
 * the version of the arithmetic.  So bits that change without a new number are
 * a fault: who changes them on purpose raises CPU_NUMERICS in
 * kernels/cpu/cpu.c, and then the table below. */
#include "kernels/rope.h"
#include "tests/ops/devices.h"
#include "tests/ops/random.h"
#include "tests/ops/wave.h"
#include "tests/test.h"

enum { ROWS = 200, HEADS = 6, KV_HEADS = 2, DIM = 48, VOCAB = 5003, K = 301 };

typedef uint64_t digest_fn(struct dev *dev);

static uint64_t digest_bytes(uint64_t hash, const void *bytes, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        hash = (hash ^ ((const uint8_t *)bytes)[i]) * 0x100000001b3ull; /* FNV-1a */
    return hash;
}

#define DIGEST_BEGIN 0xcbf29ce484222325ull

static uint64_t digest(struct mat m) { return digest_bytes(DIGEST_BEGIN, m.data, mat_bytes(m)); }

static uint64_t linear_digest(struct dev *dev)
{
    struct mat out = random_mat_empty(dev->type, 50, 77), x = random_mat(dev->type, 50, K, TAME);
    struct weight *w = device_weight(dev, random_mat(dev->type, 77, K, TAME));

    op_linear(dev, SITE_OTHER, out, x, w, random_mat(dev->type, 1, 77, TAME));
    weight_free(dev, w);
    return digest(out);
}

static uint64_t norm_digest(struct dev *dev)
{
    uint64_t hash = DIGEST_BEGIN;

    for (int kind = NORM_LLAMA; kind <= NORM_LAYER; kind++) {
        struct mat x = random_mat(dev->type, 20, K, TAME), out = random_copy(x);
        struct norm norm = { (enum norm_kind)kind, 1e-5f, random_mat(dev->type, 1, K, TAME),
                             MAT_NONE };
        op_norm(dev, out, x, random_mat(dev->type, 20, K, TAME), &norm);
        hash = digest_bytes(hash, out.data, mat_bytes(out));
    }
    return hash;
}

static uint64_t act_digest(struct dev *dev)
{
    uint64_t hash = DIGEST_BEGIN;

    for (int act = ACT_SILU; act <= ACT_GELU_TANH; act++) {
        struct mat x = random_mat(dev->type, 20, K, TAME), up = random_mat(dev->type, 20, K, TAME);
        op_act_gate(dev, x, x, act == ACT_GELU ? MAT_NONE : up, (enum act)act);
        hash = digest_bytes(hash, x.data, mat_bytes(x));
    }
    return hash;
}

/* Rotation of Q and K, guard, pages, softmax, window. */
static uint64_t attend_digest(struct dev *dev)
{
    static struct wave wave;
    static uint8_t mark[ROWS + 1];
    float inv_freq[DIM / 2];
    struct mat q = random_mat(dev->type, ROWS, HEADS * DIM, TAME), out = random_copy(q);
    struct mat k = random_mat(dev->type, ROWS, KV_HEADS * DIM, TAME);
    struct mat v = random_mat(dev->type, ROWS, KV_HEADS * DIM, TAME);
    struct mat k_store = random_mat_empty(dev->type, ROWS + 1, KV_HEADS * DIM);
    struct mat v_store = random_mat_empty(dev->type, ROWS + 1, KV_HEADS * DIM);
    struct mat cos = random_mat_empty(F32, 640, DIM / 2), sin = random_copy(cos);
    struct kv kv = { k_store, v_store, mark };
    struct rope rope = { DIM, false, false, cos, sin };
    struct norm norm = { NORM_LLAMA, 1e-6f, random_mat(dev->type, 1, DIM, TAME), MAT_NONE };
    struct qkv qkv = { q, k, v, DIM, norm, norm, &rope };
    struct attention attention = { HEADS, KV_HEADS, DIM, 0.2f, 0, 70 };

    do /* paths of several pages */
        wave_arms(&wave, ROWS);
    while (wave.pages.levels < 3);
    rope_default(inv_freq, DIM, 10000);
    op_rope_fill(dev, &rope, inv_freq, 1);
    op_wave_begin(dev, &wave.pages, &kv);
    op_qk_rope_kv(dev, &qkv, &kv, wave.all, ROWS);
    op_attend(dev, out, q, &kv, &attention, wave.all);
    uint64_t hash = digest(out);
    attention.window = 0;
    attention.softcap = 3;
    op_attend(dev, out, q, &kv, &attention, wave.all);
    return digest_bytes(hash, out.data, mat_bytes(out));
}

static uint64_t head_digest(struct dev *dev)
{
    static float lse[20], logit[20];
    static int32_t argmax[20], target[20], target_at[21];
    struct mat x = random_mat(dev->type, 20, K, TAME);
    struct weight *w = device_weight(dev, random_mat(dev->type, VOCAB, K, TAME));
    struct head head = { target_at, target, 0.125f, 30, lse, argmax, logit };

    for (int i = 0; i < 20; i++) {
        target[i] = i * 250;
        target_at[i + 1] = i + 1;
    }
    op_head(dev, x, w, &head);
    weight_free(dev, w);
    uint64_t hash = digest_bytes(DIGEST_BEGIN, lse, sizeof(lse));
    hash = digest_bytes(hash, argmax, sizeof(argmax));
    return digest_bytes(hash, logit, sizeof(logit));
}

/* clang-format off */
static const struct {
    const char *op;
    digest_fn *fn;
    uint64_t want[3]; /* F32, BF16, F16 */
} digests[] = {
    { "linear", linear_digest, { 0x136269daa2a33f3b, 0x0ff573528a19bb3b, 0x4ca86d2a02ca1a05 } },
    { "norm",   norm_digest,   { 0xf2dd9650db003762, 0xead066a29814b307, 0x996ceaf711fc24d2 } },
    { "act",    act_digest,    { 0x028f21fb83d82299, 0x0874f6bf599d6b41, 0x698cbc20c2fa1714 } },
    { "attend", attend_digest, { 0x00243b690f1881ed, 0xb8c2c485a3446e70, 0x1a15bcff40ab3f0c } },
    { "head",   head_digest,   { 0x4ac556c1f649445e, 0x2f952009a981a2ff, 0x3372e476587df0a7 } },
};
/* clang-format on */

static uint64_t digest_on(size_t i, int type, int32_t cpu)
{
    random_seed(i * 3 + (uint64_t)type + 1);
    uint64_t got = digests[i].fn(devices_get((enum dtype)type)->cpu[cpu]);
    random_pool_clear();
    return got;
}

TEST(the_bits_are_those_of_numerics_1)
{
    bool same = !strcmp(devices_get(F32)->cpu[0]->facts,
                        "\"backend\":\"cpu\",\"arch\":\"x86-64\",\"numerics\":1");

    for (size_t i = 0; i < COUNT(digests); i++)
        for (int type = F32; type <= F16; type++)
            for (int32_t c = 0; c < CPUS; c++) {
                uint64_t got = digest_on(i, type, c);
                if (got != digests[i].want[type])
                    printf("%s, type %d, %s: 0x%016llx\n", digests[i].op, type, device_name(c),
                           (unsigned long long)got);
                same &= got == digests[i].want[type];
            }
    CHECK(same);
}
