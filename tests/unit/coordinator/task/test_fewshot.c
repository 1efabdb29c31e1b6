#include "coordinator/task/fewshot.h"
#include "coordinator/task/sample.h"
#include "tests/test.h"
#include "tests/unit/coordinator/task/sample_vectors.inc"

TEST(samples_are_cpythons)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        struct python_random random;
        int32_t drawn[64], *at = drawn;
        python_random_seed(&random, (uint64_t)vectors[i].seed);
        for (int32_t call = 0; call < vectors[i].calls; call++, at += vectors[i].k)
            sample(&random, at, vectors[i].k, vectors[i].count);
        CHECK(!memcmp(drawn, vectors[i].drawn, (size_t)(at - drawn) * sizeof(*drawn)));
    }
}

static bool draws(const struct fewshot *fewshot, const int64_t *items, int32_t items_count,
                  const int64_t *pool, int32_t pool_count, int32_t *out, struct err *err)
{
    *err = (struct err){ 0 };
    return fewshot_draw(out, fewshot, items, items_count, pool, pool_count, err);
}

TEST(one_generator_serves_all_items_in_order)
{
    static const int32_t expected[] = { 3, 0, 4, 2, 1, 0, 4, 1, 3, 2 };
    struct fewshot fewshot = { 5, 1234, TASK_SAMPLE_RANDOM, false };
    struct err err;
    int32_t out[10];
    CHECK(draws(&fewshot, NULL, 2, NULL, 5, out, &err));
    CHECK(!memcmp(out, expected, sizeof(out)));
}

/* random.Random(1234): sample(range(4), 2) is [3, 0], then [0, 3]. */
TEST(self_exclusion_draws_one_more_and_drops_the_item)
{
    static const int64_t items[] = { 10, 13 }, pool[] = { 10, 11, 12, 13 };
    struct fewshot fewshot = { 1, 1234, TASK_SAMPLE_RANDOM, true };
    struct err err;
    int32_t out[2];
    CHECK(draws(&fewshot, items, 2, pool, 4, out, &err));
    CHECK(out[0] == 3);
    CHECK(out[1] == 0);
}

TEST(copies_of_the_item_never_serve_as_its_shots)
{
    static const int64_t pool[] = { 7, 7, 7, 8, 9 };
    int64_t items[50];
    int32_t out[100];
    struct fewshot fewshot = { 2, 1, TASK_SAMPLE_RANDOM, true };
    struct err err;
    for (int i = 0; i < 50; i++)
        items[i] = 7;
    CHECK(draws(&fewshot, items, 50, pool, 5, out, &err));
    for (int i = 0; i < 50; i++) {
        CHECK(pool[out[2 * i]] != 7 && pool[out[2 * i + 1]] != 7);
        CHECK(out[2 * i] != out[2 * i + 1]);
    }
    fewshot.shots = 3;
    CHECK(!draws(&fewshot, items, 1, pool, 5, out, &err));
    CHECK(strstr(err.text, "the pool holds 2"));
}

TEST(first_n_takes_the_pool_in_order_without_the_item)
{
    static const int64_t items[] = { 1, 5 }, pool[] = { 1, 2, 3 };
    struct fewshot fewshot = { 2, 1234, TASK_SAMPLE_FIRST_N, true };
    struct err err;
    int32_t out[4];
    CHECK(draws(&fewshot, items, 2, pool, 3, out, &err));
    CHECK(out[0] == 1 && out[1] == 2 && out[2] == 0 && out[3] == 1);
    fewshot.excludes_self = false;
    fewshot.shots = 4;
    CHECK(!draws(&fewshot, items, 1, pool, 3, out, &err));
}

TEST(a_limit_does_not_change_the_first_draws)
{
    struct fewshot fewshot = { 5, 99, TASK_SAMPLE_RANDOM, false };
    struct err err;
    int32_t all[500], few[50];
    CHECK(draws(&fewshot, NULL, 100, NULL, 300, all, &err));
    CHECK(draws(&fewshot, NULL, 10, NULL, 300, few, &err));
    CHECK(!memcmp(all, few, sizeof(few)));
}

TEST(plan_order_is_by_shots_then_item)
{
    static const int32_t shots[] = { 2, 1, 0, 9, 2, 1, 0, 3 }, expected[] = { 3, 1, 0, 2 };
    int32_t order[4];
    fewshot_order(order, shots, 2, 4);
    CHECK(!memcmp(order, expected, sizeof(order)));
    fewshot_order(order, NULL, 0, 4);
    CHECK(order[0] == 0 && order[3] == 3);
}
