/* What goes row by row: against double, and the same bits on every device. */
#include "kernels/convert.h"
#include "kernels/rope.h"
#include "tests/ops/devices.h"
#include "tests/ops/random.h"
#include "tests/test.h"

#include <math.h>

/* An op on fresh copies of its operands. */
struct trial {
    struct mat x, y, weight, bias; /* x is in and out where the op is in place */
    enum norm_kind norm;
    enum act act;
    bool more; /* with the residual, with the up-projection */
};

typedef struct mat trial_fn(struct dev *dev, const struct trial *trial);

static struct trial trial_random(enum dtype type, enum kind kind)
{
    int32_t rows = random_in(1, 40), cols = random_in(1, 300);
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
    struct mat x = random_copy(t->x), out = random_mat_empty(x.type, x.rows, x.cols);
    bool biased = t->norm == NORM_LAYER && t->more;
    struct norm norm = { t->norm, 1e-6f, t->weight, biased ? t->bias : MAT_NONE };

    op_norm(dev, out, x, t->more ? t->y : MAT_NONE, &norm);
    return out;
}

static struct mat act_on(struct dev *dev, const struct trial *t)
{
    struct mat out = random_copy(t->x);
    op_act_gate(dev, out, out, t->more ? t->y : MAT_NONE, t->act);
    return out;
}

static struct mat add_on(struct dev *dev, const struct trial *t)
{
    struct mat out = random_copy(t->x);
    op_add(dev, out, t->y);
    return out;
}

/* Against the reference with TAME numbers, among the CPU devices with all. */
static bool trial_holds(const char *op, trial_fn *fn, double tolerance)
{
    bool holds = true;

    for (int i = 0; i < 96; i++) {
        enum dtype type = (enum dtype)(i % 3);
        enum kind kind = (enum kind)(i / 3 % KINDS);
        struct devices *devices = devices_get(type);
        struct trial trial = trial_random(type, kind);
        struct mat first = fn(devices->cpu[0], &trial);
        if (kind == TAME) {
            struct mat ref = fn(devices->ref, &trial);
            double far = mats_distance(first, ref, 2 * type_slack(type));
            bool alike = rounded_alike(first, ref);
            if (far > tolerance || !alike)
                printf("%s, type %d: %g from the reference, %s\n", op, type, far,
                       alike ? "rounded alike" : "rounded elsewhere");
            holds &= far <= tolerance && alike;
        }
        for (int32_t c = 1; c < CPUS; c++) {
            int64_t differ = mats_differ(first, fn(devices->cpu[c], &trial));
            if (differ)
                printf("%s, type %d, kind %d on %s: %lld differ\n", op, type, kind, device_name(c),
                       (long long)differ);
            holds &= differ == 0;
        }
        random_pool_clear();
    }
    return holds;
}

TEST(norms_are_their_formulas) { CHECK(trial_holds("norm", norm_on, 1e-5)); }
TEST(activations_are_their_formulas) { CHECK(trial_holds("act", act_on, 1e-6)); }
TEST(sums_are_rounded_once) { CHECK(trial_holds("add", add_on, 0)); }

TEST(a_norm_with_a_residual_leaves_the_sum_in_x)
{
    struct devices *devices = devices_get(BF16);
    struct mat x = random_mat(BF16, 9, 70, TAME), y = random_mat(BF16, 9, 70, TAME);
    struct mat sum = random_copy(x), w = random_mat(BF16, 1, 70, TAME);
    struct norm norm = { NORM_LLAMA, 1e-6f, w, MAT_NONE };

    op_add(devices->cpu[1], sum, y);
    op_norm(devices->cpu[1], random_copy(x), x, y, &norm);
    int64_t differ = mats_differ(sum, x);
    random_pool_clear();
    CHECK(differ == 0);
}

