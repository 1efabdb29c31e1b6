/* table.h - rows of cells: aligned for people, an array of objects for programs, CSV for sheets.
 *
 * A cell has a value (JSON text) and what a person sees of it; widths count display columns, so a
 * Hangul syllable counts two.  Cells are put in column order; the row ends with the last column. */
#ifndef TABLE_H
#define TABLE_H

#include <stdio.h>

#include "common/buf.h"

enum column_side {
    COLUMN_LEFT,
    COLUMN_RIGHT, /* numbers */
    COLUMN_JSON,  /* left out of the aligned form: for programs only */
    COLUMN_SEEN,  /* left out of everything but it: for people only */
};

struct column {
    const char *name;  /* the JSON key and the CSV heading */
    const char *title; /* the heading people see; NULL: the name */
    enum column_side side;
};

enum cell_style { CELL_PLAIN, CELL_DIM, CELL_BOLD, CELL_GOOD, CELL_WARN, CELL_BAD };

struct table;

/* The columns stay borrowed. */
struct table *table_new(const struct column *columns, int columns_count);
void table_free(struct table *table);
AUTO_FREES(struct table *, table_free)

/* NULL is a null, seen as "-". */
void table_text(struct table *table, const char *text);
void table_i64(struct table *table, int64_t value);
void table_bool(struct table *table, bool value);
void table_null(struct table *table);
/* The value with so many decimals; not a number is a null. */
void table_f64(struct table *table, double value, int decimals);
/* json is JSON text (NULL: null); shown what people see. */
void table_cell(struct table *table, const char *json, const char *shown);
/* How the cell put last looks on a terminal. */
void table_style(struct table *table, enum cell_style style);

int table_rows(const struct table *table);
/* Display columns that table_print takes. */
int table_width(const struct table *table);
void table_print(const struct table *table, FILE *out, bool colour);
void table_print_csv(const struct table *table, FILE *out);
void table_put_json(const struct table *table, struct buf *out);

/* Display columns of UTF-8 text; a byte that is no UTF-8 counts one. */
int display_width(const char *text);
/* "3 s", "5 min", "2.1 h", "12 d"; negative seconds or nan: "never". */
void age_shown(char out[16], double seconds);
/* "1,234,567" */
void count_shown(char out[32], int64_t count);
/* Writes text between the terminal's codes for the style, or the text alone. */
void style_put(struct buf *out, const char *text, enum cell_style style, bool colour);

#endif
