/* cuda.cuh - what every .cu here needs: the device, its memory, the one launch, numbers by type.
 *
 * Ops queue on one stream and return; the first failure stays in dev.err until the sync.  Small
 * host arrays travel through a pinned buffer (memory.cu), so that no op waits for the device.
 *
 * The files are compiled by nvcc, and by a host compiler against tests/cuda_host: asm is in ptx.cuh
 * alone, cuBLASLt in gemm_lt.cu alone, shared memory is always ptx_shared(). */
#pragma once
#include "kernels/cuda/cuda.h"
#include "kernels/cuda/ptx.cuh"

enum {
    WARP = 32,
    HEAD_COLS = 8192, /* the head's part of the vocabulary: numerics, as its sums go part by part */
};

/* Device memory that grows to the largest that was asked. */
struct cuda_buffer {
    char *data;
    int64_t bytes;
};

/* A ring of pinned memory and, going up, its twin on the device; `used` starts anew after a sync.
 */
struct cuda_ring {
    char *host, *data;
    int64_t bytes, used;
};

struct cuda_pending {
    void *to; /* the caller's */
    int64_t at, bytes;
};

/* What attend() made of a list of rows, kept until the rows may change. */
struct cuda_tiles {
    const int32_t *key; /* the caller's rows: the name of the list */
    int32_t count, window, tile_rows;
    const int32_t *rows, *start, *visit; /* device */
};

enum { CUDA_TILES_MAX = 64 };

struct cuda_dev {
    struct dev dev; /* first: a struct dev * is a struct cuda_dev * */
    int arch, sms;  /* 80, 90, ...; multiprocessors */
    cudaStream_t stream, copies;
    struct room room;
    struct cuda_gemm *gemm; /* gemm.cu's */

    struct cuda_ring up, down;
    struct cuda_pending *pending; /* downloads that wait for the sync */
    int32_t pending_count, pending_max;

    struct cuda_buffer pages; /* pos, page, slot_row of the wave */
    struct pages wave;        /* the same, with device pointers */
    struct cuda_buffer lists; /* rows, starts and visits of tiles */
    int64_t lists_used;
    struct cuda_tiles tiles[CUDA_TILES_MAX];
    int32_t tiles_count;

    struct cuda_buffer logits, answers;
    struct cuda_stream_ring *ring; /* weight.cu's: NULL, all weights are resident */
    bool always_streams;           /* "cuda:0:streamed" */
};

static inline struct cuda_dev *cuda_of(struct dev *dev) { return (struct cuda_dev *)dev; }

static inline bool cuda_ok(struct cuda_dev *cuda, cudaError_t got, const char *what)
{
    if (got != cudaSuccess && !cuda->dev.err.code)
        err_put(&cuda->dev.err, ERR_DEVICE, "%s: %s", what, cudaGetErrorString(got));
    return got == cudaSuccess;
}

/* kernel<<<grid, block, shared>>>(args...), spelled so that a host compiler can read it too. */
template <typename... P, typename... A>
static void cuda_launch(struct cuda_dev *cuda, const char *what, void (*kernel)(P...), dim3 grid,
                        dim3 block, size_t shared, A... args)
{
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = cuda->stream;
    if (cuda->dev.err.code || grid.x == 0 || grid.y == 0)
        return;
    if (shared > 48 * 1024 &&
        !cuda_ok(cuda,
                 cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      (int)shared),
                 what))
        return;
    cuda_ok(cuda, cudaLaunchKernelEx(&config, kernel, args...), what);
}

static inline int32_t cuda_parts(int64_t whole, int32_t part)
{
    return (int32_t)((whole + part - 1) / part);
}
static inline int32_t cuda_min(int32_t a, int32_t b) { return a < b ? a : b; }

/* ---- numbers: T() is number_to<T> ---- */

static __device__ __forceinline__ float number(float x) { return x; }
static __device__ __forceinline__ float number(bf16 x) { return __bfloat162float(x); }
static __device__ __forceinline__ float number(f16 x) { return __half2float(x); }

template <typename T> static __device__ __forceinline__ T number_to(float x);
template <> __device__ __forceinline__ float number_to<float>(float x) { return x; }
template <> __device__ __forceinline__ bf16 number_to<bf16>(float x)
{
    return __float2bfloat16_rn(x);
}
template <> __device__ __forceinline__ f16 number_to<f16>(float x) { return __float2half_rn(x); }

template <typename T> static __device__ __forceinline__ float number_round(float x)
{
    return number(number_to<T>(x));
}

/* n numbers that one load moves: 16 bytes, or one number where rows are not aligned to that. */
template <typename T, int n> struct alignas(sizeof(T) * n) pack {
    T at[n];
};

