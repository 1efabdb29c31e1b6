#include "coordinator/cli/board_file.h"

#include <jansson.h>

#include "tests/test.h"

static bool parse(struct board_file *out, const char *yaml, struct err *err)
{
    return board_file_parse(out, text_of(yaml), "board.yaml", err);
}

static bool refused(const char *yaml, const char *where, const char *what)
{
    AUTO(board_file_free) struct board_file file = { 0 };
    struct err err = { 0 };
    return !parse(&file, yaml, &err) && strstr(err.text, where) && strstr(err.text, what);
}

TEST(a_task_takes_the_files_params_and_its_own_over_them)
{
    AUTO(board_file_free) struct board_file file = { 0 };
    struct err err = { 0 };
    CHECK(parse(&file,
                "name: b\nparams: {mode: hf, shots: 0}\n"
                "tasks:\n  - {task: a, metric: acc, params: {shots: 5}}\n",
                &err));
    CHECK(!strcmp(file.name, "b"));
    CHECK(!strcmp(file.definition, "{\"tasks\":[{\"metric\":\"acc\",\"params\":{\"limit\":null,"
                                   "\"mode\":\"hf\",\"shots\":5},\"task\":\"a\"}]}"));
}

TEST(without_a_limit_only_runs_without_one_count)
{
    AUTO(board_file_free) struct board_file file = { 0 }, limited = { 0 };
    struct err err = { 0 };
    CHECK(parse(&file, "name: b\ntasks: [{task: a, metric: acc}]\n", &err));
    CHECK(strstr(file.definition, "\"limit\":null"));
    CHECK(parse(&limited, "name: b\nparams: {limit: 50}\ntasks: [{task: a, metric: acc}]\n", &err));
    CHECK(strstr(limited.definition, "\"limit\":50") && !strstr(limited.definition, "null"));
}

TEST(categories_weights_groups_and_hangul_are_kept)
{
    AUTO(board_file_free) struct board_file file = { 0 };
    struct err err = { 0 };
    CHECK(parse(&file,
                "name: 한국어\npublish: false\ncategories: {추론: 2, 지식: 0.5}\n"
                "tasks:\n  - {group: kmmlu, metric: acc, category: 지식, weight: size}\n",
                &err));
    CHECK(!strcmp(file.name, "한국어"));
    CHECK(strstr(file.definition, "\"categories\":{\"지식\":0.5,\"추론\":2}"));
    CHECK(strstr(file.definition, "\"publish\":false") && strstr(file.definition, "\"size\""));
}

TEST(digits_of_a_version_stay_a_text)
{
    AUTO(board_file_free) struct board_file file = { 0 };
    struct err err = { 0 };
    CHECK(parse(&file, "name: b\ntasks: [{task: a, metric: acc, version: 0123456}]\n", &err));
    CHECK(strstr(file.definition, "\"version\":\"0123456\""));
}

TEST(what_is_wrong_is_said_with_its_line)
{
    CHECK(refused("name: b\n", "board.yaml:1", "tasks"));
    CHECK(refused("tasks: [{task: a, metric: acc}]\n", "board.yaml:1", "name"));
    CHECK(refused("name: b\ntasks: []\n", "board.yaml:2", "tasks"));
    CHECK(refused("name: b\ntasks:\n  - {task: a}\n", "board.yaml:3", "metric"));
    CHECK(refused("name: b\ntasks:\n  - {metric: acc}\n", "board.yaml:3", "task or group"));
    CHECK(refused("name: b\ntasks:\n  - {task: a, group: g, metric: acc}\n", ":3", "not both"));
    CHECK(refused("name: b\ntasks:\n  - {task: a, metrik: acc}\n", ":3", "no key metrik"));
    CHECK(refused("name: b\ntasks:\n  - {task: a, metric: acc, weight: 0}\n", ":3", "above 0"));
    CHECK(refused("name: b\ncategories: {x: size}\ntasks: [{task: a, metric: acc}]\n", ":2",
                  "above 0"));
    CHECK(refused("name: b\nparams: {shot: 5}\ntasks: [{task: a, metric: acc}]\n", ":2",
                  "no key shot"));
}
