#include "common/buf.h"
#include "coordinator/task/group.h"
#include "coordinator/task/import.h"
#include "tests/test.h"

#include <unistd.h>

/* A folder of files that goes with the test. */
struct folder {
    char path[64];
};

static struct folder folder_new(void)
{
    struct folder folder = { "/tmp/koeval-import-XXXXXX" };
    if (!mkdtemp(folder.path))
        abort();
    return folder;
}

static void folder_remove(struct folder *folder)
{
    char command[128];
    snprintf(command, sizeof(command), "rm -rf %s", folder->path);
    if (system(command))
        abort();
}
AUTO_ENDS(struct folder, folder_remove)

static const char *in(const struct folder *folder, const char *name, char path[256])
{
    snprintf(path, 256, "%s/%s", folder->path, name);
    return path;
}

static void put_file(const struct folder *folder, const char *name, const char *text)
{
    char path[256];
    FILE *out = fopen(in(folder, name, path), "w");
    if (!out)
        abort();
    fputs(text, out);
    fclose(out);
}

#define TASK                                                                   \
    "task: t\noutput_type: multiple_choice\ntest_split: test\nfewshot_split: " \
    "dev\ndoc_to_text: q\n"                                                    \
    "doc_to_target: a\ndoc_to_choice: [x, z]\n"

static struct import *import_in(const struct folder *folder, struct source **source,
                                const char *const *splits, int32_t count, struct err *err)
{
    char path[256], files[4][256];
    struct import_data data[4];
    struct import *import = NULL;
    *err = (struct err){ 0 };
    for (int32_t i = 0; i < count; i++) {
        char name[64];
        snprintf(name, sizeof(name), "%s.jsonl", splits[i]);
        data[i] = (struct import_data){ splits[i], in(folder, name, files[i]) };
    }
    if (!source_open(source, in(folder, "t.yaml", path), err) ||
        !import_open(&import, *source, data, count, NULL, err))
        return NULL;
    return import;
}

static const char *const both[] = { "test", "dev" };

static bool imports(const char *yaml, const char *test, const char *dev, const char *why)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    AUTO(source_free) struct source *source = NULL;
    struct err err;
    put_file(&folder, "t.yaml", yaml);
    put_file(&folder, "test.jsonl", test);
    put_file(&folder, "dev.jsonl", dev);
    AUTO(import_free) struct import *import = import_in(&folder, &source, both, 2, &err);
    bool right = why ? !import && strstr(err.text, why) : import != NULL;
    if (!right)
        printf("%s\n", err.text);
    return right;
}

static const char good[] = "{\"q\":\"1\",\"a\":0}\n{\"q\":\"2\",\"a\":1}\n";

TEST(an_import_holds_canonical_documents_and_golds)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    AUTO(source_free) struct source *source = NULL;
    struct err err;
    put_file(&folder, "t.yaml", TASK);
    put_file(&folder, "test.jsonl", "{\"q\":\"1\", \"a\":0, \"Z\": 1.0}\n");
    put_file(&folder, "dev.jsonl", good);
    AUTO(import_free) struct import *import = import_in(&folder, &source, both, 2, &err);
    CHECK(import && import->evaluated.count == 1 && import->shots.count == 2);
    CHECK(text_is(import->evaluated.payloads[0], "{\"Z\":1.0,\"a\":0,\"q\":\"1\"}"));
    CHECK(text_is(import->evaluated.golds[0], "{\"bytes\":[1,1],\"chars\":[1,1],\"gold\":[0]}"));
    CHECK(text_is(import->shots.payloads[1], "{\"a\":1,\"q\":\"2\"}"));
}

