/* digest.h - a small number for each SHA-256 that is spoken of, so that the cores compare integers.
 *
 * Numbers start at 1 and mean something only inside one process and one table; 0 is "none".  What
 * peers name is bounded: beyond DIGESTS_HEARD_MAX their unknown digests are 0, what we add
 * ourselves is always taken. */
#ifndef DIGEST_H
#define DIGEST_H

#include "common/base.h"

#define DIGEST_BYTES      32
#define DIGESTS_HEARD_MAX 4096

struct digests {
    uint8_t (*list)[DIGEST_BYTES]; /* list[n - 1] is number n */
    int32_t *slots;                /* open addressing; 0 free, else a number */
    int32_t count, slots_count;    /* slots_count is a power of two */
};

/* The number of a digest, or 0 when it was never added. */
int32_t digest_find(const struct digests *table, const uint8_t digest[DIGEST_BYTES]);
/* The same, adding it. */
int32_t digest_add(struct digests *table, const uint8_t digest[DIGEST_BYTES]);
/* As digest_add, for what a peer says: 0 once the table holds DIGESTS_HEARD_MAX. */
int32_t digest_heard(struct digests *table, const uint8_t digest[DIGEST_BYTES]);
/* Borrowed until the next add; NULL for a number that was never given out. */
const uint8_t *digest_of(const struct digests *table, int32_t number);

void digests_free(struct digests *table);
AUTO_ENDS(struct digests, digests_free)

#endif
