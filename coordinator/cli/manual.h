/* manual.h - the command table as manual pages and as completion of shells.
 *
 * Both say what help says, from the same entries: a command that is in the table is in them. */
#ifndef MANUAL_H
#define MANUAL_H

#include "coordinator/cli/command.h"

/* A page in the macros of man(7).  noun NULL: koeval(1), every command in a line; else
 * koeval-NOUN(1), every command of the noun in full.  False where no command begins with it. */
bool manual_page(struct buf *out, const struct command *const *all, const char *noun);

/* The nth noun that has a page of its own, NULL past the last; size of `out`: 64. */
const char *manual_noun(char *out, const struct command *const *all, int nth);

/* "bash" or "zsh": a script that the shell reads; false for another shell. */
bool completion_script(struct buf *out, const struct command *const *all, const char *shell);

#endif
