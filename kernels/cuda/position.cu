/* position.cu - a wave's pages; tables of angles; Q, K and V made ready: norm, rotation, guard,
 * store.
 *
 * Bound: memory.  q is read and written, k and v are read and their rows of the wave written, once.
 * A warp takes a head: its numbers lie in the warp's part of shared memory while lanes turn pairs.
 */
#include "kernels/cuda/cuda.cuh"

#include "kernels/convert.h"
#include "kernels/math64.h"

enum { THREADS = 256, WARPS = THREADS / WARP, HEAD_DIM_MAX = 512 };

/* On the host, so that all backends turn by the same bits; a model's table is made once. */
void cuda_rope_fill(struct dev *dev, const struct rope *rope, const float *inv_freq, float factor)
{
    struct cuda_dev *cuda = cuda_of(dev);
    const int64_t half = rope->dims / 2, count = half * rope->cos.rows;
    float *table = (float *)must_calloc(2 * (size_t)count, sizeof(float));
    float *cos = table, *sin = table + count;

    for (int64_t i = 0; i < count; i++) {
        double s, c;
        math64_sincos((float)(i / half) * inv_freq[i % half], &s, &c);
        cos[i] = convert_round((float)c * factor, dev->type);
        sin[i] = convert_round((float)s * factor, dev->type);
    }
    cuda_upload(dev, rope->cos.data, cos, count * (int64_t)sizeof(float));
    cuda_upload(dev, rope->sin.data, sin, count * (int64_t)sizeof(float));
    cuda_drain(cuda); /* the tables are read until here */
    free(table);
}

static const void *wave_put(struct cuda_dev *cuda, int64_t *at, const void *host, int64_t bytes)
{
    char *to = cuda->pages.data + *at;
    *at += (bytes + 255) / 256 * 256;
    if (bytes)
        cuda_upload(&cuda->dev, to, host, bytes);
    return to;
}

/* The planner's arrays, on the device until the next wave. */
static bool wave_upload(struct cuda_dev *cuda, const struct pages *pages)
{
    const int64_t pos = pages->rows * (int64_t)sizeof(*pages->pos);
    const int64_t page = pages->count * (int64_t)sizeof(*pages->page);
    const int64_t slots = pages->count * (int64_t)sizeof(*pages->slot_row);
    int64_t at = 0;
    if (!cuda_grow(cuda, &cuda->pages, pos + page + slots + 3 * 256))
        return false;
    cuda->wave = *pages;
    cuda->wave.pos = (const int32_t *)wave_put(cuda, &at, pages->pos, pos);
    cuda->wave.page = (const int32_t(*)[3])wave_put(cuda, &at, pages->page, page);
    cuda->wave.slot_row = (const int32_t(*)[PAGE_SLOTS])wave_put(cuda, &at, pages->slot_row, slots);
    return true;
}

static void zero(struct cuda_dev *cuda, void *at, int64_t bytes)
{
    cuda_ok(cuda, cudaMemsetAsync(at, 0, (size_t)bytes, cuda->stream), "memset");
}

void cuda_wave_begin(struct dev *dev, const struct pages *pages, const struct kv *kv)
{
    struct cuda_dev *cuda = cuda_of(dev);
    cuda->tiles_count = 0;
    cuda->lists_used = 0;
    if (!wave_upload(cuda, pages))
        return;
    zero(cuda, mat_row(kv->k, pages->rows), mat_row_bytes(kv->k));
    zero(cuda, mat_row(kv->v, pages->rows), mat_row_bytes(kv->v));
    zero(cuda, kv->mark, pages->rows + 1);
}

template <typename T> struct place_norm {
    const T *weight, *bias; /* NULL: none */
    enum norm_kind kind;
    float eps;
};

template <typename T> struct place_args {
    T *q;
    const T *k, *v;
    T *k_rows, *v_rows; /* of the wave */
    uint8_t *mark;
    const int32_t *row, *pos; /* of the call; of the wave */
    const float *cos, *sin;
    int32_t q_heads, kv_heads, dim, turned; /* turned: numbers of a head that rotate, or 0 */
    bool pairs, f32;
    struct place_norm<T> q_norm, k_norm;
};

struct place_shared {
    float head[WARPS][HEAD_DIM_MAX];
};

/* The head's numbers normalised, as T() values. */
template <typename T>
static __device__ void head_norm(float *head, const struct place_norm<T> &norm, int32_t dim)
{
    const int lane = threadIdx.x % WARP;
    const bool layer = norm.kind == NORM_LAYER;
    float mean = 0, sum = 0;
    if (layer) {
        for (int32_t i = lane; i < dim; i += WARP)
            mean = mean + head[i];
        mean = warp_sum(mean) / (float)dim;
    }
    for (int32_t i = lane; i < dim; i += WARP)
        sum = fmaf(head[i] - mean, head[i] - mean, sum);
    const float scale = 1 / sqrtf(warp_sum(sum) / (float)dim + norm.eps);
    for (int32_t i = lane; i < dim; i += WARP) {
        float x = (head[i] - mean) * scale;
        if (norm.kind == NORM_LLAMA)
            x = number_round<T>(x);
        x = x * (number(norm.weight[i]) + (norm.kind == NORM_PLUS_ONE ? 1 : 0));
        head[i] = number_round<T>(norm.bias ? x + number(norm.bias[i]) : x);
    }
}

