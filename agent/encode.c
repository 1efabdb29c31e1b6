#include "agent/encode.h"

#include <string.h>
#include <xxhash.h>

#include "common/secret.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "input_hash is over little endian ids");

static void items_grow(struct encoded *out)
{
    if (out->items_count < out->items_capacity)
        return;
    out->items_capacity = out->items_capacity ? 2 * out->items_capacity : 64;
    out->items = must_realloc(out->items, (size_t)out->items_capacity, sizeof(*out->items));
}

static void requests_grow(struct encoded *out)
{
    if (out->requests_count < out->requests_capacity)
        return;
    out->requests_capacity = out->requests_capacity ? 2 * out->requests_capacity : 256;
    size_t n = (size_t)out->requests_capacity;
    out->requests = must_realloc(out->requests, n, sizeof(*out->requests));
    out->truncated = must_realloc(out->truncated, n, sizeof(*out->truncated));
    out->offsets = must_realloc(out->offsets, n, sizeof(*out->offsets));
}

static void pool_drop(struct encoded *out)
{
    if (out->pool)
        wipe(out->pool, (size_t)out->pool_capacity * sizeof(*out->pool));
    free(out->pool);
}

/* Not realloc: what it leaves behind could not be zeroed. */
static void pool_grow(struct encoded *out, int32_t count)
{
    if (out->pool_count + count <= out->pool_capacity)
        return;
    int64_t capacity = 2 * (out->pool_count + count);
    int32_t *pool = must_calloc((size_t)capacity, sizeof(*pool));
    if (out->pool_count)
        memcpy(pool, out->pool, (size_t)out->pool_count * sizeof(*pool));
    pool_drop(out);
    out->pool = pool;
    out->pool_capacity = capacity;
}

static void request_put(struct encoded *out, const struct pair *pair)
{
    requests_grow(out);
    pool_grow(out, pair->n);
    int32_t at = out->requests_count++;
    out->requests[at] = (struct request){ .ctx = pair->ctx, .n = pair->n };
    out->truncated[at] = pair->truncated;
    out->offsets[at] = out->pool_count;
    memcpy(out->pool + out->pool_count, pair->tokens, (size_t)pair->n * sizeof(*out->pool));
    out->pool_count += pair->n;
}

/* The first id that the model does not know, or -1. */
static int32_t unknown_id(const struct encoder *encoder)
{
    for (int32_t i = 0; i < encoder->pair.n; i++)
        if (encoder->pair.tokens[i] < 0 || encoder->pair.tokens[i] >= encoder->vocabulary)
            return encoder->pair.tokens[i];
    return -1;
}

/* Where the tokenizer leaves nothing to score or to score from, -1 stands for an id. */
static enum reason reason_of(const struct pair *pair, enum pair_verdict verdict, int64_t *number)
{
    bool too_long = verdict == PAIR_CONTINUATION_TOO_LONG;
    *number = too_long ? pair->whole.count : -1;
    return too_long ? REASON_TOO_LONG : REASON_TOKENIZER_MISMATCH;
}

static struct text text_from(ProtobufCBinaryData data)
{
    return (struct text){ (const char *)data.data, data.len };
}

static bool request_encode(struct encoded *out, struct encoder *encoder, const Koeval__Item *item,
                           const Koeval__Request *request, enum reason *reason, int64_t *number)
{
    struct err err = { 0 };
    enum pair_verdict verdict = PAIR_ENCODED;
    const Koeval__Prompt *prompt = item->prompts[request->prompt];
    *reason = REASON_UNSUPPORTED_FEATURE; /* chat turns */
    *number = (int64_t)prompt->n_turns;
    if (prompt->n_turns || prompt->gen_prefix.len)
        return false;
    if (!pair_encode(&encoder->pair, &verdict, encoder->tokenizer, text_from(prompt->text),
                     text_from(request->continuation), encoder->bos, encoder->max_length, &err)) {
        *reason = REASON_INTERNAL;
        return false;
    }
    if (verdict != PAIR_ENCODED) {
        *reason = reason_of(&encoder->pair, verdict, number);
        return false;
    }
    *number = unknown_id(encoder);
    if (*number >= 0) {
        *reason = REASON_TOKENIZER_MISMATCH;
        return false;
    }
    request_put(out, &encoder->pair);
    return true;
}

static uint64_t hash_of(const struct encoded *out, int32_t first, int32_t count)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state)
        abort();
    XXH3_64bits_reset_withSeed(state, INPUT_HASH_SEED);
    for (int32_t i = first; i < first + count; i++) {
        int32_t ends[] = { out->requests[i].ctx, out->requests[i].n };
        XXH3_64bits_update(state, ends, sizeof(ends));
        XXH3_64bits_update(state, out->pool + out->offsets[i],
                           (size_t)out->requests[i].n * sizeof(int32_t));
    }
    uint64_t hash = XXH3_64bits_digest(state);
    XXH3_freeState(state);
    return hash;
}

void encode_refused(struct encoded *out, int32_t item_no, enum reason reason, int64_t reason_num)
{
    items_grow(out);
    out->items[out->items_count++] = (struct encoded_item){
        .item_no = item_no, .first = out->requests_count, .reason = reason, .reason_num = reason_num
    };
}

void encode_item(struct encoded *out, struct encoder *encoder, const Koeval__Item *item)
{
    int32_t first = out->requests_count, count = (int32_t)item->n_requests;
    int64_t pool_count = out->pool_count, number = 0;
    enum reason reason = REASON_NONE;
    for (int32_t i = 0; i < count; i++) {
        if (request_encode(out, encoder, item, item->requests[i], &reason, &number))
            continue;
        out->requests_count = first;
        out->pool_count = pool_count;
        encode_refused(out, (int32_t)item->item_no, reason, number);
        return;
    }
    items_grow(out);
    out->items[out->items_count++] =
        (struct encoded_item){ .item_no = (int32_t)item->item_no,
                               .first = first,
                               .count = count,
                               .input_hash = hash_of(out, first, count) };
}

void encode_end(struct encoded *out)
{
    for (int32_t i = 0; i < out->requests_count; i++)
        out->requests[i].tokens = out->pool + out->offsets[i];
}

int64_t encoded_tokens(const struct encoded *encoded)
{
    int64_t tokens = 0;
    for (int32_t i = 0; i < encoded->requests_count; i++)
        tokens += encoded->requests[i].n - 1;
    return tokens;
}

void encoded_wipe(struct encoded *encoded)
{
    pool_drop(encoded);
    free(encoded->items);
    free(encoded->requests);
    free(encoded->truncated);
    free(encoded->offsets);
    *encoded = (struct encoded){ 0 };
}

void encoder_wipe(struct encoder *encoder)
{
    struct pair *pair = &encoder->pair;
    if (pair->text.bytes)
        wipe(pair->text.bytes, pair->text.capacity);
    pair_free(pair);
}
