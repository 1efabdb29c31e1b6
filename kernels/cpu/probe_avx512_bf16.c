#include "kernels/cpu/probe.h"

#include <immintrin.h>
#include <string.h>

/* FTZ, DAZ, nearest even: how the instruction computes whatever MXCSR says. */
#define PROBE_MXCSR 0x9fc0

static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

/* Any bits, or (half of the time) a number near 1, so that sums round and cancel. */
static uint32_t bf16_random(uint64_t *state)
{
    uint32_t r = random_next(state);
    return r >> 31 ? r & 0xffff : (r & 0x807f) | (r >> 8 & 0x380) | 0x3c00;
}

static uint32_t float_random(uint64_t *state)
{
    uint32_t r = random_next(state);
    return random_next(state) >> 31 ? r : (r & 0x807fffff) | 0x3f000000;
}

static bool lanes_equal(const float *x, const float *y)
{
    for (int l = 0; l < 16; l++) {
        uint32_t a, b;
        memcpy(&a, x + l, 4);
        memcpy(&b, y + l, 4);
        if (a != b && !(x[l] != x[l] && y[l] != y[l]))
            return false;
    }
    return true;
}

static bool trial_differs(uint64_t *state)
{
    uint32_t a[16], b[16], c[16];
    float dot[16], fma[16];

    for (int l = 0; l < 16; l++) {
        a[l] = bf16_random(state) << 16 | bf16_random(state);
        b[l] = bf16_random(state) << 16 | bf16_random(state);
        c[l] = float_random(state);
    }
    __m512i x = _mm512_loadu_si512(a), y = _mm512_loadu_si512(b);
    __m512i high = _mm512_set1_epi32((int32_t)0xffff0000);
    __m512 sum = _mm512_castsi512_ps(_mm512_loadu_si512(c));
    _mm512_storeu_ps(dot, _mm512_dpbf16_ps(sum, (__m512bh)x, (__m512bh)y));
    sum = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(x, high)),
                          _mm512_castsi512_ps(_mm512_and_si512(y, high)), sum);
    sum = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(x, 16)),
                          _mm512_castsi512_ps(_mm512_slli_epi32(y, 16)), sum);
    _mm512_storeu_ps(fma, sum);
    return !lanes_equal(dot, fma);
}

int32_t probe_avx512_bf16(int32_t trials)
{
    uint32_t before = _mm_getcsr();
    uint64_t state = 1;
    int32_t differ = 0;

    _mm_setcsr(PROBE_MXCSR);
    for (int32_t i = 0; i < trials; i++)
        differ += trial_differs(&state);
    _mm_setcsr(before);
    return differ;
}
