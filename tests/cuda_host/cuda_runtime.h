/* cuda_runtime.h - CUDA on the host: enough of the runtime to run kernels/cuda on a CPU.
 *
 * With this folder first on the include path a .cu is an ordinary C++ file.  Every thread of a
 * block is a fiber; blocks run one at a time on each of several OS threads (grid.cc).  A fiber
 * runs until it must meet others: at a barrier, or at a warp instruction, whose last lane to
 * arrive does the work for all (warp.cc).  Anything undefined ends the program with a line
 * that names block, thread and source line. */
#pragma once
#include <assert.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __align__(n) alignas(n)
struct uint3 {
    unsigned x, y, z;
};
struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};
struct alignas(16) uint4 {
    unsigned x, y, z, w;
};
struct alignas(16) float4 {
    float x, y, z, w;
};
struct alignas(8) float2 {
    float x, y;
};

/* Of the running fiber. */
extern __thread uint3 threadIdx, blockIdx, blockDim, gridDim;

/* The line of the kernel that called. */
struct host_line {
    const char *what, *file;
    int line;
};
#define HOST_LINE const char *file = __builtin_FILE(), int line = __builtin_LINE()

[[noreturn]] void host_die(const char *format, ...) __attribute__((format(printf, 1, 2)));
void host_barrier(struct host_line line);

/* All lanes of the mask call this with the same work; each leaves a frame, the last one in does
 * the work on all frames.  Frames are on the fibers' stacks, no copies are made. */
typedef void host_work(void *const frame[32], unsigned mask);
void host_warp(unsigned mask, host_work *work, void *frame, struct host_line line);

/* The running thread reads or writes shared memory: told to the race check (race.cc). */
void host_touch(const void *at, size_t bytes, bool writes);

static inline void __syncthreads(HOST_LINE) { host_barrier({ "__syncthreads", file, line }); }
void host_syncwarp(unsigned mask, struct host_line line);
static inline void __syncwarp(unsigned mask = 0xffffffff, HOST_LINE)
{
    host_syncwarp(mask, { "__syncwarp", file, line });
}

/* Every shuffle and vote is this exchange: a lane gives 8 bytes and gets those of `from`. */
struct host_swap {
    uint64_t value;
    int from;
};
host_work host_swap_work, host_ballot_work, host_fence_work;

template <typename T>
static inline T host_swap(unsigned mask, T value, int from, struct host_line line)
{
    static_assert(sizeof(T) <= 8, "a lane swaps 8 bytes");
    struct host_swap frame = { 0, from };
    memcpy(&frame.value, &value, sizeof(T));
    host_warp(mask, host_swap_work, &frame, line);
    memcpy(&value, &frame.value, sizeof(T));
    return value;
}
static inline int host_lane(void) { return threadIdx.x % 32; }

template <typename T> static inline T __shfl_sync(unsigned mask, T v, int from, HOST_LINE)
{
    return host_swap(mask, v, from & 31, { "__shfl_sync", file, line });
}
template <typename T> static inline T __shfl_xor_sync(unsigned mask, T v, int bits, HOST_LINE)
{
    return host_swap(mask, v, host_lane() ^ bits, { "__shfl_xor_sync", file, line });
}
template <typename T> static inline T __shfl_down_sync(unsigned mask, T v, int by, HOST_LINE)
{
    const int from = host_lane() + by;
    return host_swap(mask, v, from < 32 ? from : host_lane(), { "__shfl_down_sync", file, line });
}
template <typename T> static inline T __shfl_up_sync(unsigned mask, T v, int by, HOST_LINE)
{
    const int from = host_lane() - by;
    return host_swap(mask, v, from >= 0 ? from : host_lane(), { "__shfl_up_sync", file, line });
}
static inline unsigned __ballot_sync(unsigned mask, int yes, HOST_LINE)
{
    struct host_swap frame = { yes != 0, 0 };
    host_warp(mask, host_ballot_work, &frame, { "__ballot_sync", file, line });
    return (unsigned)frame.value;
}
static inline int __any_sync(unsigned mask, int yes, HOST_LINE)
{
    return __ballot_sync(mask, yes, file, line) != 0;
}
static inline int __all_sync(unsigned mask, int yes, HOST_LINE)
{
    return __ballot_sync(mask, yes, file, line) == mask;
}

/* Blocks on other OS threads may add to the same place.  No race with itself: not shown to race.cc.
 */
