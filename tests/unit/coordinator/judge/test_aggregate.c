#include "coordinator/judge/aggregate.h"

#include <math.h>

#include "tests/test.h"
#include "tests/unit/coordinator/judge/vectors.h"

static bool close_to(double a, double b) { return fabs(a - b) <= 1e-12 * fmax(1, fabs(b)); }

TEST(a_mean_has_the_sample_error)
{
    const double items[] = { 1, 0, 1, 1, 0 };
    struct estimate e = aggregate(AGGREGATE_MEAN, items, 5, 0);
    CHECK(close_to(e.value, 0.6) && close_to(e.error, 0.24494897427831783));
}

TEST(one_item_has_no_error)
{
    const double item = 1;
    CHECK(isnan(aggregate(AGGREGATE_MEAN, &item, 1, 1000).error));
}

TEST(sums_do_not_lose_small_items_beside_large_ones)
{
    const double items[] = { 1e16, 1, -1e16, 1 };
    CHECK(aggregate(AGGREGATE_MEAN, items, 4, 0).value == 0.5);
}

TEST(perplexity_is_bootstrapped_as_the_harness_does)
{
    const double ll[] = { -1, -2.5, -0.25, -3, -1.75 };
    struct estimate e = aggregate(AGGREGATE_PERPLEXITY, ll, 5, 1000);
    CHECK(close_to(e.value, 5.4739473917272));
    CHECK(close_to(e.error, 2.7206515618287654));
    CHECK(close_to(aggregate(AGGREGATE_PERPLEXITY, ll, 5, 2000).error, 2.744272142521654));
    CHECK(close_to(aggregate(AGGREGATE_PERPLEXITY, ll, 5, 10).error, 2.1316664942097927));
    CHECK(isnan(aggregate(AGGREGATE_PERPLEXITY, ll, 5, 0).error));
}

static double of_pairs(enum aggregation a, const double *pairs, int32_t n)
{
    return aggregate(a, pairs, n, 0).value;
}

TEST(macro_f1_is_over_the_classes_that_occur)
{
    const double all_one[] = { 1, 1, 1, 1, 1, 1 };
    CHECK(of_pairs(AGGREGATE_F1_MACRO, all_one, 3) == 1);
    const double never_zero[] = { 0, 1, 0, 1, 1, 1 };
    CHECK(of_pairs(AGGREGATE_F1_MACRO, never_zero, 3) == 0.25);
    const double mixed[] = { 1, 1, 0, 0, 1, 0, 1, 1, 0, 1 };
    CHECK(close_to(of_pairs(AGGREGATE_F1_MACRO, mixed, 5), 0.5833333333333333));
    CHECK(isnan(aggregate(AGGREGATE_F1_MACRO, mixed, 5, 1000).error));
}

TEST(the_other_f1_follow_scikit_learn)
{
    const double mixed[] = { 1, 1, 0, 0, 1, 0, 1, 1, 0, 1 };
    CHECK(close_to(of_pairs(AGGREGATE_F1, mixed, 5), 2.0 / 3));
    CHECK(close_to(of_pairs(AGGREGATE_F1_MICRO, mixed, 5), 0.6));
    CHECK(close_to(of_pairs(AGGREGATE_F1_WEIGHTED, mixed, 5), (0.5 * 2 + 2.0 / 3 * 3) / 5));
    CHECK(close_to(of_pairs(AGGREGATE_MCC, mixed, 5), 1.0 / 6));
    CHECK(aggregate(AGGREGATE_F1, mixed, 5, 1000).error > 0);
}

TEST(every_aggregation_has_its_word)
{
    for (int a = AGGREGATE_MEAN; a <= AGGREGATE_BRIER; a++) {
        enum aggregation found;
        CHECK(aggregation_find(&found, aggregation_word((enum aggregation)a)) && (int)found == a);
    }
    enum aggregation none;
    CHECK(!aggregation_find(&none, "bleu"));
}

/* ---- the published vectors ---- */

static double number(json_t *object, const char *key)
{
    return json_number_value(json_object_get(object, key));
}

TEST(the_harness_aggregates_the_same_f1)
{
    json_t *all = vectors_load("f1_macro");
    if (!all)
        return;
    json_t *cases = json_object_get(all, "f1_macro"), *c;
    size_t i, seen = 0;
    json_array_foreach(cases, i, c)
    {
        double pairs[64];
        json_t *gold = json_object_get(c, "gold"), *pred = json_object_get(c, "pred");
        int32_t n = (int32_t)json_array_size(gold);
        for (int32_t k = 0; k < n; k++) {
            pairs[2 * k] = json_number_value(json_array_get(gold, (size_t)k));
            pairs[2 * k + 1] = json_number_value(json_array_get(pred, (size_t)k));
        }
        CHECK(close_to(of_pairs(AGGREGATE_F1_MACRO, pairs, n), number(c, "macro")));
        CHECK(close_to(of_pairs(AGGREGATE_MCC, pairs, n), number(c, "mcc")));
        seen++;
    }
    json_decref(all);
    CHECK(seen >= 4);
}

TEST(the_harness_aggregates_the_same_means_and_bootstraps)
{
    json_t *all = vectors_load("stderr_mean, bootstrap");
    if (!all)
        return;
    json_t *mean = json_object_get(all, "stderr_mean"), *boot = json_object_get(all, "bootstrap");
    double items[64];
    int32_t n = (int32_t)json_array_size(json_object_get(mean, "items"));
    for (int32_t i = 0; i < n; i++)
        items[i] = json_number_value(json_array_get(json_object_get(mean, "items"), (size_t)i));
    struct estimate e = aggregate(AGGREGATE_MEAN, items, n, 0);
    CHECK(close_to(e.value, number(mean, "mean")) && close_to(e.error, number(mean, "stderr")));

    n = (int32_t)json_array_size(json_object_get(boot, "items"));
    for (int32_t i = 0; i < n; i++)
        items[i] = json_number_value(json_array_get(json_object_get(boot, "items"), (size_t)i));
    e = aggregate(AGGREGATE_PERPLEXITY, items, n, 2000);
    CHECK(close_to(e.value, number(boot, "value")));
    CHECK(close_to(e.error, number(boot, "stderr_iters_2000")));
    json_decref(all);
}
