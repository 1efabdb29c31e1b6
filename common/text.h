/* text.h - borrowed bytes with a length.
 *
 * A struct text owns nothing: it points into memory whose owner the reader of the code can name.
 * Bytes are UTF-8 unless a comment says otherwise, may contain NUL, and are not NUL-terminated. */
#ifndef TEXT_H
#define TEXT_H

#include <string.h>

#include "common/base.h"

struct text {
    const char *bytes;
    size_t size;
};

/* "literal" as a text. */
#define TEXT_LITERAL(literal) ((struct text){ (literal), sizeof(literal) - 1 })

static inline struct text text_of(const char *string)
{
    return (struct text){ string, strlen(string) };
}

static inline bool text_equal(struct text a, struct text b)
{
    return a.size == b.size && (!a.size || !memcmp(a.bytes, b.bytes, a.size));
}

static inline bool text_is(struct text text, const char *string)
{
    return text_equal(text, text_of(string));
}

#endif
