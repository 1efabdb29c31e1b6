/* source.h - a task YAML of lm-evaluation-harness, checked: what it asks of the data, and its
 * definition once the data's columns are known.
 *
 * Every key is either used, known to have no effect on requests or scores, or refused with file,
 * line, key and the name of what is missing: nothing that a YAML asks is passed over in silence. */
#ifndef SOURCE_H
#define SOURCE_H

#include "coordinator/task/native.h"
#include "coordinator/task/yaml.h"

struct source;

bool source_open(struct source **out, const char *path, struct err *err) MUST;
/* The same from YAML text without includes; name stands for the file in errors. */
bool source_parse(struct source **out, const char *text, const char *name, struct err *err) MUST;
void source_free(struct source *source);
AUTO_FREES(struct source *, source_free)

const char *source_task(const struct source *source);
/* dataset_name, or NULL. */
const char *source_dataset(const struct source *source);
/* The split that is evaluated: test_split, else validation_split. */
const char *source_split(const struct source *source);
/* The split that shots come from, or NULL: then it is source_samples, which may be NULL too. */
const char *source_fewshot_split(const struct source *source);
/* fewshot_config.samples: a list of documents. */
const struct yaml *source_samples(const struct source *source);
/* process_docs of either split, or NULL. */
const struct native_process *source_process(const struct source *source, bool fewshot);

/* A new reference: the definition, given a document whose keys are the data's columns and the two
 * facts that the first document decides. */
bool source_define(json_t **out, const struct source *source, const json_t *document,
                   bool multiple_input, bool multiple_target, struct err *err) MUST;

#endif
