/* weight.c - weights packed into panels, and single rows out of them. */
#include "kernels/convert.h"
#include "kernels/cpu/device.h"

#include <string.h>

/* F16 runs as F32: its panels hold floats. */
static enum dtype panel_type(enum dtype type) { return type == BF16 ? BF16 : F32; }

static int64_t panel_lines(enum dtype type, int32_t k)
{
    return type == BF16 ? ((int64_t)k + 1) / 2 : k;
}

int64_t cpu_weight_bytes(const struct dev *dev, int32_t n, int32_t k)
{
    return cpu_parts(n, LANES) * panel_lines(dev->type, k) * 64;
}

struct packing {
    struct cpu_dev *cpu;
    const struct weight_source *source;
    struct panels *panels;
};

/* A row of the source in the device's type, as its panels hold it. */
static void row_convert(char *to, const struct packing *p, int32_t row)
{
    const struct weight_source *s = p->source;
    const char *from = (const char *)s->rows + (int64_t)row * s->k * dtype_bytes(s->type);

    if (p->cpu->dev.type != F16 || s->type == F16) {
        convert_row(to, p->panels->type, from, s->type, s->k);
        return;
    }
    for (int32_t i = 0; i < s->k; i++)
        convert_store(to, F32, i, convert_round(convert_load(from, s->type, i), F16));
}

/* Rows [16 panel, ...) to lines.  What lies past n or an odd k stays zero. */
static void panel_pack(void *self, int32_t panel, int32_t worker)
{
    const struct packing *p = self;
    int64_t lines = panel_lines(p->panels->type, p->panels->k);
    AUTO(free) char *rows = must_calloc((size_t)lines * LANES, 4);
    uint32_t *out = (uint32_t *)p->panels->lines + panel * lines * LANES;

    (void)worker;
    for (int32_t r = 0; r < LANES && panel * LANES + r < p->panels->n; r++)
        row_convert(rows + r * lines * 4, p, panel * LANES + r);
    for (int64_t l = 0; l < lines; l++)
        for (int32_t r = 0; r < LANES; r++)
            memcpy(out + l * LANES + r, rows + (r * lines + l) * 4, 4);
}

bool cpu_weight_make(struct dev *dev, struct weight **out, const struct weight_source *source,
                     struct err *err)
{
    struct cpu_dev *cpu = cpu_of(dev);
    struct cpu_weight *w = must_calloc(1, sizeof(*w));
    int64_t bytes = cpu_weight_bytes(dev, source->n, source->k);

    w->weight = (struct weight){ source->n, source->k, source->layer };
    w->panels = (struct panels){ .type = panel_type(dev->type), .n = source->n, .k = source->k };
    w->stored = cpu->store != NULL;
    w->panels.lines = w->stored ? store_take(cpu->store, source->layer, bytes) : cpu_memory(bytes);
    if (!w->panels.lines) {
        free(w);
        return err_set(err, ERR_DEVICE, "no memory for a weight of %lld bytes", (long long)bytes);
    }
    struct packing packing = { cpu, source, &w->panels };
    if (!w->stored || store_building(cpu->store))
        team_run(cpu->team, panel_pack, &packing, cpu_parts(source->n, LANES));
    *out = &w->weight;
    return true;
}

void cpu_weight_free(struct dev *dev, struct weight *weight)
{
    struct cpu_weight *w = (struct cpu_weight *)weight;

    (void)dev;
    if (!w->stored)
        free(w->panels.lines);
    free(w);
}

bool cpu_store_begin(struct dev *dev, const char *path, int64_t bytes, int32_t layers,
                     struct err *err)
{
    cpu_store_drop(dev);
    return store_open(&cpu_of(dev)->store, path, bytes, layers, err);
}

bool cpu_store_end(struct dev *dev, struct err *err)
{
    return !cpu_of(dev)->store || store_finish(cpu_of(dev)->store, err);
}

void cpu_store_drop(struct dev *dev)
{
    store_close(cpu_of(dev)->store);
    cpu_of(dev)->store = NULL;
}

bool cpu_stream(struct dev *dev, bool on)
{
    if (!cpu_of(dev)->store)
        return false;
    store_stream(cpu_of(dev)->store, on);
    return on;
}

void cpu_layer_prefetch(struct dev *dev, int32_t layer)
{
    if (cpu_of(dev)->store)
        store_prefetch(cpu_of(dev)->store, layer);
}

/* Row `row` of the weight, out of its panel's lines. */
static void row_unpack(struct mat out, int32_t i, const struct panels *w, int32_t row)
{
    int64_t lines = panel_lines(w->type, w->k);
    const char *at = (const char *)w->lines + row / LANES * lines * 64 + row % LANES * 4;
    char *to = mat_row(out, i);

    for (int32_t k = 0; k < w->k; k++)
        if (w->type == BF16)
            memcpy(to + k * 2, at + k / 2 * 64 + k % 2 * 2, 2);
        else
            convert_store(to, out.type, k, *(const float *)(at + (int64_t)k * 64));
}

struct embedding {
    struct cpu_dev *cpu;
    struct mat out;
    const struct panels *table;
    const int32_t *tokens;
    float scale;
};

static void embed_rows(void *self, int32_t item, int32_t worker)
{
    const struct embedding *e = self;
    int32_t first = item * ROWS_ITEM, count = cpu_min(ROWS_ITEM, e->out.rows - first);

    (void)worker;
    for (int32_t i = first; i < first + count; i++)
        row_unpack(e->out, i, e->table, e->tokens[i]);
    if (e->scale != 1)
        e->cpu->kern->scale(mat_rows(e->out, first, count), e->scale);
}

/* A tied table is packed once and serves the head too: a row is one 4-byte element of each line. */
void cpu_embed(struct dev *dev, struct mat out, const struct weight *table, const int32_t *tokens,
               float scale)
{
    struct embedding e = { cpu_of(dev), out, cpu_panels(table), tokens, scale };
    team_run(e.cpu->team, embed_rows, &e, cpu_parts(out.rows, ROWS_ITEM));
}
