#include "agent/infer/forward.h"

#include "kernels/rope.h"

static_assert(sizeof(struct page) == 3 * sizeof(int32_t), "a page is what kernels read as three");
static_assert(PLAN_SLOTS == PAGE_SLOTS, "the planner's page is the kernels' page");

static int32_t least(int32_t a, int32_t b) { return a < b ? a : b; }

/* ---- the decoder ---- */

/* The buffers with as many rows as are in hand. */
struct hand {
    struct mat x, norm, branch, q, attended, k, v, gate, up;
    const int32_t *rows; /* of the wave, ascending */
    int32_t count;
};

static struct hand hand_make(const struct forward *f, struct mat x, const int32_t *rows,
                             int32_t count)
{
    return (struct hand){ .x = x,
                          .norm = mat_rows(f->norm, 0, count),
                          .branch = mat_rows(f->branch, 0, count),
                          .q = mat_rows(f->q, 0, count),
                          .attended = mat_rows(f->attended, 0, count),
                          .k = mat_rows(f->k, 0, count),
                          .v = mat_rows(f->v, 0, count),
                          .gate = mat_rows(f->gate, 0, count),
                          .up = mat_rows(f->up, 0, count),
                          .rows = rows,
                          .count = count };
}

static void keys_and_values(struct forward *f, const struct layer_weights *l, struct hand h)
{
    struct dev *dev = f->dev;
    struct qkv kv = { .k = h.k, .v = h.v, .head_dim = f->config->head_dim, .rope = &f->rope };

    op_norm(dev, h.norm, h.x, MAT_NONE, &l->attn_norm);
    op_linear(dev, SITE_K, h.k, h.norm, l->k, l->k_bias);
    op_linear(dev, SITE_V, h.v, h.norm, l->v, l->v_bias);
    op_qk_rope_kv(dev, &kv, &f->kv, h.rows, h.count);
}

static void attention(struct forward *f, const struct layer_weights *l, int32_t window,
                      struct hand h)
{
    struct dev *dev = f->dev;
    const struct model_config *c = f->config;
    struct qkv q = { .q = h.q, .head_dim = c->head_dim, .rope = &f->rope };
    struct attention a = { .heads = c->heads,
                           .kv_heads = c->kv_heads,
                           .head_dim = c->head_dim,
                           .scale = c->attn_scale,
                           .window = window };

    op_norm(dev, h.norm, h.x, MAT_NONE, &l->attn_norm);
    op_linear(dev, SITE_Q, h.q, h.norm, l->q, l->q_bias);
    op_qk_rope_kv(dev, &q, &f->kv, h.rows, h.count);
    op_attend(dev, h.attended, h.q, &f->kv, &a, h.rows);
    op_linear(dev, SITE_O, h.branch, h.attended, l->o, l->o_bias);
}

/* Begins with the residual add of what attention left in branch. */
static void mlp(struct forward *f, const struct layer_weights *l, struct hand h)
{
    struct dev *dev = f->dev;

    op_norm(dev, h.norm, h.x, h.branch, &l->mlp_norm);
    op_linear(dev, SITE_GATE, h.gate, h.norm, l->gate, l->gate_bias);
    op_linear(dev, SITE_UP, h.up, h.norm, l->up, l->up_bias);
    op_act_gate(dev, h.gate, h.gate, h.up, f->config->arch->act);
    op_linear(dev, SITE_DOWN, h.branch, h.gate, l->down, l->down_bias);
    op_add(dev, h.x, h.branch);
}

/* Final norm and head of scored rows [first, first + count). */
static void head(struct forward *f, const struct wave *w, const int32_t *tokens,
                 const struct scores *out, int32_t first, struct hand h)
{
    struct head ask = { .target_at = w->target_at + first,
                        .target = tokens,
                        .scale = 1,
                        .lse = out->lse + first,
                        .argmax = out->argmax + first,
                        .logit = out->logit };

    op_norm(f->dev, h.norm, h.x, MAT_NONE, &f->weights->norm_out);
    op_head(f->dev, h.norm, f->weights->head, &ask);
}

/* ---- its schedule ---- */

static struct hand chunk_at(struct forward *f, const struct wave *w, int32_t first)
{
    int32_t count = least(f->chunk, w->rows - first);
    return hand_make(f, mat_rows(f->x, first, count), f->rows + first, count);
}

