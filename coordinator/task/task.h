/* task.h - an opened definition, for the files of this folder. */
#ifndef TASK_H
#define TASK_H

#include "coordinator/task/definition.h"
#include "coordinator/task/field.h"

/* How a document is asked, once for evaluated documents and once for shots. */
struct task_fields {
    struct field text, target, choice, prefix;
    struct text target_delimiter, fewshot_delimiter;
};

struct task {
    json_t *json; /* owns every text below */
    const char *name;
    enum task_output output;
    struct task_fields item, shot;
    struct field description;
    enum task_sampler sampler;
    int32_t shots;
    bool excludes_self;
    bool multiple_input, multiple_target;
    bool mutual_info; /* a metric needs requests without context */
    int32_t metrics_count;
    struct task_metric metrics[TASK_METRICS_MAX];
};

/* Memory that one rendering may take. */
#define RENDER_HEAP_BYTES ((size_t)16 * 1024 * 1024)

/* Parses a payload or a shot; the value borrows the JSON. */
bool document_open(struct value *out, json_t **json, struct text payload, struct heap *heap,
                   struct err *err) MUST;

#endif
