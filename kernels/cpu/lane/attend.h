/* attend.h - a q tile against its pages.  The sixteen lanes are (row, query head) pairs, so softmax
 * needs no reduction across lanes, and both products are the tile of the GEMM:
 *
 *     scores[64 slots][lanes] = K[64][d] Q[d][lanes]      K as it lies (TILE_ROW)
 *     out[d][lanes]          += V[64][d]^T P[64][lanes]   V as it lies (TILE_COL)
 *
 * A lane sees nothing of its neighbours: tile composition moves no bit.  K and V of a page are
 * gathered once for all lanes.  The sum over slots is the tree of v_sum (slot q in place q mod 16);
 * bf16 takes slots and d in pairs, odd first, as the GEMM does: K, Q, V and P lie as floats with
 * the two of a pair exchanged. */

/* Sixteen lanes, and where each is on its way through the pages. */
struct attend_group {
    float max[LANES], sum[LANES];
    int32_t row[LANES], pos[LANES]; /* -1: no such lane */
};

struct attend_state {
    const struct attend *a;
    bool swap; /* pairs are exchanged */
    int32_t lanes, groups;
    uint32_t *k, *v;    /* the page: [64][d] floats */
    float *q, *s, *out; /* [group][d][16], [panel][64][16], [group][d][16] */
    struct attend_group *group;
};

static void attend_swap_row(uint32_t *k, uint32_t *v, const char *from_k, const char *from_v,
                            int32_t d)
{
    for (int32_t i = 0; i < d; i += 2) {
        uint32_t pair_k, pair_v;
        memcpy(&pair_k, from_k + 2 * i, 4);
        memcpy(&pair_v, from_v + 2 * i, 4);
        k[i] = pair_k & 0xffff0000;
        k[i + 1] = pair_k << 16;
        v[i] = pair_v << 16;
        v[i + 1] = pair_v & 0xffff0000;
    }
}

static void attend_wide_row(void *to, const char *from, enum dtype type, int32_t d)
{
    if (type == F32)
        memcpy(to, from, (size_t)d * 4);
    else
        for (int32_t i = 0; i < d; i += LANES)
            row_store(to, F32, i, d, row_load(from, type, i, d));
}

static void attend_gather(struct attend_state *t, const int32_t *slot_row)
{
    const struct attend *a = t->a;
    int64_t d = a->head_dim, bytes = a->kv_stride * dtype_bytes(a->type);

    for (int32_t j = 0; j < PAGE_SLOTS; j++) {
        const char *k = (const char *)a->k + slot_row[j] * bytes;
        const char *v = (const char *)a->v + slot_row[j] * bytes;
        if (t->swap)
            attend_swap_row(t->k + j * d, t->v + (j ^ 1) * d, k, v, a->head_dim);
        else {
            attend_wide_row(t->k + j * d, k, a->type, a->head_dim);
            attend_wide_row(t->v + j * d, v, a->type, a->head_dim);
        }
    }
}

/* A lane's query or output among the rows of the tile. */
static int64_t attend_at(const struct attend *a, int32_t lane)
{
    return lane / a->group * a->stride + (int64_t)(lane % a->group) * a->head_dim;
}

static void attend_begin_lane(struct attend_state *t, int32_t g, int32_t l)
{
    const struct attend *a = t->a;
    int32_t lane = g * LANES + l, d = a->head_dim, swap = t->swap;
    bool there = lane < t->lanes;
    int32_t row = there ? a->rows[lane / a->group] : -1;
    float *to = t->q + (int64_t)g * d * LANES + l;
    struct attend_group *group = &t->group[g];

    group->max[l] = -INFINITY;
    group->sum[l] = 0;
    group->row[l] = row;
    group->pos[l] = there ? a->pages->pos[row] : -1;
    if (!there) {
        for (int32_t i = 0; i < d; i++)
            to[i * LANES] = 0;
        return;
    }
    const char *q = (const char *)a->q + attend_at(a, lane) * dtype_bytes(a->type);
    attend_wide_row(t->s, q, a->type, d);
    for (int32_t i = 0; i < d; i++)
        to[i * LANES] = t->s[i ^ swap];
}

static void attend_begin(struct attend_state *t, int32_t g)
{
    int64_t size = (int64_t)t->a->head_dim * LANES;

    memset(t->out + g * size, 0, (size_t)size * sizeof(*t->out));
    for (int32_t l = 0; l < LANES; l++)
        attend_begin_lane(t, g, l);
}

