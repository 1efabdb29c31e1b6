#include "common/buf.h"
#include "coordinator/task/source.h"
#include "tests/test.h"

#define HEAD "task: t\noutput_type: multiple_choice\ntest_split: test\n"
#define BODY "doc_to_text: q\ndoc_to_target: a\ndoc_to_choice: [\"x\", \"y\"]\n"

static struct source *parse(const char *text, struct err *err)
{
    struct source *source = NULL;
    *err = (struct err){ 0 };
    return source_parse(&source, text, "t.yaml", err) ? source : NULL;
}

static bool refuses(const char *text, const char *why)
{
    struct err err;
    json_t *definition = NULL, *document = json_loads("{\"q\":1}", 0, NULL);
    AUTO(source_free) struct source *source = parse(text, &err);
    bool refused = !source || !source_define(&definition, source, document, false, false, &err);
    json_decref(document);
    json_decref(definition);
    if (!refused || !strstr(err.text, why))
        printf("%s\n-> %s\n", text, err.text);
    return refused && strstr(err.text, why);
}

TEST(what_a_yaml_asks_and_we_lack_is_refused_by_line_key_and_name)
{
    CHECK(refuses(HEAD BODY "process_results: !function utils.f\n",
                  "t.yaml:7: process_results: scoring by a Python function is not supported"));
    CHECK(refuses(HEAD BODY "doc_to_image: x\n", "t.yaml:7: doc_to_image: images"));
    CHECK(refuses(HEAD BODY "filter_list: [{name: x}]\n", "t.yaml:7: filter_list: filters"));
    CHECK(refuses(HEAD BODY "custom_dataset: !function u.f\n", "t.yaml:7: custom_dataset"));
    CHECK(refuses(HEAD BODY "repeats: 3\n", "t.yaml:7: repeats"));
    CHECK(refuses(HEAD BODY "nosuch: 3\n", "t.yaml:7: nosuch: unknown key"));
    CHECK(refuses(HEAD BODY "process_docs: !function utils.f\n",
                  "t.yaml:7: process_docs: function 'utils.f' is not built in"));
    CHECK(refuses(HEAD BODY "fewshot_config: {fewshot_indices: [1]}\n",
                  "t.yaml:7: fewshot_indices: a fixed list of shots by index"));
    CHECK(refuses(HEAD BODY "fewshot_config: {sampler: balanced}\n", "sampler: 'balanced'"));
    CHECK(refuses(HEAD BODY "fewshot_config: {samples: !function u.f}\n", "samples: only a list"));
    CHECK(refuses(HEAD BODY "metric_list: [{metric: bleu}]\n", "metric: 'bleu' is not supported"));
    CHECK(refuses(HEAD BODY "metric_list:\n  - metric: acc\n    aggregation: !function u.f\n",
                  "t.yaml:9: aggregation: function 'u.f' is not built in"));
    CHECK(refuses(HEAD BODY "metric_list: [{metric: acc, ignore_cases: true}]\n", "ignore_cases"));
    CHECK(refuses("task: t\ntest_split: test\n", "output_type: generate_until is not supported"));
    CHECK(refuses("task: t\noutput_type: loglikelihood_rolling\ntest_split: test\n",
                  "t.yaml:2: output_type: loglikelihood_rolling is not supported"));
    CHECK(refuses("task: t\noutput_type: multiple_choice\n", "test_split: neither"));
    CHECK(refuses("output_type: multiple_choice\ntest_split: test\n", "task: the task's name"));
    CHECK(refuses("group: g\ntask: [a]\n", "this file is a group"));
    CHECK(refuses(HEAD "doc_to_text: \"a\\n{{ b|nosuch }}\"\n",
                  "t.yaml:4: doc_to_text: template, line 2: filter 'nosuch' is not supported"));
    CHECK(refuses(HEAD "doc_to_text: !function utils.f\n", "t.yaml:4: doc_to_text: function"));
    CHECK(refuses(HEAD "doc_to_choice: [yes, no]\n", "t.yaml:4: doc_to_choice: item 0 is no text"));
}

TEST(keys_without_effect_on_requests_are_let_pass)
{
    struct err err;
    AUTO(source_free)
    struct source *source = parse(HEAD BODY "dataset_path: a/b\ndataset_kwargs: {x: 1}\n"
                                            "should_decontaminate: true\nunsafe_code: false\n"
                                            "doc_to_decontamination_query: q\ntask_alias: z\n",
                                  &err);
    CHECK(source);
}

static json_t *define(const char *text, const char *document, struct err *err)
{
    json_t *definition = NULL, *json = json_loads(document, 0, NULL);
    AUTO(source_free) struct source *source = parse(text, err);
    if (source && !source_define(&definition, source, json, false, false, err))
        definition = NULL;
    json_decref(json);
    return definition;
}