TEST(embedding_unpacks_what_was_packed)
{
    for (int i = 0; i < 12; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct dev *dev = devices_get(type)->cpu[i / 3];
        int32_t vocab = random_in(1, 100), k = random_in(1, 130), tokens[20];
        struct mat table = random_mat(type, vocab, k, TAME), out = random_mat_empty(type, 20, k);
        struct weight *w = device_weight(dev, table);
        int32_t wrong = 0;
        for (int32_t t = 0; t < 20; t++)
            tokens[t] = random_in(0, vocab - 1);
        op_embed(dev, out, w, tokens, 1);
        for (int32_t t = 0; t < 20; t++)
            wrong +=
                memcmp(mat_row(out, t), mat_row(table, tokens[t]), (size_t)mat_row_bytes(out)) != 0;
        op_embed(dev, out, w, tokens, 3);
        for (int32_t t = 0; t < 20; t++)
            wrong += convert_load(mat_row(out, t), type, k - 1) !=
                     convert_round(3 * convert_load(mat_row(table, tokens[t]), type, k - 1), type);
        weight_free(dev, w);
        random_pool_clear();
        CHECK(wrong == 0);
    }
}

TEST(gathered_rows_are_copies)
{
    struct dev *dev = devices_get(F16)->cpu[2];
    int32_t rows[] = { 3, 3, 0, 49, 17, 48, 1, 2, 3, 4, 5, 30 };
    struct mat x = random_mat(F16, 50, 33, TAME), out = random_mat_empty(F16, 12, 33);
    int64_t differ = 0;

    op_gather_rows(dev, out, x, rows);
    for (int32_t i = 0; i < 12; i++)
        differ += mats_differ(mat_rows(out, i, 1), mat_rows(x, rows[i], 1));
    random_pool_clear();
    CHECK(differ == 0);
}

TEST(no_rows_are_no_work)
{
    struct dev *dev = devices_get(F32)->cpu[2];
    struct mat none = random_mat_empty(F32, 0, 16), w = random_mat(F32, 16, 16, TAME);
    struct norm norm = { NORM_LLAMA, 1e-6f, random_mat(F32, 1, 16, TAME), MAT_NONE };
    struct weight *weight = device_weight(dev, w);
    struct head head = { .scale = 1 };

    op_norm(dev, none, none, MAT_NONE, &norm);
    op_linear(dev, SITE_Q, none, none, weight, MAT_NONE);
    op_add(dev, none, none);
    op_act_gate(dev, none, none, none, ACT_SILU);
    op_gather_rows(dev, none, w, NULL);
    op_head(dev, none, weight, &head);
    weight_free(dev, weight);
    random_pool_clear();
    struct err err;
    CHECK(dev_sync(dev, &err));
}

/* Rows, positions and a table of angles for qk_rope_kv. */
enum { ROWS = 23, POSITIONS = 300, WIDTH_MAX = 512 };
struct places {
    int32_t pos[ROWS + 1], rows[ROWS];
    struct rope rope;
    uint8_t mark[ROWS + 1];
};

static void places_random(struct places *p, int32_t dims, bool pairs, bool f32)
{
    *p = (struct places){ 0 };
    for (int32_t i = 0; i < ROWS; i++) {
        p->pos[i] = random_in(0, POSITIONS - 1);
        p->rows[i] = i;
    }
    p->rope = (struct rope){ dims, pairs, f32, MAT_NONE, MAT_NONE };
    if (dims) {
        p->rope.cos = random_mat_empty(F32, POSITIONS, dims / 2);
        p->rope.sin = random_mat_empty(F32, POSITIONS, dims / 2);
    }
}

struct stored {
    struct mat q, k, v;
    uint8_t mark[ROWS + 1];
};

static struct stored place_on(struct dev *dev, struct places *p, struct qkv qkv)
{
    float inv_freq[WIDTH_MAX];
    struct stored out = { random_copy(qkv.q),
                          random_mat_empty(dev->type, ROWS + 1, qkv.k.cols),
                          random_mat_empty(dev->type, ROWS + 1, qkv.k.cols),
                          { 0 } };
    struct kv kv = { out.k, out.v, out.mark };
    struct pages pages = { .rows = ROWS, .pos = p->pos };

