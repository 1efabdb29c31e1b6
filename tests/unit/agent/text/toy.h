/* toy.h - tokenizers small enough to be written in a test. */
#ifndef TOY_H
#define TOY_H

#include "agent/text/tokenizer.h"
#include "common/buf.h"

/* Apostrophes stand for quotes, so that JSON is readable inside C.  The caller frees out. */
void toy_json(struct buf *out, const char *text);

/* A tokenizer.json by parts (each JSON with apostrophes; NULL: null), and its
 * tokenizer_config.json (NULL: {}). */
struct toy {
    const char *normalizer, *pre_tokenizer, *post_processor, *added_tokens, *config;
    const char *model; /* members of "model": 'vocab': {...}, 'merges': [...] */
};

bool toy_open(struct tokenizer **out, const struct toy *toy, struct err *err) MUST;

/* The ids of text as "1 2 3", in a buffer of the caller's. */
const char *toy_ids(struct buf *out, const struct tokenizer *tokenizer, const char *text,
                    bool add_special);

#endif
