#include "proto/digest.h"

#include <string.h>

#define SLOTS_FIRST 64

/* Where a digest stands or would stand.  Its own first bytes are the hash: SHA-256 is uniform, and
 * a peer that makes collisions only slows a table it may fill to DIGESTS_HEARD_MAX. */
static int32_t slot_of(const struct digests *table, const uint8_t *digest)
{
    uint32_t hash;
    memcpy(&hash, digest, sizeof(hash));
    int32_t mask = table->slots_count - 1, at = (int32_t)(hash & (uint32_t)mask);
    while (table->slots[at] && memcmp(table->list[table->slots[at] - 1], digest, DIGEST_BYTES))
        at = (at + 1) & mask;
    return at;
}

static void grow(struct digests *table)
{
    int32_t count = table->slots_count ? 2 * table->slots_count : SLOTS_FIRST;
    free(table->slots);
    table->slots = must_calloc((size_t)count, sizeof(*table->slots));
    table->slots_count = count;
    table->list = must_realloc(table->list, (size_t)count / 2, sizeof(*table->list));
    for (int32_t i = 0; i < table->count; i++)
        table->slots[slot_of(table, table->list[i])] = i + 1;
}

int32_t digest_find(const struct digests *table, const uint8_t digest[DIGEST_BYTES])
{
    return table->slots_count ? table->slots[slot_of(table, digest)] : 0;
}

int32_t digest_add(struct digests *table, const uint8_t digest[DIGEST_BYTES])
{
    int32_t number = digest_find(table, digest);
    if (number)
        return number;
    if (2 * (table->count + 1) > table->slots_count)
        grow(table);
    memcpy(table->list[table->count++], digest, DIGEST_BYTES);
    table->slots[slot_of(table, digest)] = table->count;
    return table->count;
}

int32_t digest_heard(struct digests *table, const uint8_t digest[DIGEST_BYTES])
{
    if (table->count >= DIGESTS_HEARD_MAX)
        return digest_find(table, digest);
    return digest_add(table, digest);
}

const uint8_t *digest_of(const struct digests *table, int32_t number)
{
    return number >= 1 && number <= table->count ? table->list[number - 1] : NULL;
}

void digests_free(struct digests *table)
{
    free(table->list);
    free(table->slots);
    *table = (struct digests){ 0 };
}
