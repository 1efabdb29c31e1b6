/* encode.h - items of a unit as rows of tokens, ready for the engine.
 *
 * Every request becomes prompt + continuation in ids, truncated as the harness truncates.  An item
 * of which one request cannot be encoded is refused whole, with a reason and a number, and leaves
 * no request behind, so the requests of the others stay neighbours.
 *
 * input_hash = XXH3 (seed INPUT_HASH_SEED) over, for each request in order, its prompt length and
 * its length (int32, little endian) and its ids (int32, little endian): all that an answer may
 * depend on besides weights and numerics class.  Equal hash and class, different bits: an incident.
 *
 * Ids say what the text said, so the pool is zeroed before it is freed. */
#ifndef ENCODE_H
#define ENCODE_H

#include "agent/plan/plan.h"
#include "agent/text/pair.h"
#include "proto/msg.h"
#include "proto/wire.h"

#define INPUT_HASH_SEED \
    0x6b6f6576616c31ull /* "koeval1": a change of what is hashed is a new seed */

struct encoder {
    const struct tokenizer *tokenizer;
    enum pair_bos bos;
    int32_t max_length; /* tokens that the model takes */
    int32_t vocabulary; /* ids it knows */
    struct pair pair;
};

struct encoded_item {
    int32_t item_no;
    int32_t first, count; /* requests; count 0: refused */
    uint64_t input_hash;
    enum reason reason;
    int64_t reason_num;
};

struct encoded {
    int32_t items_count, items_capacity;
    struct encoded_item *items;
    int32_t requests_count, requests_capacity;
    struct request *requests; /* tokens are set by encode_end */
    bool *truncated;          /* [requests_count] */
    int64_t *offsets;         /* [requests_count] into pool */
    int64_t pool_count, pool_capacity;
    int32_t *pool;
};

void encode_item(struct encoded *out, struct encoder *encoder, const Koeval__Item *item);
/* An item that came without its text, or cannot be computed here at all. */
void encode_refused(struct encoded *out, int32_t item_no, enum reason reason, int64_t reason_num);
/* After the last item: requests point at their tokens. */
void encode_end(struct encoded *out);

/* Sum of the lengths that would run through the model one by one. */
int64_t encoded_tokens(const struct encoded *encoded);

void encoded_wipe(struct encoded *encoded);
AUTO_ENDS(struct encoded, encoded_wipe)
void encoder_wipe(struct encoder *encoder);

#endif
