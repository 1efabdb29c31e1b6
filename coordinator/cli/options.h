/* options.h - a command line against an option table: which words are options, which arguments.
 *
 * --name value, --name=value; a flag takes no value; a list takes every word up to the next option;
 * "--" makes everything after it an argument.  A number is checked here, so that a command reads
 * values that fit. */
#ifndef OPTIONS_H
#define OPTIONS_H

#include "coordinator/cli/command.h"

#define OPTIONS_MAX 24

struct option_values {
    const char **words; /* into argv; NULL when not given */
    int count;
};

struct options {
    const struct option *tables[2]; /* the program's own, the command's; either may be NULL */
    struct option_values values[2][OPTIONS_MAX];
    const char **args;
    int args_count;
};

/* The words of argv stay borrowed.  On failure err names the word and what there is. */
bool options_parse(struct options *out, const struct option *program, const struct option *command,
                   int argc, const char *const *argv, struct err *err) MUST;
void options_free(struct options *options);
AUTO_ENDS(struct options, options_free)

/* The table's entry and its values; NULL when no table has the name. */
const struct option *options_find(const struct options *options, const char *name,
                                  const struct option_values **values);

#endif
