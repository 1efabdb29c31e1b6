/* unicode.h - UTF-8 decoding and the character classes that tokenizer patterns name.
 *
 * Classes come from the general categories of utf8proc; ASCII and Hangul syllables, which are
 * nearly all of the text we see, are decided without a table look-up.  The decoder trusts its
 * input: utf8_valid is asked once, at the rim. */
#ifndef UNICODE_H
#define UNICODE_H

#include "common/text.h"

#define UTF8_BYTES_MAX 4

bool utf8_valid(struct text text) MUST;

/* The code point at at < end; *size becomes its bytes. */
uint32_t utf8_at(const char *at, size_t *size);
/* Bytes of the code point before at > start. */
size_t utf8_size_before(const char *at, const char *start);
size_t utf8_put(char *out, uint32_t c);

bool is_letter(uint32_t c); /* \p{L} */
bool is_number(uint32_t c); /* \p{N} */
bool is_mark(uint32_t c);   /* \p{M} */
bool is_space(uint32_t c);  /* White_Space: \s of Oniguruma and of Rust's regex */
bool is_word(uint32_t c);   /* \w of Rust's regex */
/* The two halves of the o200k pattern; caseless letters and marks are in both. */
bool is_upper_side(uint32_t c); /* \p{Lu} \p{Lt} \p{Lm} \p{Lo} \p{M} */
bool is_lower_side(uint32_t c); /* \p{Ll} \p{Lm} \p{Lo} \p{M} */

#endif
