/* list.h - a result of the database as a listing: which columns, and how a person wants to see
 * each.
 *
 *     static const struct list_column columns[] = {
 *         { "campaign", NULL,    LIST_TEXT },
 *         { "state",    NULL,    LIST_STATE },
 *         { "items",    "items", LIST_COUNT },
 *     };
 *     list_print(cli, "campaigns", rows, columns, COUNT(columns));
 *
 * Programs get every column under its own name with the plain value. */
#ifndef LIST_H
#define LIST_H

#include "coordinator/cli/command.h"
#include "coordinator/cli/table.h"
#include "coordinator/store/db.h"

enum list_kind {
    LIST_TEXT,
    LIST_ID,      /* a number that names something */
    LIST_COUNT,   /* a number of things */
    LIST_PERCENT, /* 0 .. 100 */
    LIST_SHARE,   /* 0 .. 1, four digits */
    LIST_SCORE,   /* 0 .. 100, two digits */
    LIST_RATE,    /* a second */
    LIST_BYTES,   /* 1.2 GiB */
    LIST_SECONDS, /* a length of time, "3 min" */
    LIST_TIME,    /* timestamptz, to the minute */
    LIST_STATE,   /* a word that has a colour */
    LIST_BOOL,
    LIST_TEXTS,  /* text[] */
    LIST_SHORT,  /* a digest: 12 digits are shown */
    LIST_JSON,   /* jsonb, for programs only */
    LIST_HIDDEN, /* text, for programs only */
    LIST_NUMBER, /* whole number, for programs only */
};

struct list_column {
    const char *name;  /* column of the result and key of the document */
    const char *title; /* NULL: the name with spaces */
    enum list_kind kind;
};

/* A listing under `name`. */
void list_print(struct cli *cli, const char *name, struct rows *rows,
                const struct list_column *columns, int count);
/* One row as lines "name value". */
void list_print_one(struct cli *cli, struct rows *rows, int row, const struct list_column *columns,
                    int count);

/* The age of what was shown: since the coordinator last wrote.  Asked of the database. */
bool list_age(struct cli *cli, struct db *db, struct err *err) MUST;

/* "a, b, c": the first column of a query, for cli_not_found. */
bool list_names(struct buf *out, struct db *db, const char *sql, const struct arg *args,
                struct err *err) MUST;

/* "1.2 GiB" */
void bytes_shown(char out[16], double bytes);
/* How a state's word looks. */
enum cell_style state_style(const char *state);

#endif
