/* v16_scalar.h - sixteen lanes as an array, for any x86-64 (SSE2): the oracle of the other sets. */
#include "common/base.h"

#include <string.h>

#define V16_TABLE kern_scalar
#define V16_NAME  "scalar"

/* What a kernel is made of stays a function here: inlined, sixteen lanes by sixteen, the compiler
 * would take half a minute for 15 % of speed. */
#define LANE_FUNCTION static __attribute__((noinline, unused))

/* Tiles that exist: X(rows, panels). */
#define TILE_SHAPES(X) X(1, 1) X(2, 1) X(3, 1) X(4, 1) X(1, 2) X(2, 2) X(1, 3) X(1, 4)

enum {
    TILE_ROWS = 4,
    TILE_SUMS = 4,   /* rows * panels of a tile at most */
    GEMM_ROWS = 32,  /* of a packed block; small, so that tests cross blocks */
    GEMM_DEPTH = 48, /* lines of W in a slice of K */
    ATTEND_ROWS = 4,
    ATTEND_PANELS = 1,
};

typedef struct {
    float x[16];
} v16;
typedef struct {
    int32_t x[16];
} i16;
typedef i16 m16;

/* fmaf without the instruction: the product is exact in double, the sum is rounded to odd there, so
 * that the second rounding cannot go wrong.  FTZ and DAZ act in the two conversions. */
static inline float fma1(float a, float b, float c)
{
    double p = (double)a * b, d = c, s = p + d;
    double pp = s - d, dd = s - pp, rest = (p - pp) + (d - dd);
    uint64_t bits;

    memcpy(&bits, &s, 8);
    if (rest != 0 && !(bits & 1)) /* a NaN or infinite sum leaves rest NaN: see below */
        bits += (rest > 0) == (s > 0) ? 1 : -1;
    memcpy(&pp, &bits, 8);
    return (float)(rest == rest ? pp : s);
}

/* A function of lanes: r.x[l] = expr for every l. */
#define LANEWISE(T, name, args, expr) \
    static inline T name args         \
    {                                 \
        T r;                          \
        for (int l = 0; l < 16; l++)  \
            r.x[l] = expr;            \
        return r;                     \
    }

LANEWISE(v16, v_add, (v16 a, v16 b), a.x[l] + b.x[l])
LANEWISE(v16, v_sub, (v16 a, v16 b), a.x[l] - b.x[l])
LANEWISE(v16, v_mul, (v16 a, v16 b), a.x[l] * b.x[l])
LANEWISE(v16, v_div, (v16 a, v16 b), a.x[l] / b.x[l])
LANEWISE(v16, v_max, (v16 a, v16 b), a.x[l] > b.x[l] ? a.x[l] : b.x[l])
LANEWISE(v16, v_min, (v16 a, v16 b), a.x[l] < b.x[l] ? a.x[l] : b.x[l])
LANEWISE(v16, v_fma, (v16 a, v16 b, v16 c), fma1(a.x[l], b.x[l], c.x[l]))
LANEWISE(i16, i_add, (i16 a, i16 b), (int32_t)((uint32_t)a.x[l] + (uint32_t)b.x[l]))
LANEWISE(i16, i_sub, (i16 a, i16 b), (int32_t)((uint32_t)a.x[l] - (uint32_t)b.x[l]))
LANEWISE(i16, i_and, (i16 a, i16 b), a.x[l] & b.x[l])
LANEWISE(i16, i_or, (i16 a, i16 b), a.x[l] | b.x[l])
LANEWISE(m16, v_lt, (v16 a, v16 b), -(a.x[l] < b.x[l]))
LANEWISE(m16, i_gt, (i16 a, i16 b), -(a.x[l] > b.x[l]))
LANEWISE(m16, m_and, (m16 a, m16 b), a.x[l] & b.x[l])
LANEWISE(v16, v_set, (float x), x)
LANEWISE(i16, i_set, (int32_t x), x)
LANEWISE(v16, v_pick, (m16 m, v16 yes, v16 no), m.x[l] ? yes.x[l] : no.x[l])
LANEWISE(i16, i_shl, (i16 a, int n), (int32_t)((uint32_t)a.x[l] << n))
LANEWISE(i16, i_shr, (i16 a, int n), (int32_t)((uint32_t)a.x[l] >> n))
LANEWISE(i16, i_sar, (i16 a, int n), a.x[l] >> n)
LANEWISE(i16, i_widen, (const uint16_t *p), p[l])

static inline v16 v_bits(i16 a)
{
    v16 r;
    memcpy(&r, &a, 64);
    return r;
}

static inline i16 i_bits(v16 a)
{
    i16 r;
    memcpy(&r, &a, 64);
    return r;
}

static inline v16 v_load(const float *p)
{
    v16 r;
    memcpy(&r, p, 64);
    return r;
}

static inline i16 i_load(const void *p)
{
    i16 r;
    memcpy(&r, p, 64);
    return r;
}

static inline void v_store(float *p, v16 a) { memcpy(p, &a, 64); }
static inline void i_store(void *p, i16 a) { memcpy(p, &a, 64); }

static inline void i_narrow(uint16_t *p, i16 a) /* words below 65536 to halves */
{
    for (int l = 0; l < 16; l++)
        p[l] = (uint16_t)a.x[l];
}

/* The tree of every reduction: 16 -> 8 -> 4 -> 2 -> 1, lane l with lane l + half. */
static inline float v_sum(v16 a)
{
    for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; l++)
            a.x[l] = a.x[l] + a.x[l + half];
    return a.x[0];
}

static inline float v_top(v16 a)
{
    for (int half = 8; half; half /= 2)
        for (int l = 0; l < half; l++)
            a.x[l] = a.x[l] > a.x[l + half] ? a.x[l] : a.x[l + half];
    return a.x[0];
}
