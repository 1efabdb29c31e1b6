/* avx512.h - AVX-512 by SIMDe, an independent implementation of the intrinsics, for the bits of the
 * kernels on a machine that lacks it.  vdpbf16ps is its two FMAs here: what the instruction itself
 * does, kernels/cpu/probe.h asks of the machine that has it. */
#define SIMDE_ENABLE_NATIVE_ALIASES
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#include <simde/x86/avx512.h>
#include <simde/x86/fma.h>
#pragma GCC diagnostic pop

#include <stdint.h>

/* As in v16_scalar.h: inlined, the compiler would take minutes. */
#define LANE_FUNCTION static __attribute__((noinline, unused))

/* What SIMDe 0.7 lacks, lane by lane. */
static inline __m512i emulated_sar(__m512i a, int n)
{
    int32_t x[16];
    _mm512_storeu_si512(x, a);
    for (int l = 0; l < 16; l++)
        x[l] >>= n;
    return _mm512_loadu_si512(x);
}

static inline __m512i emulated_widen(__m256i a)
{
    uint16_t h[16];
    int32_t x[16];
    _mm256_storeu_si256((__m256i *)h, a);
    for (int l = 0; l < 16; l++)
        x[l] = h[l];
    return _mm512_loadu_si512(x);
}

static inline __m256i emulated_narrow(__m512i a)
{
    int32_t x[16];
    uint16_t h[16];
    _mm512_storeu_si512(x, a);
    for (int l = 0; l < 16; l++)
        h[l] = (uint16_t)x[l];
    return _mm256_loadu_si256((const __m256i *)h);
}

static inline __m512 emulated_dot(__m512 c, __m512i a, __m512i b)
{
    __m512i high = _mm512_set1_epi32((int32_t)0xffff0000);
    c = _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_and_si512(a, high)),
                        _mm512_castsi512_ps(_mm512_and_si512(b, high)), c);
    return _mm512_fmadd_ps(_mm512_castsi512_ps(_mm512_slli_epi32(a, 16)),
                           _mm512_castsi512_ps(_mm512_slli_epi32(b, 16)), c);
}

#undef _mm512_srai_epi32
#undef _mm512_cvtepu16_epi32
#undef _mm512_cvtepi32_epi16
#undef _mm512_dpbf16_ps
#define _mm512_srai_epi32(a, n)   emulated_sar(a, n)
#define _mm512_cvtepu16_epi32(a)  emulated_widen(a)
#define _mm512_cvtepi32_epi16(a)  emulated_narrow(a)
#define _mm512_dpbf16_ps(c, a, b) emulated_dot(c, a, b)
#define __m512bh                  __m512i
