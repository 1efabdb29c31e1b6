/* gemm.h - blocking around the tile.  It moves no rounding: partial sums leave and enter the
 * registers as floats.
 *
 * A block of rows is packed once, a slice of K after the other (in it strips of mr rows, [k][mr]:
 * slices of whole-K strips would lie at one stride and meet in few sets of L2); then, for a group
 * of panels, slice by slice: a panel's slice lies in L1 and meets all strips. */

enum { GEMM_AHEAD = 6 }; /* lines of the next slice of A asked for at each strip */

/* The rows' strips differ by one row at most: a short last strip would be latency-bound. */
struct strips {
    int32_t count, rows, longer; /* the first `longer` have rows + 1 */
};

static struct strips strips_cut(int32_t rows)
{
    int32_t count = (rows + TILE_ROWS - 1) / TILE_ROWS;
    return (struct strips){ count, rows / count, rows % count };
}

static int32_t strip_rows(struct strips s, int32_t i) { return s.rows + (i < s.longer); }

static void pack_f32(uint32_t *out, const char *in, int64_t row_bytes, int32_t k, int32_t mr)
{
    for (int32_t i = 0; i < k; i++)
        for (int32_t r = 0; r < mr; r++)
            memcpy(out++, in + r * row_bytes + (int64_t)i * 4, 4);
}

/* What a line of W holds of K, and what of A meets it: words for each row. */
static int32_t line_depth(enum dtype w) { return w == BF16 ? 2 : 1; }
static int32_t line_words(enum dtype w) { return w == BF16 ? PAIR_WORDS : 1; }

/* Pairs as they lie, or the odd elements as a row of floats and then the even ones; an odd k ends
 * with a pair whose odd half is zero. */
static void pack_bf16(uint32_t *out, const char *in, int64_t row_bytes, int32_t k, int32_t mr)
{
    for (int32_t i = 0; i < k; i += 2, out += PAIR_WORDS * mr)
        for (int32_t r = 0; r < mr; r++) {
            uint32_t pair = 0;
            memcpy(&pair, in + r * row_bytes + (int64_t)i * 2, i + 1 < k ? 4 : 2);
            out[r] = PAIR_WORDS == 1 ? pair : pair & 0xffff0000;
            if (PAIR_WORDS == 2)
                out[mr + r] = pair << 16;
        }
}

static void pack_f16(uint32_t *out, const char *in, int64_t row_bytes, int32_t k, int32_t mr)
{
    float wide[TILE_ROWS][GEMM_DEPTH];

    for (int32_t r = 0; r < mr; r++)
        for (int32_t i = 0; i < k; i += LANES)
            row_store(wide[r], F32, i, k, row_load(in + r * row_bytes, F16, i, k));
    pack_f32(out, (const char *)wide, sizeof(wide[0]), k, mr);
}

/* x's columns [from, to) of a block of rows, strip after strip. */
static void pack_slice(uint32_t *out, struct mat x, struct strips s, int32_t from, int32_t to)
{
    int32_t k = to - from, depth = line_depth(x.type);
    int32_t words = (k + depth - 1) / depth * line_words(x.type);
    int64_t row_bytes = mat_row_bytes(x);
    const char *in = (const char *)x.data + from * dtype_bytes(x.type);

    for (int32_t i = 0; i < s.count; i++) {
        int32_t mr = strip_rows(s, i);
        (x.type == F32    ? pack_f32
         : x.type == BF16 ? pack_bf16
                          : pack_f16)(out, in, row_bytes, k, mr);
        out += (int64_t)words * mr;
        in += row_bytes * mr;
    }
}

/* A block of rows, packed. */
struct block {
    const uint32_t *a;
    struct strips strips;
    int32_t rows, panels; /* panels a tile takes */
};

struct slice {
    const uint32_t *a, *b; /* its strips; lines of its first panel */
    int64_t b_panel;
    int32_t lines, words, panels, rows; /* words: of A and a line, for each row */
    bool pairs, add;
};

/* What the next slices need is asked for a little at each strip: misses on the first touch of W and
 * A cost 15-20 % otherwise. */
struct ahead {
    const char *at;
    int32_t lines, done;
};

static void ahead_step(struct ahead *ahead, int32_t lines)
{
    for (; lines > 0 && ahead->done < ahead->lines; lines--, ahead->done++)
        __builtin_prefetch(ahead->at + (int64_t)ahead->done * 64, 0, 2);
}

/* A slice of a few panels against all strips. */
static void gemm_slice(float *c, const struct slice *s, struct strips strips, struct ahead *b_next,
                       struct ahead *a_next)
{
    const uint32_t *a = s->a;
    int32_t share = strips.count > 4 ? (b_next->lines + strips.count - 1) / strips.count : 0;

