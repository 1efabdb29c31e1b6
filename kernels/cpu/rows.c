/* rows.c - ops that go row by row: a few rows an item. */
#include "kernels/cpu/device.h"

#include <string.h>

struct row_job {
    struct cpu_dev *cpu;
    struct mat out, x, more; /* more: what is added, or the up-projection, or NONE */
    const struct norm *norm;
    const int32_t *rows;
    enum act act;
};

/* The item's rows of an operand that may be absent. */
static struct mat item_rows(struct mat m, int32_t item)
{
    if (!m.data)
        return m;
    int32_t first = item * ROWS_ITEM;
    return mat_rows(m, first, cpu_min(ROWS_ITEM, m.rows - first));
}

static void rows_run(struct row_job *job, team_fn *fn, int32_t rows)
{
    team_run(job->cpu->team, fn, job, cpu_parts(rows, ROWS_ITEM));
}

static void gather_item(void *self, int32_t item, int32_t worker)
{
    const struct row_job *job = self;
    struct mat out = item_rows(job->out, item);

    (void)worker;
    for (int32_t i = 0; i < out.rows; i++)
        memcpy(mat_row(out, i), mat_row(job->x, job->rows[item * ROWS_ITEM + i]),
               (size_t)mat_row_bytes(out));
}

void cpu_gather_rows(struct dev *dev, struct mat out, struct mat x, const int32_t *rows)
{
    struct row_job job = { .cpu = cpu_of(dev), .out = out, .x = x, .rows = rows };
    rows_run(&job, gather_item, out.rows);
}

static void norm_item(void *self, int32_t item, int32_t worker)
{
    const struct row_job *job = self;

    (void)worker;
    job->cpu->kern->norm(item_rows(job->out, item), item_rows(job->x, item),
                         item_rows(job->more, item), job->norm);
}

void cpu_norm(struct dev *dev, struct mat out, struct mat x, struct mat add,
              const struct norm *norm)
{
    struct row_job job = { .cpu = cpu_of(dev), .out = out, .x = x, .more = add, .norm = norm };
    rows_run(&job, norm_item, x.rows);
}

static void act_item(void *self, int32_t item, int32_t worker)
{
    const struct row_job *job = self;

    (void)worker;
    job->cpu->kern->act(item_rows(job->out, item), item_rows(job->x, item),
                        item_rows(job->more, item), job->act);
}

void cpu_act_gate(struct dev *dev, struct mat out, struct mat gate, struct mat up, enum act act)
{
    struct row_job job = { .cpu = cpu_of(dev), .out = out, .x = gate, .more = up, .act = act };
    rows_run(&job, act_item, gate.rows);
}

static void add_item(void *self, int32_t item, int32_t worker)
{
    const struct row_job *job = self;

    (void)worker;
    job->cpu->kern->add(item_rows(job->x, item), item_rows(job->more, item));
}

void cpu_add(struct dev *dev, struct mat x, struct mat y)
{
    struct row_job job = { .cpu = cpu_of(dev), .x = x, .more = y };
    rows_run(&job, add_item, x.rows);
}
