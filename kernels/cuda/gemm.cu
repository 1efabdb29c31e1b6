/* gemm.cu - products of any number of rows out of products of one constant number, and the probe
 * that a row's bits do not depend on its place. */
#include "kernels/cuda/gemm.cuh"

enum { THREADS = 256, SHAPES_MAX = 64 };

/* A shape that was probed. */
struct gemm_shape {
    enum dtype type;
    int32_t m, n, k;
};

struct cuda_gemm {
    struct gemm_door *door;
    struct cuda_buffer x, out; /* a block that rows do not fill; the probe's */
    struct gemm_shape shape[SHAPES_MAX];
    int32_t shapes;
};

int32_t cuda_gemm_rows(const struct cuda_dev *cuda, enum site site)
{
    return gemm_door_rows(cuda->gemm->door, site);
}

bool cuda_gemm_open(struct cuda_dev *cuda, struct err *err)
{
    struct cuda_gemm *g = (struct cuda_gemm *)must_calloc(1, sizeof(*g));
    char *facts = cuda->dev.facts + strlen(cuda->dev.facts);
    const size_t left = sizeof(cuda->dev.facts) - strlen(cuda->dev.facts);
    cuda->gemm = g;
    return gemm_door_open(&g->door, cuda, facts, left, err);
}

void cuda_gemm_close(struct cuda_dev *cuda)
{
    struct cuda_gemm *g = cuda->gemm;
    if (!g)
        return;
    gemm_door_close(g->door);
    cudaFree(g->x.data);
    cudaFree(g->out.data);
    free(g);
}

static int64_t block_bytes(const struct cuda_dev *cuda, const struct room *room)
{
    return (int64_t)gemm_door_rows(cuda->gemm->door, SITE_OTHER) * room->k_max *
           dtype_bytes(cuda->dev.type);
}

int64_t cuda_gemm_bytes(const struct cuda_dev *cuda, const struct room *room)
{
    return 3 * block_bytes(cuda, room) + gemm_door_bytes(cuda->gemm->door);
}

/* Twice for out: the probe holds two products. */
bool cuda_gemm_reserve(struct cuda_dev *cuda, const struct room *room)
{
    struct cuda_gemm *g = cuda->gemm;
    return cuda_grow(cuda, &g->x, block_bytes(cuda, room)) &&
           cuda_grow(cuda, &g->out, 2 * block_bytes(cuda, room));
}

/* ---- the probe ---- */

/* Row r holds the numbers of row (r + shift) mod m: any numbers, but the same for the same row. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
    probe_fill(T *x, int32_t m, int32_t k, int32_t shift)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= (int64_t)m * k)
        return;
    const uint32_t row = (uint32_t)((i / k + shift) % m), col = (uint32_t)(i % k);
    uint32_t u = (row * 2654435761u) ^ (col * 2246822519u);
    u = (u ^ u >> 15) * 2246822519u;
    u = (u ^ u >> 13) * 3266489917u;
    x[i] = number_to<T>((float)(int32_t)(u ^ u >> 16) * 0x1p-31f);
}

/* Counts numbers of b that differ from those of a's row, which lies shift further on; a NaN, out of
 * a weight that has one, equals any. */
template <typename T>
static __global__ void __launch_bounds__(THREADS)
    probe_compare(const T *a, const T *b, int32_t m, int32_t n, int32_t shift, int32_t *differ)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= (int64_t)m * n)
        return;
    const float x = number(a[(i / n + shift) % m * n + i % n]), y = number(b[i]);
    if (x != y && !(x != x && y != y))
        atomicAdd(differ, 1);
}

template <typename T>
static int32_t probe_typed(struct cuda_dev *cuda, struct gemm_call call, char *second)
{
    struct cuda_gemm *g = cuda->gemm;
    const int32_t shift = call.m / 2 + 1;
    const int32_t zero = 0;
    int32_t *differ = (int32_t *)cuda_push(cuda, &zero, sizeof(zero)), found = -1;
    for (int i = 0; i < 2; i++) {
        cuda_launch(cuda, "probe", probe_fill<T>, cuda_parts((int64_t)call.m * call.k, THREADS),
                    THREADS, 0, (T *)g->x.data, call.m, call.k, i ? shift : 0);
        call.out = i ? second : g->out.data;
        gemm_door_run(g->door, cuda, &call);
    }
    cuda_launch(cuda, "probe", probe_compare<T>, cuda_parts((int64_t)call.m * call.n, THREADS),
                THREADS, 0, (const T *)g->out.data, (const T *)second, call.m, call.n, shift,
                differ);
    cuda_download(&cuda->dev, &found, differ, sizeof(found));
    cuda_drain(cuda);
    return found;
}

