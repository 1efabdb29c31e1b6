/* dataset.h - published data files become documents: JSON objects, one a row.
 *
 *   .jsonl  one object a line; a key that a line lacks is null, as in a table
 *   .csv    RFC 4180: a header, quoted fields may hold commas, quotes ("") and newlines
 *   .tsv    a header, tabs, nothing is quoted; a byte order mark and \r before \n are passed over
 *
 * Cells of CSV and TSV are texts; a column map gives them types (columns.h).  Errors name file and
 * line and never quote a cell. */
#ifndef DATASET_H
#define DATASET_H

#include <jansson.h>

#include "common/err.h"
#include "common/text.h"

#define DATASET_BYTES_MAX   ((size_t)1 << 30)
#define DATASET_ROWS_MAX    5000000
#define DATASET_COLUMNS_MAX 256

struct columns;

struct dataset {
    json_t **documents;
    int32_t *lines; /* where each began in its file, from 1 */
    int32_t count;
    const char *path; /* for messages; borrowed */
};

/* columns may be NULL: the file's own names, CSV and TSV cells as texts. */
bool dataset_read(struct dataset *out, const char *path, const struct columns *columns,
                  struct err *err) MUST;
/* The same from bytes; the path's ending says the format. */
bool dataset_parse(struct dataset *out, struct text text, const char *path,
                   const struct columns *columns, struct err *err) MUST;
void dataset_free(struct dataset *dataset);
AUTO_ENDS(struct dataset, dataset_free)

/* Takes the document over. */
void dataset_add(struct dataset *dataset, json_t *document, int32_t line);

#endif
