/* weight.cu - weights as rows on the device: resident, or streamed from host memory layer by layer.
 *
 * Streamed: a layer's weights lie in pinned host memory and are copied, on a stream of their own,
 * into one of three slots: that of the layer being computed, the next, and one to fill.  A copy
 * waits until the work that read its slot's last layer is done; the first op that reads a layer
 * waits for its copy.  A layer asked for without a prefetch is copied then: no order of calls
 * changes a bit. */
#include "kernels/cuda/cuda.cuh"

#include "kernels/convert.h"

#include <string.h>

enum { SLOTS = STREAM_LAYERS, LAYERS_MAX = 1024 };

struct cuda_weight {
    struct weight weight; /* first */
    char *data;           /* resident: on the device; streamed: NULL */
    char *host;           /* streamed: pinned */
    int64_t bytes, at;    /* at: where it lies in its layer's slot */
    struct cuda_weight *next;
};

struct slot {
    struct cuda_buffer buffer;
    int32_t layer; /* -1: none */
    bool awaited;  /* the compute stream has been told to wait for the copy */
    cudaEvent_t loaded, used;
};

struct cuda_stream_ring {
    struct slot slot[SLOTS];
    int32_t current, newest;               /* slots: last read, last filled */
    struct cuda_weight *first[LAYERS_MAX]; /* the weights of a layer */
    int64_t bytes[LAYERS_MAX], bytes_max;
};

static inline struct cuda_weight *weight_of(const struct weight *weight)
{
    return (struct cuda_weight *)weight;
}

int64_t cuda_weight_bytes(const struct dev *dev, int32_t n, int32_t k)
{
    return (int64_t)n * k * dtype_bytes(dev->type);
}

/* ---- the ring ---- */

static void ring_close(struct cuda_dev *cuda)
{
    cudaStreamSynchronize(cuda->copies);
    cudaStreamSynchronize(cuda->stream);
    for (struct slot &slot : cuda->ring->slot) {
        cudaFree(slot.buffer.data);
        cudaEventDestroy(slot.loaded);
        cudaEventDestroy(slot.used);
    }
    free(cuda->ring);
    cuda->ring = NULL;
}

static void ring_open(struct cuda_dev *cuda)
{
    cuda->ring = (struct cuda_stream_ring *)must_calloc(1, sizeof(*cuda->ring));
    for (struct slot &slot : cuda->ring->slot) {
        slot.layer = -1;
        cuda_ok(cuda, cudaEventCreateWithFlags(&slot.loaded, cudaEventDisableTiming), "event");
        cuda_ok(cuda, cudaEventCreateWithFlags(&slot.used, cudaEventDisableTiming), "event");
    }
}

bool cuda_stream(struct dev *dev, bool on)
{
    struct cuda_dev *cuda = cuda_of(dev);
    on = on || cuda->always_streams;
    if (on && !cuda->ring)
        ring_open(cuda);
    if (!on && cuda->ring)
        ring_close(cuda);
    return on;
}

static void ring_add(struct cuda_stream_ring *ring, struct cuda_weight *w)
{
    const int32_t layer = w->weight.layer;
    assert(layer < LAYERS_MAX);
    w->at = ring->bytes[layer];
    w->next = ring->first[layer];
    ring->first[layer] = w;
    ring->bytes[layer] += (w->bytes + 255) / 256 * 256;
    if (ring->bytes[layer] > ring->bytes_max)
        ring->bytes_max = ring->bytes[layer];
}

static void ring_remove(struct cuda_stream_ring *ring, struct cuda_weight *w)
{
    struct cuda_weight **at = &ring->first[w->weight.layer];
    while (*at != w)
        at = &(*at)->next;
    *at = w->next;
    if (!ring->first[w->weight.layer])
        ring->bytes[w->weight.layer] = 0;
    for (struct slot &slot : ring->slot)
        if (slot.layer == w->weight.layer)
            slot.layer = -1;
}

static struct slot *slot_find(struct cuda_stream_ring *ring, int32_t layer)
{
    for (struct slot &slot : ring->slot)
        if (slot.layer == layer)
            return &slot;
    return NULL;
}

/* Neither the one that is read nor the one that was filled last, which will be read next. */
static int32_t slot_free(const struct cuda_stream_ring *ring)
{
    int32_t s = (ring->newest + 1) % SLOTS;
    return s == ring->current ? (s + 1) % SLOTS : s;
}

