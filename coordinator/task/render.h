/* render.h - an item and its shots become requests: (prompt, continuation) pairs.
 *
 * What lm-evaluation-harness 0.4.13 sends to a model without a chat template, byte for byte:
 *
 *     prompt       = description ++ shot_1 ++ ... ++ shot_k ++ question
 *     continuation = target_delimiter ++ choice        (multiple choice, one request a choice)
 *                  = target                            (loglikelihood)
 *
 * With the metric acc_mutual_info the same continuations follow once more after an empty prompt.
 * Rendering is a pure function of (definition, payload, shots): no clock, no random source, no
 * other item.  Errors name a template and its line, never a document's text. */
#ifndef RENDER_H
#define RENDER_H

#include "coordinator/task/definition.h"

#define RENDER_CHOICES_MAX      256
#define RENDER_PROMPT_BYTES_MAX (1024 * 1024)

struct rendered_request {
    int32_t prompt;           /* index into prompts */
    struct text continuation; /* never empty */
};

/* Texts point into storage; prompts that are equal by construction stand there once. */
struct rendered {
    int32_t prompts_count, requests_count;
    struct text *prompts;
    struct rendered_request *requests; /* in request order */
    void *storage;
};

/* payload and shots are documents: JSON objects after column map and process_docs.  out is
 * untouched on failure.  Costs microseconds; memory and steps are bounded whatever the definition
 * says. */
bool render_item(struct rendered *out, const struct task *task, struct text payload,
                 const struct text *shots, int32_t shots_count, struct err *err) MUST;
void rendered_free(struct rendered *rendered);
AUTO_ENDS(struct rendered, rendered_free)

#endif
