/* columns.h - a column map: how a published file's columns become the columns a task names.
 *
 *     format: tsv                      # csv, tsv or jsonl; otherwise the file's ending says it
 *     columns:
 *       paragraph: Text                # renamed
 *       label: {from: Answer, map: {"True": 1, "TRUE": 1, "False": 0, "FALSE": 0}}
 *       answer: {from: No, type: int, shift: -1}
 *
 * A document has exactly the columns that the map lists.  `map` looks a cell's text up and a cell
 * it does not list is an error; `type` (text, int, real, bool, json) reads a cell; `shift` adds to
 * an int. */
#ifndef COLUMNS_H
#define COLUMNS_H

#include <jansson.h>

#include "common/err.h"

struct columns;

bool columns_open(struct columns **out, const char *path, struct err *err) MUST;
/* The map from YAML text; name stands for the file in errors. */
bool columns_parse(struct columns **out, const char *text, const char *name, struct err *err) MUST;
void columns_free(struct columns *columns);
AUTO_FREES(struct columns *, columns_free)

/* "csv", "tsv", "jsonl", or NULL when the map does not say. */
const char *columns_format(const struct columns *columns);

/* A new document out of a row.  Errors name the column, not the cell. */
bool columns_apply(json_t **out, const struct columns *columns, const json_t *row,
                   struct err *err) MUST;

#endif
