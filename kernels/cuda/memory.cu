/* memory.cu - device memory, and the pinned rings through which small arrays travel.
 *
 * up:    host arrays that ops read: copied to pinned memory in the call, so the caller's pageable
 *        array costs no wait; started anew at a sync, or when it is full (then the op waits).
 * down:  what ops answer: to pinned memory on the stream, to the caller's array at the sync. */
#include "kernels/cuda/cuda.cuh"

#include <string.h>

#define RING_BYTES ((int64_t)1 << 20)
#define ALIGNMENT  ((int64_t)256)

static int64_t aligned(int64_t bytes) { return (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT; }

bool cuda_mem_alloc(struct dev *dev, void **out, int64_t bytes, struct err *err)
{
    void *data;
    (void)dev;
    const cudaError_t got = bytes < 0 ? cudaErrorMemoryAllocation
                                      : cudaMalloc(&data, (size_t)aligned(bytes ? bytes : 1));
    if (got != cudaSuccess) {
        cudaGetLastError(); /* a failed allocation must not fail the next launch */
        return err_set(err, ERR_DEVICE, "%lld bytes of device memory: %s", (long long)bytes,
                       cudaGetErrorString(got));
    }
    *out = data;
    return true;
}

void cuda_mem_free(struct dev *dev, void *data)
{
    cudaStreamSynchronize(cuda_of(dev)->stream); /* what is queued may still read it */
    cudaFree(data);
}

void cuda_upload(struct dev *dev, void *to, const void *host, int64_t bytes)
{
    struct cuda_dev *cuda = cuda_of(dev);
    cuda_ok(cuda, cudaMemcpyAsync(to, host, (size_t)bytes, cudaMemcpyHostToDevice, cuda->stream),
            "upload");
}

bool cuda_grow(struct cuda_dev *cuda, struct cuda_buffer *buffer, int64_t bytes)
{
    if (bytes <= buffer->bytes)
        return true;
    void *data;
    struct err err;
    cuda_mem_free(&cuda->dev, buffer->data);
    *buffer = {};
    if (!cuda_mem_alloc(&cuda->dev, &data, bytes, &err)) {
        if (!cuda->dev.err.code)
            cuda->dev.err = err;
        return false;
    }
    *buffer = { (char *)data, bytes };
    return true;
}

static void ring_free(struct cuda_ring *ring)
{
    cudaFreeHost(ring->host);
    cudaFree(ring->data);
    *ring = {};
}

/* Room for so many more bytes; whoever finds none waits for the device. */
static bool ring_take(struct cuda_dev *cuda, struct cuda_ring *ring, int64_t bytes)
{
    if (ring->used + bytes <= ring->bytes)
        return true;
    cuda_drain(cuda);
    if (bytes <= ring->bytes)
        return true;
    ring_free(ring);
    ring->bytes = bytes > RING_BYTES ? bytes : RING_BYTES;
    if (cuda_ok(cuda,
                cudaHostAlloc((void **)&ring->host, (size_t)ring->bytes, cudaHostAllocDefault),
                "pinned memory") &&
        (ring == &cuda->down ||
         cuda_ok(cuda, cudaMalloc((void **)&ring->data, (size_t)ring->bytes), "device memory")))
        return true;
    ring_free(ring);
    return false;
}

const void *cuda_push(struct cuda_dev *cuda, const void *host, int64_t bytes)
{
    struct cuda_ring *up = &cuda->up;
    const int64_t room = aligned(bytes);
    if (cuda->dev.err.code || !ring_take(cuda, up, room))
        return NULL;
    const int64_t at = up->used;
    up->used += room;
    memcpy(up->host + at, host, (size_t)bytes);
    cuda_upload(&cuda->dev, up->data + at, up->host + at, bytes);
    return up->data + at;
}

static void pending_add(struct cuda_dev *cuda, void *to, int64_t at, int64_t bytes)
{
    if (cuda->pending_count == cuda->pending_max) {
        cuda->pending_max = cuda->pending_max ? 2 * cuda->pending_max : 64;
        cuda->pending =
            (struct cuda_pending *)must_realloc(cuda->pending, (size_t)cuda->pending_max,
                                                sizeof(*cuda->pending));
    }
    cuda->pending[cuda->pending_count++] = { to, at, bytes };
}

void cuda_download(struct dev *dev, void *host, const void *from, int64_t bytes)
{
    struct cuda_dev *cuda = cuda_of(dev);
    struct cuda_ring *down = &cuda->down;
    const int64_t room = aligned(bytes);
    if (dev->err.code || bytes == 0 || !ring_take(cuda, down, room))
        return;
    cuda_ok(cuda,
            cudaMemcpyAsync(down->host + down->used, from, (size_t)bytes, cudaMemcpyDeviceToHost,
                            cuda->stream),
            "download");
    pending_add(cuda, host, down->used, bytes);
    down->used += room;
}

void cuda_drain(struct cuda_dev *cuda)
{
    cuda_ok(cuda, cudaStreamSynchronize(cuda->stream), "the device");
    for (int32_t i = 0; i < cuda->pending_count && !cuda->dev.err.code; i++) {
        const struct cuda_pending *p = &cuda->pending[i];
        memcpy(p->to, cuda->down.host + p->at, (size_t)p->bytes);
    }
    cuda->pending_count = 0;
    cuda->up.used = cuda->down.used = 0;
}

bool cuda_sync(struct dev *dev, struct err *err)
{
    struct cuda_dev *cuda = cuda_of(dev);
    cuda_drain(cuda);
    cuda->tiles_count = 0; /* from here on the caller's rows may change */
    cuda->lists_used = 0;
    if (!dev->err.code)
        return true;
    *err = dev->err;
    dev->err = {};
    return false;
}

static int64_t logits_bytes(const struct cuda_dev *cuda)
{
    return (int64_t)cuda_gemm_rows(cuda, SITE_HEAD) * HEAD_COLS * dtype_bytes(cuda->dev.type);
}

int64_t cuda_room_bytes(const struct dev *dev, const struct room *room)
{
    const struct cuda_dev *cuda = (const struct cuda_dev *)dev;
    return cuda_gemm_bytes(cuda, room) + RING_BYTES + logits_bytes(cuda);
}

bool cuda_reserve(struct dev *dev, const struct room *room, struct err *err)
{
    struct cuda_dev *cuda = cuda_of(dev);
    cuda->room = *room;
    if (cuda_grow(cuda, &cuda->logits, logits_bytes(cuda)) && cuda_gemm_reserve(cuda, room))
        return true;
    return cuda_sync(dev, err);
}

void cuda_memory_free(struct cuda_dev *cuda)
{
    ring_free(&cuda->up);
    ring_free(&cuda->down);
    cudaFree(cuda->pages.data);
    cudaFree(cuda->lists.data);
    cudaFree(cuda->logits.data);
    cudaFree(cuda->answers.data);
    free(cuda->pending);
}
