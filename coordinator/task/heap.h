/* heap.h - memory that dies together and has a most: one per compiled template, one per rendering.
 *
 * A task definition is untrusted, so what it can make us allocate is bounded: past the most, taking
 * fails like any other operation.  heap_clear keeps the first chunk, so a heap that is used again
 * and again allocates nothing. */
#ifndef HEAP_H
#define HEAP_H

#include "common/err.h"
#include "common/text.h"

struct heap_chunk;

struct heap {
    struct heap_chunk *chunks; /* newest first */
    size_t taken;              /* bytes handed out */
    size_t max;
};

/* Zeroed bytes, aligned for anything. */
bool heap_take(void *out, struct heap *heap, size_t count, size_t size, struct err *err) MUST;
/* A copy of the text, followed by a NUL that does not count. */
bool heap_copy(struct text *out, struct heap *heap, struct text text, struct err *err) MUST;
void heap_clear(struct heap *heap);
void heap_free(struct heap *heap);
AUTO_ENDS(struct heap, heap_free)

#endif
