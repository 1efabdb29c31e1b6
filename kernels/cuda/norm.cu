/* norm.cu - residual add and RMS or layer norm in one pass over memory: a block a row.
 *
 * Bound: memory.  x and add are read, x and out written once; the second look at x comes out of L1.
 * Sums: a thread's columns in ascending order, a warp's tree, the warps in ascending order. */
#include "kernels/cuda/cuda.cuh"

enum { THREADS = 256, WARPS = THREADS / WARP };

template <typename T> struct norm_args {
    T *out, *x;
    const T *add, *weight, *bias; /* NULL: none */
    int32_t cols;
    enum norm_kind kind;
    float eps;
};

struct norm_shared {
    float part[2][WARPS]; /* two sums in turn, so that one barrier a sum is enough */
};

/* The same sum in every thread. */
static __device__ float block_sum(struct norm_shared *s, int turn, float x)
{
    x = warp_sum(x);
    if (threadIdx.x % WARP == 0)
        s->part[turn][threadIdx.x / WARP] = x;
    __syncthreads();
    x = 0;
    for (int i = 0; i < WARPS; i++)
        x += s->part[turn][i];
    return x;
}

/* x = T(x + add) for this thread's columns; the sum of x, or of x^2. */
template <typename T, int n>
static __device__ float row_take(const struct norm_args<T> &a, int64_t at, bool square)
{
    float sum = 0;
    for (int32_t c = threadIdx.x * n; c < a.cols; c += THREADS * n) {
        pack<T, n> p = *(pack<T, n> *)(a.x + at + c);
        if (a.add) {
            const pack<T, n> more = *(const pack<T, n> *)(a.add + at + c);
            for (int i = 0; i < n; i++)
                p.at[i] = number_to<T>(number(p.at[i]) + number(more.at[i]));
            *(pack<T, n> *)(a.x + at + c) = p;
        }
        for (int i = 0; i < n; i++) {
            const float v = number(p.at[i]);
            sum = square ? fmaf(v, v, sum) : sum + v;
        }
    }
    return sum;
}

template <typename T, int n>
static __device__ float row_variance(const struct norm_args<T> &a, int64_t at, float mean)
{
    float sum = 0;
    for (int32_t c = threadIdx.x * n; c < a.cols; c += THREADS * n) {
        const pack<T, n> p = *(const pack<T, n> *)(a.x + at + c);
        for (int i = 0; i < n; i++) {
            const float d = number(p.at[i]) - mean;
            sum = fmaf(d, d, sum);
        }
    }
    return sum;
}

template <typename T>
static __device__ __forceinline__ T norm_value(const struct norm_args<T> &a, float x, T weight,
                                               T bias)
{
    float w = number(weight);
    if (a.kind == NORM_PLUS_ONE)
        w = w + 1;
    if (a.kind == NORM_LLAMA)
        x = number_round<T>(x);
    x = x * w;
    return number_to<T>(a.bias ? x + number(bias) : x);
}

template <typename T, int n>
static __global__ void __launch_bounds__(THREADS) norm_kernel(const struct norm_args<T> a)
{
    struct norm_shared *s = (struct norm_shared *)ptx_shared();
    const int64_t at = (int64_t)blockIdx.x * a.cols;
    const bool layer = a.kind == NORM_LAYER;
    const float cols = (float)a.cols;
    float sum = block_sum(s, 0, row_take<T, n>(a, at, !layer));
    const float mean = layer ? sum / cols : 0;
    if (layer)
        sum = block_sum(s, 1, row_variance<T, n>(a, at, mean));
    const float scale = 1 / sqrtf(sum / cols + a.eps);

    for (int32_t c = threadIdx.x * n; c < a.cols; c += THREADS * n) {
        pack<T, n> p = *(const pack<T, n> *)(a.x + at + c);
        const pack<T, n> w = *(const pack<T, n> *)(a.weight + c);
        pack<T, n> b = w;
        if (a.bias)
            b = *(const pack<T, n> *)(a.bias + c);
        for (int i = 0; i < n; i++)
            p.at[i] = norm_value(a, (number(p.at[i]) - mean) * scale, w.at[i], b.at[i]);
        *(pack<T, n> *)(a.out + at + c) = p;
    }
}

template <typename T>
static void norm_typed(struct cuda_dev *cuda, struct mat out, struct mat x, struct mat add,
                       const struct norm *norm)
{
    const struct norm_args<T> a = {
        (T *)out.data, (T *)x.data, (const T *)add.data, (const T *)norm->weight.data,
            (const T *)norm->bias.data, x.cols, norm->kind, norm->eps
    };
    const bool wide = cuda_wide(x.type, x.cols) && cuda_aligned(out.data) && cuda_aligned(x.data) &&
                      cuda_aligned(add.data) && cuda_aligned(norm->weight.data) &&
                      cuda_aligned(norm->bias.data);
    if (wide)
        cuda_launch(cuda, "norm", norm_kernel<T, 16 / sizeof(T)>, x.rows, THREADS,
                    sizeof(struct norm_shared), a);
    else
        cuda_launch(cuda, "norm", norm_kernel<T, 1>, x.rows, THREADS, sizeof(struct norm_shared),
                    a);
}

/* Weight and bias have the device's type: mat_make() gave them. */
void cuda_norm(struct dev *dev, struct mat out, struct mat x, struct mat add,
               const struct norm *norm)
{
    assert(norm->weight.type == x.type);
    CUDA_BY_TYPE(x.type, norm_typed, cuda_of(dev), out, x, add, norm);
}