/* Slots [lo, hi) of the page are visible to each lane; true if all are to all. */
static bool attend_visible(i16 *lo, i16 *hi, const struct attend_group *g, const int32_t *page,
                           int32_t window)
{
    int32_t from[LANES], to[LANES], first = page[0] * PAGE_SLOTS;
    bool all = true;

    for (int32_t l = 0; l < LANES; l++) {
        bool in = page[1] <= g->row[l] && g->row[l] < page[2];
        int32_t oldest = window ? g->pos[l] - window + 1 : 0, own = g->pos[l] + 1 - first;
        from[l] = oldest > first ? oldest - first : 0;
        to[l] = !in ? 0 : own < PAGE_SLOTS ? own : PAGE_SLOTS;
        all &= (from[l] == 0 && to[l] == PAGE_SLOTS) || g->row[l] < 0;
    }
    *lo = i_load(from);
    *hi = i_load(to);
    return all;
}

LANE_FUNCTION v16 attend_score(v16 dot, const struct attend *a)
{
    v16 x = v_mul(dot, v_set(a->scale));
    if (a->softcap != 0)
        x = v_mul(v_tanh(v_div(x, v_set(a->softcap))), v_set(a->softcap));
    return x;
}

/* Scales and masks the scores in place; gives their maximum.  A select with a full mask is the
 * identity, so a page that all see may go without. */
static v16 attend_mask(float *s, const struct attend *a, const struct attend_group *g,
                       const int32_t *page)
{
    i16 lo, hi;
    bool all = attend_visible(&lo, &hi, g, page, a->window);
    v16 none = v_set(-INFINITY), top = none;

    for (int32_t j = 0; j < PAGE_SLOTS; j++) {
        v16 x = attend_score(v_load(s + j * LANES), a);
        if (!all)
            x = v_pick(m_and(i_gt(hi, i_set(j)), i_gt(i_set(j + 1), lo)), x, none);
        v_store(s + j * LANES, x);
        top = v_max(x, top);
    }
    return top;
}

/* Scores to P in place; the sum of P over the slots, in the tree of v_sum. */
static v16 attend_exp(float *s, v16 base)
{
    static const uint8_t order[LANES] = { 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 };
    v16 part[5];

    for (int32_t i = 0; i < LANES; i++) {
        v16 sum = v_set(0);
        for (int32_t j = order[i]; j < PAGE_SLOTS; j += LANES) {
            v16 p = v_exp_neg(v_sub(v_load(s + j * LANES), base));
            v_store(s + j * LANES, p);
            sum = j < LANES ? p : v_add(sum, p);
        }
        int32_t level = 0; /* a binary counter: two sums of a height make one of the next */
        for (; i >> level & 1; level++)
            sum = v_add(part[level], sum);
        part[level] = sum;
    }
    return part[4];
}

/* Updates max and sum; gives the factor that what was summed before is kept with: e to the power of
 * the difference of maxima.  While nothing was seen the maximum is -inf: subtract 0. */
static v16 attend_softmax(struct attend_state *t, struct attend_group *g, float *s,
                          const int32_t *page)
{
    v16 old = v_load(g->max), none = v_set(-INFINITY);
    v16 top = v_max(attend_mask(s, t->a, g, page), old);
    v16 base = v_pick(v_lt(none, top), top, v_set(0)), keep = v_exp_neg(v_sub(old, base));
    v16 sum = attend_exp(s, base);

    v_store(g->max, top);
    v_store(g->sum, v_fma(v_load(g->sum), keep, sum));
    return keep;
}

/* P to T; the slots of a pair are exchanged where the type goes by pairs. */
static void attend_round(float *s, enum dtype type)
{
    for (int32_t j = 0; j < PAGE_SLOTS; j += 2) {
        v16 even = round_to(v_load(s + j * LANES), type);
        v16 odd = round_to(v_load(s + (j + 1) * LANES), type);
        v_store(s + j * LANES, type == BF16 ? odd : even);
        v_store(s + (j + 1) * LANES, type == BF16 ? even : odd);
    }
}

static void attend_keep(float *out, int32_t d, v16 keep)
{
    float k[LANES];
    bool same = true;

    v_store(k, keep);
    for (int32_t l = 0; l < LANES; l++)
        same &= k[l] == 1;
    for (int32_t i = 0; !same && i < d; i++)
        v_store(out + i * LANES, v_mul(v_load(out + i * LANES), keep));
}

