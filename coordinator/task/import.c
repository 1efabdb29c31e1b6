#define _GNU_SOURCE /* qsort_r */
#include "coordinator/task/import.h"

#include <stdio.h>

#include "coordinator/task/dataset.h"
#include "coordinator/task/gold.h"
#include "coordinator/task/render.h"

struct importing {
    const struct source *source;
    const struct import_data *data;
    int32_t data_count;
    const struct columns *columns;
    struct dataset evaluated, shots;
    struct err *err;
};

static const char *path_of(const struct importing *m, const char *split)
{
    for (int32_t i = 0; split && i < m->data_count; i++)
        if (!strcmp(m->data[i].split, split))
            return m->data[i].path;
    return NULL;
}

static bool process(struct dataset *dataset, const struct native_process *process, struct err *err)
{
    for (int32_t i = 0; process && i < dataset->count; i++)
        if (!process->run(dataset->documents[i], err))
            return err_wrap(err, "%s:%d: %s", dataset->path, dataset->lines[i], process->name);
    return true;
}

static bool read_samples(struct importing *m, const struct yaml *samples)
{
    m->shots.path = samples->file;
    for (int32_t i = 0; i < samples->count; i++) {
        if (samples->items[i]->type != YAML_MAP)
            return yaml_fail(samples->items[i], m->err, "samples: a map expected");
        dataset_add(&m->shots, yaml_to_json(samples->items[i]), samples->items[i]->line);
    }
    return true;
}

static bool read_data(struct importing *m)
{
    const char *split = source_split(m->source), *path = path_of(m, split);
    const char *pool = path_of(m, source_fewshot_split(m->source));
    if (!path)
        return err_set(m->err, ERR_INPUT, "task %s: no data for its split '%s': say --data %s=FILE",
                       source_task(m->source), split, split);
    if (!dataset_read(&m->evaluated, path, m->columns, m->err) ||
        !process(&m->evaluated, source_process(m->source, false), m->err))
        return false;
    if (source_samples(m->source))
        return read_samples(m, source_samples(m->source));
    return !pool || (dataset_read(&m->shots, pool, m->columns, m->err) &&
                     process(&m->shots, source_process(m->source, true), m->err));
}

/* An unused --data is a mistyped split. */
static bool check_splits(const struct importing *m)
{
    const char *split = source_split(m->source), *pool = source_fewshot_split(m->source);
    if (pool && !strcmp(pool, split))
        pool = NULL;
    for (int32_t i = 0; i < m->data_count; i++)
        if (strcmp(m->data[i].split, split) && (!pool || strcmp(m->data[i].split, pool)))
            return err_set(m->err, ERR_INPUT, "task %s has no use for split '%s'; it takes %s%s%s",
                           source_task(m->source), m->data[i].split, split, pool ? ", " : "",
                           pool ? pool : "");
    return true;
}

static struct text dump(const json_t *json)
{
    char *bytes = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    return bytes ? text_of(bytes) : (struct text){ 0 };
}

static bool define(struct import *import, const struct importing *m, bool input, bool target)
{
    json_t *json = NULL;
    if (!source_define(&json, m->source, m->evaluated.documents[0], input, target, m->err))
        return false;
    free((char *)import->definition.bytes);
    import->definition = dump(json);
    json_decref(json);
    task_free(TAKE(import->task));
    if (!import->definition.bytes)
        return err_set(m->err, ERR_INPUT, "task %s: a text is no UTF-8", source_task(m->source));
    return task_open(&import->task, import->definition.bytes, import->definition.size, m->err);
}

/* The first document says whether texts are indices and targets lists, as in lm-eval. */
static bool define_by_first(struct import *import, const struct importing *m)
{
    bool input, target;
    if (!define(import, m, false, false))
        return false;
    AUTO(free) char *payload = (char *)dump(m->evaluated.documents[0]).bytes;
    if (!gold_shape(&input, &target, import->task, text_of(payload ? payload : ""), m->err))
        return err_wrap(m->err, "%s:%d", m->evaluated.path, m->evaluated.lines[0]);
    return (!input && !target) || define(import, m, input, target);
}

static bool render_alone(const struct task *task, struct text payload, const struct text *shot,
                         struct err *err)
{
    AUTO(rendered_free) struct rendered rendered = { 0 };
    return render_item(&rendered, task, payload, shot, shot ? 1 : 0, err);
}