static bool member_is(const json_t *json, const char *key, const char *expected)
{
    json_t *member = json_object_get(json, key);
    char *text =
        member ? json_dumps(member, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS) : NULL;
    bool same = text && !strcmp(text, expected);
    if (!same)
        printf("%s is %s\n", key, text ? text : "missing");
    free(text);
    return same;
}

TEST(a_text_that_names_a_column_is_the_column_and_otherwise_a_template)
{
    struct err err;
    json_t *definition = define(HEAD BODY, "{\"q\":\"\",\"a\":0}", &err);
    CHECK(definition);
    CHECK(member_is(definition, "doc_to_text", "{\"column\":\"q\"}"));
    CHECK(member_is(definition, "doc_to_target", "{\"column\":\"a\"}"));
    CHECK(member_is(definition, "doc_to_choice", "{\"list\":[\"x\",\"y\"]}"));
    json_decref(definition);
    definition = define(HEAD BODY, "{\"z\":0}", &err);
    CHECK(definition && member_is(definition, "doc_to_text", "{\"template\":\"q\"}"));
    json_decref(definition);
}

TEST(shots_inherit_what_fewshot_config_does_not_override)
{
    struct err err;
    json_t *definition =
        define(HEAD BODY "target_delimiter: \"\"\nfewshot_config:\n  doc_to_target: \"{{a}}.\"\n"
                         "  target_delimiter: \"\\n\"\n",
               "{\"q\":1}", &err);
    CHECK(definition);
    json_t *shot = json_object_get(definition, "shot");
    CHECK(member_is(shot, "doc_to_target", "{\"template\":\"{{a}}.\"}"));
    CHECK(member_is(shot, "target_delimiter", "\"\\n\""));
    CHECK(member_is(shot, "fewshot_delimiter", "\"\\n\\n\""));
    CHECK(member_is(definition, "target_delimiter", "\"\""));
    CHECK(member_is(shot, "doc_to_text", "{\"column\":\"q\"}"));
    json_decref(definition);
}

TEST(metrics_get_their_defaults_and_natives_their_names)
{
    struct err err;
    json_t *definition = define(HEAD BODY "metric_list:\n"
                                          "  - metric: f1\n"
                                          "    aggregation: !function utils.macro_f1_score\n"
                                          "    average: macro\n"
                                          "    hf_evaluate: true\n"
                                          "  - metric: mcc\n",
                                "{\"q\":1}", &err);
    CHECK(definition &&
          member_is(definition, "metric_list",
                    "[{\"aggregation\":\"macro_f1\",\"higher_is_better\":true,\"metric\":\"f1\"},"
                    "{\"aggregation\":\"mcc\",\"higher_is_better\":true,\"metric\":\"mcc\"}]"));
    json_decref(definition);
    definition = define("task: t\noutput_type: loglikelihood\ntest_split: test\ndoc_to_text: q\n"
                        "doc_to_target: a\n",
                        "{\"q\":1}", &err);
    CHECK(definition &&
          member_is(definition, "metric_list",
                    "[{\"aggregation\":\"mean\",\"higher_is_better\":true,\"metric\":\"acc\"},"
                    "{\"aggregation\":\"perplexity\",\"higher_is_better\":false,"
                    "\"metric\":\"perplexity\"}]"));
    json_decref(definition);
}

static bool excludes(const char *text)
{
    struct err err;
    json_t *definition = define(text, "{\"q\":1}", &err);
    bool yes =
        json_is_true(json_object_get(json_object_get(definition, "fewshot"), "exclude_self"));
    json_decref(definition);
    return yes;
}

static bool pool_is(const char *text, const char *split)
{
    struct err err;
    AUTO(source_free) struct source *source = parse(text, &err);
    const char *found = source ? source_fewshot_split(source) : NULL;
    return split ? found && !strcmp(found, split) : !found;
}

TEST(shots_come_from_the_few_shot_split_else_training_validation_test)
{
    CHECK(pool_is(HEAD BODY, "test"));
    CHECK(pool_is(HEAD BODY "validation_split: v\n", "v"));
    CHECK(pool_is(HEAD BODY "validation_split: v\ntraining_split: tr\n", "tr"));
    CHECK(pool_is(HEAD BODY "training_split: tr\nfewshot_split: dev\n", "dev"));
    CHECK(pool_is(HEAD BODY "fewshot_split: dev\nfewshot_config: {split: own}\n", "own"));
    CHECK(pool_is(HEAD BODY "training_split: tr\nfewshot_config: {samples: [{q: 1}]}\n", NULL));
}

TEST(the_item_is_kept_out_of_its_shots_only_where_the_split_names_are_equal)
{
    CHECK(excludes(HEAD BODY "fewshot_split: test\n"));
    CHECK(!excludes(HEAD BODY)); /* falls back to test, and lm-eval does not notice */
    CHECK(!excludes(HEAD BODY "fewshot_split: dev\n"));
    CHECK(excludes("task: t\noutput_type: multiple_choice\nvalidation_split: v\n" BODY));
}
