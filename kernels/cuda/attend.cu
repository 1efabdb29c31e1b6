/* attend.cu - rows cut into tiles, their lists of pages, and the kernel for any head in fp32 sums.
 *
 * Bound of attend_any: issue.  A warp is a query, a lane two keys; for fp32 mode and for heads that
 * no mma kernel has.  Lists are made once a wave, for all layers with the same window. */
#include "kernels/cuda/attend.cuh"

#include "kernels/tile.h"

#include <string.h>

/* ---- lists ---- */

struct ints {
    int32_t *at = NULL;
    int32_t count = 0, max = 0;
    ~ints() { free(at); }
};

static void ints_add(struct ints *list, int32_t x)
{
    if (list->count == list->max) {
        list->max = list->max ? 2 * list->max : 1024;
        list->at = (int32_t *)must_realloc(list->at, (size_t)list->max, sizeof(int32_t));
    }
    list->at[list->count++] = x;
}

static void visits_list(struct ints *start, struct ints *visit, const struct pages *pages,
                        const struct cuda_tiles *t)
{
    for (int32_t first = 0; first < t->count; first += t->tile_rows) {
        struct tile_walk walk;
        struct tile_page page;
        ints_add(start, visit->count);
        tile_begin(&walk, pages, t->key + first, cuda_min(t->tile_rows, t->count - first),
                   t->window);
        while (tile_next(&walk, &page))
            ints_add(visit, page.page);
    }
    ints_add(start, visit->count);
}

/* To the lists' own memory, where nothing moves before the next wave. */
static bool lists_take(struct cuda_dev *cuda, int64_t bytes)
{
    if (cuda->lists_used + bytes <= cuda->lists.bytes && cuda->tiles_count < CUDA_TILES_MAX)
        return true;
    cuda_drain(cuda);
    cuda->tiles_count = 0;
    cuda->lists_used = 0;
    return cuda_grow(cuda, &cuda->lists, 2 * bytes);
}

static const int32_t *lists_put(struct cuda_dev *cuda, const int32_t *host, int32_t count)
{
    char *to = cuda->lists.data + cuda->lists_used;
    const int64_t bytes = count * (int64_t)sizeof(int32_t);
    cuda->lists_used += (bytes + 255) / 256 * 256;
    cuda_upload(&cuda->dev, to, host, bytes);
    return (const int32_t *)to;
}

/* NULL after a failure.  The caller's arrays keep still until the sync, so their address names a
 * list; a list is uploaded from pageable memory, which has been read when the call returns. */
static const struct cuda_tiles *tiles_of(struct cuda_dev *cuda, const int32_t *rows, int32_t count,
                                         int32_t window, int32_t tile_rows)
{
    for (int32_t i = 0; i < cuda->tiles_count; i++) {
        const struct cuda_tiles *t = &cuda->tiles[i];
        if (t->key == rows && t->count == count && t->window == window && t->tile_rows == tile_rows)
            return t;
    }
    struct cuda_tiles made = { rows, count, window, tile_rows, NULL, NULL, NULL };
    struct ints start, visit;
    visits_list(&start, &visit, &cuda->dev.pages, &made);
    if (!lists_take(cuda, ((int64_t)count + start.count + visit.count) * 4 + 3 * 256))
        return NULL;
    made.rows = lists_put(cuda, rows, count);
    made.start = lists_put(cuda, start.at, start.count);
    made.visit = lists_put(cuda, visit.at, visit.count);
    struct cuda_tiles *t = &cuda->tiles[cuda->tiles_count++];
    *t = made;
    return t;
}

/* ---- the kernel for any head ---- */

enum {
    ANY_THREADS = 128,
    ANY_WARPS = ANY_THREADS / WARP,
    ANY_DIM_MAX = 256,
    ANY_OUTS = ANY_DIM_MAX / WARP
};

struct any_state {
    float max, sum, out[ANY_OUTS]; /* column lane + 32 j */
};

template <typename T>
static __device__ float any_score(const struct attend_args &a, const T *q, const T *k)
{
    float dot = 0;
    for (int32_t d = 0; d < a.dim; d++)
        dot = fmaf(number(q[d]), number(k[d]), dot);
    dot = dot * a.scale;
    return a.softcap != 0 ? tanhf(dot / a.softcap) * a.softcap : dot;
}

static __device__ __forceinline__ float warp_max(float x)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        x = fmaxf(x, __shfl_xor_sync(0xffffffff, x, step));
    return x;
}

/* A page whose keys in slots [view.from, view.to) the query sees; kv: the kv head's first number.
 */