static bool add_item(struct import_items *items, const struct import *import, json_t *document,
                     bool shot, struct err *err)
{
    int32_t i = items->count;
    items->payloads[i] = dump(document);
    items->count++;
    struct text payload = items->payloads[i];
    if (!payload.bytes)
        return err_set(err, ERR_INPUT, "a text is no UTF-8 or a number no JSON");
    AUTO(buf_free) struct buf gold = { 0 };
    struct err ignored = { 0 };
    bool right = gold_item(&gold, import->task, payload, shot ? &ignored : err);
    if (!right && !shot)
        return false;
    if (!right) { /* a pool may hold what is only ever shown */
        buf_clear(&gold);
        buf_put_text(&gold, "{\"bytes\":[],\"chars\":[],\"gold\":[]}");
    }
    items->golds[i] = (struct text){ TAKE(gold.bytes), gold.size };
    struct text first = import->evaluated.payloads[0];
    return shot ? render_alone(import->task, first, &payload, err)
                : render_alone(import->task, payload, NULL, err);
}

static bool add_items(struct import_items *items, const struct import *import,
                      const struct dataset *dataset, bool shot, struct err *err)
{
    items->payloads = must_calloc((size_t)dataset->count, sizeof *items->payloads);
    items->golds = must_calloc((size_t)dataset->count, sizeof *items->golds);
    for (int32_t i = 0; i < dataset->count; i++)
        if (!add_item(items, import, dataset->documents[i], shot, err))
            return err_wrap(err, "%s:%d", dataset->path, dataset->lines[i]);
    return true;
}

static void importing_end(struct importing *m)
{
    dataset_free(&m->evaluated);
    dataset_free(&m->shots);
}
AUTO_ENDS(struct importing, importing_end)

bool import_open(struct import **out, const struct source *source, const struct import_data *data,
                 int32_t data_count, const struct columns *columns, struct err *err)
{
    AUTO(importing_end)
    struct importing m = {
        .source = source, .data = data, .data_count = data_count, .columns = columns, .err = err
    };
    AUTO(import_free) struct import *import = must_calloc(1, sizeof *import);
    import->split = source_split(source);
    if (!check_splits(&m) || !read_data(&m) || !define_by_first(import, &m) ||
        !add_items(&import->evaluated, import, &m.evaluated, false, err) ||
        !add_items(&import->shots, import, &m.shots, true, err))
        return false;
    *out = TAKE(import);
    return true;
}

static void items_free(struct import_items *items)
{
    for (int32_t i = 0; i < items->count; i++) {
        free((char *)items->payloads[i].bytes);
        free((char *)items->golds[i].bytes);
    }
    free(items->payloads);
    free(items->golds);
}

void import_free(struct import *import)
{
    if (!import)
        return;
    items_free(&import->evaluated);
    items_free(&import->shots);
    task_free(import->task);
    free((char *)import->definition.bytes);
    free(import);
}

/* Item i of the evaluated ones, then of the shots. */
static const struct text *content(const struct import *import, int32_t i, bool gold)
{
    const struct import_items *items = &import->evaluated;
    if (i >= items->count) {
        i -= items->count;
        items = &import->shots;
    }
    return gold ? &items->golds[i] : &items->payloads[i];
}

static int compare_texts(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.bytes, b.bytes, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare_content(const void *left, const void *right, void *self)
{
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    int order = compare_texts(*content(self, a, false), *content(self, b, false));
    return order ? order : compare_texts(*content(self, a, true), *content(self, b, true));
}

void import_numbers(int64_t **evaluated, int64_t **shots, const struct import *import)
{
    int32_t count = import->evaluated.count + import->shots.count;
    AUTO(free) int32_t *order = must_calloc((size_t)count, sizeof *order);
    *evaluated = must_calloc((size_t)import->evaluated.count, sizeof **evaluated);
    *shots = must_calloc((size_t)import->shots.count, sizeof **shots);
    for (int32_t i = 0; i < count; i++)
        order[i] = i;
    qsort_r(order, (size_t)count, sizeof *order, compare_content, (void *)import);
    int64_t number = 0;
    for (int32_t i = 0; i < count; i++) {
        number += i && compare_content(&order[i - 1], &order[i], (void *)import) != 0;
        int32_t at = order[i] - import->evaluated.count;
        *(at < 0 ? &(*evaluated)[order[i]] : &(*shots)[at]) = number;
    }
}
