/* bpe.h - byte pair encoding: the characters of a word merge pairwise, the pair of lowest rank
 * first and the leftmost of equals, until no neighbours are a pair of the list.
 *
 * Byte level: the characters are the word's bytes, written in the 256 printable characters that
 * GPT-2 chose.  Else they are its code points, and one that is no token becomes its UTF-8 bytes as
 * <0xHH> tokens, or the unknown token, or nothing, as the file says.
 *
 * A word's ids do not depend on its neighbours, so words are remembered in the scratch.  A model
 * without pre-tokenizer makes one word of a whole prompt; where no merge crosses from another
 * character to the mark of a space, cutting there changes nothing and makes words again. */
#ifndef BPE_H
#define BPE_H

#include "agent/text/fields.h"
#include "agent/text/tokenizer.h"
#include "agent/text/vocab.h"

struct bpe {
    struct vocab vocab;
    struct merges merges;
    int32_t id_max;
    int32_t unk;            /* -1: none */
    int32_t byte_ids[256];  /* byte level: of each byte; else of <0xHH>; -1: none */
    char printable[256][2]; /* byte level: the character that stands for a byte */
    uint8_t printable_size[256];
    bool byte_level, byte_fallback, fuse_unk, ignore_merges;
    bool cuts_at_marks; /* see above */
};

/* From the value of "model". */
bool bpe_read(struct bpe *bpe, struct text raw, bool byte_level, struct err *err) MUST;
void bpe_free(struct bpe *bpe);

/* Symbols of one word while they merge, and the words seen before. */
struct bpe_work;
struct bpe_work *bpe_work_new(void);
void bpe_work_free(struct bpe_work *work);

/* Appends the ids of one word.  word is valid UTF-8. */
void bpe_encode(const struct bpe *bpe, struct bpe_work *work, struct text word, struct tokens *out);

#endif
