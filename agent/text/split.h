/* split.h - pre-tokenizers: how a piece of text falls into the words that BPE merges within.
 *
 * A list of steps; each refines the pieces of the one before.  The pieces are not stored: a piece
 * is handed to the next step as soon as it is cut, and after the last one to the caller. */
#ifndef SPLIT_H
#define SPLIT_H

#include "agent/text/fields.h"
#include "agent/text/pattern.h"
#include "agent/text/tokenizer.h"

enum split_kind {
    SPLIT_BYTE_LEVEL, /* always last: the words' bytes become symbols there */
    SPLIT_PATTERN,
    SPLIT_LITERAL,
    SPLIT_DIGITS,
    SPLIT_METASPACE,
};

/* What becomes of a match: the gaps between matches are always words. */
enum split_behavior {
    SPLIT_ISOLATED, /* a word of its own */
    SPLIT_REMOVED,
    SPLIT_MERGED_WITH_PREVIOUS,
    SPLIT_MERGED_WITH_NEXT,
    SPLIT_CONTIGUOUS, /* neighbouring matches are one word */
};

/* Metaspace: where a piece that does not start with the mark gets one. */
enum split_prepend { SPLIT_NEVER, SPLIT_FIRST, SPLIT_ALWAYS };

struct split_step {
    enum split_kind kind;
    enum split_behavior behavior;
    bool invert;       /* gaps are the matches */
    bool whole;        /* the text is changed, but not cut */
    bool prefix_space; /* byte level */
    enum split_prepend prepend;
    pattern_fn *pattern;
    char *literal; /* what is searched, or the mark of Metaspace */
    size_t literal_size;
};

struct split {
    struct split_step steps[TOKENIZER_STEPS_MAX];
    int32_t count;
    bool byte_level;
};

/* From the value of "pre_tokenizer"; one we do not do is refused by its name.  prefix_space
 * replaces the flag of a ByteLevel that stands alone, as transformers does. */
bool split_read(struct split *split, struct text raw, bool prefix_space, struct err *err) MUST;
void split_free(struct split *split);

/* Receives the words in order. */
struct split_sink {
    void *self;
    void (*word)(void *self, struct text word);
    struct buf *buffers; /* TOKENIZER_STEPS_MAX of them */
};

/* first: the piece starts where the whole text starts. */
void split_apply(const struct split *split, struct text piece, bool first, struct split_sink *sink);

#endif
