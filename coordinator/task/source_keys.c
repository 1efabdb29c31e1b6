/* source_keys.c - which keys of a task YAML we use, which have no effect here, which we refuse. */
#include "coordinator/task/source_keys.h"

enum key_use {
    KEY_USED,
    KEY_IDLE,    /* no effect on requests or scores: where the data come from, display, notes */
    KEY_REFUSED, /* unless null, false or empty */
};

struct key {
    const char *name;
    enum key_use use;
    const char *missing; /* what a refused key asks for */
};

/* clang-format off */
static const struct key task_keys[] = {
    { "task",               KEY_USED, NULL }, { "output_type",       KEY_USED, NULL },
    { "training_split",     KEY_USED, NULL }, { "validation_split",  KEY_USED, NULL },
    { "test_split",         KEY_USED, NULL }, { "fewshot_split",     KEY_USED, NULL },
    { "process_docs",       KEY_USED, NULL }, { "doc_to_text",       KEY_USED, NULL },
    { "doc_to_target",      KEY_USED, NULL }, { "doc_to_choice",     KEY_USED, NULL },
    { "description",        KEY_USED, NULL }, { "target_delimiter",  KEY_USED, NULL },
    { "fewshot_delimiter",  KEY_USED, NULL }, { "gen_prefix",        KEY_USED, NULL },
    { "num_fewshot",        KEY_USED, NULL }, { "fewshot_config",    KEY_USED, NULL },
    { "metric_list",        KEY_USED, NULL }, { "metadata",          KEY_USED, NULL },
    { "tag",                KEY_USED, NULL }, { "repeats",           KEY_USED, NULL },
    { "dataset_name",       KEY_USED, NULL },
    { "task_alias",         KEY_IDLE, NULL }, { "dataset_path",      KEY_IDLE, NULL },
    { "dataset_kwargs",     KEY_IDLE, NULL }, { "generation_kwargs", KEY_IDLE, NULL },
    { "should_decontaminate", KEY_IDLE, NULL }, { "doc_to_decontamination_query", KEY_IDLE, NULL },
    { "custom_dataset",  KEY_REFUSED, "a dataset made by a Python function" },
    { "class",           KEY_REFUSED, "a task written in Python" },
    { "doc_to_image",    KEY_REFUSED, "images" },
    { "doc_to_audio",    KEY_REFUSED, "audio" },
    { "unsafe_code",     KEY_REFUSED, "running generated code" },
    { "process_results", KEY_REFUSED, "scoring by a Python function" },
    { "use_prompt",      KEY_REFUSED, "promptsource prompts" },
    { "filter_list",     KEY_REFUSED, "filters on multiple-choice responses" },
    { NULL, KEY_USED, NULL },
};
static const struct key fewshot_keys[] = {
    { "sampler",         KEY_USED, NULL }, { "split",             KEY_USED, NULL },
    { "samples",         KEY_USED, NULL }, { "process_docs",      KEY_USED, NULL },
    { "doc_to_text",     KEY_USED, NULL }, { "doc_to_choice",     KEY_USED, NULL },
    { "doc_to_target",   KEY_USED, NULL }, { "gen_prefix",        KEY_USED, NULL },
    { "fewshot_delimiter", KEY_USED, NULL }, { "target_delimiter", KEY_USED, NULL },
    { "fewshot_indices", KEY_REFUSED, "a fixed list of shots by index" },
    { NULL, KEY_USED, NULL },
};
static const struct key metric_keys[] = {
    { "metric",           KEY_USED, NULL }, { "aggregation", KEY_USED, NULL },
    { "higher_is_better", KEY_USED, NULL },
    /* Options of metric functions, which lm-eval never calls for these output types. */
    { "hf_evaluate",      KEY_IDLE, NULL }, { "average",            KEY_IDLE, NULL },
    { "ignore_case",      KEY_IDLE, NULL }, { "ignore_punctuation", KEY_IDLE, NULL },
    { "ignore_numbers",   KEY_IDLE, NULL }, { "regexes_to_ignore",  KEY_IDLE, NULL },
    { "weight_by_size",   KEY_IDLE, NULL },
    { NULL, KEY_USED, NULL },
};
static const struct key group_keys[] = {
    { "group",    KEY_USED, NULL }, { "task",        KEY_USED, NULL },
    { "metadata", KEY_USED, NULL }, { "aggregate_metric_list", KEY_USED, NULL },
    { "group_alias", KEY_IDLE, NULL }, { "tag", KEY_IDLE, NULL },
    { NULL, KEY_USED, NULL },
};
/* clang-format on */

static const struct key *const tables[] = { [KEYS_TASK] = task_keys,
                                            [KEYS_FEWSHOT] = fewshot_keys,
                                            [KEYS_METRIC] = metric_keys,
                                            [KEYS_GROUP] = group_keys };

static bool is_off(const struct yaml *node)
{
    return node->type == YAML_NULL || (node->type == YAML_BOOL && !node->boolean) ||
           ((node->type == YAML_LIST || node->type == YAML_MAP) && node->count == 0);
}

static bool check_key(const struct key *key, struct text name, const struct yaml *value,
                      struct err *err)
{
    while (key->name && !text_is(name, key->name))
        key++;
    int size = (int)(name.size > 60 ? 60 : name.size);
    if (!key->name)
        return yaml_fail(value, err, "%.*s: unknown key", size, name.bytes);
    if (key->use == KEY_REFUSED && !is_off(value))
        return yaml_fail(value, err, "%s: %s is not supported", key->name, key->missing);
    return true;
}

bool source_keys_check(const struct yaml *map, enum key_table table, struct err *err)
{
    for (int32_t i = 0; i < map->count; i++)
        if (!check_key(tables[table], map->keys[i], map->items[i], err))
            return false;
    return true;
}
