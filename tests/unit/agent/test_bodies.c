/* test_bodies.c - a number is one thing until it is dropped. */
#include "agent/bodies.h"
#include "tests/test.h"

static int dropped;
static void drop(void *heavy) { dropped += *(int *)heavy; }

TEST(a_number_names_one_body_until_it_is_dropped)
{
    static struct bodies bodies;
    int one = 1, ten = 10;
    int32_t a = body_put(&bodies, BODY_CHUNK, &one, drop);
    int32_t b = body_put(&bodies, BODY_BATCH, &ten, drop);
    CHECK(a && b && a != b && body_get(&bodies, b, BODY_BATCH) == &ten);
    CHECK(body_take(&bodies, a, BODY_CHUNK) == &one && !dropped);
    body_drop(&bodies, b);
    CHECK(dropped == 10 && bodies.count == 0);
    CHECK(body_put(&bodies, BODY_CHUNK, &one, drop) == a);
    bodies_free(&bodies);
    CHECK(dropped == 11 && bodies.count == 0);
}

TEST(a_full_table_says_so)
{
    static struct bodies bodies;
    int one = 1;
    for (int i = 1; i < BODIES_MAX; i++)
        CHECK(body_put(&bodies, BODY_CHUNK, &one, drop));
    CHECK(body_put(&bodies, BODY_CHUNK, &one, drop) == 0);
    bodies_free(&bodies);
}
