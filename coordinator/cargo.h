/* cargo.h - the heavy parts that the core passes around as numbers.
 *
 * Each is a decoded message or a chunk of items in its own arena.  A number carries a count of how
 * often its slot was used, so that one kept too long finds nothing rather than another's. */
#ifndef CARGO_H
#define CARGO_H

#include "proto/arena.h"
#include "proto/codec.h"

struct cargo;

struct cargo *cargo_new(void);
void cargo_free(struct cargo *cargo);
AUTO_FREES(struct cargo *, cargo_free)

/* Takes the arena, which is zeroed; parts point into it. */
int32_t cargo_put(struct cargo *cargo, struct arena *arena, struct body parts);
/* Borrowed until cargo_end; NULL when there is none of that number. */
const struct body *cargo_of(const struct cargo *cargo, int32_t number);
void cargo_end(struct cargo *cargo, int32_t number);

#endif
