/* v16_avx2.h - sixteen lanes as two ymm registers. */
#include "common/base.h"

#include <immintrin.h>
#include <string.h>

#define V16_TABLE kern_avx2
#define V16_NAME  "avx2"

#define LANE_FUNCTION static inline __attribute__((always_inline))

/* Tiles that exist: X(rows, panels).  6 x 16: 12 sums, 2 of W, 1 of A in 16 registers. */
#define TILE_SHAPES(X) \
    X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(5, 1) X(6, 1) X(1, 2) X(2, 2) X(3, 2) X(1, 3) X(2, 3) X(1, 4)

enum {
    TILE_ROWS = 6,
    TILE_SUMS = 6,    /* rows * panels of a tile at most */
    GEMM_ROWS = 180,  /* of a packed block: 180 x 384 floats are half of L2 */
    GEMM_DEPTH = 384, /* lines of W in a slice of K: 24 KiB, most of L1 */
    ATTEND_ROWS = 6,
    ATTEND_PANELS = 1,
};

typedef struct {
    __m256 lo, hi;
} v16;
typedef struct {
    __m256i lo, hi;
} i16;
typedef v16 m16;

#define BOTH(T, name, op) \
    static inline T name(T a, T b) { return (T){ op(a.lo, b.lo), op(a.hi, b.hi) }; }
#define COMPARE(T, name, op) \
    static inline m16 name(T a, T b) { return (m16){ op(a.lo, b.lo), op(a.hi, b.hi) }; }
#define LT8(a, b)  _mm256_cmp_ps(a, b, _CMP_LT_OQ)
#define GTI8(a, b) _mm256_castsi256_ps(_mm256_cmpgt_epi32(a, b))

BOTH(v16, v_add, _mm256_add_ps)
BOTH(v16, v_sub, _mm256_sub_ps)
BOTH(v16, v_mul, _mm256_mul_ps)
BOTH(v16, v_div, _mm256_div_ps)
BOTH(v16, v_max, _mm256_max_ps)
BOTH(v16, v_min, _mm256_min_ps)
BOTH(i16, i_add, _mm256_add_epi32)
BOTH(i16, i_sub, _mm256_sub_epi32)
BOTH(i16, i_and, _mm256_and_si256)
BOTH(i16, i_or, _mm256_or_si256)
BOTH(m16, m_and, _mm256_and_ps)
COMPARE(v16, v_lt, LT8)
COMPARE(i16, i_gt, GTI8)

static inline v16 v_set(float x) { return (v16){ _mm256_set1_ps(x), _mm256_set1_ps(x) }; }
static inline i16 i_set(int32_t x) { return (i16){ _mm256_set1_epi32(x), _mm256_set1_epi32(x) }; }

static inline v16 v_load(const float *p)
{
    return (v16){ _mm256_loadu_ps(p), _mm256_loadu_ps(p + 8) };
}

static inline i16 i_load(const void *p)
{
    return (i16){ _mm256_loadu_si256(p), _mm256_loadu_si256((const __m256i *)p + 1) };
}

static inline void v_store(float *p, v16 a)
{
    _mm256_storeu_ps(p, a.lo);
    _mm256_storeu_ps(p + 8, a.hi);
}

static inline void i_store(void *p, i16 a)
{
    _mm256_storeu_si256(p, a.lo);
    _mm256_storeu_si256((__m256i *)p + 1, a.hi);
}

static inline v16 v_fma(v16 a, v16 b, v16 c)
{
    return (v16){ _mm256_fmadd_ps(a.lo, b.lo, c.lo), _mm256_fmadd_ps(a.hi, b.hi, c.hi) };
}

static inline v16 v_pick(m16 m, v16 yes, v16 no)
{
    return (v16){ _mm256_blendv_ps(no.lo, yes.lo, m.lo), _mm256_blendv_ps(no.hi, yes.hi, m.hi) };
}

static inline v16 v_bits(i16 a)
{
    return (v16){ _mm256_castsi256_ps(a.lo), _mm256_castsi256_ps(a.hi) };
}

static inline i16 i_bits(v16 a)
{
    return (i16){ _mm256_castps_si256(a.lo), _mm256_castps_si256(a.hi) };
}

static inline i16 i_shl(i16 a, int n)
{
    return (i16){ _mm256_slli_epi32(a.lo, n), _mm256_slli_epi32(a.hi, n) };
}

static inline i16 i_shr(i16 a, int n)
{
    return (i16){ _mm256_srli_epi32(a.lo, n), _mm256_srli_epi32(a.hi, n) };
}

static inline i16 i_sar(i16 a, int n)
{
    return (i16){ _mm256_srai_epi32(a.lo, n), _mm256_srai_epi32(a.hi, n) };
}

static inline i16 i_widen(const uint16_t *p) /* 16 halves to 16 words */
{
    return (i16){ _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p)),
                  _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)p + 1)) };
}

static inline void i_narrow(uint16_t *p, i16 a) /* words below 65536 to halves */
{
    __m256i h = _mm256_permute4x64_epi64(_mm256_packus_epi32(a.lo, a.hi), 0xd8);
    _mm256_storeu_si256((__m256i *)p, h);
}

/* The tree of every reduction: 16 -> 8 -> 4 -> 2 -> 1, lane l with lane l + half. */
static inline float v_sum(v16 a)
{
    __m256 b = _mm256_add_ps(a.lo, a.hi);
    __m128 c = _mm_add_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_add_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_add_ps(c, _mm_movehdup_ps(c)));
}

static inline float v_top(v16 a)
{
    __m256 b = _mm256_max_ps(a.lo, a.hi);
    __m128 c = _mm_max_ps(_mm256_castps256_ps128(b), _mm256_extractf128_ps(b, 1));
    c = _mm_max_ps(c, _mm_movehl_ps(c, c));
    return _mm_cvtss_f32(_mm_max_ps(c, _mm_movehdup_ps(c)));
}
