/* bodies.h - the heavy parts that the core knows by number: params of a run, chunks of items,
 * batches of rows.  Numbers are used again after bodies_free; 0 is none. */
#ifndef BODIES_H
#define BODIES_H

#include "common/base.h"

/* A Grant, a shard's chunks, and batches: bounded by HELD_MAX, JOB_CHUNKS_MAX and UNACKED_MAX. */
#define BODIES_MAX 1024

enum body_kind { BODY_NONE, BODY_PARAMS, BODY_CHUNK, BODY_BATCH };

typedef void body_free(void *heavy);

struct bodies {
    struct {
        enum body_kind kind;
        void *heavy;
        body_free *free;
    } list[BODIES_MAX];
    int32_t count;
};

/* 0 when there are BODIES_MAX already; heavy stays the caller's then. */
int32_t body_put(struct bodies *bodies, enum body_kind kind, void *heavy, body_free *free);
/* Borrowed; asserts that the number is of that kind. */
void *body_get(const struct bodies *bodies, int32_t body, enum body_kind kind);
/* Takes it out without freeing it. */
void *body_take(struct bodies *bodies, int32_t body, enum body_kind kind);
void body_drop(struct bodies *bodies, int32_t body);
void bodies_free(struct bodies *bodies);

#endif