TEST(a_wrong_row_is_named_by_file_line_and_reason)
{
    CHECK(imports(TASK, good, good, NULL));
    CHECK(imports(TASK, "{\"q\":\"1\",\"a\":0}\n{\"q\":\"2\",\"a\":2}\n", good,
                  "test.jsonl:2: doc_to_target: gold is out of range: choice 2 of 2"));
    CHECK(imports(TASK, "{\"q\":\"1\",\"a\":0}\n\n{\"q\":2,\"a\":1}\n", good,
                  "test.jsonl:3: doc_to_text: a number here, a text elsewhere"));
    CHECK(imports(TASK, "{\"q\":[],\"a\":0}\n", good, "test.jsonl:1: doc_to_text: gives list"));
    CHECK(imports(TASK, good, "{\"q\":\"1\",\"a\":0}\n{\"q\":\"2\",\"a\":9}\n",
                  "dev.jsonl:2: shot 0: a shot's answer is out of range: choice 9 of 2"));
    CHECK(imports(TASK, good, "x\n", "dev.jsonl:1: no JSON object: invalid syntax at byte 1"));
}

TEST(a_split_without_use_or_without_data_is_an_error)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    static const char *const other[] = { "test", "train" }, *const none[] = { "dev" };
    struct err err;
    put_file(&folder, "t.yaml", TASK);
    put_file(&folder, "test.jsonl", good);
    put_file(&folder, "dev.jsonl", good);
    AUTO(source_free) struct source *a = NULL;
    CHECK(!import_in(&folder, &a, other, 2, &err));
    CHECK(strstr(err.text, "no use for split 'train'; it takes test, dev"));
    put_file(&folder, "t.yaml",
             "task: t\noutput_type: multiple_choice\ntest_split: test\nfewshot_split: test\n"
             "doc_to_text: q\ndoc_to_target: a\ndoc_to_choice: [x, z]\n");
    AUTO(source_free) struct source *same = NULL;
    CHECK(!import_in(&folder, &same, other, 2, &err));
    CHECK(!strcmp(err.text, "task t has no use for split 'train'; it takes test"));
    put_file(&folder, "t.yaml", TASK);
    AUTO(source_free) struct source *b = NULL;
    CHECK(!import_in(&folder, &b, none, 1, &err));
    CHECK(strstr(err.text, "no data for its split 'test': say --data test=FILE"));
}

TEST(without_a_few_shot_file_the_pool_is_empty)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    AUTO(source_free) struct source *source = NULL;
    struct err err;
    put_file(&folder, "t.yaml", TASK);
    put_file(&folder, "test.jsonl", good);
    AUTO(import_free) struct import *import = import_in(&folder, &source, both, 1, &err);
    CHECK(import && import->shots.count == 0);
}

TEST(equal_documents_have_equal_numbers_in_both_roles)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    AUTO(source_free) struct source *source = NULL;
    struct err err;
    put_file(&folder, "t.yaml", TASK);
    put_file(&folder, "test.jsonl", good);
    put_file(&folder, "dev.jsonl",
             "{\"q\":\"2\",\"a\":1}\n{\"q\":\"3\",\"a\":1}\n{\"a\":0,\"q\":\"1\"}\n");
    AUTO(import_free) struct import *import = import_in(&folder, &source, both, 2, &err);
    CHECK(import);
    AUTO(free) int64_t *evaluated = NULL;
    AUTO(free) int64_t *shots = NULL;
    import_numbers(&evaluated, &shots, import);
    CHECK(evaluated[0] == shots[2] && evaluated[1] == shots[0]);
    CHECK(shots[1] != evaluated[0] && shots[1] != evaluated[1]);
}

TEST(inline_samples_are_the_pool)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    AUTO(source_free) struct source *source = NULL;
    struct err err;
    put_file(&folder, "t.yaml",
             "task: t\noutput_type: multiple_choice\ntest_split: test\ndoc_to_text: q\n"
             "doc_to_target: a\ndoc_to_choice: [x, z]\n"
             "fewshot_config:\n  sampler: first_n\n  samples: [{q: s, a: 1}]\n");
    put_file(&folder, "test.jsonl", good);
    AUTO(import_free) struct import *import = import_in(&folder, &source, both, 1, &err);
    CHECK(import && import->shots.count == 1);
    CHECK(text_is(import->shots.payloads[0], "{\"a\":1,\"q\":\"s\"}"));
}

