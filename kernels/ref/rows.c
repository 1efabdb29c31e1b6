/* rows.c - the reference of what goes row by row. */
#include "kernels/ref/op.h"

#include <math.h>
#include <string.h>

void ref_embed(struct dev *dev, struct mat out, const struct weight *table, const int32_t *tokens,
               float scale)
{
    (void)dev;
    for (int32_t i = 0; i < out.rows; i++)
        for (int32_t c = 0; c < out.cols; c++)
            ref_put(out, i, c, (double)ref_row(table, tokens[i])[c] * scale);
}

void ref_gather_rows(struct dev *dev, struct mat out, struct mat x, const int32_t *rows)
{
    (void)dev;
    for (int32_t i = 0; i < out.rows; i++)
        memcpy(mat_row(out, i), mat_row(x, rows[i]), (size_t)mat_row_bytes(x));
}

void ref_add(struct dev *dev, struct mat x, struct mat y)
{
    (void)dev;
    for (int32_t r = 0; r < x.rows; r++)
        for (int32_t c = 0; c < x.cols; c++)
            ref_put(x, r, c, ref_get(x, r, c) + ref_get(y, r, c));
}

static double norm_weight(const struct norm *norm, int32_t c)
{
    return ref_get(norm->weight, 0, c) + (norm->kind == NORM_PLUS_ONE);
}

/* Mean of (x - shift)^power. */
static double row_mean(struct mat x, int32_t r, double shift, int power)
{
    double sum = 0;
    for (int32_t c = 0; c < x.cols; c++)
        sum += pow(ref_get(x, r, c) - shift, power);
    return sum / x.cols;
}

static void norm_row(struct mat out, struct mat x, int32_t r, const struct norm *norm)
{
    double mean = norm->kind == NORM_LAYER ? row_mean(x, r, 0, 1) : 0;
    double scale = 1 / sqrt(row_mean(x, r, mean, 2) + norm->eps);

    for (int32_t c = 0; c < x.cols; c++) {
        double v = (ref_get(x, r, c) - mean) * scale;
        if (norm->kind == NORM_LLAMA)
            v = convert_round((float)v, x.type);
        v *= norm_weight(norm, c);
        ref_put(out, r, c, norm->bias.data ? v + ref_get(norm->bias, 0, c) : v);
    }
}

void ref_norm(struct dev *dev, struct mat out, struct mat x, struct mat add,
              const struct norm *norm)
{
    if (add.data)
        ref_add(dev, x, add);
    for (int32_t r = 0; r < x.rows; r++)
        norm_row(out, x, r, norm);
}

static double act_value(double x, enum act act)
{
    if (act == ACT_SILU)
        return x / (1 + exp(-x));
    if (act == ACT_GELU)
        return x / 2 * (1 + erf(x / sqrt(2)));
    return x / 2 * (1 + tanh(sqrt(2 / 3.141592653589793) * (x + 0.044715 * x * x * x)));
}

void ref_act_gate(struct dev *dev, struct mat out, struct mat gate, struct mat up, enum act act)
{
    (void)dev;
    for (int32_t r = 0; r < gate.rows; r++)
        for (int32_t c = 0; c < gate.cols; c++) {
            double v = convert_round((float)act_value(ref_get(gate, r, c), act), out.type);
            ref_put(out, r, c, up.data ? v * ref_get(up, r, c) : v);
        }
}
