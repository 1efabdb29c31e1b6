/* added.h - added tokens: strings that become one id wherever they stand, before anything else.
 *
 * Those that are not "normalized" are looked for in the raw text, the others in the normalised
 * pieces between them, under their own normalised form.  At each place the longest counts. */
#ifndef ADDED_H
#define ADDED_H

#include "agent/text/bpe.h"
#include "agent/text/normal.h"

struct added_token {
    char *content;
    size_t size;
    int32_t id;
    bool single_word;    /* only where no word character touches it */
    bool lstrip, rstrip; /* takes the white space at its side with it */
    bool normalized, special;
};

/* A tree of bytes: children of a node are a list. */
struct added_node {
    int32_t child, sibling; /* 0: none */
    int32_t token;          /* -1: no token ends here */
    unsigned char byte;
};

struct added_tree {
    struct added_node *nodes;
    int32_t count, capacity;
    int32_t roots[256]; /* 0: none begins with this byte */
};

struct added {
    struct added_token *tokens;
    int32_t count, capacity;
    int32_t id_max;          /* -1: none */
    struct vocab by_content; /* content -> index in tokens */
    struct added_tree raw, normalized;
};

/* Adds a token as the reference does: its id is that of the model's vocabulary, or the next free
 * one; the id that a file names is not asked.  Content that is there already takes the new flags.
 */
bool added_put(struct added *added, const struct bpe *bpe, struct added_token token,
               struct err *err) MUST;
/* One entry of "added_tokens"; content is taken from there unless given.  Missing flags: special
 * tokens are not normalised, others are. */
bool added_token_read(struct added_token *out, struct buf *content, struct text raw,
                      struct err *err) MUST;
/* -1: no such token. */
int32_t added_find(const struct added *added, struct text content);

/* Builds both trees; once, after the last put. */
void added_finish(struct added *added, const struct normal *normal);
void added_free(struct added *added);

struct added_match {
    size_t start, end;
    const struct added_token *token;
};

/* The next match at or after `from`, with its white space, not before `after`; false: none.
 * *from moves to where the search goes on. */
bool added_next(const struct added *added, const struct added_tree *tree, struct text text,
                size_t *from, size_t after, struct added_match *out) MUST;

#endif
