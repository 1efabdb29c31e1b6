/* position.c - tables of angles, and Q, K, V made ready: norm, rotation, guard, store. */
#include "kernels/convert.h"
#include "kernels/cpu/device.h"
#include "kernels/math64.h"

#include <string.h>

struct rope_job {
    enum dtype type;
    const struct rope *rope;
    const float *inv_freq;
    float factor;
};

static void rope_item(void *self, int32_t item, int32_t worker)
{
    const struct rope_job *job = self;
    float *cos = mat_row(job->rope->cos, item), *sin = mat_row(job->rope->sin, item);

    (void)worker;
    for (int32_t i = 0; i < job->rope->dims / 2; i++) {
        double s, c;
        math64_sincos((float)item * job->inv_freq[i], &s, &c);
        cos[i] = convert_round((float)c * job->factor, job->type);
        sin[i] = convert_round((float)s * job->factor, job->type);
    }
}

void cpu_rope_fill(struct dev *dev, const struct rope *rope, const float *inv_freq, float factor)
{
    struct rope_job job = { dev->type, rope, inv_freq, factor };
    team_run(cpu_of(dev)->team, rope_item, &job, rope->cos.rows);
}

void cpu_wave_begin(struct dev *dev, const struct pages *pages, const struct kv *kv)
{
    (void)dev;
    memset(mat_row(kv->k, pages->rows), 0, (size_t)mat_row_bytes(kv->k));
    memset(mat_row(kv->v, pages->rows), 0, (size_t)mat_row_bytes(kv->v));
    memset(kv->mark, 0, (size_t)pages->rows + 1);
}

struct qkv_job {
    struct cpu_dev *cpu;
    const struct qkv *qkv;
    const struct kv *kv;
    const int32_t *rows;
    int32_t count;
};

/* The heads of one row as a mat of head_dim columns: norm and rotation, in place. */
static void heads_place(const struct qkv_job *job, struct mat m, int32_t i, const struct norm *norm)
{
    const struct kern *kern = job->cpu->kern;
    const struct rope *rope = job->qkv->rope;
    int32_t dim = job->qkv->head_dim, pos = job->cpu->dev.pages.pos[job->rows[i]];
    struct mat heads = { mat_row(m, i), m.type, m.cols / dim, dim };

    if (norm->weight.data)
        kern->norm(heads, heads, MAT_NONE, norm);
    if (rope->dims == 0)
        return;
    assert(pos < rope->cos.rows);
    kern->rope(heads, rope, mat_row(rope->cos, pos), mat_row(rope->sin, pos));
}

static void kv_store(const struct qkv_job *job, int32_t i)
{
    const struct kern *kern = job->cpu->kern;
    int32_t row = job->rows[i];
    bool k_fine = kern->guard(mat_row(job->kv->k, row), mat_rows(job->qkv->k, i, 1));
    bool v_fine = kern->guard(mat_row(job->kv->v, row), mat_rows(job->qkv->v, i, 1));

    job->kv->mark[row] |= !k_fine || !v_fine;
}

static void qkv_item(void *self, int32_t item, int32_t worker)
{
    const struct qkv_job *job = self;
    const struct qkv *qkv = job->qkv;
    int32_t end = cpu_min((item + 1) * ROWS_ITEM, job->count);

    (void)worker;
    for (int32_t i = item * ROWS_ITEM; i < end; i++) {
        if (qkv->q.data)
            heads_place(job, qkv->q, i, &qkv->q_norm);
        if (qkv->k.data) {
            heads_place(job, qkv->k, i, &qkv->k_norm);
            kv_store(job, i);
        }
    }
}

void cpu_qk_rope_kv(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                    const int32_t *rows, int32_t count)
{
    struct qkv_job job = { cpu_of(dev), qkv, kv, rows, count };
    team_run(job.cpu->team, qkv_item, &job, cpu_parts(count, ROWS_ITEM));
}