void cuda_layer_prefetch(struct dev *dev, int32_t layer)
{
    struct cuda_dev *cuda = cuda_of(dev);
    struct cuda_stream_ring *ring = cuda->ring;
    if (!ring || dev->err.code || slot_find(ring, layer))
        return;
    const int32_t s = slot_free(ring);
    struct slot *slot = &ring->slot[s];
    if (!cuda_grow(cuda, &slot->buffer, ring->bytes_max))
        return;
    cuda_ok(cuda, cudaStreamWaitEvent(cuda->copies, slot->used, 0), "event");
    for (const struct cuda_weight *w = ring->first[layer]; w; w = w->next)
        cuda_ok(cuda,
                cudaMemcpyAsync(slot->buffer.data + w->at, w->host, (size_t)w->bytes,
                                cudaMemcpyHostToDevice, cuda->copies),
                "a layer's weights");
    cuda_ok(cuda, cudaEventRecord(slot->loaded, cuda->copies), "event");
    slot->layer = layer;
    slot->awaited = false;
    ring->newest = s;
}

/* Another slot is read from here on: what reads the old one is queued. */
static void slot_enter(struct cuda_dev *cuda, struct slot *slot)
{
    struct cuda_stream_ring *ring = cuda->ring;
    if (slot != &ring->slot[ring->current])
        cuda_ok(cuda, cudaEventRecord(ring->slot[ring->current].used, cuda->stream), "event");
    ring->current = (int32_t)(slot - ring->slot);
    if (!slot->awaited)
        cuda_ok(cuda, cudaStreamWaitEvent(cuda->stream, slot->loaded, 0), "event");
    slot->awaited = true;
}

const void *cuda_weight_rows(struct cuda_dev *cuda, const struct weight *weight)
{
    const struct cuda_weight *w = weight_of(weight);
    if (w->data)
        return w->data;
    cuda_layer_prefetch(&cuda->dev, weight->layer);
    struct slot *slot = slot_find(cuda->ring, weight->layer);
    if (!slot)
        return NULL; /* no memory for it: the device has failed by now */
    slot_enter(cuda, slot);
    return slot->buffer.data + w->at;
}

/* ---- making ---- */

/* The source's numbers in the device's type: as they are, or converted into *copy. */
static const void *converted(const struct cuda_dev *cuda, const struct weight_source *s,
                             void **copy)
{
    if (s->type == cuda->dev.type)
        return s->rows;
    *copy = must_calloc((size_t)s->n * s->k, (size_t)dtype_bytes(cuda->dev.type));
    convert_row(*copy, cuda->dev.type, s->rows, s->type, (int64_t)s->n * s->k);
    return *copy;
}

static bool host_make(struct cuda_weight *w, const void *rows, struct err *err)
{
    const cudaError_t got =
        cudaHostAlloc((void **)&w->host, (size_t)w->bytes, cudaHostAllocDefault);
    if (got != cudaSuccess) {
        cudaGetLastError();
        return err_set(err, ERR_DEVICE, "%lld bytes of pinned memory: %s", (long long)w->bytes,
                       cudaGetErrorString(got));
    }
    memcpy(w->host, rows, (size_t)w->bytes);
    return true;
}

static bool data_make(struct cuda_dev *cuda, struct cuda_weight *w, const void *rows,
                      struct err *err)
{
    if (!cuda_mem_alloc(&cuda->dev, (void **)&w->data, w->bytes, err))
        return false;
    cuda_upload(&cuda->dev, w->data, rows, w->bytes);
    return cuda_sync(&cuda->dev, err); /* rows are read until here */
}

bool cuda_weight_make(struct dev *dev, struct weight **out, const struct weight_source *source,
                      struct err *err)
{
    struct cuda_dev *cuda = cuda_of(dev);
    void *copy = NULL;
    const void *rows = converted(cuda, source, &copy);
    const bool streamed = cuda->ring && source->layer >= 0;
    struct cuda_weight *w = (struct cuda_weight *)must_calloc(1, sizeof(*w));

    w->weight = { source->n, source->k, source->layer };
    w->bytes = cuda_weight_bytes(dev, source->n, source->k);
    const bool made = streamed ? host_make(w, rows, err) : data_make(cuda, w, rows, err);
    free(copy);
    if (!made) {
        cudaFree(w->data);
        free(w);
        return false;
    }
    if (streamed)
        ring_add(cuda->ring, w);
    *out = &w->weight;
    return true;
}

void cuda_weight_free(struct dev *dev, struct weight *weight)
{
    struct cuda_dev *cuda = cuda_of(dev);
    struct cuda_weight *w = weight_of(weight);
    if (w->host) {
        cudaStreamSynchronize(cuda->copies);
        ring_remove(cuda->ring, w);
        cudaFreeHost(w->host);
    } else {
        cuda_mem_free(dev, w->data);
    }
    free(w);
}