static void layer_run(struct forward *f, const struct wave *w, int32_t layer)
{
    const struct layer_weights *l = &f->weights->layer[layer];

    for (int32_t i = 0; i < w->rows; i += f->chunk)
        keys_and_values(f, l, chunk_at(f, w, i));
    for (int32_t i = 0; i < w->rows; i += f->chunk) {
        attention(f, l, f->config->window[layer], chunk_at(f, w, i));
        mlp(f, l, chunk_at(f, w, i));
    }
}

static void last_layer_run(struct forward *f, const struct wave *w, const int32_t *tokens,
                           const struct scores *out)
{
    int32_t layer = f->config->layers - 1;
    const struct layer_weights *l = &f->weights->layer[layer];

    op_layer_prefetch(f->dev, 0); /* the next wave's */
    for (int32_t i = 0; i < w->rows; i += f->chunk)
        keys_and_values(f, l, chunk_at(f, w, i));
    for (int32_t i = 0; i < w->scored; i += f->chunk) {
        int32_t count = least(f->chunk, w->scored - i);
        struct hand h = hand_make(f, mat_rows(f->last, 0, count), w->scored_row + i, count);
        op_gather_rows(f->dev, h.x, f->x, h.rows);
        attention(f, l, f->config->window[layer], h);
        mlp(f, l, h);
        head(f, w, tokens, out, i, h);
    }
}

static bool stopped(const struct stop *stop, struct err *err)
{
    return stop->fn && stop->fn(stop->self) && !err_set(err, ERR_RETRY, "stopped");
}

bool forward_wave(struct forward *f, const struct wave *w, const int32_t *tokens,
                  const struct scores *out, const struct stop *stop, struct err *err)
{
    assert(w->rows <= f->rows_max);
    assert(w->levels <= (f->positions_max + PLAN_SLOTS - 1) / PLAN_SLOTS);
    struct pages pages = { .rows = w->rows,
                           .levels = w->levels,
                           .count = w->pages,
                           .pos = w->pos,
                           .page = (const int32_t(*)[3])w->page,
                           .level_at = w->level_at,
                           .slot_row = (const int32_t(*)[PAGE_SLOTS])w->slot_row };

    op_wave_begin(f->dev, &pages, &f->kv);
    for (int32_t i = 0; i < w->rows; i += f->chunk)
        op_embed(f->dev, chunk_at(f, w, i).x, f->weights->embed, w->token + i, 1);
    for (int32_t layer = 0; layer + 1 < f->config->layers; layer++) {
        if (stopped(stop, err))
            return false;
        op_layer_prefetch(f->dev, layer + 1);
        layer_run(f, w, layer);
    }
    last_layer_run(f, w, tokens, out);
    op_download(f->dev, out->mark, f->kv.mark, w->rows + 1);
    return dev_sync(f->dev, err);
}

/* ---- its buffers ---- */

struct buffer {
    size_t at; /* in struct forward */
    int32_t cols;
};

/* Those of chunk rows. */
enum { CHUNK_BUFFERS = 9 };

static void chunk_buffers(struct buffer list[CHUNK_BUFFERS], const struct model_config *c)
{
    int32_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;
    const struct buffer all[CHUNK_BUFFERS] = {
        { offsetof(struct forward, last), c->hidden },
        { offsetof(struct forward, norm), c->hidden },
        { offsetof(struct forward, branch), c->hidden },
        { offsetof(struct forward, q), q },
        { offsetof(struct forward, attended), q },
        { offsetof(struct forward, k), kv },
        { offsetof(struct forward, v), kv },
        { offsetof(struct forward, gate), c->inter },
        { offsetof(struct forward, up), c->inter },
    };
    for (int i = 0; i < CHUNK_BUFFERS; i++)
        list[i] = all[i];
}

static struct mat *buffer_mat(struct forward *f, const struct buffer *b)
{
    return (struct mat *)((char *)f + b->at);
}

static struct room room_of(const struct model_config *c, int32_t chunk)
{
    int32_t q = c->heads * c->head_dim;
    int32_t widest = c->inter > c->hidden ? c->inter : c->hidden;
    return (struct room){ .rows_max = chunk,
                          .k_max = widest > q ? widest : q,
                          .heads = c->heads,
                          .kv_heads = c->kv_heads,
                          .head_dim_max = c->head_dim };
}