/* True if rows of `cols` numbers of the type may be read 16 bytes at a time. */
static inline bool cuda_wide(enum dtype type, int32_t cols)
{
    return cols * dtype_bytes(type) % 16 == 0;
}

static inline bool cuda_aligned(const void *data) { return (uintptr_t)data % 16 == 0; }

/* Calls f<T>(args) with the mat's element type. */
#define CUDA_BY_TYPE(type, f, ...)            \
    ((type) == F32    ? f<float>(__VA_ARGS__) \
     : (type) == BF16 ? f<bf16>(__VA_ARGS__)  \
                      : f<f16>(__VA_ARGS__))

/* The sum of a warp's x in every lane, in one fixed order. */
static __device__ __forceinline__ float warp_sum(float x)
{
    for (int step = WARP / 2; step > 0; step /= 2)
        x += __shfl_xor_sync(0xffffffff, x, step);
    return x;
}

/* ---- memory.cu ---- */

bool cuda_grow(struct cuda_dev *cuda, struct cuda_buffer *buffer, int64_t bytes);
/* A copy of host[bytes] on the device, good until the next sync; NULL after a failure. */
const void *cuda_push(struct cuda_dev *cuda, const void *host, int64_t bytes);
static inline const int32_t *cuda_push_ints(struct cuda_dev *cuda, const int32_t *host,
                                            int32_t count)
{
    return (const int32_t *)cuda_push(cuda, host, count * (int64_t)sizeof(int32_t));
}
/* Waits; downloads arrive; rings and tile lists start anew. */
void cuda_drain(struct cuda_dev *cuda);
void cuda_memory_free(struct cuda_dev *cuda);
bool cuda_sync(struct dev *dev, struct err *err);
bool cuda_reserve(struct dev *dev, const struct room *room, struct err *err);
int64_t cuda_room_bytes(const struct dev *dev, const struct room *room);
bool cuda_mem_alloc(struct dev *dev, void **out, int64_t bytes, struct err *err);
void cuda_mem_free(struct dev *dev, void *data);
void cuda_upload(struct dev *dev, void *to, const void *host, int64_t bytes);
void cuda_download(struct dev *dev, void *host, const void *from, int64_t bytes);

/* ---- weight.cu ---- */

bool cuda_weight_make(struct dev *dev, struct weight **out, const struct weight_source *source,
                      struct err *err);
void cuda_weight_free(struct dev *dev, struct weight *weight);
int64_t cuda_weight_bytes(const struct dev *dev, int32_t n, int32_t k);
void cuda_layer_prefetch(struct dev *dev, int32_t layer);
bool cuda_stream(struct dev *dev, bool on);
/* rows[n][k] on the device, there for the ops that are queued next. */
const void *cuda_weight_rows(struct cuda_dev *cuda, const struct weight *weight);

/* ---- gemm.cu ---- */

/* Rows of one product at the site. */
int32_t cuda_gemm_rows(const struct cuda_dev *cuda, enum site site);
bool cuda_gemm_open(struct cuda_dev *cuda, struct err *err);
void cuda_gemm_close(struct cuda_dev *cuda);
int64_t cuda_gemm_bytes(const struct cuda_dev *cuda, const struct room *room);
bool cuda_gemm_reserve(struct cuda_dev *cuda, const struct room *room);
/* out[m][n], its rows out_stride numbers apart, = T(x[m][k] w[n][k]^T + bias[n]); bias or NULL.
 * m is cut into blocks of one constant a site; n may be a part of a weight. */
void cuda_product(struct cuda_dev *cuda, enum site site, struct mat out, int32_t out_stride,
                  struct mat x, const void *w, const void *bias);
void cuda_linear(struct dev *dev, enum site site, struct mat out, struct mat x,
                 const struct weight *weight, struct mat bias);

/* ---- the ops ---- */

void cuda_rope_fill(struct dev *dev, const struct rope *rope, const float *inv_freq, float factor);
void cuda_wave_begin(struct dev *dev, const struct pages *pages, const struct kv *kv);
void cuda_embed(struct dev *dev, struct mat out, const struct weight *table, const int32_t *tokens,
                float scale);
void cuda_gather_rows(struct dev *dev, struct mat out, struct mat x, const int32_t *rows);
void cuda_norm(struct dev *dev, struct mat out, struct mat x, struct mat add,
               const struct norm *norm);
void cuda_qk_rope_kv(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                     const int32_t *rows, int32_t count);
void cuda_attend(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                 const struct attention *attention, const int32_t *rows);
void cuda_act_gate(struct dev *dev, struct mat out, struct mat gate, struct mat up, enum act act);
void cuda_add(struct dev *dev, struct mat x, struct mat y);
void cuda_head(struct dev *dev, struct mat x, const struct weight *weight, const struct head *head);
void cuda_logits(struct dev *dev, struct mat out, struct mat x, const struct weight *weight,
                 const struct head *head);
