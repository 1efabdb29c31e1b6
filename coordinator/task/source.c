#include "coordinator/task/source.h"

#include "coordinator/task/jinja.h"
#include "coordinator/task/source_keys.h"
#include "coordinator/task/source_metric.h"

struct source {
    struct yaml_file *file;
    const struct yaml *root;
    const struct yaml *fewshot; /* fewshot_config, or NULL */
    const char *task, *dataset, *split, *fewshot_split;
    bool excludes_self;
    const struct yaml *samples;
    const struct native_process *process, *fewshot_process;
};

static const struct yaml *get(const struct yaml *map, const char *key)
{
    const struct yaml *node = map ? yaml_get(map, key) : NULL;
    return node && node->type != YAML_NULL ? node : NULL;
}

/* A key of fewshot_config, or the task's own. */
static const struct yaml *get_for_shots(const struct source *source, const char *key)
{
    const struct yaml *node = source->fewshot ? yaml_get(source->fewshot, key) : NULL;
    return node ? (node->type == YAML_NULL ? NULL : node) : get(source->root, key);
}

static bool read_name(const char **out, const struct yaml *map, const char *key, struct err *err)
{
    const struct yaml *node = get(map, key);
    *out = NULL;
    if (!node)
        return true;
    if (node->type == YAML_LIST || node->type == YAML_MAP || node->type == YAML_FUNCTION ||
        !node->text.size || strlen(node->text.bytes) != node->text.size)
        return yaml_fail(node, err, "%s: a name expected", key);
    *out = node->text.bytes;
    return true;
}

static bool same(const char *a, const char *b) { return a && b ? !strcmp(a, b) : a == b; }

static bool read_splits(struct source *s, struct err *err)
{
    const char *training, *validation, *test, *fewshot, *own;
    if (!read_name(&training, s->root, "training_split", err) ||
        !read_name(&validation, s->root, "validation_split", err) ||
        !read_name(&test, s->root, "test_split", err) ||
        !read_name(&fewshot, s->root, "fewshot_split", err) ||
        !read_name(&own, s->fewshot, "split", err))
        return false;
    fewshot = own ? own : fewshot;
    s->split = test ? test : validation;
    s->samples = fewshot ? NULL : get(s->fewshot, "samples");
    /* lm-eval compares what the YAML says, before it falls back: None equals None. */
    s->excludes_self = same(fewshot, test);
    if (!fewshot && !s->samples)
        fewshot = training ? training : validation ? validation : test;
    s->fewshot_split = fewshot;
    if (!s->split)
        return yaml_fail(s->root, err, "test_split: neither it nor validation_split is given");
    if (s->samples && s->samples->type != YAML_LIST)
        return yaml_fail(s->samples, err, "samples: only a list of documents is supported");
    return true;
}

static bool read_process(const struct native_process **out, const struct yaml *node,
                         struct err *err)
{
    *out = NULL;
    if (!node)
        return true;
    if (node->type == YAML_FUNCTION)
        *out = native_process_find(node->text);
    if (!*out)
        return yaml_fail(node, err, "process_docs: function '%.*s' is not built in",
                         (int)(node->text.size > 60 ? 60 : node->text.size),
                         node->text.bytes ? node->text.bytes : "");
    return true;
}

static bool check_values(const struct source *s, struct err *err)
{
    const struct yaml *output = get(s->root, "output_type"), *repeats = get(s->root, "repeats");
    bool known = yaml_is_text(output, "multiple_choice") || yaml_is_text(output, "loglikelihood");
    if (!known)
        return yaml_fail(output ? output : s->root, err, "output_type: %s is not supported",
                         !output                                         ? "generate_until"
                         : yaml_is_text(output, "generate_until")        ? "generate_until"
                         : yaml_is_text(output, "loglikelihood_rolling") ? "loglikelihood_rolling"
                                                                         : "this value");
    if (repeats && (repeats->type != YAML_INT || repeats->integer != 1))
        return yaml_fail(repeats, err, "repeats: more than one response is not supported");
    return true;
}

