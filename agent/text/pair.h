/* pair.h - a prompt and its continuation as one row of tokens, split where lm-evaluation-harness
 * splits it.
 *
 * The continuation's tokens are what is left of tokens(prompt + continuation) after as many as
 * tokens(prompt) has, with the white space that ends the prompt counted to the continuation; what
 * the model sees are tokens(prompt) followed by them.  The two can differ where a token spans the
 * border; so does the harness, and scores are comparable only if we do the same. */
#ifndef PAIR_H
#define PAIR_H

#include "agent/text/tokenizer.h"
#include "common/buf.h"

/* Whether the template's special tokens (in practice: bos) are put around. */
enum pair_bos {
    PAIR_BOS_TOKENIZER, /* as the tokenizer's own template says */
    PAIR_BOS_YES,
    PAIR_BOS_NO,
};

/* PAIR_ENCODED, or why this pair has no score. */
enum pair_verdict {
    PAIR_ENCODED,
    PAIR_EMPTY_CONTINUATION,    /* it has no token of its own: a token spans the border */
    PAIR_EMPTY_CONTEXT,         /* nothing to predict the first token from */
    PAIR_NO_PREFIX,             /* an empty prompt, and the tokenizer has neither bos nor eos */
    PAIR_CONTINUATION_TOO_LONG, /* it alone is longer than the model takes */
};

/* Why, as half a sentence. */
const char *pair_verdict_text(enum pair_verdict verdict);

/* tokens[0, n) of which [ctx, n) are scored; the last of them is never fed, so n may be
 * max_length + 1.  The ids live in the struct pair until its next use. */
struct pair {
    const int32_t *tokens;
    int32_t ctx, n;
    bool truncated; /* tokens were dropped at the left */
    struct tokens context, whole;
    struct buf text; /* prompt and continuation joined */
};

void pair_free(struct pair *pair);
AUTO_ENDS(struct pair, pair_free)

/* max_length: how many tokens the model takes, > 0.  pair is zeroed by its owner once and reused.
 * False only for bad UTF-8. */
bool pair_encode(struct pair *pair, enum pair_verdict *verdict, const struct tokenizer *tokenizer,
                 struct text prompt, struct text continuation, enum pair_bos bos,
                 int32_t max_length, struct err *err) MUST;

#endif
