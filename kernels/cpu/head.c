/* head.c - scored rows to answers: the vocabulary streams by in fixed tiles.
 *
 * A few tiles at a time are multiplied by all threads; then each row takes them in, in order. */
#include "kernels/convert.h"
#include "kernels/cpu/device.h"
#include "kernels/math64.h"

struct head_job {
    struct cpu_dev *cpu;
    const struct head *head;
    struct mat z;            /* [rows in hand, columns in hand]: logits */
    int32_t row, first, end; /* z's first row among all; z's columns of the vocabulary */
};

/* The logits of one row that targets name. */
static void targets_take(const struct head_job *job, int32_t i)
{
    const struct head *head = job->head;
    int32_t row = job->row + i;

    if (!head->target_at)
        return;
    for (int32_t t = head->target_at[row]; t < head->target_at[row + 1]; t++) {
        int32_t token = head->target[t];
        if (job->first <= token && token < job->end)
            head->logit[t] = convert_load(mat_row(job->z, i), job->z.type, token - job->first);
    }
}

/* A row's own tiles as mats of one row: each updates the row's state in turn. */
static void lse_row(const struct head_job *job, int32_t i)
{
    const struct kern *kern = job->cpu->kern;
    int32_t cols = job->end - job->first;
    struct mat row = { mat_row(job->z, i), job->z.type, 1, cols };

    kern->logit(row, job->head->scale, job->head->softcap);
    for (int32_t at = 0; at < cols; at += VOCAB_TILE) {
        struct mat tile = { (char *)row.data + at * dtype_bytes(row.type), row.type, 1,
                            cpu_min(VOCAB_TILE, cols - at) };
        kern->lse(&job->cpu->lse[i], tile, job->first + at);
    }
    targets_take(job, i);
}

static void lse_item(void *self, int32_t item, int32_t worker)
{
    const struct head_job *job = self;
    int32_t end = cpu_min((item + 1) * ROWS_ITEM, job->z.rows);

    (void)worker;
    for (int32_t i = item * ROWS_ITEM; i < end; i++)
        lse_row(job, i);
}

/* Columns [job->first, job->end) for the rows in hand. */
static void head_columns(struct head_job *job, struct mat x, const struct panels *w)
{
    int32_t first = job->first / LANES, last = cpu_parts(job->end, LANES);
    struct gemm g = { x, w, MAT_NONE, job->z, first, first, last };

    cpu_product(job->cpu, &g);
    team_run(job->cpu->team, lse_item, job, cpu_parts(x.rows, ROWS_ITEM));
}

static void head_rows(struct head_job *job, struct mat x, const struct panels *w)
{
    int32_t step = VOCAB_TILE * cpu_head_tiles(job->cpu);

    for (int32_t i = 0; i < x.rows; i++)
        job->cpu->lse[i] = LSE_BEGIN;
    for (job->first = 0; job->first < w->n; job->first += step) {
        job->end = cpu_min(job->first + step, w->n);
        job->z = (struct mat){ job->cpu->logits, x.type, x.rows, job->end - job->first };
        head_columns(job, x, w);
    }
    for (int32_t i = 0; i < x.rows; i++) {
        struct lse lse = job->cpu->lse[i];
        job->head->lse[job->row + i] = (float)(lse.max + math64_log(lse.sum));
        job->head->argmax[job->row + i] = lse.arg;
    }
}

void cpu_head(struct dev *dev, struct mat x, const struct weight *weight, const struct head *head)
{
    struct head_job job = { .cpu = cpu_of(dev), .head = head };

    for (; job.row < x.rows; job.row += HEAD_ROWS)
        head_rows(&job, mat_rows(x, job.row, cpu_min(HEAD_ROWS, x.rows - job.row)),
                  cpu_panels(weight));
}

static void logit_item(void *self, int32_t item, int32_t worker)
{
    const struct head_job *job = self;

    (void)worker;
    job->cpu->kern->logit(mat_rows(job->z, item, 1), job->head->scale, job->head->softcap);
}

void cpu_logits(struct dev *dev, struct mat out, struct mat x, const struct weight *weight,
                const struct head *head)
{
    struct head_job job = { .cpu = cpu_of(dev), .head = head, .z = out };

    cpu_linear(dev, SITE_HEAD, out, x, weight, MAT_NONE);
    team_run(job.cpu->team, logit_item, &job, out.rows);
}
