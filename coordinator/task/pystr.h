/* pystr.h - Python's str, on UTF-8.
 *
 * Templates were written for Python, so lengths, indices and slices count code points, whitespace
 * is Python's (29 code points), and text inside a printed list looks as repr() writes it.  Texts
 * must be valid UTF-8 (pystr_valid is asked where bytes come in); nothing is normalised. */
#ifndef PYSTR_H
#define PYSTR_H

#include "common/buf.h"
#include "common/text.h"

/* UTF-8 without surrogates, overlong forms or values past U+10FFFF. */
bool pystr_valid(struct text text);

/* The code point at *at, which moves past it. */
uint32_t pystr_next(const char **at);
void pystr_put(struct buf *out, uint32_t code_point);

/* len() */
size_t pystr_length(struct text text);
/* Byte offset of code point `index`; the size when there are fewer. */
size_t pystr_offset(struct text text, size_t index);
/* str.isspace of one code point, equal to \s of re. */
bool pystr_is_space(uint32_t code_point);
/* What repr leaves as it is. */
bool pystr_is_printable(uint32_t code_point);
bool pystr_starts_with_space(struct text text);
bool pystr_ends_with_space(struct text text);
/* str.isdigit, for ASCII digits only: int() of the others would not be a plain number. */
bool pystr_is_digits(struct text text);

enum pystr_side { PYSTR_LEFT = 1, PYSTR_RIGHT = 2, PYSTR_BOTH = 3 };
/* strip, lstrip, rstrip; chars NULL means whitespace. */
struct text pystr_strip(struct text text, enum pystr_side side, const struct text *chars);

/* Byte offset of the first `needle` at or after byte `from`, or -1. */
int64_t pystr_find(struct text text, struct text needle, size_t from);

void pystr_put_repr(struct buf *out, struct text text);
/* repr of a float: the shortest digits that read back as the same double. */
void pystr_put_real(struct buf *out, double real);

enum pystr_case { PYSTR_LOWER, PYSTR_UPPER, PYSTR_CAPITALIZE };
/* Simple case mappings of Unicode (one code point to one). */
void pystr_put_case(struct buf *out, struct text text, enum pystr_case to);

#endif
