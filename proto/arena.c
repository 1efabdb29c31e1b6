#include "proto/arena.h"

#include <string.h>

#include "common/secret.h"

struct arena_chunk {
    struct arena_chunk *next;
    size_t size;
    _Alignas(16) unsigned char bytes[];
};

#define CHUNK_BYTES 16384u

void *arena_get(struct arena *arena, size_t size)
{
    size_t limit = arena->limit ? arena->limit : ARENA_MAX;
    if (size > limit)
        return NULL;
    size = (size + 15) & ~(size_t)15;
    if (!arena->chunk || arena->used + size > arena->chunk->size) {
        size_t want = size > CHUNK_BYTES ? size : CHUNK_BYTES;
        if (arena->total + want > limit)
            return NULL;
        struct arena_chunk *chunk = malloc(sizeof(*chunk) + want);
        if (!chunk)
            abort();
        *chunk = (struct arena_chunk){ .next = arena->chunk, .size = want };
        arena->chunk = chunk;
        arena->total += want;
        arena->used = 0;
    }
    void *got = arena->chunk->bytes + arena->used;
    arena->used += size;
    return got;
}

void arena_reset(struct arena *arena)
{
    while (arena->chunk) {
        struct arena_chunk *next = arena->chunk->next;
        free(arena->chunk);
        arena->chunk = next;
    }
    arena->used = arena->total = 0;
}

void arena_wipe(struct arena *arena)
{
    for (struct arena_chunk *chunk = arena->chunk; chunk; chunk = chunk->next)
        wipe(chunk->bytes, chunk->size);
    arena_reset(arena);
}
