/* gold.h - what a scorer needs to know of an item, besides the answers.
 *
 *     {"gold":[1],"chars":[3,1],"bytes":[9,3]}
 *
 * gold: indices of the right choices (one, unless the task has multiple targets); chars and bytes:
 * code points and UTF-8 bytes of each choice without delimiter, for acc_norm and acc_bytes.  For
 * output type loglikelihood gold is [0] and the target is the one choice. */
#ifndef GOLD_H
#define GOLD_H

#include "common/buf.h"
#include "coordinator/task/definition.h"

/* Appends canonical JSON.  A target that is no choice, or out of range, is an error. */
bool gold_item(struct buf *out, const struct task *task, struct text payload, struct err *err) MUST;

/* Whether doc_to_text gives an index (multiple_input) and doc_to_target a list (multiple_target);
 * asked of the first document when a task is imported. */
bool gold_shape(bool *multiple_input, bool *multiple_target, const struct task *task,
                struct text payload, struct err *err) MUST;

#endif