    qkv.q = out.q;
    qkv.k = random_copy(qkv.k);
    qkv.rope = &p->rope;
    if (p->rope.dims) {
        rope_default(inv_freq, p->rope.dims, 10000);
        op_rope_fill(dev, &p->rope, inv_freq, 1.25f);
    }
    op_wave_begin(dev, &pages, &kv);
    op_qk_rope_kv(dev, &qkv, &kv, p->rows, ROWS);
    return out;
}

TEST(q_and_k_are_normalised_and_turned_to_their_positions)
{
    static const int32_t dims[] = { 128, 64, 80, 34, 16 };

    for (int i = 0; i < 36; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct devices *devices = devices_get(type);
        int32_t dim = dims[random_bits() % COUNT(dims)];
        int32_t turned = random_bits() & 1 ? dim : random_in(0, dim / 2) * 2;
        struct places p;
        places_random(&p, turned, random_bits() & 1, random_bits() & 1);
        struct qkv qkv = random_qkv(type, ROWS, dim, (enum kind)(i / 3 % 3));
        struct stored first = place_on(devices->cpu[0], &p, qkv);
        int64_t differ = 0;
        for (int32_t c = 1; c < CPUS; c++) {
            struct stored other = place_on(devices->cpu[c], &p, qkv);
            differ += mats_differ(first.q, other.q) + mats_differ(first.k, other.k) +
                      mats_differ(first.v, other.v) + memcmp(first.mark, other.mark, ROWS);
        }
        struct stored ref = place_on(devices->ref, &p, qkv);
        double slack = 2 * type_slack(type);
        double far =
            fmax(mats_distance(first.q, ref.q, slack), mats_distance(first.k, ref.k, slack));
        bool alike = rounded_alike(first.q, ref.q) && rounded_alike(first.k, ref.k);
        random_pool_clear();
        CHECK(differ == 0);
        CHECK(i / 3 % 3 != TAME || alike);
        CHECK(i / 3 % 3 != TAME || far < (type == BF16 ? 0.05 : type == F16 ? 0.01 : 1e-5));
    }
}

TEST(row_numbers_say_where_k_and_v_go)
{
    struct dev *dev = devices_get(F32)->cpu[2];
    struct places p;
    places_random(&p, 0, false, false);
    struct qkv qkv = random_qkv(F32, ROWS, 16, TAME);
    struct kv kv = { random_mat_empty(F32, ROWS + 1, qkv.k.cols),
                     random_mat_empty(F32, ROWS + 1, qkv.k.cols), p.mark };
    struct pages pages = { .rows = ROWS, .pos = p.pos };
    int32_t rows[] = { 2, 9, 22 }, wrong = 0;
    struct rope none = { 0 };
    struct qkv some = {
        .k = mat_rows(qkv.v, 4, 3), .v = mat_rows(qkv.v, 4, 3), .head_dim = 16, .rope = &none
    };

    op_wave_begin(dev, &pages, &kv);
    op_qk_rope_kv(dev, &some, &kv, rows, 3);
    for (int32_t i = 0; i < 3; i++)
        wrong += mats_differ(mat_rows(kv.v, rows[i], 1), mat_rows(qkv.v, 4 + i, 1)) != 0;
    for (int32_t c = 0; c < qkv.k.cols; c++)
        wrong += ((float *)mat_row(kv.k, ROWS))[c] != 0;
    random_pool_clear();
    CHECK(wrong == 0);
}

TEST(llama3_frequencies_are_those_of_its_paper_model)
{
    float inv[64];
    struct rope_llama3 llama3 = { 8, 1, 4, 8192 };

    rope_default(inv, 128, 500000);
    CHECK(inv[0] == 1);
    CHECK(fabs(inv[63] * pow(500000, 126.0 / 128) - 1) < 1e-6);
    rope_llama3(inv, 128, &llama3);
    CHECK(inv[0] == 1);
    CHECK(fabs(inv[63] * 8 * pow(500000, 126.0 / 128) - 1) < 1e-6);
    for (int i = 1; i < 64; i++)
        CHECK(inv[i] < inv[i - 1]);
}