static bool probed(const struct cuda_gemm *g, const struct gemm_call *call)
{
    for (int32_t i = 0; i < g->shapes; i++) {
        const struct gemm_shape *s = &g->shape[i];
        if (s->type == call->type && s->m == call->m && s->n == call->n && s->k == call->k)
            return true;
    }
    return false;
}

/* The first product of a shape: rows that change places must keep their bits. */
static void probe(struct cuda_dev *cuda, const struct gemm_call *like)
{
    struct cuda_gemm *g = cuda->gemm;
    const int64_t size = dtype_bytes(like->type);
    const int64_t bytes = ((int64_t)like->m * like->n * size + 255) / 256 * 256;
    if (cuda->dev.err.code || !cuda_grow(cuda, &g->x, (int64_t)like->m * like->k * size) ||
        !cuda_grow(cuda, &g->out, 2 * bytes))
        return;
    struct gemm_call call = *like;
    call.x = g->x.data;
    call.bias = NULL;
    call.out_stride = call.n;
    const int32_t differ = CUDA_BY_TYPE(call.type, probe_typed, cuda, call, g->out.data + bytes);
    if (differ && !cuda->dev.err.code)
        err_put(&cuda->dev.err, ERR_DEVICE,
                "a product of %d x %d x %d: %d bits depend on where a row stands", call.m, call.n,
                call.k, differ);
    g->shape[g->shapes++ % SHAPES_MAX] = { call.type, call.m, call.n, call.k };
    if (g->shapes > SHAPES_MAX)
        g->shapes = SHAPES_MAX;
}

/* ---- products ---- */

/* cuBLASLt picks algorithms for operands that are so aligned; our memory is, rows within it may not
 * be. */
static bool aligned(const struct gemm_call *call)
{
    return (uintptr_t)call->x % 256 == 0 && (uintptr_t)call->out % 256 == 0;
}

/* Rows that do not fill a block, whose other rows are then zero; or that lie at an odd place. */
static void product_padded(struct cuda_dev *cuda, struct gemm_call call, int32_t rows)
{
    struct cuda_gemm *g = cuda->gemm;
    const int64_t size = dtype_bytes(call.type), row = call.k * size;
    const struct gemm_call whole = call;
    if (!cuda_grow(cuda, &g->x, call.m * row) ||
        !cuda_grow(cuda, &g->out, (int64_t)call.m * call.n * size))
        return;
    cuda_ok(cuda,
            cudaMemcpyAsync(g->x.data, call.x, (size_t)(rows * row), cudaMemcpyDeviceToDevice,
                            cuda->stream),
            "padding");
    cuda_ok(cuda,
            cudaMemsetAsync(g->x.data + rows * row, 0, (size_t)((call.m - rows) * row),
                            cuda->stream),
            "padding");
    call.x = g->x.data;
    call.out = g->out.data;
    call.out_stride = call.n;
    gemm_door_run(g->door, cuda, &call);
    cuda_ok(cuda,
            cudaMemcpy2DAsync(whole.out, (size_t)(whole.out_stride * size), call.out,
                              (size_t)(call.n * size), (size_t)(call.n * size), (size_t)rows,
                              cudaMemcpyDeviceToDevice, cuda->stream),
            "padding");
}

void cuda_product(struct cuda_dev *cuda, enum site site, struct mat out, int32_t out_stride,
                  struct mat x, const void *w, const void *bias)
{
    struct gemm_call call = { site, x.type, out.data, x.data, w,
                              bias, 0,      out.cols, x.cols, out_stride };
    call.m = gemm_door_rows(cuda->gemm->door, site);
    if (x.rows && !probed(cuda->gemm, &call))
        probe(cuda, &call);
    for (int32_t first = 0; first < x.rows && !cuda->dev.err.code; first += call.m) {
        call.x = mat_row(x, first);
        call.out = (char *)out.data + (int64_t)first * out_stride * dtype_bytes(out.type);
        const int32_t rows = cuda_min(call.m, x.rows - first);
        if (rows == call.m && aligned(&call))
            gemm_door_run(cuda->gemm->door, cuda, &call);
        else
            product_padded(cuda, call, rows);
    }
}

void cuda_linear(struct dev *dev, enum site site, struct mat out, struct mat x,
                 const struct weight *weight, struct mat bias)
{
    struct cuda_dev *cuda = cuda_of(dev);
    if (x.rows)
        cuda_product(cuda, site, out, out.cols, x, cuda_weight_rows(cuda, weight), bias.data);
}