template <typename T>
static __device__ void any_page(struct any_state *s, const struct attend_args &a, const T *q,
                                const int32_t *slots, struct attend_view view, int64_t kv)
{
    const int lane = threadIdx.x % WARP;
    const int64_t stride = (int64_t)a.heads / a.group * a.dim;
    const int64_t at[2] = { slots[lane] * stride + kv, slots[lane + WARP] * stride + kv };
    float p[2];
    for (int i = 0; i < 2; i++) {
        const int slot = lane + i * WARP;
        const bool seen = view.from <= slot && slot < view.to;
        p[i] = seen ? any_score(a, q, (const T *)a.k + at[i]) : -INFINITY;
    }
    const float top = fmaxf(s->max, warp_max(fmaxf(p[0], p[1])));
    const float base = top == -INFINITY ? 0 : top; /* -inf - -inf would be a NaN */
    const float keep = expf(s->max - base);
    for (int i = 0; i < 2; i++)
        p[i] = expf(p[i] - base);
    s->sum = fmaf(s->sum, keep, warp_sum(p[0] + p[1]));
    s->max = top;
#pragma unroll
    for (int j = 0; j < ANY_OUTS; j++)
        s->out[j] = s->out[j] * keep;
#pragma unroll
    for (int i = 0; i < 2; i++)
        for (int from = 0; from < WARP; from++) {
            const float w = number_round<T>(__shfl_sync(0xffffffff, p[i], from));
            const T *v = (const T *)a.v + __shfl_sync(0xffffffff, at[i], from);
#pragma unroll
            for (int j = 0; j < ANY_OUTS; j++)
                if (j * WARP + lane < a.dim)
                    s->out[j] = fmaf(w, number(v[j * WARP + lane]), s->out[j]);
        }
}

template <typename T>
static __global__ void __launch_bounds__(ANY_THREADS) any_kernel(const struct attend_args a)
{
    const int32_t i = blockIdx.x * ANY_WARPS + threadIdx.x / WARP, head = blockIdx.y;
    if (i >= a.count)
        return;
    const int32_t row = a.row[i], pos = a.pos[row], tile = i / a.tile_rows;
    const int64_t at = ((int64_t)i * a.heads + head) * a.dim;
    const int64_t kv = (int64_t)(head / a.group) * a.dim;
    struct any_state s = { -INFINITY, 0, {} };
    for (int32_t v = a.start[tile]; v < a.start[tile + 1]; v++) {
        const int32_t page = a.visit[v];
        const struct attend_view view = attend_view_of(a, a.page[page], row, pos);
        if (view.from < view.to)
            any_page(&s, a, (const T *)a.q + at, a.slot_row[page], view, kv);
    }
    const int32_t lane = threadIdx.x % WARP;
    /* + 0: a skipped page leaves a -0, a masked one makes it +0. */
#pragma unroll
    for (int j = 0; j < ANY_OUTS; j++)
        if (j * WARP + lane < a.dim)
            ((T *)a.out)[at + j * WARP + lane] = number_to<T>(s.out[j] / s.sum + 0.0f);
}

template <typename T> static void any_typed(struct cuda_dev *cuda, const struct attend_args &args)
{
    const dim3 grid(cuda_parts(args.count, ANY_WARPS), args.heads);
    cuda_launch(cuda, "attend", any_kernel<T>, grid, ANY_THREADS, 0, args);
}

void attend_any(struct cuda_dev *cuda, enum dtype type, const struct attend_args &args)
{
    assert(args.dim <= ANY_DIM_MAX);
    CUDA_BY_TYPE(type, any_typed, cuda, args);
}

/* ---- the op ---- */

void cuda_attend(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                 const struct attention *attention, const int32_t *rows)
{
    struct cuda_dev *cuda = cuda_of(dev);
    const int32_t group = attention->heads / attention->kv_heads;
    const int32_t tile_rows = attend_mma_rows(q.type, attention->head_dim, group);
    if (q.rows == 0 || dev->err.code)
        return;
    const struct cuda_tiles *tiles = tiles_of(cuda, rows, q.rows, attention->window, tile_rows);
    if (!tiles)
        return;
    const struct attend_args args = { out.data,
                                      q.data,
                                      kv->k.data,
                                      kv->v.data,
                                      tiles->rows,
                                      cuda->wave.pos,
                                      cuda->wave.page,
                                      cuda->wave.slot_row,
                                      tiles->start,
                                      tiles->visit,
                                      q.rows,
                                      tile_rows,
                                      attention->heads,
                                      group,
                                      attention->head_dim,
                                      attention->window,
                                      attention->scale,
                                      attention->softcap };
    if (!attend_mma(cuda, q.type, args))
        attend_any(cuda, q.type, args);
}
