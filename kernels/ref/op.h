/* op.h - the reference ops; shapes and formulas: kernels/ops.h. */
#ifndef REF_OP_H
#define REF_OP_H

#include "kernels/convert.h"
#include "kernels/ops.h"

struct ref_weight {
    struct weight weight; /* first */
    float *rows;          /* [n][k], values of the device's type */
};

static inline const float *ref_row(const struct weight *weight, int32_t row)
{
    return ((const struct ref_weight *)weight)->rows + (int64_t)row * weight->k;
}

static inline double ref_get(struct mat m, int32_t row, int32_t col)
{
    return convert_load(mat_row(m, row), m.type, col);
}

/* m[row][col] = T(x) */
static inline void ref_put(struct mat m, int32_t row, int32_t col, double x)
{
    convert_store(mat_row(m, row), m.type, col, (float)x);
}

void ref_rope_fill(struct dev *dev, const struct rope *rope, const float *inv_freq, float factor);
void ref_wave_begin(struct dev *dev, const struct pages *pages, const struct kv *kv);
void ref_embed(struct dev *dev, struct mat out, const struct weight *table, const int32_t *tokens,
               float scale);
void ref_gather_rows(struct dev *dev, struct mat out, struct mat x, const int32_t *rows);
void ref_norm(struct dev *dev, struct mat out, struct mat x, struct mat add,
              const struct norm *norm);
void ref_linear(struct dev *dev, enum site site, struct mat out, struct mat x,
                const struct weight *weight, struct mat bias);
void ref_qk_rope_kv(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                    const int32_t *rows, int32_t count);
void ref_attend(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                const struct attention *attention, const int32_t *rows);
void ref_act_gate(struct dev *dev, struct mat out, struct mat gate, struct mat up, enum act act);
void ref_add(struct dev *dev, struct mat x, struct mat y);
void ref_head(struct dev *dev, struct mat x, const struct weight *weight, const struct head *head);
void ref_logits(struct dev *dev, struct mat out, struct mat x, const struct weight *weight,
                const struct head *head);

#endif
