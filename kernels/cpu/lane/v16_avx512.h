/* v16_avx512.h - sixteen lanes as one zmm register.  With V16_DOT also the dot product of bf16
 * pairs.
 *
 * V16_TABLE, V16_NAME and the intrinsics are the includer's: kern_avx512*.c have them from the
 * compiler, a test may have them from an emulation. */
#include "common/base.h"

#include <string.h>

#ifndef LANE_FUNCTION
#define LANE_FUNCTION static inline __attribute__((always_inline))
#endif

/* Tiles that exist: X(rows, panels).  14 x 32: 28 sums, 2 of W, 1 of A in 32 registers. */
/* clang-format off */
#define TILE_SHAPES(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(7, 1) X(8, 1) X(9, 1) X(10, 1) X(11, 1) \
    X(12, 1) X(13, 1) X(14, 1) X(1, 2) X(2, 2) X(3, 2) X(4, 2) X(5, 2) X(6, 2) X(7, 2) X(8, 2) \
    X(9, 2) X(10, 2) X(11, 2) X(12, 2) X(13, 2) X(14, 2) X(1, 3) X(2, 3) X(3, 3) X(4, 3) X(5, 3) \
    X(6, 3) X(7, 3) X(8, 3) X(9, 3) X(1, 4) X(2, 4) X(3, 4) X(4, 4) X(5, 4) X(6, 4) X(7, 4)
/* clang-format on */

enum {
    TILE_ROWS = 14,
    TILE_SUMS = 28,   /* rows * panels of a tile at most */
    GEMM_ROWS = 238,  /* of a packed block: 17 strips */
    GEMM_DEPTH = 256, /* lines of W in a slice of K: two panels are 32 KiB */
    ATTEND_ROWS = 8,
    ATTEND_PANELS = 2,
};

typedef __m512 v16;
typedef __m512i i16;
typedef __mmask16 m16;

static inline v16 v_add(v16 a, v16 b) { return _mm512_add_ps(a, b); }
static inline v16 v_sub(v16 a, v16 b) { return _mm512_sub_ps(a, b); }
static inline v16 v_mul(v16 a, v16 b) { return _mm512_mul_ps(a, b); }
static inline v16 v_div(v16 a, v16 b) { return _mm512_div_ps(a, b); }
static inline v16 v_max(v16 a, v16 b) { return _mm512_max_ps(a, b); }
static inline v16 v_min(v16 a, v16 b) { return _mm512_min_ps(a, b); }
static inline v16 v_fma(v16 a, v16 b, v16 c) { return _mm512_fmadd_ps(a, b, c); }
static inline i16 i_add(i16 a, i16 b) { return _mm512_add_epi32(a, b); }
static inline i16 i_sub(i16 a, i16 b) { return _mm512_sub_epi32(a, b); }
static inline i16 i_and(i16 a, i16 b) { return _mm512_and_si512(a, b); }
static inline i16 i_or(i16 a, i16 b) { return _mm512_or_si512(a, b); }
static inline m16 v_lt(v16 a, v16 b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
static inline m16 i_gt(i16 a, i16 b) { return _mm512_cmpgt_epi32_mask(a, b); }
static inline m16 m_and(m16 a, m16 b) { return (m16)(a & b); }
static inline v16 v_set(float x) { return _mm512_set1_ps(x); }
static inline i16 i_set(int32_t x) { return _mm512_set1_epi32(x); }
static inline v16 v_load(const float *p) { return _mm512_loadu_ps(p); }
static inline i16 i_load(const void *p) { return _mm512_loadu_si512(p); }
static inline void v_store(float *p, v16 a) { _mm512_storeu_ps(p, a); }
static inline void i_store(void *p, i16 a) { _mm512_storeu_si512(p, a); }
static inline v16 v_pick(m16 m, v16 yes, v16 no) { return _mm512_mask_mov_ps(no, m, yes); }
static inline v16 v_bits(i16 a) { return _mm512_castsi512_ps(a); }
static inline i16 i_bits(v16 a) { return _mm512_castps_si512(a); }

/* Macros: the counts are immediates. */
#define i_shl(a, n) _mm512_slli_epi32(a, n)
#define i_shr(a, n) _mm512_srli_epi32(a, n)
#define i_sar(a, n) _mm512_srai_epi32(a, n)

static inline i16 i_widen(const uint16_t *p) /* 16 halves to 16 words */
{
    return _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)p));
}

static inline void i_narrow(uint16_t *p, i16 a) /* words below 65536 to halves */
{
    _mm256_storeu_si256((__m256i *)p, _mm512_cvtepi32_epi16(a));
}

/* The tree of every reduction: 16 -> 8 -> 4 -> 2 -> 1, lane l with lane l + half. */
#define TREE(name, op)                                                                    \
    static inline float name(v16 a)                                                       \
    {                                                                                     \
        __m256 low = _mm512_castps512_ps256(a);                                           \
        __m256 high = _mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(a), 1));   \
        __m256 b = _mm256_##op##_ps(low, high);                                           \
        __m128 c = _mm_##op##_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1)); \
        c = _mm_##op##_ps(c, _mm_movehl_ps(c, c));                                        \
        return _mm_cvtss_f32(_mm_##op##_ps(c, _mm_movehdup_ps(c)));                       \
    }
TREE(v_sum, add)
TREE(v_top, max)

#ifdef V16_DOT
/* Two roundings, the odd element's first; denormals are zero on both sides (probe.h). */
static inline v16 v_pair(i16 a, i16 b, v16 c)
{
    return _mm512_dpbf16_ps(c, (__m512bh)a, (__m512bh)b);
}
#endif
