/* Products: against double, and the same bits whoever computes them. */
#include "kernels/convert.h"
#include "kernels/cpu/kern.h"
#include "tests/ops/devices.h"
#include "tests/ops/random.h"
#include "tests/test.h"

#include <math.h>

struct product {
    struct mat x, w, bias;
};

static struct product product_random(enum dtype type, int32_t m, int32_t n, int32_t k,
                                     enum kind kind)
{
    struct mat none = MAT_NONE;
    return (struct product){ random_mat(type, m, k, kind), random_mat(type, n, k, kind),
                             random_bits() & 1 ? random_mat(type, 1, n, kind) : none };
}

static struct mat product_run(struct dev *dev, struct product p)
{
    struct mat out = random_mat_empty(dev->type, p.x.rows, p.w.rows);
    struct weight *weight = device_weight(dev, p.w);

    op_linear(dev, SITE_OTHER, out, p.x, weight, p.bias);
    weight_free(dev, weight);
    return out;
}

/* True if all CPU devices give the same bits. */
static bool product_agrees(enum dtype type, int32_t m, int32_t n, int32_t k, enum kind kind)
{
    struct devices *devices = devices_get(type);
    struct product p = product_random(type, m, n, k, kind);
    struct mat first = product_run(devices->cpu[0], p);
    bool same = true;

    for (int32_t i = 1; i < CPUS; i++) {
        int64_t differ = mats_differ(first, product_run(devices->cpu[i], p));
        if (differ)
            printf("%s, type %d, %d x %d x %d, kind %d: %lld differ\n", device_name(i), type, m, n,
                   k, kind, (long long)differ);
        same &= differ == 0;
    }
    random_pool_clear();
    return same;
}

TEST(a_product_is_the_sum_of_products)
{
    for (int i = 0; i < 24; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct devices *devices = devices_get(type);
        int32_t k = random_in(1, 700);
        struct product p = product_random(type, random_in(1, 50), random_in(1, 90), k, TAME);
        struct mat ref = product_run(devices->ref, p), out = product_run(devices->cpu[1], p);
        double far = mats_distance(out, ref, type_slack(type));
        random_pool_clear();
        CHECK(far <= 0x1p-21 * k);
    }
}

TEST(all_instruction_sets_and_threads_multiply_alike)
{
    for (int i = 0; i < 48; i++) {
        enum dtype type = (enum dtype)(i % 3);
        enum kind kind = (enum kind)(i / 3 % KINDS);
        CHECK(product_agrees(type, random_in(1, 40), random_in(1, 70), random_in(1, 130), kind));
        CHECK(product_agrees(type, random_in(1, 3), random_in(1, 300), random_in(1, 1000), kind));
    }
}

TEST(many_rows_are_cut_into_blocks_without_a_trace)
{
    for (int i = 0; i < 3; i++)
        CHECK(product_agrees((enum dtype)i, random_in(361, 400), random_in(257, 290),
                             random_in(385, 400), TAME));
}

/* Row by row, each alone. */
static struct mat rows_alone(struct dev *dev, struct mat x, const struct weight *w)
{
    struct mat out = random_mat_empty(x.type, x.rows, w->n);
    for (int32_t r = 0; r < x.rows; r++)
        op_linear(dev, SITE_OTHER, mat_rows(out, r, 1), mat_rows(x, r, 1), w, MAT_NONE);
    return out;
}

static bool rows_agree(struct dev *dev, struct mat x, const struct weight *w, int32_t step)
{
    struct mat alone = rows_alone(dev, x, w), out = random_mat_empty(x.type, x.rows, w->n);
    bool same = true;

    for (int32_t m = 1; m <= x.rows; m += step) {
        int32_t at = random_in(0, x.rows - m);
        op_linear(dev, SITE_OTHER, mat_rows(out, 0, m), mat_rows(x, at, m), w, MAT_NONE);
        same &= mats_differ(mat_rows(out, 0, m), mat_rows(alone, at, m)) == 0;
    }
    return same;
}

TEST(a_row_has_the_same_bits_alone_and_among_any_number)
{
    for (int i = 0; i < 9; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct dev *dev = devices_get(type)->cpu[1 + i / 3 % 2];
        int32_t n = random_in(1, 90), k = random_in(300, 900);
        struct weight *w = device_weight(dev, random_mat(type, n, k, TAME));
        bool same = rows_agree(dev, random_mat(type, 300, k, TAME), w, i / 3 == 0 ? 1 : 7);
        weight_free(dev, w);
        random_pool_clear();
        CHECK(same);
    }
}

