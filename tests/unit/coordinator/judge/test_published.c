/* What others have published, computed again: errors of harness runs, metric cases, a leaderboard
 * with its ties.  Skipped with a line where the files do not lie. */
#include <glob.h>
#include <math.h>
#include <stdlib.h>

#include "coordinator/judge/metric.h"
#include "coordinator/judge/rank.h"
#include "tests/test.h"
#include "tests/unit/coordinator/judge/vectors.h"

static bool found(glob_t *out, const char *test, const char *below)
{
    char pattern[4096];
    shared_path(pattern, below);
    if (!glob(pattern, 0, NULL, out))
        return true;
    SKIP("%s: no %s", test, pattern);
    return false;
}

static const struct {
    const char *task;
    int32_t items;
} kobest[] = {
    { "kobest_boolq", 1404 },   { "kobest_copa", 1000 }, { "kobest_hellaswag", 500 },
    { "kobest_sentineg", 397 }, { "kobest_wic", 1260 },
};

/* Which items were right is not published; how many, and the error that follows, is. */
static bool same_error(json_t *task, const char *metric, int32_t n, int *seen)
{
    char key[64];
    snprintf(key, sizeof(key), "%s_stderr", metric);
    json_t *value = json_object_get(task, metric), *error = json_object_get(task, key);
    if (!value || !error)
        return true;
    double items[2048] = { 0 };
    int32_t right = (int32_t)lround(json_number_value(value) * n);
    for (int32_t i = 0; i < right; i++)
        items[i] = 1;
    struct estimate e = aggregate(AGGREGATE_MEAN, items, n, 0);
    ++*seen;
    return fabs(e.value - json_number_value(value)) < 1e-12 &&
           fabs(e.error - json_number_value(error)) < 1e-12;
}

TEST(published_errors_of_kobest_runs_follow_from_their_accuracies)
{
    glob_t files;
    int seen = 0;
    if (!found(&files, "published_errors",
               "data/results/lm_eval_ko_beomi/kobest_bench/*/*_shot.json"))
        return;
    for (size_t f = 0; f < files.gl_pathc; f++) {
        json_t *all = json_load_file(files.gl_pathv[f], 0, NULL);
        json_t *results = json_object_get(all, "results");
        for (size_t t = 0; t < COUNT(kobest); t++) {
            json_t *task = json_object_get(results, kobest[t].task);
            CHECK(same_error(task, "acc", kobest[t].items, &seen));
            CHECK(same_error(task, "acc_norm", kobest[t].items, &seen));
        }
        json_decref(all);
    }
    globfree(&files);
    printf("%d published errors agree\n", seen);
    CHECK(seen > 50);
}

static int32_t read_golds(int32_t *out, json_t *gold)
{
    if (!json_is_array(gold)) {
        out[0] = (int32_t)json_integer_value(gold);
        return 1;
    }
    for (size_t i = 0; i < json_array_size(gold); i++)
        out[i] = (int32_t)json_integer_value(json_array_get(gold, i));
    return (int32_t)json_array_size(gold);
}

TEST(another_harness_judges_its_own_cases_the_same)
{
    glob_t files;
    if (!found(&files, "another_harness",
               "data/results/lighteval_metric_cases/loglikelihood_acc.json"))
        return;
    json_t *all = json_load_file(files.gl_pathv[0], 0, NULL), *c;
    size_t i;
    json_array_foreach(json_object_get(all, "test_cases"), i, c)
    {
        json_t *logprobs = json_object_get(json_object_get(c, "model_response"), "logprobs");
        struct gold gold = { .choices_count = (int32_t)json_array_size(logprobs) };
        double ll[16], out = -1;
        bool greedy[16] = { false };
        struct err err = { 0 };
        gold.golds_count =
            read_golds(gold.golds, json_object_get(json_object_get(c, "doc"), "gold_index"));
        for (int32_t k = 0; k < gold.choices_count; k++)
            ll[k] = json_number_value(json_array_get(logprobs, (size_t)k));
        struct answer answer = { gold.choices_count, ll, greedy };
        CHECK(metric_item(&out, metric_find("acc", true), &gold, &answer, &err));
        CHECK(out ==
              json_number_value(json_object_get(json_object_get(c, "expected_output"), "acc")));
    }
    json_decref(all);
    globfree(&files);
    CHECK(i >= 10);
}

enum { MODELS_MAX = 2000 };

/* Second column of a CSV whose names hold no comma. */
static int32_t read_averages(double *out, const char *path)
{
    FILE *file = fopen(path, "r");
    char line[4096];
    int32_t n = 0;
    while (file && n < MODELS_MAX && fgets(line, sizeof(line), file)) {
        const char *comma = strchr(line, ',');
        char *end;
        double average = comma ? strtod(comma + 1, &end) : 0;
        if (comma && end != comma + 1)
            out[n++] = average / 100;
    }
    if (file)
        fclose(file);
    return n;
}

/* One item a model, its average: every replicate is the board itself, so the ranges are the ties.
 */
TEST(a_published_board_with_ties_is_ranked_as_it_reads)
{
    glob_t files;
    AUTO(free) double *average = must_calloc(MODELS_MAX, sizeof(double));
    AUTO(free) const double **values = must_calloc(MODELS_MAX, sizeof(*values));
    AUTO(free) struct rank_row *rows = must_calloc(MODELS_MAX, sizeof(*rows));
    double weight = 1;
    int32_t tied = 0;
    if (!found(&files, "a_published_board",
               "data/results/open_llm_leaderboard_2023/20230904/*.csv"))
        return;
    int32_t n = read_averages(average, files.gl_pathv[0]);
    globfree(&files);
    CHECK(n > 500);
    for (int32_t m = 0; m < n; m++)
        values[m] = &average[m];
    AUTO(rank_free) struct rank *rank = rank_new(n, 1, &weight, 1, 2);
    struct rank_task task = { 1, 0, 1, AGGREGATE_MEAN, 1, values };
    rank_add(rank, &task);
    rank_rows(rows, NULL, rank);
    for (int32_t m = 0; m < n; m++) {
        int32_t greater = 0, equal = 0;
        for (int32_t o = 0; o < n; o++) {
            greater += average[o] > average[m];
            equal += average[o] == average[m];
        }
        tied += equal > 1;
        CHECK(rows[m].rank == greater + 1 && rows[m].tie_group == greater + 1);
        CHECK(rows[m].rank_lo == greater + 1 && rows[m].rank_hi == greater + equal);
    }
    printf("%d models, %d of them tied\n", n, tied);
    CHECK(tied > 10);
}
