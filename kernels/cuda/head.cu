/* head.cu - scored rows to answers: the vocabulary streams by in parts of HEAD_COLS columns.
 *
 * Bound: the product; its part of the logits (8 MiB) stays in L2, where one pass takes it in: a
 * block a row, maximum and lowest argmax, then the sum, then the targets that the part holds. The
 * parts are merged in ascending order, so a row's bits do not depend on its neighbours. */
#include "kernels/cuda/cuda.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP };

struct head_args {
    const void *z;            /* [rows][HEAD_COLS] */
    float *max, *sum;         /* [rows]: so far */
    float *lse, *logit;       /* out */
    int32_t *argmax;          /* [rows]: so far, then out */
    const int32_t *target_at; /* [rows + 1], or NULL; logit begins with target_at[0] */
    const int32_t *target;    /* from target_at[0] on */
    int32_t first, cols;      /* columns of the vocabulary in hand */
    bool last;
    float scale, softcap;
};

struct head_shared {
    float top[WARPS], part[WARPS];
    int32_t where[WARPS];
};

template <typename T>
static __device__ __forceinline__ float logit_value(const T *z, int32_t c, float scale,
                                                    float softcap)
{
    float x = number(z[c]);
    if (scale != 1)
        x = number_round<T>(x * scale);
    return softcap != 0 ? number_round<T>(tanhf(x / softcap) * softcap) : x;
}

/* The greatest, at its lowest column; a NaN is never greater. */
static __device__ __forceinline__ void top_merge(float *top, int32_t *where, float x, int32_t at)
{
    if (x > *top || (x == *top && at < *where)) {
        *top = x;
        *where = at;
    }
}

template <typename T>
static __device__ float block_top(struct head_shared *s, const struct head_args &a, const T *z,
                                  int32_t *where)
{
    float top = -INFINITY;
    int32_t at = INT32_MAX;
    for (int32_t c = threadIdx.x; c < a.cols; c += THREADS) {
        const float x = logit_value(z, c, a.scale, a.softcap);
        if (x > top) {
            top = x;
            at = c;
        }
    }
    for (int step = WARP / 2; step > 0; step /= 2) {
        const float x = __shfl_xor_sync(0xffffffff, top, step);
        const int32_t there = __shfl_xor_sync(0xffffffff, at, step);
        top_merge(&top, &at, x, there);
    }
    if (threadIdx.x % WARP == 0) {
        s->top[threadIdx.x / WARP] = top;
        s->where[threadIdx.x / WARP] = at;
    }
    __syncthreads();
    for (int i = 0; i < WARPS; i++)
        top_merge(&top, &at, s->top[i], s->where[i]);
    *where = at;
    return top;
}

/* The sum of e^(z - base), in thread 0. */
template <typename T>
static __device__ float block_exp_sum(struct head_shared *s, const struct head_args &a, const T *z,
                                      float base)
{
    float sum = 0;
    for (int32_t c = threadIdx.x; c < a.cols; c += THREADS)
        sum = sum + expf(logit_value(z, c, a.scale, a.softcap) - base);
    sum = warp_sum(sum);
    if (threadIdx.x % WARP == 0)
        s->part[threadIdx.x / WARP] = sum;
    __syncthreads();
    sum = 0;
    for (int i = 0; i < WARPS; i++)
        sum = sum + s->part[i];
    return sum;
}

template <typename T> static __device__ void targets_take(const struct head_args &a, const T *z)
{
    if (!a.target_at)
        return;
    const int32_t zero = a.target_at[0], end = a.target_at[blockIdx.x + 1];
    for (int32_t t = a.target_at[blockIdx.x] + threadIdx.x; t < end; t += THREADS) {
        const int32_t c = a.target[t - zero] - a.first;
        if (0 <= c && c < a.cols)
            a.logit[t - zero] = logit_value(z, c, a.scale, a.softcap);
    }
}

template <typename T>
static __global__ void __launch_bounds__(THREADS) head_kernel(const struct head_args a)
{
    struct head_shared *s = (struct head_shared *)ptx_shared();
    const T *z = (const T *)a.z + (int64_t)blockIdx.x * HEAD_COLS;
    const bool begins = a.first == 0;
    const float old_max = begins ? -INFINITY : a.max[blockIdx.x];
    const float old_sum = begins ? 0 : a.sum[blockIdx.x];
    const int32_t old_arg = begins ? -1 : a.argmax[blockIdx.x];
    int32_t where;

    const float top = block_top(s, a, z, &where), max = top > old_max ? top : old_max;
    const float base = max == -INFINITY ? 0 : max; /* -inf - -inf would be a NaN */
    const float part = block_exp_sum(s, a, z, base);
    targets_take(a, z);
    if (threadIdx.x)
        return;
    const float sum = fmaf(old_sum, expf(old_max - base), part);
    a.max[blockIdx.x] = max;
    a.sum[blockIdx.x] = sum;
    a.argmax[blockIdx.x] = top > old_max ? a.first + where : old_arg;
    if (a.last)
        a.lse[blockIdx.x] = (float)(max + log((double)sum));
}

