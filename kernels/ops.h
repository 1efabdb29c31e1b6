/* ops.h - the one door to compute: what a decoder layer is made of, as a table of functions.
 *
 * A backend is a struct ops; a device is an opened backend.  Ops only queue work and return
 * nothing: the first failure sticks to the device, later ops may do nothing, and dev_sync() reports
 * it once. So the forward pass has no error paths, on a CPU as on a stream of a GPU.
 *
 *   - A mat and a weight are device memory.  Arrays named `const int32_t *` are host memory and
 *     stay as they are until the next dev_sync(); a struct passed by pointer is read in the call.
 *     What an op writes to host memory (downloads, answers of the head) may be read after the sync.
 *   - Numbers of activations have dev->type: the model's dtype in MODE_HF, F32 in MODE_FP32.
 *     "T(x)" below is x rounded to it.  Arithmetic inside an op is fp32; where T() stands, HF
 * rounds.
 *   - A row's result depends on that row's operands alone, bit by bit: not on the other rows of the
 *     call, their number, the threads, nor (on a CPU) the instruction set.
 *   - The backend pads: no op cares whether rows fill a tile.  Zero rows are allowed everywhere.
 *
 * Shapes are checked here, once, by the op_ wrappers: backends do not check. */
#ifndef OPS_H
#define OPS_H

#include "common/err.h"
#include "kernels/mat.h"