int64_t forward_fixed_bytes(const struct dev *dev, const struct model_config *c, int32_t chunk,
                            int32_t positions_max)
{
    struct buffer list[CHUNK_BUFFERS];
    struct room room = room_of(c, chunk);
    int64_t bytes = dev_room_bytes(dev, &room);

    chunk_buffers(list, c);
    for (int i = 0; i < CHUNK_BUFFERS; i++)
        bytes += (int64_t)chunk * list[i].cols * dtype_bytes(dev->type);
    bytes += (int64_t)positions_max * c->head_dim * dtype_bytes(F32); /* cos and sin */
    return bytes + kv_row_bytes(dev, c->kv_heads * c->head_dim);      /* the zero row */
}

int64_t forward_row_bytes(const struct dev *dev, const struct model_config *c)
{
    return c->hidden * dtype_bytes(dev->type) + kv_row_bytes(dev, c->kv_heads * c->head_dim) +
           (int64_t)sizeof(int32_t);
}

static bool rope_open(struct forward *f, struct err *err)
{
    const struct rope_config *r = &f->config->rope;
    int32_t dims = f->config->head_dim;
    AUTO(free) float *inv_freq = must_calloc((size_t)dims / 2, sizeof(*inv_freq));

    f->rope.dims = dims;
    if (!mat_alloc(&f->rope.cos, f->dev, F32, f->positions_max, dims / 2, err) ||
        !mat_alloc(&f->rope.sin, f->dev, F32, f->positions_max, dims / 2, err))
        return false;
    rope_default(inv_freq, dims, r->theta);
    if (r->kind == ROPE_LINEAR)
        rope_linear(inv_freq, dims, (float)r->factor);
    if (r->kind == ROPE_LLAMA3)
        rope_llama3(inv_freq, dims,
                    &(struct rope_llama3){ .factor = (float)r->factor,
                                           .low = (float)r->low,
                                           .high = (float)r->high,
                                           .original = r->original });
    op_rope_fill(f->dev, &f->rope, inv_freq, 1);
    return dev_sync(f->dev, err);
}

static bool buffers_open(struct forward *f, struct err *err)
{
    const struct model_config *c = f->config;
    struct buffer list[CHUNK_BUFFERS];
    struct room room = room_of(c, f->chunk);

    if (!dev_reserve(f->dev, &room, err) ||
        !kv_alloc(&f->kv, f->dev, f->rows_max, c->kv_heads * c->head_dim, err) ||
        !mat_alloc(&f->x, f->dev, f->dev->type, f->rows_max, c->hidden, err))
        return false;
    chunk_buffers(list, c);
    for (int i = 0; i < CHUNK_BUFFERS; i++)
        if (!mat_alloc(buffer_mat(f, &list[i]), f->dev, f->dev->type, f->chunk, list[i].cols, err))
            return false;
    f->rows = must_calloc((size_t)f->rows_max, sizeof(*f->rows));
    for (int32_t i = 0; i < f->rows_max; i++)
        f->rows[i] = i;
    return true;
}

bool forward_open(struct forward *out, struct dev *dev, const struct model_config *config,
                  const struct weights *weights, int32_t chunk, int32_t rows_max,
                  int32_t positions_max, struct err *err)
{
    *out = (struct forward){ .dev = dev,
                             .config = config,
                             .weights = weights,
                             .chunk = chunk,
                             .rows_max = rows_max,
                             .positions_max = positions_max };
    if (rope_open(out, err) && buffers_open(out, err))
        return true;
    forward_close(out);
    return false;
}

void forward_close(struct forward *f)
{
    struct buffer list[CHUNK_BUFFERS];

    if (!f->dev)
        return;
    chunk_buffers(list, f->config);
    for (int i = 0; i < CHUNK_BUFFERS; i++)
        mat_free(f->dev, buffer_mat(f, &list[i]));
    mat_free(f->dev, &f->x);
    mat_free(f->dev, &f->rope.cos);
    mat_free(f->dev, &f->rope.sin);
    kv_free(f->dev, &f->kv);
    free(f->rows);
    *f = (struct forward){ 0 };
}