template <typename T>
static void head_launch(struct cuda_dev *cuda, int32_t rows, const struct head_args &args)
{
    cuda_launch(cuda, "head", head_kernel<T>, rows, THREADS, sizeof(struct head_shared), args);
}

/* Answers of a call's rows: max, sum, lse, argmax, then the targets' logits. */
struct head_answers {
    float *max, *sum, *lse;
    int32_t *argmax;
    float *logit;
};

static bool answers_take(struct cuda_dev *cuda, struct head_answers *out, int32_t rows,
                         int32_t targets)
{
    if (!cuda_grow(cuda, &cuda->answers, 4 * (4 * (int64_t)rows + targets)))
        return false;
    out->max = (float *)cuda->answers.data;
    out->sum = out->max + rows;
    out->lse = out->sum + rows;
    out->argmax = (int32_t *)(out->lse + rows);
    out->logit = (float *)(out->argmax + rows);
    return true;
}

/* All columns for rows [first, first + x.rows) of the call. */
static void head_rows(struct cuda_dev *cuda, struct mat x, const struct weight *weight,
                      struct head_args a)
{
    const char *w = (const char *)cuda_weight_rows(cuda, weight);
    a.z = cuda->logits.data;
    for (a.first = 0; a.first < weight->n; a.first += HEAD_COLS) {
        a.cols = cuda_min(HEAD_COLS, weight->n - a.first);
        a.last = a.first + HEAD_COLS >= weight->n;
        const struct mat z = { cuda->logits.data, x.type, x.rows, a.cols };
        cuda_product(cuda, SITE_HEAD, z, HEAD_COLS, x,
                     w + (int64_t)a.first * weight->k * dtype_bytes(x.type), NULL);
        CUDA_BY_TYPE(x.type, head_launch, cuda, x.rows, a);
    }
}

/* target_at[rows + 1], then the targets: one array on the device. */
static const int32_t *targets_push(struct cuda_dev *cuda, const struct head *head, int32_t rows)
{
    const int32_t count = head->target_at[rows] - head->target_at[0];
    int32_t *both = (int32_t *)must_calloc((size_t)rows + 1 + count, sizeof(*both));
    for (int32_t i = 0; i <= rows; i++)
        both[i] = head->target_at[i];
    for (int32_t i = 0; i < count; i++)
        both[rows + 1 + i] = head->target[head->target_at[0] + i];
    const int32_t *pushed = cuda_push_ints(cuda, both, rows + 1 + count);
    free(both);
    return pushed;
}

/* Rows of the call that fit the scratch; their answers go to the caller at the sync. */
static void head_part(struct cuda_dev *cuda, struct mat x, const struct weight *weight,
                      const struct head *head)
{
    const int32_t targets = head->target_at ? head->target_at[x.rows] - head->target_at[0] : 0;
    struct head_answers answers;
    const int32_t *asked = head->target_at ? targets_push(cuda, head, x.rows) : NULL;
    if (!answers_take(cuda, &answers, x.rows, targets))
        return;
    struct head_args a = {};
    a.max = answers.max;
    a.sum = answers.sum;
    a.lse = answers.lse;
    a.argmax = answers.argmax;
    a.logit = answers.logit;
    a.target_at = asked;
    a.target = asked ? asked + x.rows + 1 : NULL;
    a.scale = head->scale;
    a.softcap = head->softcap;
    head_rows(cuda, x, weight, a);
    cuda_download(&cuda->dev, head->lse, answers.lse, x.rows * (int64_t)sizeof(float));
    cuda_download(&cuda->dev, head->argmax, answers.argmax, x.rows * (int64_t)sizeof(int32_t));
    if (targets)
        cuda_download(&cuda->dev, head->logit + head->target_at[0], answers.logit,
                      targets * (int64_t)sizeof(float));
}

void cuda_head(struct dev *dev, struct mat x, const struct weight *weight, const struct head *head)
{
    const int32_t rows = cuda_gemm_rows(cuda_of(dev), SITE_HEAD);
    for (int32_t first = 0; first < x.rows; first += rows) {
        struct head part = *head;
        part.lse += first;
        part.argmax += first;
        part.target_at = head->target_at ? head->target_at + first : NULL;
        head_part(cuda_of(dev), mat_rows(x, first, cuda_min(rows, x.rows - first)), weight, &part);
    }
}

template <typename T>
static __global__ void __launch_bounds__(THREADS)
    logits_kernel(T *z, int64_t count, float scale, float softcap)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i < count)
        z[i] = number_to<T>(logit_value(z + i, 0, scale, softcap));
}

template <typename T>
static void logits_typed(struct cuda_dev *cuda, struct mat out, const struct head *head)
{
    const int64_t count = (int64_t)out.rows * out.cols;
    cuda_launch(cuda, "logits", logits_kernel<T>, cuda_parts(count, THREADS), THREADS, 0,
                (T *)out.data, count, head->scale, head->softcap);
}

void cuda_logits(struct dev *dev, struct mat out, struct mat x, const struct weight *weight,
                 const struct head *head)
{
    cuda_linear(dev, SITE_HEAD, out, x, weight, MAT_NONE);
    CUDA_BY_TYPE(out.type, logits_typed, cuda_of(dev), out, head);
}