static void attend_scores(struct attend_state *t, int32_t g, int32_t np)
{
    int64_t d = t->a->head_dim;

    for (int32_t j = 0, mr; j < PAGE_SLOTS; j += mr) {
        mr = PAGE_SLOTS - j < ATTEND_ROWS ? PAGE_SLOTS - j : ATTEND_ROWS;
        struct tile s = {
            .c = t->s + j * LANES,
            .a = t->k + j * d,
            .b = (uint32_t *)t->q + g * d * LANES,
            .c_row = LANES,
            .c_panel = PAGE_SLOTS * LANES,
            .b_panel = d * LANES,
            .a_step = d,
            .k = t->a->head_dim,
            .add = false,
        };
        tiles[mr][np].row(&s);
    }
}

static void attend_values(struct attend_state *t, int32_t g, int32_t np)
{
    int32_t d = t->a->head_dim;

    for (int32_t i = 0, mr; i < d; i += mr) {
        mr = d - i < ATTEND_ROWS ? d - i : ATTEND_ROWS;
        struct tile o = {
            .c = t->out + ((int64_t)g * d + i) * LANES,
            .a = t->v + i,
            .b = (uint32_t *)t->s,
            .c_row = LANES,
            .c_panel = (int64_t)d * LANES,
            .b_panel = PAGE_SLOTS * LANES,
            .a_step = d,
            .k = PAGE_SLOTS,
            .add = true,
        };
        tiles[mr][np].col(&o);
    }
}

/* np groups against the page that was gathered. */
static void attend_page(struct attend_state *t, const int32_t *page, int32_t g, int32_t np)
{
    int32_t d = t->a->head_dim;

    attend_scores(t, g, np);
    for (int32_t p = 0; p < np; p++) {
        float *s = t->s + p * PAGE_SLOTS * LANES;
        attend_keep(t->out + (int64_t)(g + p) * d * LANES, d,
                    attend_softmax(t, &t->group[g + p], s, page));
        if (t->a->type != F32)
            attend_round(s, t->a->type);
    }
    attend_values(t, g, np);
}

/* out / sum; + 0 because a page that was skipped leaves a -0 which a masked one turns into +0. */
static void attend_end(struct attend_state *t, int32_t g)
{
    const struct attend *a = t->a;
    int32_t d = a->head_dim;
    int64_t size = dtype_bytes(a->type);
    float *out = t->out + (int64_t)g * d * LANES;
    v16 sum = v_load(t->group[g].sum);

    for (int32_t i = 0; i < d; i++) {
        v16 x = v_add(v_div(v_load(out + i * LANES), sum), v_set(0));
        if (a->type == F32)
            v_store(out + i * LANES, x);
        else
            i_store(out + i * LANES, a->type == BF16 ? bf16_bits(x) : f16_bits(x));
    }
    for (int32_t l = 0; l < LANES && g * LANES + l < t->lanes; l++) {
        char *to = (char *)a->out + attend_at(a, g * LANES + l) * size;
        for (int32_t i = 0; i < d; i++)
            memcpy(to + i * size, out + i * LANES + l, (size_t)size);
    }
}

static void attend_tile(const struct attend *a, void *scratch)
{
    int64_t d = a->head_dim;
    struct attend_state t = { .a = a, .swap = a->type == BF16, .lanes = a->count * a->group };
    struct tile_walk walk;
    struct tile_page page;

    t.groups = (t.lanes + LANES - 1) / LANES;
    t.k = scratch;
    t.v = t.k + PAGE_SLOTS * d;
    t.q = (float *)(t.v + PAGE_SLOTS * d);
    t.out = t.q + ATTEND_LANES_MAX * d;
    t.s = t.out + ATTEND_LANES_MAX * d;
    t.group = (struct attend_group *)(t.s + TILE_PANELS * LANES * PAGE_SLOTS);
    for (int32_t g = 0; g < t.groups; g++)
        attend_begin(&t, g);
    tile_begin(&walk, a->pages, a->rows, a->count, a->window);
    while (tile_next(&walk, &page)) {
        int32_t first = page.from * a->group / LANES;
        int32_t last = (page.to * a->group + LANES - 1) / LANES;
        attend_gather(&t, a->pages->slot_row[page.page]);
        for (int32_t g = first, np; g < last; g += np) {
            np = last - g < ATTEND_PANELS ? last - g : ATTEND_PANELS;
            attend_page(&t, a->pages->page[page.page], g, np);
        }
    }
    for (int32_t g = 0; g < t.groups; g++)
        attend_end(&t, g);
}
