/* linear.c - a product cut into items for the threads: blocks of rows times spans of panels.
 *
 * A block's rows are packed by each item that needs them, so rows are cut first; columns are cut
 * only where there are fewer rows than would feed the threads. */
#include "kernels/cpu/device.h"

enum {
    BLOCK_ROWS_MIN = 64, /* below, packing and short strips cost more than a thread brings */
    SPAN_PANELS = 16,    /* panels that a kernel takes at once */
};

struct product {
    struct cpu_dev *cpu;
    const struct gemm *gemm;
    int32_t blocks, spans;
};

/* Where part i of n equal parts of the whole begins. */
static int32_t part_begin(int32_t whole, int32_t n, int32_t i)
{
    return (int32_t)((int64_t)whole * i / n);
}

static void product_item(void *self, int32_t item, int32_t worker)
{
    const struct product *p = self;
    struct gemm g = *p->gemm;
    int32_t block = item / p->spans, span = item % p->spans, rows = g.x.rows;
    int32_t groups = cpu_parts(g.last - g.first, SPAN_PANELS);
    int32_t row = part_begin(rows, p->blocks, block);
    int32_t count = part_begin(rows, p->blocks, block + 1) - row;
    int32_t from = part_begin(groups, p->spans, span) * SPAN_PANELS;
    int32_t to = part_begin(groups, p->spans, span + 1) * SPAN_PANELS;

    g.x = mat_rows(g.x, row, count);
    g.out = mat_rows(g.out, row, count);
    g.last = cpu_min(g.first + to, g.last);
    g.first += from;
    p->cpu->kern->gemm(&g, cpu_scratch(p->cpu, worker));
}

/* How many blocks of rows, how many spans of panels. */
static void product_cut(struct product *p)
{
    const struct gemm *g = p->gemm;
    int32_t threads = team_size(p->cpu->team), groups = cpu_parts(g->last - g->first, SPAN_PANELS);

    p->blocks = cpu_parts(g->x.rows, p->cpu->kern->gemm_rows);
    p->spans = 1;
    if (threads == 1)
        return;
    int32_t even = cpu_parts(p->blocks, threads) * threads;
    if (g->x.rows >= even * BLOCK_ROWS_MIN)
        p->blocks = even;
    else
        p->spans = cpu_min(groups, cpu_parts(2 * threads, p->blocks));
}

void cpu_product(struct cpu_dev *cpu, const struct gemm *gemm)
{
    struct product p = { cpu, gemm, 0, 0 };

    assert(gemm->x.cols <= cpu->room.k_max);
    if (gemm->x.rows == 0)
        return;
    product_cut(&p);
    team_run(cpu->team, product_item, &p, p.blocks * p.spans);
}

void cpu_linear(struct dev *dev, enum site site, struct mat out, struct mat x,
                const struct weight *weight, struct mat bias)
{
    const struct panels *w = cpu_panels(weight);
    struct gemm g = { x, w, bias, out, 0, 0, cpu_parts(w->n, LANES) };

    (void)site; /* one algorithm for all */
    cpu_product(cpu_of(dev), &g);
}