template <typename T> static __device__ __forceinline__ float product(float x, float t, bool f32)
{
    return f32 ? x * t : number_round<T>(x * t);
}

template <typename T>
static __device__ void head_turn(float *head, const struct place_args<T> &a, int32_t pos)
{
    const int32_t half = a.turned / 2;
    const float *cos = a.cos + (int64_t)pos * half, *sin = a.sin + (int64_t)pos * half;
    for (int32_t i = threadIdx.x % WARP; i < half; i += WARP) {
        float *x = head + (a.pairs ? 2 * i : i), *y = head + (a.pairs ? 2 * i + 1 : i + half);
        const float c = cos[i], s = sin[i], u = *x, v = *y;
        *x = number_round<T>(product<T>(u, c, a.f32) - product<T>(v, s, a.f32));
        *y = number_round<T>(product<T>(v, c, a.f32) + product<T>(u, s, a.f32));
    }
}

/* Norm and rotation of from[dim] into the warp's shared memory. */
template <typename T>
static __device__ void head_place(float *head, const T *from, const struct place_args<T> &a,
                                  const struct place_norm<T> &norm, int32_t pos)
{
    for (int32_t i = threadIdx.x % WARP; i < a.dim; i += WARP)
        head[i] = number(from[i]);
    if (norm.weight)
        head_norm(head, norm, a.dim);
    __syncwarp();
    if (a.turned)
        head_turn(head, a, pos);
    __syncwarp();
}

/* to[dim] = the head, not finite as 0. */
template <typename T>
static __device__ void head_guard(T *to, const float *head, int32_t dim, uint8_t *mark)
{
    bool bad = false;
    for (int32_t i = threadIdx.x % WARP; i < dim; i += WARP) {
        const bool finite = fabsf(head[i]) < INFINITY;
        to[i] = number_to<T>(finite ? head[i] : 0);
        bad |= !finite;
    }
    if (bad)
        *mark = 1; /* whoever comes, writes the same */
}

/* Head h of row i: of q, then of k, then of v. */
template <typename T>
static __device__ void head_do(float *head, const struct place_args<T> &a, int64_t i, int32_t h)
{
    const int32_t row = a.row[i], pos = a.pos[row];
    if (h < a.q_heads) {
        T *q = a.q + (i * a.q_heads + h) * a.dim;
        head_place(head, q, a, a.q_norm, pos);
        for (int32_t c = threadIdx.x % WARP; c < a.dim; c += WARP)
            q[c] = number_to<T>(head[c]);
        return;
    }
    const bool values = h >= a.q_heads + a.kv_heads;
    const int32_t of = (h - a.q_heads) % a.kv_heads;
    const int64_t from = (i * a.kv_heads + of) * a.dim;
    const int64_t to = ((int64_t)row * a.kv_heads + of) * a.dim;
    if (!values) {
        head_place(head, a.k + from, a, a.k_norm, pos);
        head_guard(a.k_rows + to, head, a.dim, a.mark + row);
        return;
    }
    for (int32_t c = threadIdx.x % WARP; c < a.dim; c += WARP)
        head[c] = number(a.v[from + c]);
    head_guard(a.v_rows + to, head, a.dim, a.mark + row);
}

template <typename T>
static __global__ void __launch_bounds__(THREADS, 2) place_kernel(const struct place_args<T> a)
{
    struct place_shared *s = (struct place_shared *)ptx_shared();
    float *head = s->head[threadIdx.x / WARP];
    for (int32_t h = threadIdx.x / WARP; h < a.q_heads + 2 * a.kv_heads; h += WARPS) {
        head_do(head, a, blockIdx.x, h);
        __syncwarp(); /* the next head takes the place of this one */
    }
}

template <typename T> static struct place_norm<T> place_norm_of(const struct norm *norm) {
    return { (const T *)norm->weight.data, (const T *)norm->bias.data, norm->kind, norm->eps };
}

template <typename T>
static void place_typed(struct cuda_dev *cuda, const struct qkv *qkv, const struct kv *kv,
                        const int32_t *rows, int32_t count)
{
    const struct rope *rope = qkv->rope;
    const struct place_args<T> a = {
        (T *)qkv->q.data, (const T *)qkv->k.data, (const T *)qkv->v.data, (T *)kv->k.data,
            (T *)kv->v.data, kv->mark, cuda_push_ints(cuda, rows, count), cuda->wave.pos,
            (const float *)rope->cos.data,
            (const float *)rope->sin.data, qkv->q.data ? qkv->q.cols / qkv->head_dim : 0,
            qkv->k.data ? qkv->k.cols / qkv->head_dim : 0, qkv->head_dim, rope->dims, rope->pairs,
            rope->f32, place_norm_of<T>(&qkv->q_norm), place_norm_of<T>(&qkv->k_norm),
    };
    cuda_launch(cuda, "qk_rope_kv", place_kernel<T>, count, THREADS, sizeof(struct place_shared),
                a);
}

void cuda_qk_rope_kv(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                     const int32_t *rows, int32_t count)
{
    assert(qkv->head_dim <= HEAD_DIM_MAX);
    if (count)
        CUDA_BY_TYPE(dev->type, place_typed, cuda_of(dev), qkv, kv, rows, count);
}
