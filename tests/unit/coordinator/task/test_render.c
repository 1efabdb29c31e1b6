#include "common/buf.h"
#include "coordinator/task/fewshot.h"
#include "coordinator/task/gold.h"
#include "coordinator/task/render.h"
#include "coordinator/task/source.h"
#include "tests/test.h"

#include <jansson.h>

#define SHOTS_MAX 8

/* A task out of YAML; document decides which names are columns. */
static struct task *open_task(const char *yaml, const char *document, bool input, bool target)
{
    struct err err = { 0 };
    struct task *task = NULL;
    AUTO(source_free) struct source *source = NULL;
    json_t *json = json_loads(document, 0, NULL), *definition = NULL;
    if (!source_parse(&source, yaml, "t.yaml", &err) ||
        !source_define(&definition, source, json, input, target, &err))
        printf("%s\n", err.text);
    json_decref(json);
    char *text = json_dumps(definition, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(definition);
    if (!text || !task_open(&task, text, strlen(text), &err))
        printf("%s\n", err.text);
    free(text);
    return task;
}

/* Requests as lines "context|continuation"; or the error. */
static void show(struct buf *out, const struct task *task, const char *payload,
                 const char *const *shots, int32_t shots_count)
{
    struct err err = { 0 };
    struct text texts[SHOTS_MAX];
    AUTO(rendered_free) struct rendered rendered = { 0 };
    for (int32_t i = 0; i < shots_count; i++)
        texts[i] = text_of(shots[i]);
    buf_clear(out);
    if (!render_item(&rendered, task, text_of(payload), texts, shots_count, &err)) {
        buf_put_fmt(out, "error: %s", err.text);
        return;
    }
    for (int32_t i = 0; i < rendered.requests_count; i++) {
        struct text prompt = rendered.prompts[rendered.requests[i].prompt];
        buf_put(out, prompt.bytes, prompt.size);
        buf_put_char(out, '|');
        buf_put(out, rendered.requests[i].continuation.bytes,
                rendered.requests[i].continuation.size);
        buf_put_char(out, '\n');
    }
}

static bool renders(const struct task *task, const char *payload, const char *const *shots,
                    int32_t shots_count, const char *expected)
{
    struct buf got = { 0 };
    show(&got, task, payload, shots, shots_count);
    bool same = !strcmp(buf_text(&got), expected) ||
                (!strncmp(buf_text(&got), "error", 5) && strstr(buf_text(&got), expected));
    if (!same)
        printf("got <<%s>>\n", buf_text(&got));
    buf_free(&got);
    return same;
}

#define HEAD "task: t\noutput_type: multiple_choice\ntest_split: test\n"
#define MC   HEAD "doc_to_text: \"{{q}}\"\ndoc_to_target: a\ndoc_to_choice: c\n"

static const char item[] = "{\"q\":\"Q\",\"a\":1,\"c\":[\"x\",\"y\"]}";
static const char *const shots[] = { "{\"q\":\"S\",\"a\":0,\"c\":[\"u\",\"v\"]}",
                                     "{\"q\":\"T\",\"a\":1,\"c\":[\"u\",\"v\"]}" };

TEST(a_prompt_is_shots_and_question_and_a_continuation_delimiter_and_choice)
{
    AUTO(task_free) struct task *task = open_task(MC, item, false, false);
    CHECK(task);
    CHECK(renders(task, item, shots, 0, "Q| x\nQ| y\n"));
    CHECK(renders(task, item, shots, 2, "S u\n\nT v\n\nQ| x\nS u\n\nT v\n\nQ| y\n"));
}

TEST(equal_prompts_stand_once)
{
    AUTO(task_free) struct task *task = open_task(MC, item, false, false);
    AUTO(rendered_free) struct rendered rendered = { 0 };
    struct err err = { 0 };
    CHECK(render_item(&rendered, task, text_of(item), NULL, 0, &err));
    CHECK(rendered.prompts_count == 1 && rendered.requests_count == 2);
}

TEST(a_description_comes_first_with_nothing_after_it)
{
    AUTO(task_free)
    struct task *task = open_task(MC "description: 'About {{a}}.\\n'\n", item, false, false);
    CHECK(renders(task, item, shots, 1, "About 1.\\nS u\n\nQ| x\nAbout 1.\\nS u\n\nQ| y\n"));
}

TEST(delimiters_are_the_tasks_and_for_shots_those_of_fewshot_config)
{
    AUTO(task_free)
    struct task *task = open_task(MC "target_delimiter: '='\nfewshot_delimiter: ';'\n"
                                     "fewshot_config: {target_delimiter: ': '}\n",
                                  item, false, false);
    CHECK(renders(task, item, shots, 1, "S: u;Q|=x\nS: u;Q|=y\n"));
}

TEST(a_shot_without_answer_is_its_question_alone)
{
    AUTO(task_free)
    struct task *task =
        open_task(MC "fewshot_config: {doc_to_target: '', doc_to_text: '{{q}}={{c[a]}};'}\n", item,
                  false, false);
    CHECK(renders(task, item, shots, 2, "S=u;T=v;Q| x\nS=u;T=v;Q| y\n"));
}

TEST(a_prefix_is_joined_where_no_whitespace_is)
{
    AUTO(task_free) struct task *task = open_task(MC "gen_prefix: 'A:'\n", item, false, false);
    CHECK(renders(task, item, shots, 1, "S A: u\n\nQ A:| x\nS A: u\n\nQ A:| y\n"));
    AUTO(task_free)
    struct task *spaced = open_task(MC "gen_prefix: ' A: '\n", item, false, false);
    CHECK(renders(spaced, item, shots, 1, "S A: u\n\nQ A: | x\nS A: u\n\nQ A: | y\n"));
}

TEST(mutual_information_asks_the_choices_again_after_nothing)
{
    AUTO(task_free)
    struct task *task =
        open_task(MC "metric_list: [{metric: acc_mutual_info}]\n", item, false, false);
    CHECK(renders(task, item, shots, 0, "Q| x\nQ| y\n| x\n| y\n"));
}

TEST(loglikelihood_asks_the_target_without_delimiter)
{
    AUTO(task_free)
    struct task *task = open_task("task: t\noutput_type: loglikelihood\ntest_split: test\n"
                                  "doc_to_text: \"{{text.split(' ')[:-1]|join(' ')}}\"\n"
                                  "doc_to_target: \"{{' '+text.split(' ')[-1]}}\"\n",
                                  "{\"text\":\"a b c\"}", false, false);
    CHECK(renders(task, "{\"text\":\"a b c\"}", NULL, 0, "a b| c\n"));
}

TEST(an_index_for_text_makes_each_choice_a_context)
{
    static const char document[] = "{\"n\":\"1\",\"o\":[\"A1\",\"A2\"],\"rest\":\"end\"}";
    AUTO(task_free)
    struct task *task = open_task(HEAD "doc_to_text: \"{{n}}\"\ndoc_to_target: rest\n"
                                       "doc_to_choice: o\n",
                                  document, true, false);
    static const char *const shot[] = { "{\"n\":\"0\",\"o\":[\"B1\",\"B2\"],\"rest\":\"fin\"}" };
    CHECK(renders(task, document, NULL, 0, "A1| end\nA2| end\n"));
    CHECK(renders(task, document, shot, 1, "B1 fin\n\nA1| end\nB1 fin\n\nA2| end\n"));
}

static bool gold_is(const struct task *task, const char *payload, const char *expected)
{
    struct buf gold = { 0 };
    struct err err = { 0 };
    bool ok = gold_item(&gold, task, text_of(payload), &err);
    bool same = ok ? !strcmp(buf_text(&gold), expected) : strstr(err.text, expected) != NULL;
    if (!same)
        printf("%s %s\n", buf_text(&gold), err.text);
    buf_free(&gold);
    return same;
}

TEST(gold_is_an_index_or_the_text_of_a_choice)
{
    AUTO(task_free) struct task *task = open_task(MC, item, false, false);
    CHECK(gold_is(task, item, "{\"bytes\":[1,1],\"chars\":[1,1],\"gold\":[1]}"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":\"가나\",\"c\":[\"가나\",\"\"]}",
                  "{\"bytes\":[6,0],\"chars\":[2,0],\"gold\":[0]}"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":true,\"c\":[\"x\",\"y\"]}",
                  "{\"bytes\":[1,1],\"chars\":[1,1],\"gold\":[1]}"));
}

TEST(a_gold_that_is_no_choice_is_an_error_that_quotes_nothing)
{
    AUTO(task_free) struct task *task = open_task(MC, item, false, false);
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":2,\"c\":[\"x\",\"y\"]}", "out of range: choice 2 of 2"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":-1,\"c\":[\"x\"]}", "out of range: choice -1 of 1"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":\"canary\",\"c\":[\"x\"]}", "none of the 1 choices"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":1.0,\"c\":[\"x\"]}", "gives float"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":null,\"c\":[\"x\"]}", "gives None"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":0,\"c\":[1]}", "choice 0 is int"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":0,\"c\":\"x\"}", "gives str"));
    CHECK(gold_is(task, "{\"q\":\"\",\"a\":0}", "no column 'c'"));
}

