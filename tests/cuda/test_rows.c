/* What goes row by row: against the reference, and blind to neighbours. */
#include "kernels/convert.h"
#include "kernels/rope.h"
#include "tests/cuda/device.h"
#include "tests/ops/random.h"
#include "tests/test.h"

#include <math.h>

struct trial {
    struct mat x, y, weight, bias;
    enum norm_kind norm;
    enum act act;
    bool more; /* with the residual, with the up-projection */
};

/* Operands in host memory to a result in host memory. */
typedef struct mat trial_fn(struct dev *dev, const struct trial *trial);

static struct trial trial_random(enum dtype type, enum kind kind)
{
    int32_t rows = random_in(1, 9);
    int32_t cols = random_bits() & 1 ? random_in(1, 300) : random_in(1, 300) * 8;
    return (struct trial){ random_mat(type, rows, cols, kind),
                           random_mat(type, rows, cols, kind),
                           random_mat(type, 1, cols, kind),
                           random_mat(type, 1, cols, kind),
                           (enum norm_kind)random_in(NORM_LLAMA, NORM_LAYER),
                           (enum act)random_in(ACT_SILU, ACT_GELU_TANH),
                           random_bits() & 1 };
}

static struct mat norm_on(struct dev *dev, const struct trial *t)
{
    struct mat x = on(dev, t->x), out = on_empty(dev, x.type, x.rows, x.cols);
    bool biased = t->norm == NORM_LAYER && t->more;
    struct norm norm = { t->norm, 1e-6f, on(dev, t->weight), biased ? on(dev, t->bias) : MAT_NONE };

    op_norm(dev, out, x, t->more ? on(dev, t->y) : MAT_NONE, &norm);
    return off(dev, out);
}

static struct mat act_on(struct dev *dev, const struct trial *t)
{
    struct mat out = on(dev, t->x);
    op_act_gate(dev, out, out, t->more ? on(dev, t->y) : MAT_NONE, t->act);
    return off(dev, out);
}

static struct mat add_on(struct dev *dev, const struct trial *t)
{
    struct mat out = on(dev, t->x);
    op_add(dev, out, on(dev, t->y));
    return off(dev, out);
}

static bool trial_holds(const char *op, trial_fn *fn, double tolerance)
{
    bool holds = true;

    for (int i = 0; i < 24; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct pair *pair = pair_get(type);
        struct trial trial = trial_random(type, TAME);
        struct mat got = fn(pair->dev, &trial), want = fn(pair->ref, &trial);
        double far = mats_distance(got, want, 2 * type_slack(type));
        bool alike = rounded_alike(got, want);
        if (far > tolerance || !alike)
            printf("%s, type %d, %d x %d: %g from the reference, %s\n", op, type, got.rows,
                   got.cols, far, alike ? "rounded alike" : "rounded elsewhere");
        holds &= far <= tolerance && alike;
        device_clear();
    }
    return holds;
}

TEST(norms_are_their_formulas) { CHECK(trial_holds("norm", norm_on, 1e-5)); }
TEST(activations_are_their_formulas) { CHECK(trial_holds("act", act_on, 2e-6)); }
TEST(sums_are_rounded_once) { CHECK(trial_holds("add", add_on, 0)); }

TEST(infinities_and_nans_pass_as_they_are)
{
    for (int i = 0; i < 6; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct pair *pair = pair_get(type);
        struct trial t = trial_random(type, WILD);
        double far = mats_distance(add_on(pair->dev, &t), add_on(pair->ref, &t), 0);
        device_clear();
        CHECK(far == 0);
    }
}

