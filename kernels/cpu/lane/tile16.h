/* tile16.h - the one inner loop: C[mr, 16 np] (+)= A[mr, k] B[k, 16 np], every sum one FMA chain.
 *
 * B is lines; A is broadcast, element by element.  The row and panel counts are constants of each
 * copy, so the sums live in registers: TILE_SHAPES lists the copies that exist. */

struct tile {
    float *c;
    const uint32_t *a, *b;
    int64_t c_row, c_panel, b_panel; /* steps in 4-byte elements */
    int64_t a_step; /* A at a[k a_step + r] (TILE_COL) or a[r a_step + k] (TILE_ROW) */
    int32_t k;      /* lines of B */
    bool add;
};

typedef void tile_fn(const struct tile *t);

enum tile_mode { TILE_COL, TILE_ROW };

/* What a line of B is to a step: floats, or one half of its bf16 pairs as floats. */
enum tile_take { TAKE_FLOATS, TAKE_ODD, TAKE_EVEN };

/* By shifts: a mask would be one register too many in the AVX2 tile (61 instead of 82 GFLOP/s). */
LANE_FUNCTION v16 half_high(i16 pair) { return v_bits(i_shl(i_shr(pair, 16), 16)); }
LANE_FUNCTION v16 half_low(i16 pair) { return v_bits(i_shl(pair, 16)); }

LANE_FUNCTION v16 tile_line(const uint32_t *b, enum tile_take take)
{
    i16 line = i_load(b);
    return take == TAKE_ODD ? half_high(line) : take == TAKE_EVEN ? half_low(line) : v_bits(line);
}

LANE_FUNCTION void tile_step(v16 c[TILE_ROWS][TILE_PANELS], const uint32_t *a, int64_t a_row,
                             const struct tile *t, const uint32_t *b, int mr, int np,
                             enum tile_take take)
{
    v16 line[TILE_PANELS];

#pragma GCC unroll 4
    for (int p = 0; p < np; p++)
        line[p] = tile_line(b + p * t->b_panel, take);
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++)
#pragma GCC unroll 4
        for (int p = 0; p < np; p++)
            c[r][p] = v_fma(v_bits(i_set((int32_t)a[r * a_row])), line[p], c[r][p]);
}

#ifdef V16_DOT
enum { PAIR_WORDS = 1 }; /* of A and a pair: both elements in one */

LANE_FUNCTION void tile_pair(v16 c[TILE_ROWS][TILE_PANELS], const uint32_t *a, int64_t a_row,
                             const struct tile *t, const uint32_t *b, int mr, int np)
{
    i16 line[TILE_PANELS];

#pragma GCC unroll 4
    for (int p = 0; p < np; p++)
        line[p] = i_load(b + p * t->b_panel);
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++)
#pragma GCC unroll 4
        for (int p = 0; p < np; p++)
            c[r][p] = v_pair(i_set((int32_t)a[r * a_row]), line[p], c[r][p]);
}
#else
enum {
    PAIR_WORDS = 2
}; /* of A and a pair: the odd elements lie as a row of floats before the even */

LANE_FUNCTION void tile_pair(v16 c[TILE_ROWS][TILE_PANELS], const uint32_t *a, int64_t a_row,
                             const struct tile *t, const uint32_t *b, int mr, int np)
{
    tile_step(c, a, a_row, t, b, mr, np, TAKE_ODD);
    __asm__ volatile("" ::: "memory"); /* load B again: two halves do not fit the registers */
    tile_step(c, a + t->a_step, a_row, t, b, mr, np, TAKE_EVEN);
}
#endif

LANE_FUNCTION void tile_begin_sums(v16 c[TILE_ROWS][TILE_PANELS], const struct tile *t, int mr,
                                   int np)
{
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++)
#pragma GCC unroll 4
        for (int p = 0; p < np; p++)
            c[r][p] = t->add ? v_load(t->c + r * t->c_row + p * t->c_panel) : v_set(0);
}

LANE_FUNCTION void tile(const struct tile *t, const int mr, const int np, enum tile_mode mode,
                        bool pairs)
{
    const struct tile steps = *t;
    const uint32_t *a = t->a, *b = t->b;
    int64_t a_row = mode == TILE_COL ? 1 : steps.a_step,
            a_next = mode == TILE_COL ? steps.a_step * (pairs ? PAIR_WORDS : 1) : 1;
    v16 c[TILE_ROWS][TILE_PANELS];

    tile_begin_sums(c, &steps, mr, np);
#pragma GCC unroll 2
    for (int32_t k = 0; k < steps.k; k++) {
        if (pairs)
            tile_pair(c, a, a_row, &steps, b, mr, np);
        else
            tile_step(c, a, a_row, &steps, b, mr, np, TAKE_FLOATS);
        a += a_next;
        b += LANES;
    }
#pragma GCC unroll 16
    for (int r = 0; r < mr; r++)
#pragma GCC unroll 4
        for (int p = 0; p < np; p++)
            v_store(steps.c + r * steps.c_row + p * steps.c_panel, c[r][p]);
}

struct tile_set {
    tile_fn *col, *pairs, *row;
};

#define TILE_DEFINE(mr, np)                                                                       \
    static void tile_col_##mr##x##np(const struct tile *t) { tile(t, mr, np, TILE_COL, false); }  \
    static void tile_pairs_##mr##x##np(const struct tile *t) { tile(t, mr, np, TILE_COL, true); } \
    static void tile_row_##mr##x##np(const struct tile *t) { tile(t, mr, np, TILE_ROW, false); }
#define TILE_ENTRY(mr, np) \
    [mr][np] = { tile_col_##mr##x##np, tile_pairs_##mr##x##np, tile_row_##mr##x##np },

TILE_SHAPES(TILE_DEFINE)
static const struct tile_set tiles[TILE_ROWS + 1][TILE_PANELS + 1] = { TILE_SHAPES(TILE_ENTRY) };

/* Panels a tile of mr rows takes at once. */
LANE_FUNCTION int32_t tile_panels(int32_t mr)
{
    return TILE_SUMS / mr < TILE_PANELS ? TILE_SUMS / mr : TILE_PANELS;
}
