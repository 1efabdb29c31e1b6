#include "coordinator/cargo.h"

#define SLOT_BITS 20
#define SLOT_MASK ((1 << SLOT_BITS) - 1)
#define USES_MASK 0x7ff

struct slot {
    struct arena arena;
    struct body parts;
    int32_t uses; /* of this slot, so far */
    int32_t next; /* free one, 0: none */
    bool used;
};

struct cargo {
    struct slot *slots; /* slot 0 is never used */
    int32_t count, capacity, free;
};

struct cargo *cargo_new(void)
{
    struct cargo *b = must_calloc(1, sizeof(*b));
    b->count = 1;
    return b;
}

void cargo_free(struct cargo *b)
{
    if (!b)
        return;
    for (int32_t i = 1; i < b->count; i++)
        arena_wipe(&b->slots[i].arena);
    free(b->slots);
    free(b);
}

static int32_t slot_take(struct cargo *b)
{
    int32_t i = b->free;
    if (i) {
        b->free = b->slots[i].next;
        return i;
    }
    if (b->count >= b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 256;
        b->slots = must_realloc(b->slots, (size_t)b->capacity, sizeof(*b->slots));
    }
    assert(b->count <= SLOT_MASK);
    b->slots[b->count] = (struct slot){ 0 };
    return b->count++;
}

int32_t cargo_put(struct cargo *b, struct arena *arena, struct body parts)
{
    int32_t i = slot_take(b);
    struct slot *s = &b->slots[i];
    *s = (struct slot){
        .arena = *arena, .parts = parts, .uses = (s->uses + 1) & USES_MASK, .used = true
    };
    *arena = (struct arena){ 0 };
    return s->uses << SLOT_BITS | i;
}

static struct slot *find(const struct cargo *b, int32_t number)
{
    int32_t i = number & SLOT_MASK;
    struct slot *s = i && i < b->count ? &b->slots[i] : NULL;
    return s && s->used && s->uses == number >> SLOT_BITS ? s : NULL;
}

const struct body *cargo_of(const struct cargo *b, int32_t number)
{
    const struct slot *s = find(b, number);
    return s ? &s->parts : NULL;
}

void cargo_end(struct cargo *b, int32_t number)
{
    struct slot *s = find(b, number);
    assert(s); /* the core frees each once */
    arena_wipe(&s->arena);
    s->used = false;
    s->next = b->free;
    b->free = number & SLOT_MASK;
}