static bool read_source(struct source *s, struct err *err)
{
    s->root = yaml_root(s->file);
    s->fewshot = get(s->root, "fewshot_config");
    if (get(s->root, "group") || (get(s->root, "task") && get(s->root, "task")->type == YAML_LIST))
        return yaml_fail(s->root, err, "task: this file is a group, not a task");
    if (s->fewshot && s->fewshot->type != YAML_MAP)
        return yaml_fail(s->fewshot, err, "fewshot_config: a map expected");
    if (!check_values(s, err) || !source_keys_check(s->root, KEYS_TASK, err) ||
        (s->fewshot && !source_keys_check(s->fewshot, KEYS_FEWSHOT, err)) ||
        !read_name(&s->task, s->root, "task", err) ||
        !read_name(&s->dataset, s->root, "dataset_name", err) || !read_splits(s, err) ||
        !read_process(&s->process, get(s->root, "process_docs"), err) ||
        !read_process(&s->fewshot_process, get_for_shots(s, "process_docs"), err))
        return false;
    return s->task ? true : yaml_fail(s->root, err, "task: the task's name is missing");
}

static bool source_of(struct source **out, struct yaml_file *file, struct err *err)
{
    AUTO(source_free) struct source *source = must_calloc(1, sizeof *source);
    source->file = file;
    if (!read_source(source, err))
        return false;
    *out = TAKE(source);
    return true;
}

bool source_open(struct source **out, const char *path, struct err *err)
{
    struct yaml_file *file = NULL;
    return yaml_open_with_includes(&file, path, err) && source_of(out, file, err);
}

bool source_parse(struct source **out, const char *text, const char *name, struct err *err)
{
    struct yaml_file *file = NULL;
    return yaml_parse(&file, text_of(text), name, err) && source_of(out, file, err);
}

void source_free(struct source *source)
{
    if (source)
        yaml_close(source->file);
    free(source);
}

const char *source_task(const struct source *source) { return source->task; }
const char *source_dataset(const struct source *source) { return source->dataset; }
const char *source_split(const struct source *source) { return source->split; }
const char *source_fewshot_split(const struct source *source) { return source->fewshot_split; }
const struct yaml *source_samples(const struct source *source) { return source->samples; }

const struct native_process *source_process(const struct source *source, bool fewshot)
{
    return fewshot ? source->fewshot_process : source->process;
}

/* The definition --------------------------------------------------------------------------------
 */

static bool add_list(json_t *out, const char *key, const struct yaml *node, struct err *err)
{
    json_t *list = json_array();
    json_object_set_new(out, key, json_pack("{s:o}", "list", list));
    for (int32_t i = 0; i < node->count; i++) {
        const struct yaml *item = node->items[i];
        if (item->type != YAML_TEXT)
            return yaml_fail(item, err, "%s: item %d is no text; quote it", key, i);
        json_array_append_new(list, json_stringn(item->text.bytes, item->text.size));
    }
    return true;
}

static bool add_template(json_t *out, const char *key, const struct yaml *node, struct err *err)
{
    struct err why = { 0 };
    AUTO(template_free) struct template *template = NULL;
    if (!template_compile(&template, node->text, &why))
        return yaml_fail(node, err, "%s: template, %s", key, why.text);
    json_object_set_new(out, key,
                        json_pack("{s:s%}", "template", node->text.bytes, node->text.size));
    return true;
}

/* A text names a column when the data have it, and is a template otherwise. */
static bool add_field(json_t *out, const char *key, const struct yaml *node, const json_t *document,
                      struct err *err)
{
    if (!node)
        json_object_set_new(out, key, json_null());
    else if (node->type == YAML_INT)
        json_object_set_new(out, key, json_pack("{s:I}", "int", (json_int_t)node->integer));
    else if (node->type == YAML_LIST || node->type == YAML_MAP)
        return add_list(out, key, node, err); /* of a map, its values */
    else if (node->type == YAML_TEXT && strlen(node->text.bytes) == node->text.size &&
             json_object_get(document, node->text.bytes))
        json_object_set_new(out, key, json_pack("{s:s}", "column", node->text.bytes));
    else if (node->type == YAML_TEXT)
        return add_template(out, key, node, err);
    else if (node->type != YAML_FUNCTION)
        return yaml_fail(node, err, "%s: a text, a list or a function expected", key);
    else if (!native_find(node->text))
        return yaml_fail(node, err, "%s: function '%.*s' is not built in", key,
                         (int)(node->text.size > 60 ? 60 : node->text.size), node->text.bytes);
    else
        json_object_set_new(out, key, json_pack("{s:s}", "native", native_find(node->text)->name));
    return true;
}

static bool add_delimiter(json_t *out, const char *key, const struct yaml *node,
                          const char *fallback, struct err *err)
{
    if (node && node->type != YAML_TEXT)
        return yaml_fail(node, err, "%s: a text expected", key);
    struct text text = node ? node->text : text_of(fallback);
    json_object_set_new(out, key, json_stringn(text.bytes, text.size));
    return true;
}

