#include "coordinator/judge/metric.h"

#include <math.h>

#include "tests/test.h"
#include "tests/unit/coordinator/judge/vectors.h"

static double judged(const char *metric, const struct gold *gold, const double *loglik,
                     const bool *greedy, int32_t count)
{
    struct err err = { 0 };
    double out[METRIC_WIDTH_MAX] = { NAN, NAN };
    struct answer answer = { count, loglik, greedy };
    const struct metric *m = metric_find(metric, true);
    if (!m || !metric_item(out, m, gold, &answer, &err))
        return NAN;
    return m->width == 2 ? 10 * out[0] + out[1] : out[0];
}

static const bool none_greedy[8];

TEST(acc_takes_the_first_of_equal_choices)
{
    struct gold gold = { 1, 2, { 1 }, { 3, 1 }, { 9, 3 } };
    const double tie[] = { -2.5, -2.5 };
    CHECK(judged("acc", &gold, tie, none_greedy, 2) == 0);
    gold.golds[0] = 0;
    CHECK(judged("acc", &gold, tie, none_greedy, 2) == 1);
}

TEST(acc_norm_divides_by_code_points_and_acc_bytes_by_bytes)
{
    struct gold gold = { 1, 2, { 0 }, { 6, 3 }, { 6, 9 } };
    const double ll[] = { -6.0, -3.3 };
    CHECK(judged("acc", &gold, ll, none_greedy, 2) == 0);
    CHECK(judged("acc_norm", &gold, ll, none_greedy, 2) == 1);
    CHECK(judged("acc_bytes", &gold, ll, none_greedy, 2) == 0);
}

TEST(an_empty_choice_is_never_chosen_by_length)
{
    struct gold gold = { 1, 2, { 0 }, { 0, 4 }, { 0, 4 } };
    const double ll[] = { -0.5, -90 };
    CHECK(judged("acc_norm", &gold, ll, none_greedy, 2) == 0);
    CHECK(judged("acc", &gold, ll, none_greedy, 2) == 1);
}

TEST(mutual_information_subtracts_what_the_choice_is_worth_alone)
{
    struct gold gold = { 1, 2, { 1 }, { 1, 1 }, { 1, 1 } };
    const double ll[] = { -1, -2, -3, -9 };
    CHECK(judged("acc", &gold, ll, none_greedy, 4) == 0);
    CHECK(judged("acc_mutual_info", &gold, ll, none_greedy, 4) == 1);
    CHECK(isnan(judged("acc_mutual_info", &gold, ll, none_greedy, 2)));
}

TEST(any_of_several_right_choices_counts)
{
    struct gold gold = { 2, 3, { 0, 2 }, { 1, 1, 1 }, { 1, 1, 1 } };
    const double ll[] = { -3, -2, -1 };
    const bool greedy[] = { true, false, false };
    CHECK(judged("acc", &gold, ll, none_greedy, 3) == 1);
    CHECK(judged("exact_match", &gold, ll, greedy, 3) == 1);
    CHECK(judged("exact_match", &gold, ll, none_greedy, 3) == 0);
    CHECK(isnan(judged("f1", &gold, ll, none_greedy, 3)));
}

TEST(f1_keeps_the_gold_and_the_choice)
{
    struct gold gold = { 1, 3, { 2 }, { 1, 1, 1 }, { 1, 1, 1 } };
    const double ll[] = { -3, -1, -2 };
    CHECK(judged("f1", &gold, ll, none_greedy, 3) == 21);
}

TEST(a_likelihood_task_keeps_greedy_and_the_likelihood)
{
    struct err err = { 0 };
    struct gold gold = { 1, 1, { 0 }, { 4 }, { 12 } };
    const double ll = -7.25;
    const bool greedy = true;
    struct answer answer = { 1, &ll, &greedy };
    double out;
    CHECK(metric_item(&out, metric_find("acc", false), &gold, &answer, &err) && out == 1);
    CHECK(metric_item(&out, metric_find("perplexity", false), &gold, &answer, &err));
    CHECK(out == -7.25);
    CHECK(!metric_find("acc_norm", false) && !metric_find("bleu", true));
}

TEST(the_number_of_answers_must_fit)
{
    struct gold gold = { 1, 3, { 0 }, { 1, 1, 1 }, { 1, 1, 1 } };
    const double ll[] = { -1, -2, -3, -4 };
    CHECK(isnan(judged("acc", &gold, ll, none_greedy, 2)));
    CHECK(isnan(judged("acc", &gold, ll, none_greedy, 4)));
}

static bool reads(const char *json)
{
    struct gold gold;
    struct err err = { 0 };
    return gold_read(&gold, text_of(json), &err);
}

TEST(a_gold_is_read_whole_or_refused)
{
    struct gold gold;
    struct err err = { 0 };
    CHECK(gold_read(&gold, text_of("{\"bytes\":[3,15],\"chars\":[1,5],\"gold\":[1]}"), &err));
    CHECK(gold.choices_count == 2 && gold.golds[0] == 1 && gold.chars[1] == 5);
    CHECK(!reads("{\"gold\":[2],\"chars\":[1,5],\"bytes\":[3,15]}"));
    CHECK(!reads("{\"gold\":[-1],\"chars\":[1,5],\"bytes\":[3,15]}"));
    CHECK(!reads("{\"gold\":[],\"chars\":[1],\"bytes\":[3]}"));
    CHECK(!reads("{\"gold\":[0],\"chars\":[1],\"bytes\":[3,4]}"));
    CHECK(!reads("{\"gold\":[0],\"chars\":[1]"));
    CHECK(!reads(""));
}

/* ---- the published vectors ---- */

static void numbers(double *out, json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        out[i] = json_number_value(json_array_get(array, i));
}

static void lengths(int32_t *out, json_t *array)
{
    for (size_t i = 0; i < json_array_size(array); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(array, i));
}

static bool agrees(json_t *item, const char *metric, const struct gold *gold, const double *ll,
                   int32_t count)
{
    json_t *expected = json_object_get(json_object_get(item, "expected"), metric);
    return !expected || judged(metric, gold, ll, none_greedy, count) == json_number_value(expected);
}

TEST(the_harness_judges_the_same)
{
    json_t *all = vectors_load("multiple_choice_metrics");
    if (!all)
        return;
    json_t *cases = json_object_get(json_object_get(all, "multiple_choice_metrics"), "cases"), *c;
    size_t i, seen = 0;
    json_array_foreach(cases, i, c)
    {
        json_t *expected = json_object_get(c, "expected");
        double ll[16];
        int32_t n = (int32_t)json_array_size(json_object_get(c, "lls")), requests = n;
        struct gold gold = { .golds_count = 1, .choices_count = n };
        gold.golds[0] = (int32_t)json_integer_value(json_object_get(c, "gold"));
        lengths(gold.chars, json_object_get(expected, "len_chars"));
        lengths(gold.bytes, json_object_get(expected, "len_bytes"));
        numbers(ll, json_object_get(c, "lls"));
        if (json_is_array(json_object_get(c, "unconditional_lls"))) {
            numbers(ll + n, json_object_get(c, "unconditional_lls"));
            requests = 2 * n;
        }
        CHECK(agrees(c, "acc", &gold, ll, requests));
        CHECK(agrees(c, "acc_norm", &gold, ll, requests));
        CHECK(agrees(c, "acc_bytes", &gold, ll, requests));
        CHECK(agrees(c, "acc_mutual_info", &gold, ll, requests));
        seen++;
    }
    json_decref(all);
    CHECK(seen >= 5);
}
