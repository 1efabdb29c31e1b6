/* normal.h - normalizers: what the file does to a piece of text before it is split into words.
 *
 * A list of steps; a Sequence is read flat.  Each step maps a whole piece to a new one, in one of
 * two buffers that take turns. */
#ifndef NORMAL_H
#define NORMAL_H

#include "agent/text/fields.h"
#include "agent/text/tokenizer.h"

/* What a step may put in the place of one character: bounds how much a text can grow. */
#define NORMAL_STRING_BYTES 16

enum normal_kind {
    NORMAL_NFC,
    NORMAL_NFD,
    NORMAL_NFKC,
    NORMAL_NFKD,
    NORMAL_LOWERCASE,     /* each character by itself: no final sigma */
    NORMAL_STRIP,         /* White_Space at the ends */
    NORMAL_STRIP_ACCENTS, /* drops nonspacing marks */
    NORMAL_REPLACE,       /* every `from` becomes `to` */
    NORMAL_PREPEND,       /* `to` before a piece that is not empty */
};

struct normal_step {
    enum normal_kind kind;
    char *from, *to;
    size_t from_size, to_size;
    bool left, right;
};

struct normal {
    struct normal_step steps[TOKENIZER_STEPS_MAX];
    int32_t count;
};

/* From the value of "normalizer"; one we do not do is refused by its name. */
bool normal_read(struct normal *normal, struct text raw, struct err *err) MUST;
void normal_free(struct normal *normal);

/* The result lives in one of the buffers, or is the piece itself. */
struct text normal_apply(const struct normal *normal, struct text piece, struct buf buffers[2]);

#endif
