/* test_digest.c - numbers for digests. */
#include "proto/digest.h"
#include "tests/test.h"

static void digest_make(uint8_t out[DIGEST_BYTES], int32_t i)
{
    memset(out, 0, DIGEST_BYTES);
    memcpy(out + 28, &i, sizeof(i)); /* all hash alike: probing is what is tested */
}

TEST(numbers_start_at_one_and_never_change)
{
    AUTO(digests_free) struct digests table = { 0 };
    uint8_t d[DIGEST_BYTES];
    for (int32_t i = 0; i < 300; i++) {
        digest_make(d, i);
        CHECK(digest_find(&table, d) == 0);
        CHECK(digest_add(&table, d) == i + 1);
    }
    for (int32_t i = 0; i < 300; i++) {
        digest_make(d, i);
        CHECK(digest_find(&table, d) == i + 1 && digest_add(&table, d) == i + 1);
        CHECK(!memcmp(digest_of(&table, i + 1), d, DIGEST_BYTES));
    }
    CHECK(!digest_of(&table, 0) && !digest_of(&table, 301) && !digest_of(&table, -1));
}

TEST(peers_cannot_fill_the_table_and_we_still_can)
{
    AUTO(digests_free) struct digests table = { 0 };
    uint8_t d[DIGEST_BYTES] = { 0 };
    for (int32_t i = 0; i < DIGESTS_HEARD_MAX + 5; i++) {
        memcpy(d, &i, sizeof(i));
        CHECK(digest_heard(&table, d) == (i < DIGESTS_HEARD_MAX ? i + 1 : 0));
    }
    CHECK(digest_add(&table, d) == DIGESTS_HEARD_MAX + 1);
    CHECK(digest_heard(&table, d) == DIGESTS_HEARD_MAX + 1);
}