template <typename T> static inline __attribute__((no_sanitize("thread"))) T atomicAdd(T *at, T by)
{
    T old, sum;
    __atomic_load(at, &old, __ATOMIC_RELAXED);
    do
        sum = old + by;
    while (!__atomic_compare_exchange(at, &old, &sum, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED));
    return old;
}

template <typename T> static inline T __ldg(const T *at) { return *at; }
static inline float rsqrtf(float x) { return 1 / sqrtf(x); }
#define __expf(x) expf(x) /* the name is taken: glibc declares an __expf it does not have */
static inline int min(int a, int b) { return a < b ? a : b; }
static inline int max(int a, int b) { return a > b ? a : b; }

/* The runtime.  Memory is malloc's, so ASan guards it, and starts as NaN.  Whatever is queued on a
 * stream runs at once, but copies on a stream that cudaStreamNonBlocking made after the first: they
 * run when somebody waits for them, the latest moment there is (memory.cc). */
enum cudaError_t {
    cudaSuccess,
    cudaErrorInvalidValue,
    cudaErrorMemoryAllocation,
    cudaErrorInsufficientDriver = 35,
    cudaErrorNoDevice = 100,
    cudaErrorInvalidDevice,
};
enum cudaMemcpyKind {
    cudaMemcpyHostToDevice = 1,
    cudaMemcpyDeviceToHost,
    cudaMemcpyDeviceToDevice
};
enum cudaFuncAttribute { cudaFuncAttributeMaxDynamicSharedMemorySize };
enum cudaDeviceAttr {
    cudaDevAttrMultiProcessorCount,
    cudaDevAttrComputeCapabilityMajor,
    cudaDevAttrComputeCapabilityMinor,
};
enum { cudaStreamNonBlocking = 1, cudaEventDisableTiming = 2, cudaHostAllocDefault = 0 };
typedef struct host_stream *cudaStream_t;
typedef struct host_event *cudaEvent_t;
struct cudaLaunchConfig_t {
    dim3 gridDim, blockDim;
    size_t dynamicSmemBytes;
    cudaStream_t stream;
};

cudaError_t cudaGetDeviceCount(int *count);
cudaError_t cudaSetDevice(int device);
cudaError_t cudaDeviceGetAttribute(int *out, enum cudaDeviceAttr what, int device);
cudaError_t cudaRuntimeGetVersion(int *out);
cudaError_t cudaDriverGetVersion(int *out);
cudaError_t cudaMemGetInfo(size_t *unused, size_t *total);
cudaError_t cudaMalloc(void **out, size_t bytes);
cudaError_t cudaFree(void *at);
cudaError_t cudaHostAlloc(void **out, size_t bytes, unsigned flags);
cudaError_t cudaFreeHost(void *at);
cudaError_t cudaStreamCreateWithFlags(cudaStream_t *out, unsigned flags);
cudaError_t cudaStreamDestroy(cudaStream_t stream);
cudaError_t cudaStreamSynchronize(cudaStream_t stream);
cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned flags);
cudaError_t cudaEventCreateWithFlags(cudaEvent_t *out, unsigned flags);
cudaError_t cudaEventDestroy(cudaEvent_t event);
cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream);
cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream);
cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t rows, enum cudaMemcpyKind kind,
                              cudaStream_t stream);
cudaError_t cudaMemsetAsync(void *to, int value, size_t bytes, cudaStream_t stream);
static inline cudaError_t cudaGetLastError(void) { return cudaSuccess; }
static inline const char *cudaGetErrorString(cudaError_t got)
{
    return got == cudaSuccess                 ? "no error"
           : got == cudaErrorMemoryAllocation ? "out of memory"
                                              : "invalid launch or argument";
}
template <typename F> static inline cudaError_t cudaFuncSetAttribute(F *, cudaFuncAttribute, int n)
{
    return n <= 227 * 1024 ? cudaSuccess : cudaErrorInvalidValue;
}

/* Runs the grid once per schedule and compares what they leave in memory. */
cudaError_t host_launch(const cudaLaunchConfig_t *config, void (*call)(void *), void *closure);

template <typename... P, typename... A>
static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *config, void (*kernel)(P...),
                                             A... args)
{
    auto closure = [=] { kernel(args...); };
    return host_launch(
        config, [](void *c) { (*(decltype(closure) *)c)(); }, &closure);
}