#ifdef __cplusplus
extern "C" {
#endif

enum dev_mode {
    MODE_HF,   /* rounds where Hugging Face rounds */
    MODE_FP32, /* fp32 throughout, weights widened */
};

/* Slots of a page: numerics, like the order in which pages are visited. */
enum { PAGE_SLOTS = 64 };

/* A weight as the backend keeps it (packed, resident or streamed).  Every backend's weight begins
 * with this; the rest is the backend's own. */
struct weight {
    int32_t n, k;  /* y[n] = w[n, k] x[k] */
    int32_t layer; /* what op_layer_prefetch() names it by; -1: outside the layers */
};

/* Where a weight comes from: rows[n][k] of host memory, read during the call alone. */
struct weight_source {
    const void *rows;
    enum dtype type; /* of rows; converted to dev->type, nearest even */
    int32_t n, k;
    int32_t layer;
};

/* A product's place in the model: a backend may choose its algorithm by it, never its result. */
enum site { SITE_Q, SITE_K, SITE_V, SITE_O, SITE_GATE, SITE_UP, SITE_DOWN, SITE_HEAD, SITE_OTHER };

enum norm_kind {
    NORM_LLAMA,    /* T(w T(x s)),  s = 1 / sqrt(mean(x^2) + eps) */
    NORM_PLUS_ONE, /* T((1 + w) (x s)) */
    NORM_F32,      /* T(w (x s)) */
    NORM_LAYER,    /* T((x - mean) s w + bias),  s = 1 / sqrt(mean((x - mean)^2) + eps) */
};

struct norm {
    enum norm_kind kind;
    float eps;
    struct mat weight; /* [1, cols]; NONE in qk_rope_kv: that head is not normalised */
    struct mat bias;   /* [1, cols], NORM_LAYER only; or NONE */
};

enum act {
    ACT_SILU,      /* x / (1 + e^-x) */
    ACT_GELU,      /* x/2 (1 + erf(x / sqrt 2)) */
    ACT_GELU_TANH, /* x/2 (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) */
};

/* Rotary angles: row p of cos and sin is position p, dims / 2 numbers, F32 that hold T() values
 * (op_rope_fill).  dims = 0: no positions are encoded (NoPE). */
struct rope {
    int32_t dims; /* rotated, even; the rest of a head passes through */
    bool pairs;   /* false: element i turns with i + dims/2; true: 2i with 2i + 1 */
    bool f32;     /* rotate in fp32 and round once; false: T(T(x cos) + T(rot(x) sin)) */
    struct mat cos, sin;
};

/* K and V of one layer by row number, in the order of the wave's rows; row `pages.rows` is zero.
 * mark[row] != 0: some K or V of the row was not finite and is stored as 0.  Marks only add up;
 * op_wave_begin() clears them.  The engine spreads them to descendants. */
struct kv {
    struct mat k, v; /* [rows_max + 1, kv_heads * head_dim] each */
    uint8_t *mark;   /* device memory, rows_max + 1 bytes */
};

/* The page instances of a wave (plain arrays, because the planner lives above).
 *
 * Instance g holds the positions 64 level .. 64 level + 63 of one path; its slot q names the row
 * whose K and V stand there.  The key in slot q is visible to row i iff
 *     begin <= i < end  and  64 level + q <= pos[i]  and  64 level + q > pos[i] - window.
 * At each level the intervals [begin, end) partition the rows with pos >= 64 level. */
struct pages {
    int32_t rows, levels, count;
    const int32_t *pos;       /* [rows]: depth of a row in its path, 0 at a root */
    const int32_t (*page)[3]; /* [count]: level, begin, end; ascending (level, begin) */
    const int32_t *level_at;  /* [levels + 1]: first page of each level */
    const int32_t (
        *slot_row)[PAGE_SLOTS]; /* [count]: `rows` (the zero row) where a slot is empty */
};

/* Q, K and V of the rows in hand, as the projections left them.  NONE: not in this call. */
struct qkv {
    struct mat q;       /* [m, heads * head_dim]: normalised and rotated in place */
    struct mat k, v;    /* [m, kv_heads * head_dim]: both or neither; to kv rows rows[i] */
    int32_t head_dim;   /* even */
    struct norm q_norm; /* per head, before the rotation; weight [1, head_dim] or NONE */
    struct norm k_norm;
    const struct rope *rope;
};

struct attention {
    int32_t heads, kv_heads, head_dim; /* heads a multiple of kv_heads; query head h reads
                                          kv head h / (heads / kv_heads) */
    float scale;                       /* score = scale (q . k) */
    float softcap;                     /* 0: none; else score = c tanh(score / c) */
    int32_t window;                    /* 0: none; else the last `window` keys, itself included */
};

/* What the scored rows are asked: targets of row i are [target_at[i], target_at[i + 1]).  Indexes
 * need not begin at 0, so that a chunk's rows are a slice of the wave's. */
struct head {
    const int32_t *target_at; /* [rows + 1]; NULL: no targets */
    const int32_t *target;    /* token ids, each in [0, vocabulary) */
    float scale;              /* logit = T(scale T(w x)); 1: none */
    float softcap;            /* 0: none; else logit = T(c tanh(logit / c)) */
    float *lse;               /* out [rows]: log of the sum of e^logit; NaN if a logit is NaN */
    int32_t *argmax;          /* out [rows]: lowest id of the greatest logit; -1: none is > -inf */
    float *logit;             /* out, by the same indexes as target */
};

/* The largest of everything that will be asked, so that the steady state allocates nothing. */
struct room {
    int32_t rows_max; /* of a call */
    int32_t k_max;    /* of a weight */
    int32_t heads, kv_heads, head_dim_max;
};

struct dev;

struct ops {
    const char *name;
    int32_t chunk_rows, wave_rows; /* that suit the backend; 0: whoever plans decides */

    void (*close)(struct dev *dev);
    int64_t (*memory)(struct dev *dev); /* NULL: as much as the host has */
    bool (*reserve)(struct dev *dev, const struct room *room, struct err *err);
    int64_t (*room_bytes)(const struct dev *dev, const struct room *room);
    bool (*sync)(struct dev *dev, struct err *err);

    bool (*mem_alloc)(struct dev *dev, void **out, int64_t bytes, struct err *err);
    void (*mem_free)(struct dev *dev, void *data);
    void (*upload)(struct dev *dev, void *to, const void *host, int64_t bytes);
    void (*download)(struct dev *dev, void *host, const void *from, int64_t bytes);

    bool (*weight_make)(struct dev *dev, struct weight **out, const struct weight_source *source,
                        struct err *err);
    void (*weight_free)(struct dev *dev, struct weight *weight);
    int64_t (*weight_bytes)(const struct dev *dev, int32_t n, int32_t k);
    void (*layer_prefetch)(struct dev *dev, int32_t layer);
    bool (*stream)(struct dev *dev, bool on); /* NULL: all weights are resident */
    /* The three are NULL where weights cannot lie in a file. */
    bool (*store_begin)(struct dev *dev, const char *path, int64_t bytes, int32_t layers,
                        struct err *err);
    bool (*store_end)(struct dev *dev, struct err *err);
    void (*store_drop)(struct dev *dev);

    void (*rope_fill)(struct dev *dev, const struct rope *rope, const float *inv_freq,
                      float factor);
    void (*wave_begin)(struct dev *dev, const struct pages *pages, const struct kv *kv);
    void (*embed)(struct dev *dev, struct mat out, const struct weight *table,
                  const int32_t *tokens, float scale);
    void (*gather_rows)(struct dev *dev, struct mat out, struct mat x, const int32_t *rows);
    void (*norm)(struct dev *dev, struct mat out, struct mat x, struct mat add,
                 const struct norm *norm);
    void (*linear)(struct dev *dev, enum site site, struct mat out, struct mat x,
                   const struct weight *weight, struct mat bias);
    void (*qk_rope_kv)(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                       const int32_t *rows, int32_t count);
    void (*attend)(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                   const struct attention *attention, const int32_t *rows);
    void (*act_gate)(struct dev *dev, struct mat out, struct mat gate, struct mat up, enum act act);
    void (*add)(struct dev *dev, struct mat x, struct mat y);
    void (*head)(struct dev *dev, struct mat x, const struct weight *weight,
                 const struct head *head);
    void (*logits)(struct dev *dev, struct mat out, struct mat x, const struct weight *weight,
                   const struct head *head);
};

/* Every backend's device begins with this. */
struct dev {
    const struct ops *ops;
    enum dtype type; /* of activations and weights: dev_numerics() */
    enum dev_mode mode;
    struct err err;     /* first failure, until dev_sync() hands it over */
    struct pages pages; /* the wave in hand: op_wave_begin() */
    /* What the numerics class says of this device: members of a JSON object, without braces. */
    char facts[256];
    char about[128]; /* for logs alone: the instruction set and the like */
};

/* "cpu" (the best instruction set), "cpu:scalar", "cpu:avx2", "cpu:avx512", "cpu:avx512_bf16" (that
 * one at most); "cuda:N", the GPU that the driver counts so.  threads: compute threads of a CPU, 0
 * for one a core that this process may run on. */
bool dev_open(struct dev **out, const char *device, int32_t threads, struct err *err) MUST;
/* All memory and weights of the device must have been given back; NULL is allowed. */
void dev_close(struct dev *dev);
AUTO_FREES(struct dev *, dev_close)

/* Sets dev->type and dev->mode.  Weights, mats and reserved room of the old numerics are void. */
void dev_numerics(struct dev *dev, enum dtype model, enum dev_mode mode);

/* Layers whose weights are on the device at once when they are streamed. */
enum { STREAM_LAYERS = 3 };

/* Bytes of device memory that are free now. */
static inline int64_t dev_memory(struct dev *dev)
{
    return dev->ops->memory ? dev->ops->memory(dev) : INT64_MAX / 2;
}

/* Gets scratch memory for calls up to `room`, instead of what was reserved before. */
static inline bool MUST dev_reserve(struct dev *dev, const struct room *room, struct err *err)
{
    return dev->ops->reserve(dev, room, err);
}

/* What dev_reserve() would take, in bytes. */
static inline int64_t dev_room_bytes(const struct dev *dev, const struct room *room)
{
    return dev->ops->room_bytes(dev, room);
}

/* Waits for all that was queued, and hands over the first failure since the last call. */
static inline bool MUST dev_sync(struct dev *dev, struct err *err)
{
    return dev->ops->sync(dev, err);
}

/* A new mat of undefined numbers, yours: mat_free().  ERR_DEVICE when memory is short. */
bool mat_alloc(struct mat *out, struct dev *dev, enum dtype type, int32_t rows, int32_t cols,
               struct err *err) MUST;
/* The same in dev->type, from rows[rows][cols] of host memory. */
bool mat_make(struct mat *out, struct dev *dev, const void *host, enum dtype type, int32_t rows,
              int32_t cols, struct err *err) MUST;
void mat_free(struct dev *dev, struct mat *mat); /* leaves MAT_NONE; MAT_NONE is allowed */

/* K, V and marks for waves of up to rows_max rows, width = kv_heads * head_dim; yours: kv_free().
 */
bool kv_alloc(struct kv *out, struct dev *dev, int32_t rows_max, int32_t width,
              struct err *err) MUST;
void kv_free(struct dev *dev, struct kv *kv);
int64_t kv_row_bytes(const struct dev *dev, int32_t width);

static inline void op_upload(struct dev *dev, void *to, const void *host, int64_t bytes)
{
    dev->ops->upload(dev, to, host, bytes);
}

static inline void op_download(struct dev *dev, void *host, const void *from, int64_t bytes)
{
    dev->ops->download(dev, host, from, bytes);
}

/* *out is yours: weight_free().  ERR_DEVICE when memory is short. */
static inline bool MUST weight_make(struct weight **out, struct dev *dev,
                                    const struct weight_source *source, struct err *err)
{
    assert(source->n > 0);
    assert(source->k > 0);
    return dev->ops->weight_make(dev, out, source, err);
}

static inline void weight_free(struct dev *dev, struct weight *weight)
{
    if (weight)
        dev->ops->weight_free(dev, weight);
}

/* Device bytes of a weight of this shape in dev->type. */
static inline int64_t weight_bytes(const struct dev *dev, int32_t n, int32_t k)
{
    return dev->ops->weight_bytes(dev, n, k);
}

/* Weights that are made until dev_store_end() lie packed in one file, which the processes of a host
 * share: it is mapped if it is there and whole (then the sources are not read), else built.  bytes:
 * of all weights at least; first those outside layers, then layer by layer.  false: without a file,
 * weights lie in memory; err says why, if there is more to say than that the backend cannot. */
static inline bool MUST dev_store_begin(struct dev *dev, const char *path, int64_t bytes,
                                        int32_t layers, struct err *err)
{
    return dev->ops->store_begin && dev->ops->store_begin(dev, path, bytes, layers, err);
}

/* false: the file could not be given its name; the weights are there all the same. */
static inline bool MUST dev_store_end(struct dev *dev, struct err *err)
{
    return !dev->ops->store_end || dev->ops->store_end(dev, err);
}

/* After the last of its weights was freed. */
static inline void dev_store_drop(struct dev *dev)
{
    if (dev->ops->store_drop)
        dev->ops->store_drop(dev);
}

/* Whether the weights of layers that are made from now on stay in host memory and pass through
 * device memory, a few layers at a time: on, if the backend can.  Returns how it is from now on. No
 * bit depends on it.  Called while no weight is there. */
static inline bool dev_stream(struct dev *dev, bool on)
{
    return dev->ops->stream && dev->ops->stream(dev, on);
}

/* The layer's weights will be wanted soon; a hint. */
static inline void op_layer_prefetch(struct dev *dev, int32_t layer)
{
    dev->ops->layer_prefetch(dev, layer);
}

/* cos[p][i] = T(factor cos(a)), sin likewise, a = float(p) * inv_freq[i], for every row p of cos.
 */
static inline void op_rope_fill(struct dev *dev, const struct rope *rope, const float *inv_freq,
                                float factor)
{
    assert(rope->dims > 0 && rope->dims % 2 == 0);
    assert(rope->cos.type == F32 && rope->cos.cols == rope->dims / 2);
    assert(rope->sin.type == F32 && rope->sin.cols == rope->dims / 2);
    assert(rope->cos.rows == rope->sin.rows);
    dev->ops->rope_fill(dev, rope, inv_freq, factor);
}

/* A wave starts: its pages are borrowed until the next one starts, row pages->rows of K and V
 * becomes zero, marks are cleared. */
static inline void op_wave_begin(struct dev *dev, const struct pages *pages, const struct kv *kv)
{
    assert(kv->k.rows > pages->rows);
    assert(kv->v.rows == kv->k.rows);
    dev->pages = *pages;
    dev->ops->wave_begin(dev, pages, kv);
}

/* out[i] = T(scale table[tokens[i]]); scale 1: none. */
static inline void op_embed(struct dev *dev, struct mat out, const struct weight *table,
                            const int32_t *tokens, float scale)
{
    assert(out.type == dev->type);
    assert(out.cols == table->k);
    dev->ops->embed(dev, out, table, tokens, scale);
}

/* out[i] = x[rows[i]] */
static inline void op_gather_rows(struct dev *dev, struct mat out, struct mat x,
                                  const int32_t *rows)
{
    assert(out.type == x.type);
    assert(out.cols == x.cols);
    dev->ops->gather_rows(dev, out, x, rows);
}

/* With add: x = T(x + add) first.  Then out = norm(x), row by row.  out may be x. */
static inline void op_norm(struct dev *dev, struct mat out, struct mat x, struct mat add,
                           const struct norm *norm)
{
    assert(out.rows == x.rows && out.cols == x.cols);
    assert(!add.data || (add.rows == x.rows && add.cols == x.cols && add.type == x.type));
    assert(norm->weight.rows == 1 && norm->weight.cols == x.cols);
    assert(!norm->bias.data || (norm->kind == NORM_LAYER && norm->bias.cols == x.cols));
    dev->ops->norm(dev, out, x, add, norm);
}

/* out[m, n] = T(x[m, k] weight[n, k]^T + bias[n]) */
static inline void op_linear(struct dev *dev, enum site site, struct mat out, struct mat x,
                             const struct weight *weight, struct mat bias)
{
    assert(out.type == dev->type && x.type == dev->type);
    assert(out.rows == x.rows);
    assert(out.cols == weight->n);
    assert(x.cols == weight->k);
    assert(!bias.data || (bias.rows == 1 && bias.cols == weight->n));
    dev->ops->linear(dev, site, out, x, weight, bias);
}

/* Row i of q, k, v is row rows[i] of the wave, at position pages.pos[rows[i]].  q, in place: norm
 * each head, rotate.  k: the same, then k and v are stored at row rows[i] of kv, numbers that are
 * not finite as 0 with the row marked. */
static inline void op_qk_rope_kv(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                                 const int32_t *rows, int32_t count)
{
    assert(qkv->head_dim > 0 && qkv->head_dim % 2 == 0);
    assert(qkv->rope->dims % 2 == 0 && qkv->rope->dims <= qkv->head_dim);
    assert(!qkv->q.data || (qkv->q.rows == count && qkv->q.cols % qkv->head_dim == 0));
    assert(!qkv->k.data == !qkv->v.data);
    assert(!qkv->k.data || (qkv->k.rows == count && qkv->k.cols == kv->k.cols));
    assert(!qkv->v.data || (qkv->v.rows == count && qkv->v.cols == kv->v.cols));
    dev->ops->qk_rope_kv(dev, qkv, kv, rows, count);
}

/* out[i, head] = sum over visible keys j of softmax_j(score) v[j], for the wave's rows rows[i],
 * which ascend.  The pages of a row are visited in ascending level; per page, with m the greatest
 * score so far, p_j = e^(score_j - m): out = out e^(m_old - m) + sum_j T(p_j) v[j],   sum = sum
 * e^(m_old - m) + sum_j p_j and out / sum at the end. */
static inline void op_attend(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                             const struct attention *attention, const int32_t *rows)
{
    assert(out.type == dev->type && q.type == dev->type);
    assert(out.rows == q.rows && out.cols == q.cols);
    assert(q.cols == attention->heads * attention->head_dim);
    assert(kv->k.cols == attention->kv_heads * attention->head_dim);
    assert(attention->heads % attention->kv_heads == 0);
    dev->ops->attend(dev, out, q, kv, attention, rows);
}

/* out = T(T(act(gate)) up), or T(act(gate)) without up.  out may be gate. */
static inline void op_act_gate(struct dev *dev, struct mat out, struct mat gate, struct mat up,
                               enum act act)
{
    assert(out.rows == gate.rows && out.cols == gate.cols);
    assert(!up.data || (up.rows == gate.rows && up.cols == gate.cols));
    dev->ops->act_gate(dev, out, gate, up, act);
}

/* x = T(x + y) */
static inline void op_add(struct dev *dev, struct mat x, struct mat y)
{
    assert(x.rows == y.rows && x.cols == y.cols);
    dev->ops->add(dev, x, y);
}

/* x[rows, k] are normalised rows; answers go to head's host arrays.  The vocabulary streams by in
 * tiles of a fixed width: no logits matrix exists. */
static inline void op_head(struct dev *dev, struct mat x, const struct weight *weight,
                           const struct head *head)
{
    assert(x.type == dev->type);
    assert(x.cols == weight->k);
    dev->ops->head(dev, x, weight, head);
}

/* out[rows, n]: the logits of a few rows, for sampling; of head only scale and softcap count. */
static inline void op_logits(struct dev *dev, struct mat out, struct mat x,
                             const struct weight *weight, const struct head *head)
{
    assert(out.type == dev->type && x.type == dev->type);
    assert(out.rows == x.rows);
    assert(out.cols == weight->n);
    assert(x.cols == weight->k);
    dev->ops->logits(dev, out, x, weight, head);
}

#ifdef __cplusplus
}
#endif
#endif
