/* attention.c - the reference of positions and attention: each query looks for its keys by the
 * visibility rule alone. */
#include "kernels/ref/op.h"

#include <math.h>
#include <string.h>

void ref_rope_fill(struct dev *dev, const struct rope *rope, const float *inv_freq, float factor)
{
    for (int32_t p = 0; p < rope->cos.rows; p++)
        for (int32_t i = 0; i < rope->cos.cols; i++) {
            float angle = (float)p * inv_freq[i];
            ref_put(rope->cos, p, i, convert_round((float)cos(angle) * factor, dev->type));
            ref_put(rope->sin, p, i, convert_round((float)sin(angle) * factor, dev->type));
        }
}

void ref_wave_begin(struct dev *dev, const struct pages *pages, const struct kv *kv)
{
    (void)dev;
    memset(mat_row(kv->k, pages->rows), 0, (size_t)mat_row_bytes(kv->k));
    memset(mat_row(kv->v, pages->rows), 0, (size_t)mat_row_bytes(kv->v));
    memset(kv->mark, 0, (size_t)pages->rows + 1);
}

static double product(double x, double t, enum dtype type, bool f32)
{
    return f32 ? x * t : convert_round((float)(x * t), type);
}

static void rotate(struct mat heads, const struct rope *rope, int32_t pos)
{
    enum dtype type = heads.type;

    for (int32_t h = 0; h < heads.rows; h++)
        for (int32_t i = 0; i < rope->dims / 2; i++) {
            int32_t at = rope->pairs ? 2 * i : i, other = rope->pairs ? at + 1 : i + rope->dims / 2;
            double a = ref_get(heads, h, at), b = ref_get(heads, h, other);
            double c = ref_get(rope->cos, pos, i), s = ref_get(rope->sin, pos, i);
            ref_put(heads, h, at, product(a, c, type, rope->f32) - product(b, s, type, rope->f32));
            ref_put(heads, h, other,
                    product(b, c, type, rope->f32) + product(a, s, type, rope->f32));
        }
}

static void place(struct dev *dev, const struct qkv *qkv, struct mat m, int32_t i, int32_t row,
                  const struct norm *norm)
{
    struct mat heads = { mat_row(m, i), m.type, m.cols / qkv->head_dim, qkv->head_dim };

    if (norm->weight.data)
        ref_norm(dev, heads, heads, MAT_NONE, norm);
    if (qkv->rope->dims)
        rotate(heads, qkv->rope, dev->pages.pos[row]);
}

static void store(struct mat to, int32_t row, struct mat from, int32_t i, uint8_t *mark)
{
    for (int32_t c = 0; c < from.cols; c++) {
        double x = ref_get(from, i, c);
        if (!isfinite(x))
            *mark = 1;
        ref_put(to, row, c, isfinite(x) ? x : 0);
    }
}

void ref_qk_rope_kv(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                    const int32_t *rows, int32_t count)
{
    for (int32_t i = 0; i < count; i++) {
        if (qkv->q.data)
            place(dev, qkv, qkv->q, i, rows[i], &qkv->q_norm);
        if (!qkv->k.data)
            continue;
        place(dev, qkv, qkv->k, i, rows[i], &qkv->k_norm);
        store(kv->k, rows[i], qkv->k, i, &kv->mark[rows[i]]);
        store(kv->v, rows[i], qkv->v, i, &kv->mark[rows[i]]);
    }
}

/* One query: rows whose keys it sees, and their scores. */
struct query {
    int32_t count;
    int32_t *row;
    double *score;
};

static void query_find(struct query *query, const struct pages *pages, int32_t row, int32_t window)
{
    int32_t pos = pages->pos[row];

    query->count = 0;
    for (int32_t g = 0; g < pages->count; g++)
        for (int32_t q = 0; q < PAGE_SLOTS; q++) {
            int32_t at = pages->page[g][0] * PAGE_SLOTS + q;
            if (pages->page[g][1] <= row && row < pages->page[g][2] && at <= pos &&
                (!window || at > pos - window))
                query->row[query->count++] = pages->slot_row[g][q];
        }
}

static void query_answer(struct mat out, struct mat q, int32_t i, int32_t head, const struct kv *kv,
                         const struct attention *a, struct query *query)
{
    int32_t dim = a->head_dim, left = head * dim;
    int32_t kv_left = head / (a->heads / a->kv_heads) * dim;
    double max = -INFINITY, sum = 0;

    for (int32_t j = 0; j < query->count; j++) {
        double dot = 0;
        for (int32_t d = 0; d < dim; d++)
            dot += ref_get(q, i, left + d) * ref_get(kv->k, query->row[j], kv_left + d);
        dot *= a->scale;
        query->score[j] = a->softcap != 0 ? a->softcap * tanh(dot / a->softcap) : dot;
        max = fmax(max, query->score[j]);
    }
    for (int32_t j = 0; j < query->count; j++)
        sum += query->score[j] = exp(query->score[j] - max);
    for (int32_t d = 0; d < dim; d++) {
        double x = 0;
        for (int32_t j = 0; j < query->count; j++)
            x += query->score[j] / sum * ref_get(kv->v, query->row[j], kv_left + d);
        ref_put(out, i, left + d, x);
    }
}

void ref_attend(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                const struct attention *attention, const int32_t *rows)
{
    const struct pages *pages = &dev->pages;
    size_t most = (size_t)pages->levels * PAGE_SLOTS;
    AUTO(free) int32_t *row = must_calloc(most, sizeof(*row));
    AUTO(free) double *score = must_calloc(most, sizeof(*score));
    struct query query = { 0, row, score };

    for (int32_t i = 0; i < q.rows; i++) {
        query_find(&query, pages, rows[i], attention->window);
        for (int32_t head = 0; head < attention->heads; head++)
            query_answer(out, q, i, head, kv, attention, &query);
    }
}
