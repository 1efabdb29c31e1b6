#include "common/python_random.h"
#include "tests/test.h"

/* The expected numbers are what CPython 3 prints for the same calls. */

TEST(a_seed_gives_the_words_that_cpython_gives)
{
    struct python_random r;
    python_random_seed(&r, 0);
    CHECK(python_random_bits(&r, 32) == 3626764237u && python_random_bits(&r, 32) == 1654615998u);
    python_random_seed(&r, 1234);
    CHECK(python_random_bits(&r, 32) == 4150886329u && python_random_bits(&r, 32) == 3342196574u);
}

TEST(a_seed_of_two_words_uses_both)
{
    struct python_random r;
    python_random_seed(&r, (1ull << 40) + 7);
    CHECK(python_random_bits(&r, 32) == 2635837658u);
}

TEST(unit_numbers_are_cpythons_doubles)
{
    struct python_random r;
    python_random_seed(&r, 1234);
    for (int i = 0; i < 3; i++)
        python_random_bits(&r, 32);
    CHECK(python_random_unit(&r) == 0.11685051774599753);
}

TEST(numbers_below_n_are_drawn_until_they_fit)
{
    static const uint32_t expected[] = { 0, 4, 8, 7, 6, 4, 7, 5 };
    struct python_random r;
    python_random_seed(&r, 0);
    for (int i = 0; i < 3; i++)
        python_random_bits(&r, 32);
    python_random_unit(&r);
    for (size_t i = 0; i < COUNT(expected); i++)
        CHECK(python_random_below(&r, 10) == expected[i]);
}

TEST(the_state_turns_over)
{
    struct python_random r;
    python_random_seed(&r, 5);
    for (int i = 0; i < 1000; i++)
        python_random_bits(&r, 32);
    CHECK(python_random_bits(&r, 32) == 2355429967u);
}