TEST(multiple_targets_are_a_list_of_indices)
{
    static const char document[] = "{\"q\":\"Q\",\"a\":\"[0, 2]\",\"c\":[\"x\",\"y\",\"z\"]}";
    AUTO(task_free)
    struct task *task = open_task(HEAD "doc_to_text: q\ndoc_to_target: \"{{a}}\"\n"
                                       "doc_to_choice: c\n",
                                  document, false, true);
    CHECK(gold_is(task, document, "{\"bytes\":[1,1,1],\"chars\":[1,1,1],\"gold\":[0,2]}"));
    CHECK(
        gold_is(task, "{\"q\":\"Q\",\"a\":\"[0, 3]\",\"c\":[\"x\",\"y\",\"z\"]}", "choice 3 of 3"));
    CHECK(gold_is(task, "{\"q\":\"Q\",\"a\":\"1\",\"c\":[\"x\",\"y\",\"z\"]}", "a list elsewhere"));
}

TEST(a_wrong_document_is_an_error)
{
    AUTO(task_free) struct task *task = open_task(MC, item, false, false);
    static const char *const bad[] = { "{\"q\":\"S\",\"a\":5,\"c\":[\"u\"]}" };
    CHECK(renders(task, "[]", NULL, 0, "no JSON object"));
    CHECK(renders(task, "{\"q\":", NULL, 0, "no JSON object"));
    CHECK(renders(task, "{\"a\":1}", NULL, 0, "doc_to_text: line 1: 'q' is undefined"));
    CHECK(renders(task, item, bad, 1, "shot 0: a shot's answer is out of range"));
}

