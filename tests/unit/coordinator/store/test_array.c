#include "coordinator/store/arg.h"
#include "coordinator/store/array.h"

#include "tests/test.h"

TEST(an_array_is_split_at_its_commas_and_null_is_no_text)
{
    AUTO(free) char **items = NULL;
    AUTO(free) char *storage = NULL;
    int32_t count;
    array_split(&items, &storage, &count, "{1,NULL,\"NULL\",\"a,\\\"b\\\\}\",\"\"}");
    CHECK(count == 5);
    CHECK(!strcmp(items[0], "1"));
    CHECK(!items[1]);
    CHECK(!strcmp(items[2], "NULL"));
    CHECK(!strcmp(items[3], "a,\"b\\}"));
    CHECK(!strcmp(items[4], ""));
}

TEST(an_empty_array_has_no_items)
{
    AUTO(free) char **items = NULL;
    AUTO(free) char *storage = NULL;
    int32_t count = 7;
    array_split(&items, &storage, &count, "{}");
    CHECK(count == 0);
}

TEST(bytes_come_back_from_hex_with_their_nuls)
{
    unsigned char bytes[4];
    CHECK(bytes_unhex(bytes, "\\x00ff0a") == 3);
    CHECK(bytes[0] == 0 && bytes[1] == 255 && bytes[2] == 10);
}

TEST(a_bound_int_array_is_in_network_order_with_its_nulls)
{
    const int32_t numbers[] = { 258, 7 };
    const bool nulls[] = { false, true };
    AUTO(args_end) struct args_bound bound;
    args_bind(&bound, ARGS(I32S_NULLS(numbers, 2, nulls), NULLED, I64(-5)));

    static const unsigned char want[] = { 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 23, 0,   0,   0,   2,
                                          0, 0, 0, 1, 0, 0, 0, 4, 0, 0, 1, 2,  255, 255, 255, 255 };
    CHECK(bound.count == 3);
    CHECK(bound.types[0] == 1007 && bound.formats[0] == 1);
    CHECK(bound.lengths[0] == (int)sizeof(want));
    CHECK(!memcmp(bound.values[0], want, sizeof(want)));
    CHECK(!bound.values[1]);
    CHECK(!strcmp(bound.values[2], "-5"));
}

TEST(a_text_array_says_null_by_a_null_pointer)
{
    const char *const texts[] = { NULL, "ab" };
    AUTO(args_end) struct args_bound bound;
    args_bind(&bound, ARGS(TEXTS(texts, 2)));
    CHECK(bound.lengths[0] == 20 + 4 + 4 + 2);
    CHECK(!memcmp(bound.values[0] + 20, "\xff\xff\xff\xff\0\0\0\2ab", 10));
}
