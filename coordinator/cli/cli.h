/* cli.h - the state behind command.h: one command line being carried out.  For main.c and tests. */
#ifndef CLI_H
#define CLI_H

#include "coordinator/cli/command.h"
#include "coordinator/cli/options.h"

struct cli {
    const struct command *command;
    struct options options;
    struct buf document; /* the members of the JSON document so far, without the braces */
    bool json, colour, tty;
    enum cli_exit exit;  /* what a failure exits with */
    const char *db_role; /* whom db was opened as */
    struct db *db;
};

/* The options every command has: --db, --json, --help. */
extern const struct option cli_options[];

/* Runs one command line and returns the exit code; argv without the program's name. */
enum cli_exit cli_run(const struct command *const *all, int argc, const char *const *argv);

#endif
