#include "agent/text/vocab.h"

#define CAPACITY_FIRST 1024

static uint64_t scatter(uint64_t h)
{
    h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
    h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
    return h ^ h >> 33;
}

uint64_t text_hash(struct text text)
{
    uint64_t h = 0xcbf29ce484222325;
    for (size_t i = 0; i < text.size; i++)
        h = (h ^ (unsigned char)text.bytes[i]) * 0x100000001b3;
    return scatter(h);
}

/* The token's slot, or the free one where it belongs. */
static struct vocab_slot *vocab_slot(const struct vocab *vocab, struct text token)
{
    uint32_t mask = vocab->capacity - 1;
    for (uint32_t i = (uint32_t)text_hash(token) & mask;; i = (i + 1) & mask) {
        struct vocab_slot *slot = &vocab->slots[i];
        struct text held = { buf_text(&vocab->bytes) + slot->at, slot->size };
        if (slot->id < 0 || text_equal(held, token))
            return slot;
    }
}

static void vocab_grow(struct vocab *vocab)
{
    struct vocab_slot *old = vocab->slots;
    uint32_t old_capacity = vocab->capacity;
    vocab->capacity = old_capacity ? old_capacity * 2 : CAPACITY_FIRST;
    vocab->slots = must_calloc(vocab->capacity, sizeof(*vocab->slots));
    for (uint32_t i = 0; i < vocab->capacity; i++)
        vocab->slots[i].id = -1;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].id >= 0)
            *vocab_slot(vocab, (struct text){ vocab->bytes.bytes + old[i].at, old[i].size }) =
                old[i];
    free(old);
}

void vocab_put(struct vocab *vocab, struct text token, int32_t id)
{
    assert(id >= 0);
    if (vocab->count * 2 >= vocab->capacity)
        vocab_grow(vocab);
    struct vocab_slot *slot = vocab_slot(vocab, token);
    if (slot->id < 0) {
        slot->at = (uint32_t)vocab->bytes.size;
        slot->size = (uint32_t)token.size;
        buf_put(&vocab->bytes, token.bytes, token.size);
        assert(buf_ok(&vocab->bytes)); /* a token lies in a file far below the buffer's maximum */
        vocab->count++;
    }
    slot->id = id;
}

int32_t vocab_find(const struct vocab *vocab, struct text token)
{
    return vocab->capacity ? vocab_slot(vocab, token)->id : -1;
}

void vocab_free(struct vocab *vocab)
{
    buf_free(&vocab->bytes);
    free(vocab->slots);
    *vocab = (struct vocab){ 0 };
}

static struct merge *merge_slot(const struct merges *merges, int32_t left, int32_t right)
{
    uint32_t mask = merges->capacity - 1;
    uint64_t key = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    for (uint32_t i = (uint32_t)scatter(key) & mask;; i = (i + 1) & mask) {
        struct merge *slot = &merges->slots[i];
        if (slot->left < 0 || (slot->left == left && slot->right == right))
            return slot;
    }
}

static void merges_grow(struct merges *merges)
{
    struct merge *old = merges->slots;
    uint32_t old_capacity = merges->capacity;
    merges->capacity = old_capacity ? old_capacity * 2 : CAPACITY_FIRST;
    merges->slots = must_calloc(merges->capacity, sizeof(*merges->slots));
    for (uint32_t i = 0; i < merges->capacity; i++)
        merges->slots[i].left = -1;
    for (uint32_t i = 0; i < old_capacity; i++)
        if (old[i].left >= 0)
            *merge_slot(merges, old[i].left, old[i].right) = old[i];
    free(old);
}

void merges_put(struct merges *merges, struct merge merge)
{
    assert(merge.left >= 0 && merge.right >= 0);
    if (merges->count * 2 >= merges->capacity)
        merges_grow(merges);
    struct merge *slot = merge_slot(merges, merge.left, merge.right);
    merges->count += slot->left < 0;
    *slot = merge;
}

const struct merge *merges_find(const struct merges *merges, int32_t left, int32_t right)
{
    if (!merges->capacity)
        return NULL;
    const struct merge *slot = merge_slot(merges, left, right);
    return slot->left < 0 ? NULL : slot;
}

void merges_free(struct merges *merges)
{
    free(merges->slots);
    *merges = (struct merges){ 0 };
}
