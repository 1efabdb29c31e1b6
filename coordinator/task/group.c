#define _GNU_SOURCE /* qsort_r */
#include "coordinator/task/group.h"

#include <dirent.h>
#include <errno.h>

#include "common/buf.h"
#include "coordinator/task/source_keys.h"
#include "coordinator/task/yaml.h"

#define GROUP_DEPTH_MAX 16
#define FILES_MAX       4096

/* The folder's YAML files, sorted by name, includes merged. */
struct folder {
    struct yaml_file **files;
    char **paths;
    int32_t count;
};

struct gathering {
    struct folder folder;
    struct group *group;
    int depth;
    struct err *err;
};

static const struct yaml *get(const struct yaml *map, const char *key)
{
    const struct yaml *node = yaml_get(map, key);
    return node && node->type != YAML_NULL ? node : NULL;
}

static bool is_group(const struct yaml *root)
{
    const struct yaml *group = get(root, "group"), *task = get(root, "task");
    return group && group->type == YAML_TEXT && task;
}

bool group_is(bool *out, const char *path, struct err *err)
{
    AUTO(yaml_close) struct yaml_file *file = NULL;
    if (!yaml_open_with_includes(&file, path, err))
        return false;
    *out = is_group(yaml_root(file));
    return true;
}

static void folder_close(struct folder *folder)
{
    for (int32_t i = 0; i < folder->count; i++) {
        yaml_close(folder->files[i]);
        free(folder->paths[i]);
    }
    free(folder->files);
    free(folder->paths);
}

static char *joined(const char *path, const char *name)
{
    struct buf buf = { 0 };
    const char *slash = strrchr(path, '/');
    if (slash)
        buf_put(&buf, path, (size_t)(slash + 1 - path));
    buf_put_text(&buf, name);
    return buf.bytes;
}

static int is_yaml(const struct dirent *entry)
{
    const char *dot = strrchr(entry->d_name, '.');
    return dot && (!strcmp(dot, ".yaml") || !strcmp(dot, ".yml"));
}

static bool folder_open(struct folder *out, const char *path, struct err *err)
{
    struct dirent **entries = NULL;
    AUTO(free) char *dir = joined(path, ".");
    int count = scandir(dir, &entries, is_yaml, alphasort);
    if (count < 0)
        return err_set(err, ERR_INPUT, "%s: %s", dir, strerror(errno));
    out->files = must_calloc((size_t)count, sizeof(*out->files));
    out->paths = must_calloc((size_t)count, sizeof(*out->paths));
    bool ok = count <= FILES_MAX ? true : err_set(err, ERR_INPUT, "%s: too many files", dir);
    for (int i = 0; i < count; i++) {
        struct yaml_file *file = NULL;
        char *name = joined(path, entries[i]->d_name);
        struct err other = { 0 }; /* a file that no member needs may be anything */
        if (ok && yaml_open_with_includes(&file, name, &other)) {
            out->files[out->count] = file;
            out->paths[out->count++] = name;
        } else {
            free(name);
        }
        free(entries[i]);
    }
    free(entries);
    return ok;
}

static bool has_tag(const struct yaml *root, const char *tag)
{
    const struct yaml *node = get(root, "tag");
    if (!node || node->type != YAML_LIST)
        return yaml_is_text(node, tag);
    for (int32_t i = 0; i < node->count; i++)
        if (yaml_is_text(node->items[i], tag))
            return true;
    return false;
}

static bool gather_group(struct gathering *g, const struct yaml *root, json_t *leaves);

static bool add_task(struct gathering *g, int32_t file, json_t *leaves)
{
    const struct yaml *name = get(yaml_root(g->folder.files[file]), "task");
    struct group *group = g->group;
    json_array_append_new(leaves, json_string(name->text.bytes));
    for (int32_t i = 0; i < group->tasks_count; i++)
        if (!strcmp(group->tasks[i].name, name->text.bytes))
            return true;
    if (group->tasks_count == GROUP_TASKS_MAX)
        return yaml_fail(name, g->err, "task: more than %d tasks in a group", GROUP_TASKS_MAX);
    group->tasks[group->tasks_count++] =
        (struct group_task){ strdup(name->text.bytes), strdup(g->folder.paths[file]) };
    return true;
}

static int compare_names(const void *left, const void *right, void *self)
{
    const struct folder *folder = self;
    const struct yaml *a = get(yaml_root(folder->files[*(const int32_t *)left]), "task");
    const struct yaml *b = get(yaml_root(folder->files[*(const int32_t *)right]), "task");
    return strcmp(a->text.bytes, b->text.bytes);
}

/* Tasks with the tag, sorted by name.  *found says how many. */
static bool gather_tag(int32_t *found, struct gathering *g, const char *tag, json_t *leaves)
{
    AUTO(free) int32_t *files = must_calloc((size_t)g->folder.count, sizeof(*files));
    *found = 0;
    for (int32_t i = 0; i < g->folder.count; i++) {
        const struct yaml *root = yaml_root(g->folder.files[i]), *name = get(root, "task");
        if (name && name->type == YAML_TEXT && !get(root, "group") && has_tag(root, tag))
            files[(*found)++] = i;
    }
    qsort_r(files, (size_t)*found, sizeof(*files), compare_names, &g->folder);
    for (int32_t i = 0; i < *found; i++)
        if (!add_task(g, files[i], leaves))
            return false;
    return true;
}

