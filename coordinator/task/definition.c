#include "coordinator/task/definition.h"

#include "coordinator/task/task.h"

/* clang-format off */
static const char *const known_keys[] = {
    "task", "output_type", "doc_to_text", "doc_to_target", "doc_to_choice", "gen_prefix",
    "description", "target_delimiter", "fewshot_delimiter", "shot", "fewshot", "metric_list",
    "multiple_input", "multiple_target", "split", "process_docs", "version", "tag", NULL
};
/* clang-format on */

static bool check_keys(const json_t *json, struct err *err)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)json, key, value)
    {
        int i = 0;
        while (known_keys[i] && strcmp(known_keys[i], key))
            i++;
        if (!known_keys[i])
            return err_set(err, ERR_INPUT, "definition: unknown key '%.60s'", key);
    }
    return true;
}

static bool read_text(struct text *out, const json_t *json, const char *key, struct err *err)
{
    const json_t *string = json_object_get(json, key);
    if (!json_is_string(string))
        return err_set(err, ERR_INPUT, "definition: %s must be a text", key);
    *out = (struct text){ json_string_value(string), json_string_length(string) };
    return true;
}

static bool read_fields(struct task_fields *out, const json_t *json, struct err *err)
{
    return field_open(&out->text, "doc_to_text", json_object_get(json, "doc_to_text"), err) &&
           field_open(&out->target, "doc_to_target", json_object_get(json, "doc_to_target"), err) &&
           field_open(&out->choice, "doc_to_choice", json_object_get(json, "doc_to_choice"), err) &&
           field_open(&out->prefix, "gen_prefix", json_object_get(json, "gen_prefix"), err) &&
           read_text(&out->target_delimiter, json, "target_delimiter", err) &&
           read_text(&out->fewshot_delimiter, json, "fewshot_delimiter", err);
}

static bool read_output(struct task *task, struct err *err)
{
    struct text type;
    if (!read_text(&type, task->json, "output_type", err))
        return false;
    if (text_is(type, "multiple_choice"))
        task->output = TASK_MULTIPLE_CHOICE;
    else if (text_is(type, "loglikelihood"))
        task->output = TASK_LOGLIKELIHOOD;
    else
        return err_set(err, ERR_INPUT, "definition: output_type is not supported");
    if (task->item.target.type == FIELD_NONE || task->item.text.type == FIELD_NONE)
        return err_set(err, ERR_INPUT, "definition: doc_to_text or doc_to_target is missing");
    if (task->output == TASK_MULTIPLE_CHOICE && task->item.choice.type == FIELD_NONE)
        return err_set(err, ERR_INPUT, "definition: doc_to_choice is missing");
    return true;
}

static bool read_fewshot(struct task *task, struct err *err)
{
    const json_t *fewshot = json_object_get(task->json, "fewshot");
    const json_t *shots = json_object_get(fewshot, "num_fewshot");
    struct text sampler;
    if (!read_text(&sampler, fewshot, "sampler", err))
        return false;
    if (!text_is(sampler, "default") && !text_is(sampler, "first_n"))
        return err_set(err, ERR_INPUT, "definition: unknown sampler");
    task->sampler = text_is(sampler, "default") ? TASK_SAMPLE_RANDOM : TASK_SAMPLE_FIRST_N;
    task->excludes_self = json_is_true(json_object_get(fewshot, "exclude_self"));
    task->shots = -1;
    if (json_is_integer(shots)) {
        json_int_t count = json_integer_value(shots);
        if (count < 0 || count > 1000)
            return err_set(err, ERR_INPUT, "definition: num_fewshot is not 0 to 1000");
        task->shots = (int32_t)count;
    }
    return true;
}

static bool read_metrics(struct task *task, struct err *err)
{
    const json_t *list = json_object_get(task->json, "metric_list");
    size_t count = json_array_size(list);
    if (!count || count > TASK_METRICS_MAX)
        return err_set(err, ERR_INPUT, "definition: metric_list must hold 1 to %d metrics",
                       TASK_METRICS_MAX);
    for (size_t i = 0; i < count; i++) {
        const json_t *entry = json_array_get(list, i);
        struct task_metric *metric = &task->metrics[task->metrics_count++];
        metric->name = json_string_value(json_object_get(entry, "metric"));
        metric->aggregation = json_string_value(json_object_get(entry, "aggregation"));
        metric->higher_is_better = json_is_true(json_object_get(entry, "higher_is_better"));
        if (!metric->name || !metric->aggregation)
            return err_set(err, ERR_INPUT, "definition: metric %zu lacks a name or aggregation", i);
        task->mutual_info = task->mutual_info || !strcmp(metric->name, "acc_mutual_info");
    }
    return true;
}

static bool read_task(struct task *task, struct err *err)
{
    task->name = json_string_value(json_object_get(task->json, "task"));
    if (!task->name || !*task->name)
        return err_set(err, ERR_INPUT, "definition: task has no name");
    task->multiple_input = json_is_true(json_object_get(task->json, "multiple_input"));
    task->multiple_target = json_is_true(json_object_get(task->json, "multiple_target"));
    const json_t *description = json_object_get(task->json, "description");
    return check_keys(task->json, err) && read_fields(&task->item, task->json, err) &&
           read_fields(&task->shot, json_object_get(task->json, "shot"), err) &&
           field_open(&task->description, "description", description, err) &&
           read_output(task, err) && read_fewshot(task, err) && read_metrics(task, err);
}

bool task_open(struct task **out, const char *definition, size_t size, struct err *err)
{
    if (size > TASK_DEFINITION_BYTES_MAX)
        return err_set(err, ERR_INPUT, "definition of %zu bytes, the most is %d", size,
                       TASK_DEFINITION_BYTES_MAX);
    AUTO(task_free) struct task *task = must_calloc(1, sizeof *task);
    json_error_t where;
    task->json = json_loadb(definition, size, JSON_REJECT_DUPLICATES, &where);
    if (!json_is_object(task->json))
        return err_set(err, ERR_INPUT, "definition is no JSON object (byte %d)", where.position);
    if (!read_task(task, err))
        return task->name ? err_wrap(err, "task %.100s", task->name) : false;
    *out = TAKE(task);
    return true;
}

static void fields_close(struct task_fields *fields)
{
    field_close(&fields->text);
    field_close(&fields->target);
    field_close(&fields->choice);
    field_close(&fields->prefix);
}

void task_free(struct task *task)
{
    if (!task)
        return;
    fields_close(&task->item);
    fields_close(&task->shot);
    field_close(&task->description);
    json_decref(task->json);
    free(task);
}

const char *task_name(const struct task *task) { return task->name; }
enum task_output task_output(const struct task *task) { return task->output; }
enum task_sampler task_sampler(const struct task *task) { return task->sampler; }
int32_t task_shots(const struct task *task) { return task->shots; }
bool task_excludes_self(const struct task *task) { return task->excludes_self; }
int32_t task_metrics_count(const struct task *task) { return task->metrics_count; }

const struct task_metric *task_metric(const struct task *task, int32_t i)
{
    assert(i >= 0 && i < task->metrics_count);
    return &task->metrics[i];
}

bool document_open(struct value *out, json_t **json, struct text payload, struct heap *heap,
                   struct err *err)
{
    json_error_t where;
    json_t *document = json_loadb(payload.bytes, payload.size, JSON_ALLOW_NUL, &where);
    if (!json_is_object(document)) {
        json_decref(document);
        return err_set(err, ERR_INPUT, "document is no JSON object");
    }
    *json = document;
    return value_from_json(out, document, heap, err);
}
