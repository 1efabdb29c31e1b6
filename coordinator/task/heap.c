#include "coordinator/task/heap.h"

#define HEAP_CHUNK_BYTES ((size_t)16 * 1024)

struct heap_chunk {
    struct heap_chunk *next;
    size_t size, used;
    max_align_t bytes[];
};

static struct heap_chunk *chunk_new(struct heap *heap, size_t bytes)
{
    size_t size = bytes > HEAP_CHUNK_BYTES ? bytes : HEAP_CHUNK_BYTES;
    struct heap_chunk *chunk = must_calloc(1, sizeof *chunk + size);
    chunk->size = size;
    chunk->next = heap->chunks;
    heap->chunks = chunk;
    return chunk;
}

bool heap_take(void *out, struct heap *heap, size_t count, size_t size, struct err *err)
{
    size_t bytes, align = sizeof(max_align_t);
    if (__builtin_mul_overflow(count, size, &bytes) || bytes > heap->max ||
        heap->taken + bytes > heap->max)
        return err_set(err, ERR_INPUT, "needs more than %zu bytes of memory", heap->max);

    bytes = (bytes + align - 1) / align * align;
    struct heap_chunk *chunk = heap->chunks;
    if (!chunk || chunk->size - chunk->used < bytes)
        chunk = chunk_new(heap, bytes);
    void *at = (char *)chunk->bytes + chunk->used;
    chunk->used += bytes;
    heap->taken += bytes;
    memset(at, 0, bytes);
    *(void **)out = at;
    return true;
}

bool heap_copy(struct text *out, struct heap *heap, struct text text, struct err *err)
{
    char *bytes = NULL;
    if (!heap_take(&bytes, heap, text.size + 1, 1, err))
        return false;
    assert(bytes);
    if (text.size)
        memcpy(bytes, text.bytes, text.size);
    *out = (struct text){ bytes, text.size };
    return true;
}

void heap_clear(struct heap *heap)
{
    while (heap->chunks && heap->chunks->next) {
        struct heap_chunk *chunk = heap->chunks;
        heap->chunks = chunk->next;
        free(chunk);
    }
    if (heap->chunks)
        heap->chunks->used = 0;
    heap->taken = 0;
}

void heap_free(struct heap *heap)
{
    heap_clear(heap);
    free(heap->chunks);
    heap->chunks = NULL;
}
