/* native.h - the Python functions that task YAMLs name with !function, written again in C.
 *
 * Found by the name a YAML uses ("utils.copa_doc_to_text"); in a definition they stand under a name
 * of ours that says whose they are ("kobest.copa_doc_to_text").  To add one: a function and a line
 * in a table of native.c. */
#ifndef NATIVE_H
#define NATIVE_H

#include "coordinator/task/value.h"

/* What doc_to_text, doc_to_target, doc_to_choice give for a document. */
typedef bool native_fn(struct value *out, const struct value *document, struct heap *heap,
                       struct err *err);
struct native {
    const char *yaml_name; /* as after !function */
    const char *name;      /* as in definitions */
    native_fn *run;
};

/* process_docs: changes one document of a split. */
typedef bool native_process_fn(json_t *document, struct err *err);
struct native_process {
    const char *yaml_name, *name;
    native_process_fn *run;
};

/* By either name; NULL when there is none. */
const struct native *native_find(struct text name);
const struct native_process *native_process_find(struct text name);
/* The aggregation a metric's !function is, as definitions name it ("macro_f1"), or NULL. */
const char *native_aggregation(struct text yaml_name);

#endif