    for (int32_t i = 0; i < strips.count; i++) {
        int32_t mr = strip_rows(strips, i);
        const struct tile_set *set = &tiles[mr][s->panels];
        struct tile t = {
            .c = c,
            .a = a,
            .b = s->b,
            .c_row = LANES,
            .c_panel = (int64_t)s->rows * LANES,
            .b_panel = s->b_panel,
            .a_step = mr,
            .k = s->lines,
            .add = s->add,
        };
        ahead_step(b_next, share);
        ahead_step(a_next, GEMM_AHEAD);
        (s->pairs ? set->pairs : set->col)(&t);
        c += mr * LANES;
        a += (int64_t)s->lines * s->words * mr;
    }
}

/* Lines [l, l + count) of panels [from, to), into c. */
static void gemm_lines(float *c, const struct panels *w, const struct block *block, int32_t from,
                       int32_t to, int32_t l, int32_t count)
{
    int32_t depth = line_depth(w->type), lines = (w->k + depth - 1) / depth;
    int32_t next = l + count < lines ? l + count : 0, words = line_words(w->type);
    int64_t a_line = (int64_t)block->rows * words;
    const uint32_t *first = w->lines;
    const uint32_t *after = first + ((int64_t)(next ? from : to) * lines + next) * LANES;
    struct ahead a_next = { (const char *)(block->a + a_line * next),
                            (int32_t)(a_line * count / LANES), 0 };

    for (int32_t p = from, np; p < to; p += np) {
        np = to - p < block->panels ? to - p : block->panels;
        const uint32_t *b = first + ((int64_t)p * lines + l) * LANES;
        struct ahead b_next = {
            (const char *)(p + np < to ? b + (int64_t)np * lines * LANES : after), count, 0
        };
        struct slice s = { .a = block->a + a_line * l,
                           .b = b,
                           .b_panel = (int64_t)lines * LANES,
                           .lines = count,
                           .words = words,
                           .panels = np,
                           .rows = block->rows,
                           .pairs = depth == 2,
                           .add = l > 0 };
        gemm_slice(c + (int64_t)(p - from) * block->rows * LANES, &s, block->strips, &b_next,
                   &a_next);
    }
}

/* c is [panel][rows][16]; rows of out start at `row`, columns at panel `from`. */
static void gemm_finish(const struct gemm *g, const float *c, int32_t row, int32_t rows,
                        int32_t from, int32_t to)
{
    int32_t first = from * LANES, end = to * LANES < g->w->n ? to * LANES : g->w->n;
    int32_t left = g->left * LANES;

    for (int32_t r = 0; r < rows; r++)
        for (int32_t j = first; j < end; j += LANES) {
            v16 x = v_load(c + (int64_t)(j - first) * rows + r * LANES);
            if (g->bias.data)
                x = v_add(x, row_load(g->bias.data, g->bias.type, j, end));
            row_store(mat_row(g->out, row + r), g->out.type, j - left, end - left, x);
        }
}

static void gemm_block(const struct gemm *g, int32_t row, int32_t rows, void *scratch)
{
    const int32_t group = GEMM_COLS / LANES;
    int32_t depth = line_depth(g->w->type), lines = (g->w->k + depth - 1) / depth;
    int32_t slice = GEMM_DEPTH / depth, words = line_words(g->w->type); /* slice: in lines */
    float *c = scratch;
    uint32_t *a = (uint32_t *)(c + GEMM_ROWS * GEMM_COLS);
    struct block block = { a, strips_cut(rows), rows, 0 };

    block.panels = tile_panels(strip_rows(block.strips, 0));
    for (int32_t k = 0; k < g->x.cols; k += GEMM_DEPTH)
        pack_slice(a + (int64_t)rows * (k / depth) * words, mat_rows(g->x, row, rows), block.strips,
                   k, k + GEMM_DEPTH < g->x.cols ? k + GEMM_DEPTH : g->x.cols);
    for (int32_t from = g->first; from < g->last; from += group) {
        int32_t to = from + group < g->last ? from + group : g->last;
        for (int32_t l = 0; l < lines; l += slice)
            gemm_lines(c, g->w, &block, from, to, l, lines - l < slice ? lines - l : slice);
        gemm_finish(g, c, row, rows, from, to);
    }
}

static void gemm(const struct gemm *g, void *scratch)
{
    for (int32_t i = 0; i < g->x.rows; i += GEMM_ROWS)
        gemm_block(g, i, g->x.rows - i < GEMM_ROWS ? g->x.rows - i : GEMM_ROWS, scratch);
}