TEST(definitions_from_anywhere_are_checked)
{
    static const char *const bad[] = {
        "",
        "[]",
        "{}",
        "{\"task\":\"t\"}",
        "{\"task\":\"t\",\"task\":\"u\"}",
        "{\"task\":\"t\",\"nosuch\":1}",
        "{\"task\":\"t\",\"target_delimiter\":\" \",\"fewshot_delimiter\":\"\",\"shot\":3}",
        "{\"task\":\"t\",\"doc_to_text\":{\"native\":\"os.system\"}}",
        "{\"task\":\"t\",\"doc_to_text\":{\"template\":\"{{\"}}",
        "{\"task\":\"t\",\"doc_to_choice\":{\"list\":[1]}}",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err = { 0 };
        struct task *task = NULL;
        CHECK(!task_open(&task, bad[i], strlen(bad[i]), &err));
        CHECK(err.code == ERR_INPUT && !task);
    }
}

/* Vectors of the specification, where it is at hand
 * ------------------------------------------------ */

static const struct {
    const char *name, *yaml;
} known[] = {
    { "kmmlu", HEAD "fewshot_split: dev\ndoc_to_text: \"{{question.strip()}}\\nA. {{A}}\\nB. {{B}}"
                    "\\nC. {{C}}\\nD. {{D}}\\n정답：\"\n"
                    "doc_to_choice: [A, B, C, D]\ndoc_to_target: \"{{answer-1}}\"\n" },
    { "kobest_boolq", HEAD "fewshot_split: train\n"
                           "doc_to_text: \"{{paragraph}} 질문: {{question}} 답변: \"\n"
                           "doc_to_choice: [아니오, 예]\ndoc_to_target: \"{{label}}\"\n" },
    { "kobest_copa", HEAD "fewshot_split: train\ndoc_to_text: !function utils.copa_doc_to_text\n"
                          "doc_to_target: !function utils.copa_doc_to_target\n"
                          "doc_to_choice: !function utils.copa_doc_to_choice\n" },
    { "haerae", HEAD "fewshot_split: test\ndoc_to_text: \"{{query}}\"\n"
                     "doc_to_choice: [(A), (B), (C), (D), (E)]\ndoc_to_target: \"{{answer}}\"\n" },
    { "paws_ko", HEAD "fewshot_split: train\ndoc_to_text: \"\"\ntarget_delimiter: \"\"\n"
                      "doc_to_choice: \"{{[sentence1+', 맞죠? 아니요, '+sentence2, "
                      "sentence1+', 맞죠? 예, '+sentence2]}}\"\ndoc_to_target: label\n" },
    { "include_base_44_korean",
      HEAD "description: The following is multiple-choice question about Social Science.\n"
           "doc_to_text: \"{{question}}\\nA. {{option_a}}\\nB. {{option_b}}\\nC. {{option_c}}\\n\n"
           "  D. {{option_d}}\\nAnswer:\"\n"
           "doc_to_choice: [A, B, C, D]\ndoc_to_target: answer\n" },
};

