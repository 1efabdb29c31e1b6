/* reason.h - what an operator does about a reason: the words of fail_reason, and "paused", each
 * with one hint.  docs/operations.md has the same hints in its table; tests/schema compares all of
 * them. */
#ifndef REASON_H
#define REASON_H

#include "coordinator/cli/command.h"
#include "coordinator/store/db.h"

/* NULL: a word that is no reason. */
const char *reason_hint(const char *word);

/* Every reason in column "reason" of one of the results, once, with what to do: table "todo".
 * People see nothing where there is none. */
void reason_hints(struct cli *cli, struct rows *const *results, int count);

#endif
