/* norm.h - x = T(x + add), then a row's norm: column c lives in lane c mod 16. */

static void row_add(void *x, const void *y, enum dtype type, int32_t cols)
{
    for (int32_t i = 0; i < cols; i += LANES)
        row_store(x, type, i, cols, v_add(row_load(x, type, i, cols), row_load(y, type, i, cols)));
}

static void add(struct mat x, struct mat y)
{
    for (int32_t r = 0; r < x.rows; r++)
        row_add(mat_row(x, r), mat_row(y, r), x.type, x.cols);
}

/* T(scale x) */
static void scale_rows(struct mat x, float scale)
{
    for (int32_t r = 0; r < x.rows; r++)
        for (int32_t i = 0; i < x.cols; i += LANES) {
            v16 v = row_load(mat_row(x, r), x.type, i, x.cols);
            row_store(mat_row(x, r), x.type, i, x.cols, v_mul(v, v_set(scale)));
        }
}

static void rms_row(void *out, const void *x, enum dtype type, int32_t cols,
                    const struct norm *norm)
{
    v16 sum = v_set(0);
    for (int32_t i = 0; i < cols; i += LANES) {
        v16 v = row_load(x, type, i, cols);
        sum = v_fma(v, v, sum);
    }
    v16 scale = v_set(1 / sqrtf(v_sum(sum) / (float)cols + norm->eps));
    for (int32_t i = 0; i < cols; i += LANES) {
        v16 v = v_mul(row_load(x, type, i, cols), scale);
        v16 w = row_load(norm->weight.data, norm->weight.type, i, cols);
        if (norm->kind == NORM_PLUS_ONE)
            w = v_add(w, v_set(1));
        if (norm->kind == NORM_LLAMA)
            v = round_to(v, type);
        row_store(out, type, i, cols, v_mul(v, w));
    }
}

static float row_mean(const void *x, enum dtype type, int32_t cols)
{
    v16 sum = v_set(0);
    for (int32_t i = 0; i < cols; i += LANES)
        sum = v_add(sum, row_load(x, type, i, cols));
    return v_sum(sum) / (float)cols;
}

static void layer_row(void *out, const void *x, enum dtype type, int32_t cols,
                      const struct norm *norm)
{
    v16 mean = v_set(row_mean(x, type, cols)), square = v_set(0);
    for (int32_t i = 0; i < cols; i += LANES) {
        v16 d = row_only(v_sub(row_load(x, type, i, cols), mean), i, cols, 0);
        square = v_fma(d, d, square);
    }
    v16 scale = v_set(1 / sqrtf(v_sum(square) / (float)cols + norm->eps));
    for (int32_t i = 0; i < cols; i += LANES) {
        v16 v = v_mul(v_sub(row_load(x, type, i, cols), mean), scale);
        v = v_mul(v, row_load(norm->weight.data, norm->weight.type, i, cols));
        if (norm->bias.data)
            v = v_add(v, row_load(norm->bias.data, norm->bias.type, i, cols));
        row_store(out, type, i, cols, v);
    }
}

static void norm_rows(struct mat out, struct mat x, struct mat more, const struct norm *norm)
{
    for (int32_t r = 0; r < x.rows; r++) {
        if (more.data)
            row_add(mat_row(x, r), mat_row(more, r), x.type, x.cols);
        (norm->kind == NORM_LAYER ? layer_row : rms_row)(mat_row(out, r), mat_row(x, r), x.type,
                                                         x.cols, norm);
    }
}