static json_t *load_vectors(void)
{
    const char *shared = getenv("KOEVAL_SHARED");
    char path[512];
    snprintf(path, sizeof(path), "%s/spec/scoring_vectors.json", shared ? shared : "../shared");
    json_t *all = json_load_file(path, JSON_ALLOW_NUL, NULL);
    if (!all)
        SKIP("no scoring_vectors.json under %s", shared ? shared : "../shared");
    return all;
}

static int64_t *contents(const json_t *documents, const json_t *all)
{
    size_t index, other;
    json_t *document, *candidate;
    int64_t *numbers = must_calloc(json_array_size(documents), sizeof(*numbers));
    json_array_foreach(documents, index, document)
    {
        numbers[index] = -1 - (int64_t)index;
        json_array_foreach(all, other,
                           candidate) if (numbers[index] < 0 && json_equal(document, candidate))
            numbers[index] = (int64_t)other;
    }
    return numbers;
}

static bool item_matches(const struct task *task, const json_t *document, const json_t *expected,
                         const json_t *pool, const int32_t *drawn, int32_t count)
{
    struct text texts[SHOTS_MAX];
    char *dumped[SHOTS_MAX + 1];
    struct err err = { 0 };
    struct rendered got = { 0 };
    for (int32_t i = 0; i < count; i++) {
        dumped[i] = json_dumps(json_array_get(pool, (size_t)drawn[i]), JSON_COMPACT);
        texts[i] = text_of(dumped[i]);
    }
    dumped[count] = json_dumps(document, JSON_COMPACT);
    const json_t *conts = json_object_get(expected, "continuations");
    bool ok = render_item(&got, task, text_of(dumped[count]), texts, count, &err) &&
              text_is(got.prompts[0], json_string_value(json_object_get(expected, "context"))) &&
              (size_t)got.requests_count == json_array_size(conts);
    for (int32_t i = 0; ok && i < got.requests_count; i++)
        ok = text_is(got.requests[i].continuation,
                     json_string_value(json_array_get(conts, (size_t)i)));
    char gold[64];
    snprintf(gold, sizeof(gold), "\"gold\":[%d]}",
             (int)json_integer_value(json_object_get(expected, "gold_index")));
    struct buf made = { 0 };
    ok =
        ok && gold_item(&made, task, text_of(dumped[count]), &err) && strstr(buf_text(&made), gold);
    buf_free(&made);
    rendered_free(&got);
    for (int32_t i = 0; i <= count; i++)
        free(dumped[i]);
    return ok;
}

static bool case_matches(const char *yaml, const json_t *one)
{
    const json_t *docs = json_object_get(one, "docs"), *pool = json_object_get(one, "pool");
    char *first = json_dumps(json_array_get(docs, 0), 0);
    AUTO(task_free) struct task *task = open_task(yaml, first, false, false);
    free(first);
    int64_t *items = contents(docs, pool), *others = contents(pool, pool);
    int32_t drawn[64] = { 0 }, count = (int32_t)json_array_size(docs);
    struct fewshot fewshot = { (int32_t)json_integer_value(json_object_get(one, "num_fewshot")),
                               1234, task_sampler(task), task_excludes_self(task) };
    struct err err = { 0 };
    bool ok =
        fewshot_draw(drawn, &fewshot, items, count, others, (int32_t)json_array_size(pool), &err);
    for (int32_t i = 0; ok && i < count; i++)
        ok = item_matches(task, json_array_get(docs, (size_t)i),
                          json_array_get(json_object_get(one, "expected"), (size_t)i), pool,
                          drawn + i * fewshot.shots, fewshot.shots);
    free(items);
    free(others);
    return ok;
}

TEST(prompts_are_those_of_the_specifications_vectors)
{
    size_t index;
    json_t *one, *all = load_vectors();
    int32_t seen = 0;
    if (!all)
        return;
    json_array_foreach(json_object_get(json_object_get(all, "prompts"), "cases"), index, one)
    {
        const char *name = json_string_value(json_object_get(one, "task"));
        for (size_t i = 0; i < COUNT(known); i++)
            if (!strcmp(known[i].name, name)) {
                if (!case_matches(known[i].yaml, one))
                    printf("case %zu %s\n", index, name);
                CHECK(case_matches(known[i].yaml, one));
                seen++;
            }
    }
    json_decref(all);
    CHECK(seen == 11);
}