TEST(hellaswags_process_docs_is_built_in)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    AUTO(source_free) struct source *source = NULL;
    struct err err;
    put_file(&folder, "t.yaml",
             "task: t\noutput_type: multiple_choice\ntest_split: test\ndoc_to_text: '{{query}}'\n"
             "doc_to_target: '{{label}}'\ndoc_to_choice: choices\n"
             "process_docs: !function utils.hellaswag_process_doc\n");
    put_file(&folder, "test.jsonl",
             "{\"context\":\"c\",\"ending_1\":\"a\",\"ending_2\":\"b\",\"ending_3\":\"d\","
             "\"ending_4\":\"e\",\"label\":3}\n");
    AUTO(import_free) struct import *import = import_in(&folder, &source, both, 1, &err);
    CHECK(import);
    CHECK(text_is(import->evaluated.golds[0],
                  "{\"bytes\":[1,1,1,1],\"chars\":[1,1,1,1],\"gold\":[3]}"));
    CHECK(strstr(import->evaluated.payloads[0].bytes, "\"query\":\"문장: c\""));
}

static bool names_are(const struct group *group, const char *expected)
{
    struct buf names = { 0 };
    for (int32_t i = 0; i < group->tasks_count; i++)
        buf_put_fmt(&names, "%s ", group->tasks[i].name);
    buf_put_text(&names, "/");
    for (int32_t i = 0; i < group->groups_count; i++)
        buf_put_fmt(&names, " %s", group->names[i]);
    bool same = !strcmp(buf_text(&names), expected);
    if (!same)
        printf("%s\n", buf_text(&names));
    buf_free(&names);
    return same;
}

TEST(a_group_holds_tasks_tags_and_groups_of_its_folder)
{
    AUTO(folder_remove) struct folder folder = folder_new();
    char path[256];
    struct err err = { 0 };
    bool is;
    put_file(&folder, "base", "output_type: multiple_choice\ntag: [odd]\n");
    put_file(&folder, "1.yaml", "task: z1\ninclude: base\n");
    put_file(&folder, "2.yaml", "task: t2\ntag: even\n");
    put_file(&folder, "3.yaml", "task: a3\ninclude: base\n");
    put_file(&folder, "odd.yaml", "group: odds\ntask: odd\naggregate_metric_list: {metric: acc}\n");
    put_file(
        &folder, "all.yaml",
        "group: all\ntask: [odds, t2]\naggregate_metric_list:\n"
        "  - {metric: acc, weight_by_size: false, filter_list: none}\nmetadata: {version: 1}\n");
    put_file(&folder, "columns.yaml", "columns: {a: b}\n");
    put_file(&folder, "broken.yaml", "a: [\n");
    put_file(&folder, "wrong.yaml", "group: w\ntask: [nosuch]\n");
    put_file(&folder, "self.yaml", "group: self\ntask: [self]\n");
    AUTO(group_free) struct group *group = NULL;
    CHECK(group_is(&is, in(&folder, "all.yaml", path), &err) && is);
    CHECK(group_is(&is, in(&folder, "1.yaml", path), &err) && !is);
    CHECK(group_open(&group, in(&folder, "all.yaml", path), &err));
    CHECK(names_are(group, "a3 z1 t2 / odds all"));
    char *text = json_dumps(group->definitions[1], JSON_COMPACT | JSON_SORT_KEYS);
    bool same = !strcmp(text, "{\"members\":[\"odds\",\"t2\"],\"metrics\":[{\"filter\":\"none\","
                              "\"metric\":\"acc\",\"weight_by_size\":false}],"
                              "\"tasks\":[\"a3\",\"z1\",\"t2\"],\"version\":1}");
    free(text);
    CHECK(same);
    AUTO(group_free) struct group *none = NULL;
    CHECK(!group_open(&none, in(&folder, "wrong.yaml", path), &err));
    CHECK(strstr(err.text, "no task, group or tag 'nosuch'"));
    CHECK(!group_open(&none, in(&folder, "self.yaml", path), &err));
    CHECK(strstr(err.text, "holds itself"));
}
