/* arena.h - memory that dies together, with a limit: what one message may make. */
#ifndef ARENA_H
#define ARENA_H

#include "common/base.h"

#define ARENA_MAX ((size_t)8 << 20)

struct arena_chunk;
struct arena {
    struct arena_chunk *chunk;
    size_t used, total, limit; /* in chunk; of all chunks; limit 0 means ARENA_MAX */
};

/* 16-byte aligned, not zeroed.  NULL beyond the limit: protobuf-c then gives the message up. */
void *arena_get(struct arena *arena, size_t size);

/* Frees everything in it; the arena can be used again. */
void arena_reset(struct arena *arena);
AUTO_ENDS(struct arena, arena_reset)
/* The same for what held text of items: zeroes it first. */
void arena_wipe(struct arena *arena);
AUTO_ENDS(struct arena, arena_wipe)

#endif
