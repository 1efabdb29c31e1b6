/* pattern.h - the regular expressions by which byte-level tokenizers cut text into words, by hand.
 *
 * Every published model uses one of a handful of patterns, so each is a scanner written for it, and
 * a file's pattern must equal one of them byte for byte.  The reference is Oniguruma with its
 * Unicode classes: alternatives in order, greedy, leftmost. */
#ifndef PATTERN_H
#define PATTERN_H

#include "common/text.h"

/* Bytes matched at offset at < text.size; 0: the pattern does not match there. */
typedef size_t pattern_fn(struct text text, size_t at);

/* NULL: not a pattern we know. */
pattern_fn *pattern_find(struct text regex);

/* The pattern that ByteLevel has built in. */
size_t pattern_gpt2(struct text text, size_t at);

#endif
