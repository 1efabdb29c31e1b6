/* Stored numbers: conversions one by one and sixteen at a time, and the functions over floats. */
#include "kernels/convert.h"
#include "kernels/cpu/kern.h"
#include "kernels/cpu/probe.h"
#include "kernels/math64.h"
#include "tests/ops/devices.h"
#include "tests/ops/random.h"
#include "tests/sets.h"
#include "tests/test.h"

#include <float.h>
#include <math.h>
#include <xmmintrin.h>

TEST(half_numbers_survive_the_way_through_a_float)
{
    for (uint32_t h = 0; h < 65536; h++) {
        float x = convert_from_f16((uint16_t)h);
        if (isnan(x))
            CHECK((h & 0x7fff) > 0x7c00 && isnan(convert_from_f16(convert_to_f16(x))));
        else
            CHECK(convert_to_f16(x) == h);
        float b = convert_from_bf16((uint16_t)h);
        CHECK(isnan(b) || convert_to_bf16(b) == h);
    }
}

/* Between neighbours a < b: the middle goes to the even one, all else to the nearer. */
static bool rounds_between(uint16_t low, float a, float b, uint16_t (*to)(float))
{
    float middle = a / 2 + b / 2;
    uint16_t even = (uint16_t)(low & 1 ? low + 1 : low);

    return to(middle) == even && to(nextafterf(middle, b)) == (uint16_t)(low + 1) &&
           to(nextafterf(middle, a)) == low;
}

TEST(halves_round_to_the_nearest_even)
{
    for (uint32_t h = 0; h < 0x7bff; h++)
        CHECK(rounds_between((uint16_t)h, convert_from_f16((uint16_t)h),
                             convert_from_f16((uint16_t)(h + 1)), convert_to_f16));
    CHECK(convert_to_f16(65519.996f) == 0x7bff);
    CHECK(convert_to_f16(65520) == 0x7c00);
    CHECK(convert_to_f16(-1e30f) == 0xfc00);
    for (uint32_t h = 0x0080; h < 0x7f7f; h++)
        CHECK(rounds_between((uint16_t)h, convert_from_bf16((uint16_t)h),
                             convert_from_bf16((uint16_t)(h + 1)), convert_to_bf16));
    CHECK(convert_to_bf16(FLT_MAX) == 0x7f80);
}

/* x + 0 on a device: load, round and store sixteen at a time. */
TEST(lanes_convert_every_half_as_one_by_one)
{
    static uint16_t all[65536], zero[65536];

    for (uint32_t h = 0; h < 65536; h++)
        all[h] = (uint16_t)h;
    for (int32_t c = 0; c < 2; c++) {
        struct mat x = random_copy((struct mat){ all, F16, 16, 4096 });
        op_add(devices_get(F16)->cpu[c], x, (struct mat){ zero, F16, 16, 4096 });
        int32_t wrong = 0;
        for (int32_t h = 0; h < 65536; h++) {
            float got = convert_load(x.data, F16, h), want = convert_from_f16((uint16_t)h);
            wrong += got != want && !(isnan(got) && isnan(want));
        }
        random_pool_clear();
        CHECK(wrong == 0);
    }
}

/* Products of halves are exact in fp32: what is stored is one rounding. */
TEST(lanes_round_as_one_by_one)
{
    for (int i = 0; i < 6; i++) {
        enum dtype type = i % 2 ? F16 : BF16;
        struct dev *dev = devices_get(type)->cpu[i % 2];
        struct mat x = random_mat(type, 200, 1, TAME), w = random_mat(type, 300, 1, TAME);
        struct mat out = random_mat_empty(type, 200, 300);
        struct weight *weight = device_weight(dev, w);
        int32_t wrong = 0;
        op_linear(dev, SITE_OTHER, out, x, weight, MAT_NONE);
        weight_free(dev, weight);
        for (int32_t r = 0; r < 200; r++)
            for (int32_t n = 0; n < 300; n++) {
                float product = convert_load(x.data, type, r) * convert_load(w.data, type, n);
                wrong += convert_load(mat_row(out, r), type, n) != convert_round(product, type);
            }
        random_pool_clear();
        CHECK(wrong == 0);
    }
}

