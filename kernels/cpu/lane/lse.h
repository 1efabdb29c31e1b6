/* lse.h - logits: scale and softcap, log-sum-exp and argmax tile by tile. */

static float row_max(struct mat x, int32_t row)
{
    v16 top = v_set(-INFINITY);
    for (int32_t i = 0; i < x.cols; i += LANES)
        top = v_max(row_only(row_load(mat_row(x, row), x.type, i, x.cols), i, x.cols, -INFINITY),
                    top);
    return v_top(top); /* a NaN is never greater: it is passed over */
}

/* Sum of e^(x - max). */
static float row_exp_sum(struct mat x, int32_t row, float max)
{
    v16 sum = v_set(0);
    for (int32_t i = 0; i < x.cols; i += LANES) {
        v16 v = v_sub(row_load(mat_row(x, row), x.type, i, x.cols), v_set(max));
        sum = v_add(sum, row_only(v_exp(v), i, x.cols, 0));
    }
    return v_sum(sum);
}

static int32_t row_find(struct mat x, int32_t row, float value)
{
    float lanes[LANES];
    for (int32_t i = 0; i < x.cols; i += LANES) {
        v_store(lanes, row_load(mat_row(x, row), x.type, i, x.cols));
        for (int32_t l = 0; l < LANES && i + l < x.cols; l++)
            if (lanes[l] == value)
                return i + l;
    }
    return -1;
}

static float exp1(float x)
{
    float lanes[LANES];
    v_store(lanes, v_exp(v_set(x)));
    return lanes[0];
}

/* Ties: the lowest column, here and between tiles. */
static void lse_row(struct lse *lse, struct mat logits, int32_t row, int32_t first_column)
{
    float tile_max = row_max(logits, row), max = tile_max > lse->max ? tile_max : lse->max;
    float base = max == -INFINITY ? 0 : max; /* -inf - -inf would be a NaN */

    if (tile_max > lse->max)
        lse->arg = first_column + row_find(logits, row, max);
    float keep = exp1(lse->max - base), sum = row_exp_sum(logits, row, base);
    lse->sum = lse->sum * keep + sum;
    lse->max = max;
}

static void lse_tile(struct lse *lse, struct mat logits, int32_t first_column)
{
    for (int32_t r = 0; r < logits.rows; r++)
        lse_row(&lse[r], logits, r, first_column);
}

static void logit_rows(struct mat z, float scale, float softcap)
{
    if (scale != 1)
        scale_rows(z, scale);
    if (softcap == 0)
        return;
    for (int32_t r = 0; r < z.rows; r++)
        for (int32_t i = 0; i < z.cols; i += LANES) {
            v16 v = row_load(mat_row(z, r), z.type, i, z.cols);
            v = v_mul(v_tanh(v_div(v, v_set(softcap))), v_set(softcap));
            row_store(mat_row(z, r), z.type, i, z.cols, v);
        }
}
