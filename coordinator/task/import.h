/* import.h - a task YAML and its data files become what the database keeps: a definition, payloads
 * and golds.
 *
 * Every evaluated document is rendered once and every shot too, so that what is imported can be
 * run: a wrong row is found here, with its file, line and reason, and nothing is half imported. */
#ifndef IMPORT_H
#define IMPORT_H

#include "coordinator/task/columns.h"
#include "coordinator/task/definition.h"
#include "coordinator/task/source.h"

struct import_data {
    const char *split, *path;
};

/* Parallel arrays; the import owns the texts. */
struct import_items {
    int32_t count;
    struct text *payloads, *golds;
};

struct import {
    struct task *task;
    struct text definition; /* canonical JSON */
    struct import_items evaluated, shots;
    const char *split; /* the evaluated split; the source's */
};

/* data names a file for the evaluated split and, unless the task never takes shots from a file, one
 * for the few-shot split; without it the pool is empty.  source must outlive the import. */
bool import_open(struct import **out, const struct source *source, const struct import_data *data,
                 int32_t data_count, const struct columns *columns, struct err *err) MUST;
void import_free(struct import *import);
AUTO_FREES(struct import *, import_free)

/* Content numbers as fewshot.h wants them: equal payload and gold, equal number.  The caller frees
 * both. */
void import_numbers(int64_t **evaluated, int64_t **shots, const struct import *import);

#endif