static double exact(enum kern_fn fn, float x)
{
    return fn == FN_TANH ? tanh(x) : fn == FN_ERF ? erf(x) : exp(x);
}

/* Distance in ulps of the float nearest to the truth; a result below FLT_MIN must be 0 or it. */
static double ulps(float y, double z)
{
    int e;

    if (isnan(z) || isinf((float)z))
        return isnan(y) == isnan(z) && (isnan(z) || y == (float)z) ? 0 : 1e9;
    if (fabs(z) < FLT_MIN)
        return fabsf(y) <= FLT_MIN ? 0 : 1e9;
    frexp(z, &e);
    return fabs((double)y - z) / ldexp(1, e - 24);
}

static double fn_error(enum kern_fn fn, float x, float y)
{
    if (fn == FN_EXP_NEG && !(x <= 0))
        return 0; /* not promised */
    if (fn == FN_EXP_NEG && x <= -87)
        return y == 0 ? 0 : 1e9;
    if (fabsf(x) < FLT_MIN && fn >= FN_TANH)
        return fabsf(y) > FLT_MIN; /* denormals count as zero */
    return ulps(y, exact(fn, x));
}

/* The worst error of a set over every `stride`-th float, and whether it gives the scalar's bits. */
static double fn_scan(const char *set, enum kern_fn fn, uint64_t stride, bool *same)
{
    enum { N = 4096 };
    static float x[N], y[N], z[N];
    char name[64];
    const struct kern *fast = kern_pick(set_device(set, name) + 4);
    double worst = 0;

    for (uint64_t u = 0; u < 1ull << 32;) {
        for (int i = 0; i < N; i++, u += stride)
            x[i] = convert_float((uint32_t)u);
        uint32_t before = _mm_getcsr();
        _mm_setcsr(0x9fc0);
        fast->map(y, x, N, fn);
        kern_scalar.map(z, x, N, fn);
        _mm_setcsr(before);
        struct mat a = { y, F32, 1, N }, b = { z, F32, 1, N };
        *same &= mats_differ(a, b) == 0;
        for (int i = 0; i < N; i++)
            worst = fmax(worst, fn_error(fn, x[i], y[i]));
    }
    return worst;
}

TEST(functions_keep_their_bounds_and_their_bits)
{
    static const double most[] = { 0.98, 0.94, 1.37, 1.12 };
    static const char *const sets[] = { "cpu:avx2", "cpu:avx512" };

    for (int fn = FN_EXP; fn <= FN_ERF; fn++)
        for (size_t s = 0; s < COUNT(sets); s++) {
            bool same = true;
            CHECK(fn_scan(sets[s], (enum kern_fn)fn, 5999, &same) < most[fn]);
            CHECK(same);
        }
}

TEST(the_bf16_dot_product_is_its_two_fmas)
{
    if (__builtin_cpu_supports("avx512bf16"))
        CHECK(probe_avx512_bf16(1000000) == 0);
    else
        printf("SKIP the probe of vdpbf16ps: this machine lacks it\n");
}

TEST(double_functions_are_good_to_their_last_places)
{
    double worst[4] = { 0 };

    for (int i = 1; i < 300000; i++) {
        double s, c, x = (i % 2 ? 1 : 1e-3) * i * 3.7 + i * 1e-7, u = x - floor(x);
        float f = (float)x;
        math64_sincos(f, &s, &c);
        worst[0] = fmax(worst[0], fabs(s - sin(f)));
        worst[1] = fmax(worst[1], fabs(c - cos(f)));
        worst[2] = fmax(worst[2], fabs(math64_exp(u * 200 - 100) / exp(u * 200 - 100) - 1));
        worst[3] = fmax(worst[3], fabs(math64_log(1 + x) / log(1 + x) - 1));
    }
    CHECK(worst[0] < 3e-16 && worst[1] < 3e-16);
    CHECK(worst[2] < 5e-16 && worst[3] < 5e-16);
    CHECK(math64_exp(-1000) == 0 && math64_exp(1000) == INFINITY && isnan(math64_exp(NAN)));
    CHECK(math64_log(0) == -INFINITY && math64_log(INFINITY) == INFINITY && isnan(math64_log(-1)));
}