static bool add_fields(json_t *out, const struct source *s, bool shots, const json_t *document,
                       struct err *err)
{
    static const char *const fields[] = { "doc_to_text", "doc_to_target", "doc_to_choice",
                                          "gen_prefix" };
    for (size_t i = 0; i < COUNT(fields); i++) {
        const struct yaml *node = shots ? get_for_shots(s, fields[i]) : get(s->root, fields[i]);
        if (!add_field(out, fields[i], node, document, err))
            return false;
    }
    const struct yaml *target =
        shots ? get_for_shots(s, "target_delimiter") : get(s->root, "target_delimiter");
    const struct yaml *fewshot =
        shots ? get_for_shots(s, "fewshot_delimiter") : get(s->root, "fewshot_delimiter");
    return add_delimiter(out, "target_delimiter", target, " ", err) &&
           add_delimiter(out, "fewshot_delimiter", fewshot, "\n\n", err);
}

static bool add_fewshot(json_t *out, const struct source *s, struct err *err)
{
    const struct yaml *sampler = get(s->fewshot, "sampler"), *shots = get(s->root, "num_fewshot");
    if (sampler && !yaml_is_text(sampler, "default") && !yaml_is_text(sampler, "first_n"))
        return yaml_fail(sampler, err,
                         "sampler: '%.*s' is not supported; there is default, first_n",
                         (int)(sampler->text.size > 60 ? 60 : sampler->text.size),
                         sampler->text.bytes ? sampler->text.bytes : "");
    if (shots && (shots->type != YAML_INT || shots->integer < 0 || shots->integer > 1000))
        return yaml_fail(shots, err, "num_fewshot: 0 to 1000 expected");
    json_object_set_new(out, "fewshot",
                        json_pack("{s:s, s:b, s:o}", "sampler",
                                  sampler ? sampler->text.bytes : "default", "exclude_self",
                                  s->excludes_self, "num_fewshot",
                                  shots ? json_integer(shots->integer) : json_null()));
    return true;
}

static void add_notes(json_t *out, const struct source *s)
{
    const struct yaml *metadata = get(s->root, "metadata"), *tag = get(s->root, "tag");
    const struct yaml *version = metadata ? get(metadata, "version") : NULL;
    json_object_set_new(out, "task", json_string(s->task));
    json_object_set_new(out, "version", version ? yaml_to_json(version) : json_null());
    json_object_set_new(out, "tag", tag ? yaml_to_json(tag) : json_null());
    json_object_set_new(out, "process_docs",
                        s->process ? json_string(s->process->name) : json_null());
    json_object_set_new(out, "split",
                        json_pack("{s:s, s:s?}", "evaluate", s->split, "fewshot",
                                  s->fewshot_split));
}

static bool add_description(json_t *out, const struct source *s, const json_t *document,
                            struct err *err)
{
    const struct yaml *node = get(s->root, "description");
    if (node && node->type == YAML_TEXT && !node->text.size)
        node = NULL;
    return node && node->type != YAML_TEXT ? yaml_fail(node, err, "description: a text expected")
                                           : add_field(out, "description", node, document, err);
}

static bool fill(json_t *out, const struct source *s, const json_t *document, struct err *err)
{
    json_t *shot = json_object(), *metrics = NULL;
    bool choice = yaml_is_text(get(s->root, "output_type"), "multiple_choice");
    add_notes(out, s);
    json_object_set_new(out, "output_type",
                        json_string(choice ? "multiple_choice" : "loglikelihood"));
    json_object_set_new(out, "shot", shot);
    if (!add_fields(out, s, false, document, err) || !add_fields(shot, s, true, document, err) ||
        !add_description(out, s, document, err) || !add_fewshot(out, s, err) ||
        !source_metrics(&metrics, s->root, get(s->root, "metric_list"), choice, err))
        return false;
    json_object_set_new(out, "metric_list", metrics);
    return true;
}

bool source_define(json_t **out, const struct source *source, const json_t *document,
                   bool multiple_input, bool multiple_target, struct err *err)
{
    json_t *definition = json_object();
    if (!fill(definition, source, document, err)) {
        json_decref(definition);
        return false;
    }
    json_object_set_new(definition, "multiple_input", json_boolean(multiple_input));
    json_object_set_new(definition, "multiple_target", json_boolean(multiple_target));
    *out = definition;
    return true;
}
