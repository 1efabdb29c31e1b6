#include "coordinator/cli/board_file.h"

#include <jansson.h>
#include <string.h>

#include "common/buf.h"
#include "coordinator/task/yaml.h"

static void json_free(json_t *json) { json_decref(json); }
AUTO_FREES(json_t *, json_free)

void board_file_free(struct board_file *file)
{
    free(file->name);
    free(file->definition);
}

/* A key that nobody reads is a mistake that nobody sees. */
static bool only_keys(const struct yaml *map, const char *const *known, size_t count,
                      struct err *err)
{
    for (int32_t i = 0; i < map->count; i++) {
        bool found = false;
        for (size_t k = 0; k < count; k++)
            found |= text_is(map->keys[i], known[k]);
        if (found)
            continue;
        AUTO(buf_free) struct buf there = { 0 };
        for (size_t k = 0; k < count; k++)
            buf_put_fmt(&there, "%s%s", k ? ", " : "", known[k]);
        return yaml_fail(map->items[i], err, "no key %.*s; there is %s", (int)map->keys[i].size,
                         map->keys[i].bytes, buf_text(&there));
    }
    return true;
}

static bool is_weight(const struct yaml *node)
{
    return (node->type == YAML_INT && node->integer > 0) ||
           (node->type == YAML_REAL && node->real > 0);
}

static bool check_weight(const struct yaml *node, bool size_too, struct err *err)
{
    if (!node || is_weight(node) || (size_too && yaml_is_text(node, "size")))
        return true;
    return yaml_fail(node, err, "a weight is a number above 0%s", size_too ? " or size" : "");
}

static bool check_text(const struct yaml *map, const char *key, bool needed, struct err *err)
{
    const struct yaml *node = yaml_get(map, key);
    if (!node && needed)
        return yaml_fail(map, err, "needs %s", key);
    if (node && node->type != YAML_TEXT)
        return yaml_fail(node, err, "%s is a text", key);
    return true;
}

static bool check_params(const struct yaml *node, struct err *err)
{
    static const char *const keys[] = { "dtype",   "mode",    "shots",      "seed", "limit",
                                        "sampler", "add_bos", "max_length", "chat", "repeats" };
    if (!node)
        return true;
    if (node->type != YAML_MAP)
        return yaml_fail(node, err, "params is a map");
    return only_keys(node, keys, COUNT(keys), err);
}

static bool check_task(const struct yaml *entry, struct err *err)
{
    static const char *const keys[] = { "task",   "group",  "metric",  "category",
                                        "weight", "filter", "version", "params" };
    if (entry->type != YAML_MAP)
        return yaml_fail(entry, err, "a task is a map: { task: NAME, metric: acc }");
    if (!only_keys(entry, keys, COUNT(keys), err))
        return false;
    if (!yaml_get(entry, "task") == !yaml_get(entry, "group"))
        return yaml_fail(entry, err, "needs task or group, and not both");
    return check_text(entry, "task", false, err) && check_text(entry, "group", false, err) &&
           check_text(entry, "metric", true, err) && check_text(entry, "category", false, err) &&
           check_text(entry, "filter", false, err) &&
           check_weight(yaml_get(entry, "weight"), true, err) &&
           check_params(yaml_get(entry, "params"), err);
}

static bool check_board(const struct yaml *root, struct err *err)
{
    static const char *const keys[] = { "name", "tasks", "categories", "params", "publish" };
    const struct yaml *tasks = yaml_get(root, "tasks");
    const struct yaml *categories = yaml_get(root, "categories");
    const struct yaml *publish = yaml_get(root, "publish");
    if (!only_keys(root, keys, COUNT(keys), err) || !check_text(root, "name", true, err) ||
        !check_params(yaml_get(root, "params"), err))
        return false;
    if (!tasks || tasks->type != YAML_LIST || !tasks->count)
        return yaml_fail(tasks ? tasks : root, err, "needs tasks: a list that is not empty");
    if (publish && publish->type != YAML_BOOL)
        return yaml_fail(publish, err, "publish is true or false");
    if (categories && categories->type != YAML_MAP)
        return yaml_fail(categories, err, "categories is a map: name: weight");
    for (int32_t i = 0; categories && i < categories->count; i++)
        if (!check_weight(categories->items[i], false, err))
            return false;
    for (int32_t i = 0; i < tasks->count; i++)
        if (!check_task(tasks->items[i], err))
            return false;
    return true;
}

/* The file's params under the task's own, and a limit in any case. */
static void resolve_params(json_t *task, const json_t *shared)
{
    json_t *params = shared ? json_deep_copy(shared) : json_object();
    json_t *own = json_object_get(task, "params");
    if (own)
        json_object_update(params, own);
    if (!json_object_get(params, "limit"))
        json_object_set_new(params, "limit", json_null());
    json_object_set_new(task, "params", params);
}

/* Digits of a digest may look like a number to YAML: its text as written counts. */
static void resolve_version(json_t *task, const struct yaml *entry)
{
    const struct yaml *version = yaml_get(entry, "version");
    if (version)
        json_object_set_new(task, "version", json_stringn(version->text.bytes, version->text.size));
}

static void definition_of(struct board_file *out, const struct yaml *root)
{
    AUTO(json_free) json_t *board = yaml_to_json(root);
    const struct yaml *entries = yaml_get(root, "tasks");
    json_t *tasks = json_object_get(board, "tasks");
    for (int32_t i = 0; i < entries->count; i++) {
        json_t *task = json_array_get(tasks, (size_t)i);
        resolve_params(task, json_object_get(board, "params"));
        resolve_version(task, entries->items[i]);
    }
    out->name = strdup(json_string_value(json_object_get(board, "name")));
    json_object_del(board, "name");
    json_object_del(board, "params");
    out->definition = json_dumps(board, JSON_SORT_KEYS | JSON_COMPACT);
    assert(out->name && out->definition);
}

static bool read_file(struct board_file *out, const struct yaml_file *file, struct err *err)
{
    if (!check_board(yaml_root(file), err))
        return false;
    definition_of(out, yaml_root(file));
    return true;
}

bool board_file_read(struct board_file *out, const char *path, struct err *err)
{
    AUTO(yaml_close) struct yaml_file *file = NULL;
    return yaml_open(&file, path, err) && read_file(out, file, err);
}

bool board_file_parse(struct board_file *out, struct text text, const char *name, struct err *err)
{
    AUTO(yaml_close) struct yaml_file *file = NULL;
    return yaml_parse(&file, text, name, err) && read_file(out, file, err);
}