static bool gather_member(struct gathering *g, const struct yaml *member, json_t *leaves)
{
    int32_t found;
    if (member->type != YAML_TEXT)
        return yaml_fail(member, g->err, "task: a member that is not a name is not supported");
    for (int32_t i = 0; i < g->folder.count; i++) {
        const struct yaml *root = yaml_root(g->folder.files[i]);
        if (is_group(root) && yaml_is_text(get(root, "group"), member->text.bytes))
            return gather_group(g, root, leaves);
        if (!get(root, "group") && yaml_is_text(get(root, "task"), member->text.bytes))
            return add_task(g, i, leaves);
    }
    if (!gather_tag(&found, g, member->text.bytes, leaves))
        return false;
    return found ? true
                 : yaml_fail(member, g->err,
                             "task: no task, group or tag '%.100s' in the files of this folder",
                             member->text.bytes);
}

static bool add_metric(json_t *out, const struct yaml *entry, struct err *err)
{
    const struct yaml *metric = entry->type == YAML_MAP ? get(entry, "metric") : NULL;
    if (!metric || metric->type != YAML_TEXT)
        return yaml_fail(entry, err, "aggregate_metric_list: an entry needs the key metric");
    const struct yaml *aggregation = get(entry, "aggregation");
    const struct yaml *sized = get(entry, "weight_by_size"), *filters = get(entry, "filter_list");
    if (aggregation && !yaml_is_text(aggregation, "mean"))
        return yaml_fail(aggregation, err, "aggregation: only mean is supported");
    if (filters && !yaml_is_text(filters, "none") &&
        !(filters->type == YAML_LIST && filters->count == 1 &&
          yaml_is_text(filters->items[0], "none")))
        return yaml_fail(filters, err, "filter_list: only 'none' is supported");
    json_array_append_new(out, json_pack("{s:s, s:s, s:b}", "metric", metric->text.bytes, "filter",
                                         "none", "weight_by_size", !sized || sized->boolean));
    return true;
}

static bool add_metrics(json_t *definition, const struct yaml *root, struct err *err)
{
    json_t *metrics = json_array();
    json_object_set_new(definition, "metrics", metrics);
    const struct yaml *list = get(root, "aggregate_metric_list");
    if (list && list->type == YAML_MAP)
        return add_metric(metrics, list, err);
    if (list && list->type != YAML_LIST)
        return yaml_fail(list, err, "aggregate_metric_list: a list expected");
    for (int32_t i = 0; list && i < list->count; i++)
        if (!add_metric(metrics, list->items[i], err))
            return false;
    return true;
}

static bool gather_members(struct gathering *g, const struct yaml *members, json_t *leaves)
{
    if (members->type != YAML_LIST)
        return gather_member(g, members, leaves);
    for (int32_t i = 0; i < members->count; i++)
        if (!gather_member(g, members->items[i], leaves))
            return false;
    return true;
}

/* Adds the group's leaves to those of the group above, and its own definition to the list. */
static bool gather_group(struct gathering *g, const struct yaml *root, json_t *leaves)
{
    const struct yaml *metadata = get(root, "metadata");
    const struct yaml *version = metadata ? get(metadata, "version") : NULL;
    if (++g->depth > GROUP_DEPTH_MAX || g->group->groups_count == GROUP_TASKS_MAX)
        return yaml_fail(root, g->err, "group: holds itself or nests too deep");
    if (!source_keys_check(root, KEYS_GROUP, g->err))
        return false;
    json_t *own = json_array();
    json_t *definition =
        json_pack("{s:o, s:o, s:o}", "tasks", own, "members", yaml_to_json(get(root, "task")),
                  "version", version ? yaml_to_json(version) : json_null());
    if (!gather_members(g, get(root, "task"), own) || !add_metrics(definition, root, g->err)) {
        json_decref(definition);
        return false;
    }
    json_array_extend(leaves, own);
    g->group->names[g->group->groups_count] = strdup(get(root, "group")->text.bytes);
    g->group->definitions[g->group->groups_count++] = definition;
    g->depth--;
    return true;
}

static bool gather(struct gathering *g, const char *path)
{
    AUTO(yaml_close) struct yaml_file *file = NULL;
    if (!yaml_open_with_includes(&file, path, g->err))
        return false;
    if (!is_group(yaml_root(file)))
        return yaml_fail(yaml_root(file), g->err, "group: this file is no group");
    json_t *leaves = json_array();
    bool ok = gather_group(g, yaml_root(file), leaves);
    json_decref(leaves);
    return ok;
}

bool group_open(struct group **out, const char *path, struct err *err)
{
    AUTO(group_free) struct group *group = must_calloc(1, sizeof(*group));
    group->tasks = must_calloc(GROUP_TASKS_MAX, sizeof(*group->tasks));
    group->names = must_calloc(GROUP_TASKS_MAX, sizeof(*group->names));
    group->definitions = must_calloc(GROUP_TASKS_MAX, sizeof(json_t *));
    struct gathering g = { .group = group, .err = err };
    bool ok = folder_open(&g.folder, path, err) && gather(&g, path);
    folder_close(&g.folder);
    if (ok)
        *out = TAKE(group);
    return ok;
}

void group_free(struct group *group)
{
    if (!group)
        return;
    for (int32_t i = 0; i < group->tasks_count; i++) {
        free(group->tasks[i].name);
        free(group->tasks[i].path);
    }
    for (int32_t i = 0; i < group->groups_count; i++) {
        free(group->names[i]);
        json_decref(group->definitions[i]);
    }
    free(group->tasks);
    free(group->names);
    free(group->definitions);
    free(group);
}