TEST(a_row_has_the_same_bits_alone_and_among_others)
{
    for (int i = 0; i < 6; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct dev *dev = pair_get(type)->dev;
        struct trial all = trial_random(type, TAME), one = all;
        int32_t row = random_in(0, all.x.rows - 1);
        one.x = mat_rows(all.x, row, 1);
        one.y = mat_rows(all.y, row, 1);
        int64_t differ = mats_differ(norm_on(dev, &one), mat_rows(norm_on(dev, &all), row, 1)) +
                         mats_differ(act_on(dev, &one), mat_rows(act_on(dev, &all), row, 1));
        device_clear();
        CHECK(differ == 0);
    }
}

TEST(a_norm_with_a_residual_leaves_the_sum_in_x)
{
    struct dev *dev = pair_get(BF16)->dev;
    struct mat host = random_mat(BF16, 5, 72, TAME);
    struct mat x = on(dev, host), y = on(dev, random_mat(BF16, 5, 72, TAME)), sum = on(dev, host);
    struct norm norm = { NORM_LLAMA, 1e-6f, on(dev, random_mat(BF16, 1, 72, TAME)), MAT_NONE };

    op_add(dev, sum, y);
    op_norm(dev, on_empty(dev, BF16, 5, 72), x, y, &norm);
    int64_t differ = mats_differ(off(dev, sum), off(dev, x));
    device_clear();
    CHECK(differ == 0);
}

TEST(embedding_and_gathering_copy_rows)
{
    for (int i = 0; i < 12; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct dev *dev = pair_get(type)->dev;
        int32_t vocab = random_in(1, 100), k = i & 1 ? random_in(1, 130) : random_in(1, 40) * 8;
        int32_t tokens[20], wrong = 0;
        struct mat table = random_mat(type, vocab, k, TAME), out = on_empty(dev, type, 20, k);
        struct weight *w = on_weight(dev, table, -1);
        for (int32_t t = 0; t < 20; t++)
            tokens[t] = random_in(0, vocab - 1);
        op_embed(dev, out, w, tokens, 1);
        struct mat plain = off(dev, out);
        op_embed(dev, out, w, tokens, 3);
        struct mat scaled = off(dev, out);
        op_gather_rows(dev, out, on(dev, table), tokens);
        wrong += mats_differ(plain, off(dev, out)) != 0;
        for (int32_t t = 0; t < 20; t++) {
            struct mat row = mat_rows(table, tokens[t], 1);
            wrong += mats_differ(mat_rows(plain, t, 1), row) != 0;
            for (int32_t c = 0; c < k; c++)
                wrong += convert_load(mat_row(scaled, t), type, c) !=
                         convert_round(3 * convert_load(row.data, type, c), type);
        }
        device_clear();
        CHECK(wrong == 0);
    }
}

TEST(no_rows_are_no_work)
{
    struct dev *dev = pair_get(F32)->dev;
    struct mat none = on_empty(dev, F32, 0, 16);
    struct norm norm = { NORM_LLAMA, 1e-6f, on(dev, random_mat(F32, 1, 16, TAME)), MAT_NONE };
    struct weight *weight = on_weight(dev, random_mat(F32, 16, 16, TAME), -1);
    struct head head = { .scale = 1 };

    op_norm(dev, none, none, MAT_NONE, &norm);
    op_linear(dev, SITE_Q, none, none, weight, MAT_NONE);
    op_add(dev, none, none);
    op_act_gate(dev, none, none, none, ACT_SILU);
    op_gather_rows(dev, none, none, NULL);
    op_head(dev, none, weight, &head);
    bool fine = device_fine(dev);
    device_clear();
    CHECK(fine);
}

/* ---- qk_rope_kv ---- */

enum { ROWS = 13, POSITIONS = 300 };

struct places {
    int32_t pos[ROWS + 1], rows[ROWS], dims;
    bool pairs, f32;
};

struct stored {
    struct mat q, k, v;
    uint8_t mark[ROWS + 1];
};

static struct places places_random(int32_t dims)
{
    struct places p = { .dims = dims, .pairs = random_bits() & 1, .f32 = random_bits() & 1 };
    for (int32_t i = 0; i < ROWS; i++) {
        p.pos[i] = random_in(0, POSITIONS - 1);
        p.rows[i] = i;
    }
    return p;
}

