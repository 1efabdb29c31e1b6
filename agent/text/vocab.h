/* vocab.h - two hash tables: token text -> id, and pair of ids -> what BPE merges it into.
 *
 * Both are filled once and then only read.  Open addressing, linear probing, at most half full;
 * they grow with what was really read, so a file that lies about sizes has nothing to lie about. */
#ifndef VOCAB_H
#define VOCAB_H

#include "common/buf.h"
#include "common/text.h"

struct vocab_slot {
    uint32_t at, size; /* in bytes.bytes */
    int32_t id;        /* -1: the slot is free */
};

struct vocab {
    struct buf bytes;
    struct vocab_slot *slots;
    uint32_t count, capacity; /* capacity: a power of two, or 0 */
};

void vocab_put(struct vocab *vocab, struct text token, int32_t id);
/* -1: no such token. */
int32_t vocab_find(const struct vocab *vocab, struct text token);
void vocab_free(struct vocab *vocab);

struct merge {
    int32_t left, right; /* left -1: the slot is free */
    int32_t rank;        /* position in the file: the lowest is merged first */
    int32_t id;          /* of the pair's concatenation */
};

struct merges {
    struct merge *slots;
    uint32_t count, capacity;
};

/* A pair that was there takes the new rank: of duplicates the last counts. */
void merges_put(struct merges *merges, struct merge merge);
/* NULL: the pair does not merge. */
const struct merge *merges_find(const struct merges *merges, int32_t left, int32_t right);
void merges_free(struct merges *merges);

/* FNV-1a, then the finaliser of MurmurHash3, so that low bits can index a table. */
uint64_t text_hash(struct text text);

#endif
