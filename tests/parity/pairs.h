/* pairs.h - prompts and continuations from a pipe, encoded and scored as an agent does it.
 *
 * A text in the pipe is its size (int32, this machine's order) and its bytes; a pair is two texts.
 * A pair that has no score keeps its place: its verdict says why, and it has no tokens. */
#ifndef PAIRS_H
#define PAIRS_H

#include "agent/infer/engine.h"
#include "agent/text/pair.h"

#include <stdio.h>

/* False at the end of the pipe. */
bool text_read(struct buf *out, FILE *in);

static inline struct text text_in(const struct buf *buf)
{
    return (struct text){ buf_text(buf), buf->size };
}

/* Parallel arrays; the requests' tokens lie in tokens, which pairs_read fills before it points. */
struct pairs {
    struct buf tokens, requests, verdicts; /* int32_t, struct request, int32_t */
    int32_t count;
};

void pairs_free(struct pairs *pairs);
AUTO_ENDS(struct pairs, pairs_free)

/* Encodes up to most pairs (the pipe may end before) in place of what pairs held. */
bool pairs_read(struct pairs *pairs, FILE *in, int32_t most, const struct tokenizer *tokenizer,
                enum pair_bos bos, int32_t max_length, struct err *err) MUST;

/* A line "VERDICT TOKENS GREEDY LL" a pair into out. */
bool pairs_score(struct engine *engine, const struct pairs *pairs, FILE *out, struct err *err) MUST;

#endif