static struct rope rope_on(struct dev *dev, const struct places *p)
{
    struct rope rope = { p->dims, p->pairs, p->f32, MAT_NONE, MAT_NONE };
    float inv_freq[512];

    if (p->dims == 0)
        return rope;
    rope.cos = on_empty(dev, F32, POSITIONS, p->dims / 2);
    rope.sin = on_empty(dev, F32, POSITIONS, p->dims / 2);
    rope_default(inv_freq, p->dims, 10000);
    op_rope_fill(dev, &rope, inv_freq, 1.25f);
    return rope;
}

static struct norm norm_copy(struct dev *dev, struct norm norm)
{
    norm.weight = on(dev, norm.weight);
    return norm;
}

static struct stored place_on(struct dev *dev, const struct places *p, const struct qkv *host)
{
    struct kv kv;
    struct err err;
    struct pages pages = { .rows = ROWS, .pos = p->pos };
    struct rope rope = rope_on(dev, p);
    struct qkv qkv = { on(dev, host->q),
                       on(dev, host->k),
                       on(dev, host->v),
                       host->head_dim,
                       norm_copy(dev, host->q_norm),
                       norm_copy(dev, host->k_norm),
                       &rope };
    struct stored out;

    bool ok = kv_alloc(&kv, dev, ROWS, host->k.cols, &err);
    assert(ok);
    op_wave_begin(dev, &pages, &kv);
    op_qk_rope_kv(dev, &qkv, &kv, p->rows, ROWS);
    op_download(dev, out.mark, kv.mark, ROWS + 1);
    out.q = off(dev, qkv.q);
    out.k = off(dev, kv.k);
    out.v = off(dev, kv.v);
    kv_free(dev, &kv);
    return out;
}

TEST(q_and_k_are_normalised_and_turned_to_their_positions)
{
    static const int32_t dims[] = { 128, 64, 80, 34, 16 };

    for (int i = 0; i < 12; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct pair *pair = pair_get(type);
        int32_t dim = dims[random_bits() % COUNT(dims)];
        struct places p = places_random(random_bits() & 1 ? dim : random_in(0, dim / 2) * 2);
        struct qkv qkv = random_qkv(type, ROWS, dim, TAME);
        struct stored got = place_on(pair->dev, &p, &qkv), want = place_on(pair->ref, &p, &qkv);
        double slack = 2 * type_slack(type);
        double far = fmax(mats_distance(got.q, want.q, slack), mats_distance(got.k, want.k, slack));
        bool alike = rounded_alike(got.q, want.q) && rounded_alike(got.k, want.k);
        int64_t differ = mats_differ(got.v, want.v) + memcmp(got.mark, want.mark, ROWS + 1);
        device_clear();
        CHECK(alike);
        CHECK(differ == 0);
        CHECK(far < (type == BF16 ? 0.05 : type == F16 ? 0.01 : 1e-5));
    }
}

TEST(what_is_not_finite_is_stored_as_zero_and_marks_its_row)
{
    for (int i = 0; i < 6; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct pair *pair = pair_get(type);
        struct places p = places_random(0);
        struct qkv qkv = random_qkv(type, ROWS, 32, WILD);
        qkv.q_norm.weight = qkv.k_norm.weight = MAT_NONE;
        struct stored got = place_on(pair->dev, &p, &qkv), want = place_on(pair->ref, &p, &qkv);
        int32_t marked = 0;
        for (int32_t r = 0; r < ROWS; r++)
            marked += want.mark[r];
        int64_t differ = mats_differ(got.k, want.k) + mats_differ(got.v, want.v) +
                         memcmp(got.mark, want.mark, ROWS + 1);
        device_clear();
        CHECK(marked > 0);
        CHECK(differ == 0);
    }
}
