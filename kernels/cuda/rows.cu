/* rows.cu - rows moved and added.
 *
 * Bound: memory.  embed and gather read and write a row once; add reads two numbers and writes one.
 * A block takes a row by packs of 16 bytes (one number a pack where rows are not so aligned). */
#include "kernels/cuda/cuda.cuh"

enum { THREADS = 128 };

template <typename T, int n> struct rows_args {
    T *out;
    const T *x;
    const int32_t *row;
    int32_t cols;
    float scale; /* 1: copied as it is */
};

template <typename T, int n>
static __global__ void __launch_bounds__(THREADS) rows_kernel(const struct rows_args<T, n> a)
{
    const pack<T, n> *from = (const pack<T, n> *)(a.x + (int64_t)a.row[blockIdx.x] * a.cols);
    pack<T, n> *to = (pack<T, n> *)(a.out + (int64_t)blockIdx.x * a.cols);
    for (int32_t c = threadIdx.x; c < a.cols / n; c += THREADS) {
        pack<T, n> p = from[c];
        if (a.scale != 1)
            for (int i = 0; i < n; i++)
                p.at[i] = number_to<T>(number(p.at[i]) * a.scale);
        to[c] = p;
    }
}

template <typename T>
static void rows_copy(struct cuda_dev *cuda, struct mat out, const void *x, const int32_t *rows,
                      float scale)
{
    const int32_t *row = cuda_push_ints(cuda, rows, out.rows);
    const bool wide = cuda_wide(out.type, out.cols) && cuda_aligned(out.data) && cuda_aligned(x);
    constexpr int n = 16 / sizeof(T);
    if (wide)
        cuda_launch(cuda, "rows", rows_kernel<T, n>, out.rows, THREADS, 0,
                    rows_args<T, n>{ (T *)out.data, (const T *)x, row, out.cols, scale });
    else
        cuda_launch(cuda, "rows", rows_kernel<T, 1>, out.rows, THREADS, 0,
                    rows_args<T, 1>{ (T *)out.data, (const T *)x, row, out.cols, scale });
}

void cuda_embed(struct dev *dev, struct mat out, const struct weight *table, const int32_t *tokens,
                float scale)
{
    struct cuda_dev *cuda = cuda_of(dev);
    if (out.rows)
        CUDA_BY_TYPE(out.type, rows_copy, cuda, out, cuda_weight_rows(cuda, table), tokens, scale);
}

void cuda_gather_rows(struct dev *dev, struct mat out, struct mat x, const int32_t *rows)
{
    if (out.rows)
        CUDA_BY_TYPE(out.type, rows_copy, cuda_of(dev), out, x.data, rows, 1.0f);
}

template <typename T, int n>
static __global__ void __launch_bounds__(THREADS) add_kernel(T *x, const T *y, int64_t packs)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= packs)
        return;
    pack<T, n> a = ((pack<T, n> *)x)[i];
    const pack<T, n> b = ((const pack<T, n> *)y)[i];
    for (int j = 0; j < n; j++)
        a.at[j] = number_to<T>(number(a.at[j]) + number(b.at[j]));
    ((pack<T, n> *)x)[i] = a;
}

template <typename T, int n>
static void add_launch(struct cuda_dev *cuda, struct mat x, struct mat y)
{
    const int64_t packs = (int64_t)x.rows * x.cols / n;
    cuda_launch(cuda, "add", add_kernel<T, n>, cuda_parts(packs, THREADS), THREADS, 0, (T *)x.data,
                (const T *)y.data, packs);
}

template <typename T> static void add_typed(struct cuda_dev *cuda, struct mat x, struct mat y)
{
    if (mat_bytes(x) % 16 == 0 && cuda_aligned(x.data) && cuda_aligned(y.data))
        add_launch<T, 16 / sizeof(T)>(cuda, x, y);
    else
        add_launch<T, 1>(cuda, x, y);
}

void cuda_add(struct dev *dev, struct mat x, struct mat y)
{
    CUDA_BY_TYPE(x.type, add_typed, cuda_of(dev), x, y);
}
