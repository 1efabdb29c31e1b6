/* command.h - the one command table of `koeval`, and what a command is given.
 *
 * Everything the program says of itself (help, usage errors, what there is when a word is unknown,
 * completion) is read from the table, so a command is an entry and a function:
 *
 *     static bool node_list(struct cli *cli, struct err *err) { ... }
 *
 *     const struct command node_commands[] = {
 *         { .words = "node list", .role = ROLE_OPERATOR, .help = "agents, ...", .run = node_list },
 *         { 0 },
 *     };
 *
 * and a line in commands.c.  A command prints data with cli_table and cli_field, which become one
 * JSON document under --json; what is for people only goes to cli_note (stderr). */
#ifndef COMMAND_H
#define COMMAND_H

#include "common/buf.h"
#include "common/err.h"

struct db;
struct table;
struct cli;

/* Documented in coordinator/cli/README.md; scripts branch on them. */
enum cli_exit {
    CLI_OK = 0,
    CLI_FAILED = 1,
    CLI_USAGE = 2,
    CLI_NOT_FOUND = 3,
    CLI_NO_DATABASE = 4,
};

enum option_type {
    OPTION_END,  /* the entry after the last */
    OPTION_FLAG, /* --json */
    OPTION_TEXT, /* --mode hf, --mode=hf */
    OPTION_I64,  /* --shots 5 */
    OPTION_F64,  /* --interval 0.5 */
    OPTION_LIST, /* --model a b --model c: every word up to the next option, and again */
};

struct option {
    enum option_type type;
    const char *name;     /* without the dashes */
    const char *value;    /* the word that help shows for the value; NULL for a flag */
    const char *fallback; /* the value when it is not given, as it would be written; NULL: none */
    const char *help;
};

/* Database roles a command may act as. */
#define ROLE_COORDINATOR "koeval_coordinator"
#define ROLE_RANKER      "koeval_ranker"
#define ROLE_OPERATOR    "koeval_operator"
#define ROLE_ADMIN       "koeval_admin"

#define COMMAND_ARGS_ANY (-1)

struct command {
    const char *words;            /* "campaign launch": one or more words, single spaces */
    const char *role;             /* whom the database sees; NULL: needs no database */
    const char *usage;            /* what follows the words: "NAME --model M..."; NULL: nothing */
    const char *help;             /* one line */
    const char *more;             /* further lines for `koeval help WORDS`; may be NULL */
    const struct option *options; /* ends with OPTION_END; may be NULL */
    int args_min, args_max; /* words that are no options; args_max COMMAND_ARGS_ANY: no limit */
    bool hidden;            /* works, but help does not list it */
    bool (*run)(struct cli *cli, struct err *err);
};

/* Every command array, in the order that help shows them; NULL ends it. */
const struct command *const *commands_all(void);

/* The command whose words the arguments begin with (the longest such), or NULL; *used = its words.
 */
const struct command *command_find(const struct command *const *all, int argc,
                                   const char *const *argv, int *used);

/* Prints to stdout: everything, what begins with `words`, or one command in full. */
void help_all(const struct command *const *all);
bool help_of(const struct command *const *all, int argc, const char *const *argv);
void help_command(const struct command *command);
/* "a, b, c": the next words there are after the first argc words. */
void help_next_words(struct buf *out, const struct command *const *all, int argc,
                     const char *const *argv);

/* ---- what was written on the command line ---- */

const char *cli_arg(const struct cli *cli, int at); /* NULL past the end */

/* Values of the options in the command's table; asking for another is a programmer's error. */
bool cli_given(const struct cli *cli, const char *name);
bool cli_flag(const struct cli *cli, const char *name);
const char *cli_text(const struct cli *cli, const char *name); /* NULL: not given, no fallback */
int64_t cli_i64(const struct cli *cli, const char *name);      /* 0: not given, no fallback */
double cli_f64(const struct cli *cli, const char *name);
int cli_list_count(const struct cli *cli, const char *name);
const char *cli_list(const struct cli *cli, const char *name, int at);

/* ---- what it may use ---- */

/* The database as the command's role, opened at the first call and closed by main. */
bool cli_db(struct db **out, struct cli *cli, struct err *err) MUST;
/* The same for another role than the command's. */
bool cli_db_as(struct db **out, struct cli *cli, const char *role, struct err *err) MUST;

/* --db, else KOEVAL_DB, else NULL: libpq's own environment decides. */
const char *cli_conninfo(const struct cli *cli);

bool cli_json(const struct cli *cli);   /* --json was given */
bool cli_colour(const struct cli *cli); /* stdout is a terminal and NO_COLOR is not set */
bool cli_tty(const struct cli *cli);
/* Columns and lines of the terminal; 0 when stdout is none. */
int cli_width(const struct cli *cli);
int cli_height(const struct cli *cli);

/* ---- what it says ---- */

/* Prints the table, or adds it as member `name` (an array of objects) to the JSON document. */
void cli_table(struct cli *cli, const char *name, struct table *table);
/* One line "label  value", or one member of the document.  json is JSON text, shown may be NULL. */
void cli_field(struct cli *cli, const char *name, const char *json, const char *shown);
void cli_field_text(struct cli *cli, const char *name, const char *value);
void cli_field_i64(struct cli *cli, const char *name, int64_t value);
/* A line on stdout that JSON has no use for: headings, footers; dimmed on a terminal. */
void cli_line(struct cli *cli, const char *fmt, ...) PRINTF(2, 3);
/* A line on stderr. */
void cli_note(struct cli *cli, const char *fmt, ...) PRINTF(2, 3);

/* ---- how it fails: all return false and choose the exit code ---- */

bool cli_usage(struct cli *cli, struct err *err, const char *fmt, ...) PRINTF(3, 4);
/* "no model x; there is a, b, c".  there is NULL or "": "there is none yet". */
bool cli_not_found(struct cli *cli, struct err *err, const char *noun, const char *name,
                   const char *there);

#endif
