#include "coordinator/cargo.h"
#include "tests/test.h"

/* One part, in an arena with a byte of it. */
static int32_t put(struct cargo *cargo, char byte)
{
    struct arena arena = { 0 };
    char *at = arena_get(&arena, 1);
    *at = byte;
    return cargo_put(cargo, &arena, (struct body){ .params = (const Koeval__Params *)at });
}

static char byte_of(const struct cargo *cargo, int32_t number)
{
    const struct body *body = cargo_of(cargo, number);
    return body ? *(const char *)body->params : 0;
}

TEST(a_number_finds_its_part_until_it_ends)
{
    AUTO(cargo_free) struct cargo *cargo = cargo_new();
    int32_t a = put(cargo, 'a'), b = put(cargo, 'b');
    CHECK(a > 0 && b > 0 && a != b);
    CHECK(byte_of(cargo, a) == 'a' && byte_of(cargo, b) == 'b');
    cargo_end(cargo, a);
    CHECK(!cargo_of(cargo, a) && byte_of(cargo, b) == 'b');
}

TEST(a_number_kept_too_long_finds_nothing_rather_than_anothers_part)
{
    AUTO(cargo_free) struct cargo *cargo = cargo_new();
    int32_t old = put(cargo, 'a');
    cargo_end(cargo, old);
    int32_t new = put(cargo, 'b');
    CHECK(new != old && !cargo_of(cargo, old) && byte_of(cargo, new) == 'b');
}

TEST(no_number_is_0_and_a_strange_one_finds_nothing)
{
    AUTO(cargo_free) struct cargo *cargo = cargo_new();
    CHECK(!cargo_of(cargo, 0) && !cargo_of(cargo, 1) && !cargo_of(cargo, INT32_MAX));
    int32_t a = put(cargo, 'a');
    CHECK(!cargo_of(cargo, 0) && !cargo_of(cargo, a + 1) && !cargo_of(cargo, -a));
}

TEST(parts_stay_where_they_are_while_the_table_grows)
{
    enum { MANY = 1000 };
    static int32_t numbers[MANY];
    AUTO(cargo_free) struct cargo *cargo = cargo_new();
    for (int i = 0; i < MANY; i++)
        numbers[i] = put(cargo, (char)(1 + i % 100));
    for (int i = 0; i < MANY; i += 2)
        cargo_end(cargo, numbers[i]);
    for (int i = 0; i < MANY; i++)
        CHECK(byte_of(cargo, numbers[i]) == (i % 2 ? (char)(1 + i % 100) : 0));
    for (int i = 0; i < MANY; i += 2)
        CHECK(byte_of(cargo, put(cargo, 'z')) == 'z');
    for (int i = 1; i < MANY; i += 2)
        CHECK(byte_of(cargo, numbers[i]) == (char)(1 + i % 100));
}

TEST(a_slot_used_so_often_that_its_count_wraps_still_gives_numbers_above_0)
{
    AUTO(cargo_free) struct cargo *cargo = cargo_new();
    int32_t last = 0;
    for (int i = 0; i < 5000; i++) {
        int32_t number = put(cargo, 'x');
        CHECK(number > 0 && number != last && byte_of(cargo, number) == 'x');
        cargo_end(cargo, number);
        last = number;
    }
}
