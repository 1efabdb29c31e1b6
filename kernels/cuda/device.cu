/* device.cu - opening a device, its op table, what its numerics class says. */
#include "kernels/cuda/cuda.cuh"

#include <stdio.h>
#include <string.h>

/* Counts up when any bit of any result of this backend changes. */
#define CUDA_NUMERICS 1

enum { ARCH_MIN = 80 }; /* cp.async, bf16 mma */

static int64_t cuda_memory(struct dev *dev)
{
    size_t unused = 0, total = 0;
    cuda_ok(cuda_of(dev), cudaMemGetInfo(&unused, &total), "memory");
    return (int64_t)unused / 16 *
           15; /* allocations are rounded up, and the driver takes its part */
}

static void cuda_close(struct dev *dev)
{
    struct cuda_dev *cuda = cuda_of(dev);
    if (cuda->stream)
        cudaStreamSynchronize(cuda->stream);
    cuda->always_streams = false;
    cuda_stream(dev, false);
    cuda_gemm_close(cuda);
    cuda_memory_free(cuda);
    if (cuda->copies)
        cudaStreamDestroy(cuda->copies);
    if (cuda->stream)
        cudaStreamDestroy(cuda->stream);
    free(cuda);
}

/* In the order of the struct: C++ wants it so. */
static const struct ops cuda_ops = {
    .name = "cuda",
    .chunk_rows = 16384, /* a layer's launches are then nothing beside its work */
    .wave_rows = 131072, /* hides the copies of streamed weights several times over */
    .close = cuda_close,
    .memory = cuda_memory,
    .reserve = cuda_reserve,
    .room_bytes = cuda_room_bytes,
    .sync = cuda_sync,
    .mem_alloc = cuda_mem_alloc,
    .mem_free = cuda_mem_free,
    .upload = cuda_upload,
    .download = cuda_download,
    .weight_make = cuda_weight_make,
    .weight_free = cuda_weight_free,
    .weight_bytes = cuda_weight_bytes,
    .layer_prefetch = cuda_layer_prefetch,
    .stream = cuda_stream,
    .store_begin = NULL, /* what lies on the device, no other process can map */
    .store_end = NULL,
    .store_drop = NULL,
    .rope_fill = cuda_rope_fill,
    .wave_begin = cuda_wave_begin,
    .embed = cuda_embed,
    .gather_rows = cuda_gather_rows,
    .norm = cuda_norm,
    .linear = cuda_linear,
    .qk_rope_kv = cuda_qk_rope_kv,
    .attend = cuda_attend,
    .act_gate = cuda_act_gate,
    .add = cuda_add,
    .head = cuda_head,
    .logits = cuda_logits,
};

/* "0" or "0:streamed" */
static bool number_read(int *out, bool *streamed, const char *text)
{
    char *end;
    const long n = strtol(text, &end, 10);
    *streamed = strcmp(end, ":streamed") == 0;
    if (*text < '0' || *text > '9' || (*end && !*streamed) || n > 1023)
        return false;
    *out = (int)n;
    return true;
}

/* A clear line for each way in which there is no device. */
static bool device_find(int *device, bool *streamed, const char *number, struct err *err)
{
    int count = 0;
    if (!number_read(device, streamed, number))
        return err_set(err, ERR_INPUT, "no device is called 'cuda:%s'; write cuda:0", number);
    const cudaError_t got = cudaGetDeviceCount(&count);
    if (got == cudaErrorInsufficientDriver)
        return err_set(err, ERR_DEVICE,
                       "cuda:%d: no NVIDIA driver, or one too old for this program", *device);
    if (got != cudaSuccess)
        return err_set(err, ERR_DEVICE, "cuda:%d: %s", *device, cudaGetErrorString(got));
    if (*device >= count)
        return err_set(err, ERR_DEVICE, "cuda:%d: there are %d devices", *device, count);
    return true;
}

/* Code for a card that is newer than our machine code comes out of the driver's compiler: then its
 * version is part of the class. */
static void facts_write(struct cuda_dev *cuda, int runtime)
{
    char driver[32] = "";
    int version = 0;
    if (cuda->arch >= 100 && cuda_ok(cuda, cudaDriverGetVersion(&version), "driver"))
        snprintf(driver, sizeof(driver), ",\"driver\":%d", version);
    snprintf(cuda->dev.facts, sizeof(cuda->dev.facts),
             "\"backend\":\"cuda\",\"arch\":\"sm_%d\",\"sms\":%d,\"runtime\":%d%s,\"numerics\":%d",
             cuda->arch, cuda->sms, runtime, driver, CUDA_NUMERICS);
}

static bool device_start(struct cuda_dev *cuda, int device, struct err *err)
{
    int major = 0, minor = 0, runtime = 0;
    const bool ok =
        cuda_ok(cuda, cudaSetDevice(device), "device") &&
        cuda_ok(cuda, cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device),
                "device") &&
        cuda_ok(cuda, cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device),
                "device") &&
        cuda_ok(cuda, cudaDeviceGetAttribute(&cuda->sms, cudaDevAttrMultiProcessorCount, device),
                "device") &&
        cuda_ok(cuda, cudaRuntimeGetVersion(&runtime), "runtime") &&
        cuda_ok(cuda, cudaStreamCreateWithFlags(&cuda->stream, cudaStreamNonBlocking), "stream") &&
        cuda_ok(cuda, cudaStreamCreateWithFlags(&cuda->copies, cudaStreamNonBlocking), "stream");
    if (!ok) {
        *err = cuda->dev.err;
        return err_wrap(err, "cuda:%d", device);
    }
    cuda->arch = major * 10 + minor;
    if (cuda->arch < ARCH_MIN)
        return err_set(err, ERR_DEVICE, "cuda:%d is an sm_%d; the oldest that runs is sm_%d",
                       device, cuda->arch, ARCH_MIN);
    facts_write(cuda, runtime);
    return true;
}

bool cuda_open(struct dev **out, const char *number, struct err *err)
{
    int device;
    bool streamed;
    if (!device_find(&device, &streamed, number, err))
        return false;
    struct cuda_dev *cuda = (struct cuda_dev *)must_calloc(1, sizeof(*cuda));
    cuda->dev.ops = &cuda_ops;
    cuda->always_streams = streamed;
    if (!device_start(cuda, device, err) || !cuda_gemm_open(cuda, err)) {
        cuda_close(&cuda->dev);
        return false;
    }
    *out = &cuda->dev;
    return true;
}
