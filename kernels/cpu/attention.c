/* attention.c - rows cut into q tiles; an item is a tile and a kv head. */
#include "kernels/cpu/device.h"

struct attend_job {
    struct cpu_dev *cpu;
    struct mat out, q;
    const struct kv *kv;
    const struct attention *attention;
    const int32_t *rows;
    int32_t tile_rows;
};

static void attend_item(void *self, int32_t item, int32_t worker)
{
    const struct attend_job *job = self;
    const struct attention *at = job->attention;
    int32_t tile = item / at->kv_heads, head = item % at->kv_heads,
            group = at->heads / at->kv_heads;
    int32_t first = tile * job->tile_rows, dim = at->head_dim;
    int64_t size = dtype_bytes(job->q.type), left = (int64_t)head * dim * size;
    struct attend a = {
        .type = job->q.type,
        .head_dim = dim,
        .group = group,
        .window = at->window,
        .scale = at->scale,
        .softcap = at->softcap,
        .k = (char *)job->kv->k.data + left,
        .v = (char *)job->kv->v.data + left,
        .kv_stride = job->kv->k.cols,
        .stride = job->q.cols,
        .q = (char *)mat_row(job->q, first) + left * group,
        .out = (char *)mat_row(job->out, first) + left * group,
        .pages = &job->cpu->dev.pages,
        .rows = job->rows + first,
        .count = cpu_min(job->tile_rows, job->q.rows - first),
    };
    job->cpu->kern->attend(&a, cpu_scratch(job->cpu, worker));
}

/* Many lanes share what is gathered of a page; few tiles would leave threads without work. */
static int32_t tile_rows(const struct cpu_dev *cpu, int32_t rows, const struct attention *at)
{
    int32_t group = at->heads / at->kv_heads, most = ATTEND_LANES_MAX / group;
    int32_t items = 2 * team_size(cpu->team), least = cpu_parts(LANES, group);

    assert(most >= 1);
    while (most / 2 >= least && cpu_parts(rows, most) * at->kv_heads < items)
        most /= 2;
    return most;
}

void cpu_attend(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                const struct attention *attention, const int32_t *rows)
{
    struct attend_job job = { cpu_of(dev), out, q, kv, attention, rows, 0 };

    assert(attention->head_dim <= job.cpu->room.head_dim_max);
    job.tile_rows = tile_rows(job.cpu, q.rows, attention);
    team_run(job.cpu->team, attend_item, &job,
             cpu_parts(q.rows, job.tile_rows) * attention->kv_heads);
}