/* c + x y, as a product of [c, x] and [1, y]. */
static float fma_on(struct dev *dev, float x, float y, float c)
{
    float xs[] = { c, x }, ys[] = { 1, y }, out;
    struct mat a = { xs, F32, 1, 2 }, b = { ys, F32, 1, 2 }, o = { &out, F32, 1, 1 };
    struct weight *w = device_weight(dev, b);

    op_linear(dev, SITE_OTHER, o, a, w, MAT_NONE);
    weight_free(dev, w);
    return out;
}

/* Random operands meet a double rounding once in 2^29 trials; these always do: c is odd in its last
 * place and the product is half of that place, short by 2^-46 of itself (or over, by the sign). */
TEST(the_software_fma_rounds_once)
{
    struct devices *devices = devices_get(F32);

    for (int i = 0; i < 2000; i++) {
        float x = ldexpf(i & 1 ? -1 : 1, -24) * (1 + 0x1p-23f), y = 1 - 0x1p-23f;
        float c = 1 + (float)(2 * (random_bits() & 0x1fffff) + 1) * 0x1p-23f;
        float want = fmaf(x, y, c);
        CHECK(fma_on(devices->cpu[0], x, y, c) == want);
        CHECK(fma_on(devices->cpu[1], x, y, c) == want);
    }
}

/* The order that vdpbf16ps has: of a pair the odd product enters the sum first.  2^24 + 1 - 2^24 in
 * fp32 is 0, 2^24 - 2^24 + 1 is 1. */
TEST(of_a_bf16_pair_the_odd_product_is_added_first)
{
    float xs[] = { 0, 0x1p24f, -0x1p24f, 1 }, ys[] = { 1, 1, 1, 1 };
    uint16_t xb[4], yb[4];
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        xb[i] = convert_to_bf16(xs[i]);
        yb[i] = convert_to_bf16(ys[i]);
    }
    for (int i = 0; i < 4; i += 2) {
        sum = fmaf(xs[i + 1], ys[i + 1], sum);
        sum = fmaf(xs[i], ys[i], sum);
    }
    for (int32_t i = 0; i < CPUS; i++) {
        struct dev *dev = devices_get(BF16)->cpu[i];
        struct mat a = { xb, BF16, 1, 4 }, b = { yb, BF16, 1, 4 };
        struct mat out = product_run(dev, (struct product){ a, b, MAT_NONE });
        float got = convert_load(out.data, BF16, 0);
        random_pool_clear();
        CHECK(got == sum);
    }
}

TEST(denormal_operands_and_results_count_as_zero)
{
    struct devices *devices = devices_get(F32);
    for (int i = 0; i < 2; i++) {
        CHECK(fma_on(devices->cpu[i], 0x1p-130f, 0x1p100f, 1) == 1);
        CHECK(fma_on(devices->cpu[i], 0x1p-70f, 0x1p-70f, 0) == 0);
    }
}

TEST(a_weight_takes_any_stored_type)
{
    struct devices *devices = devices_get(F32);
    for (int from = 0; from < 3; from++)
        for (int to = 0; to < 3; to++) {
            devices = devices_get((enum dtype)to);
            struct product p = { random_mat((enum dtype)to, 5, 37, TAME),
                                 random_mat((enum dtype)from, 19, 37, TAME), MAT_NONE };
            struct mat ref = product_run(devices->ref, p), out = product_run(devices->cpu[1], p);
            double far = mats_distance(out, ref, type_slack((enum dtype)to));
            random_pool_clear();
            CHECK(far < 1e-4);
        }
}

TEST(fp32_mode_widens_a_bf16_weight)
{
    struct devices *devices = devices_get(F32);
    struct mat x = random_mat(F32, 3, 50, TAME), w = random_mat(BF16, 20, 50, TAME);
    struct mat wide = random_mat_empty(F32, 20, 50);

    convert_row(wide.data, F32, w.data, BF16, 20 * 50);
    dev_numerics(devices->cpu[1], BF16, MODE_FP32);
    struct mat out = product_run(devices->cpu[1], (struct product){ x, w, MAT_NONE });
    dev_numerics(devices->cpu[1], F32, MODE_HF);
    struct mat want = product_run(devices->cpu[1], (struct product){ x, wide, MAT_NONE });
    int64_t differ = mats_differ(out, want);
    random_pool_clear();
    CHECK(differ == 0);
}
