/* rotate.h - rotary positions, and the guard before K and V are stored. */

LANE_FUNCTION v16 rope_product(v16 x, v16 t, enum dtype type, bool f32)
{
    v16 p = v_mul(x, t);
    return f32 ? p : round_to(p, type);
}

/* Element i turns with i + half. */
static void rope_halves(void *head, enum dtype type, int32_t half, bool f32, const float *cos,
                        const float *sin)
{
    char *lo = head, *hi = lo + half * dtype_bytes(type);

    for (int32_t i = 0; i < half; i += LANES) {
        v16 a = row_load(lo, type, i, half), b = row_load(hi, type, i, half);
        v16 c = row_load(cos, F32, i, half), s = row_load(sin, F32, i, half);
        v16 ac = rope_product(a, c, type, f32), as = rope_product(a, s, type, f32);
        v16 bc = rope_product(b, c, type, f32), bs = rope_product(b, s, type, f32);
        row_store(lo, type, i, half, v_sub(ac, bs));
        row_store(hi, type, i, half, v_add(bc, as));
    }
}

/* Element 2i turns with 2i + 1: one by one, few models have it. */
static void rope_pairs(void *head, enum dtype type, int32_t half, bool f32, const float *cos,
                       const float *sin)
{
    enum dtype product = f32 ? F32 : type;

    for (int32_t i = 0; i < half; i++) {
        float a = convert_load(head, type, 2 * i), b = convert_load(head, type, 2 * i + 1);
        float ac = convert_round(a * cos[i], product), as = convert_round(a * sin[i], product);
        float bc = convert_round(b * cos[i], product), bs = convert_round(b * sin[i], product);
        convert_store(head, type, 2 * i, ac - bs);
        convert_store(head, type, 2 * i + 1, bc + as);
    }
}

static void rope_heads(struct mat heads, const struct rope *rope, const float *cos,
                       const float *sin)
{
    for (int32_t h = 0; h < heads.rows; h++)
        (rope->pairs ? rope_pairs : rope_halves)(mat_row(heads, h), heads.type, rope->dims / 2,
                                                 rope->f32, cos, sin);
}

/* An infinite V would reach the rows that mask it, as 0 * inf. */
static bool guard(void *to, struct mat x)
{
    v16 bad = v_set(0), limit = v_set(INFINITY);

    for (int32_t i = 0; i < x.cols; i += LANES) {
        v16 v = row_load(x.data, x.type, i, x.cols);
        m16 finite = v_lt(v_abs(v), limit);
        bad = v_pick(finite, bad, v_set(1));
        row_store(to, x.type, i, x.cols, v_pick(finite, v, v_set(0)));
    }
    return v_top(bad) == 0;
}
