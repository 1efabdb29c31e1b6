#define _GNU_SOURCE /* memmem */
#include "coordinator/task/pystr.h"

#include <math.h>
#include <stdio.h>
#include <utf8proc.h>

bool pystr_valid(struct text text)
{
    const char *at = text.bytes, *end = text.bytes + text.size;
    while (at < end) {
        utf8proc_int32_t code_point;
        utf8proc_ssize_t size =
            utf8proc_iterate((const utf8proc_uint8_t *)at, end - at, &code_point);
        if (size <= 0)
            return false;
        at += size;
    }
    return true;
}

uint32_t pystr_next(const char **at)
{
    const unsigned char *b = (const unsigned char *)*at;
    if (b[0] < 0x80) {
        *at += 1;
        return b[0];
    }
    if (b[0] < 0xE0) {
        *at += 2;
        return (b[0] & 0x1Fu) << 6 | (b[1] & 0x3Fu);
    }
    if (b[0] < 0xF0) {
        *at += 3;
        return (b[0] & 0x0Fu) << 12 | (b[1] & 0x3Fu) << 6 | (b[2] & 0x3Fu);
    }
    *at += 4;
    return (b[0] & 0x07u) << 18 | (b[1] & 0x3Fu) << 12 | (b[2] & 0x3Fu) << 6 | (b[3] & 0x3Fu);
}

void pystr_put(struct buf *out, uint32_t code_point)
{
    utf8proc_uint8_t bytes[4];
    utf8proc_ssize_t size = utf8proc_encode_char((utf8proc_int32_t)code_point, bytes);
    buf_put(out, bytes, (size_t)size);
}

/* Every byte that does not continue a code point begins one. */
static bool begins(char byte) { return ((unsigned char)byte & 0xC0) != 0x80; }

size_t pystr_length(struct text text)
{
    size_t length = 0;
    for (size_t i = 0; i < text.size; i++)
        length += begins(text.bytes[i]);
    return length;
}

size_t pystr_offset(struct text text, size_t index)
{
    size_t seen = 0;
    for (size_t i = 0; i < text.size; i++)
        if (begins(text.bytes[i]) && seen++ == index)
            return i;
    return text.size;
}

bool pystr_is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0D) || (c >= 0x1C && c <= 0x20) || c == 0x85 || c == 0xA0 ||
           c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 ||
           c == 0x202F || c == 0x205F || c == 0x3000;
}

bool pystr_is_printable(uint32_t c)
{
    switch (utf8proc_category((utf8proc_int32_t)c)) {
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
        return false;
    case UTF8PROC_CATEGORY_ZS:
        return c == ' ';
    default:
        return true;
    }
}

static uint32_t first_of(struct text text)
{
    const char *at = text.bytes;
    return pystr_next(&at);
}

/* The last code point and where it begins. */
static uint32_t last_of(struct text text, size_t *offset)
{
    size_t at = text.size - 1;
    while (at && !begins(text.bytes[at]))
        at--;
    *offset = at;
    return first_of((struct text){ text.bytes + at, text.size - at });
}

bool pystr_starts_with_space(struct text text)
{
    return text.size && pystr_is_space(first_of(text));
}

bool pystr_ends_with_space(struct text text)
{
    size_t offset;
    return text.size && pystr_is_space(last_of(text, &offset));
}

bool pystr_is_digits(struct text text)
{
    for (size_t i = 0; i < text.size; i++)
        if (text.bytes[i] < '0' || text.bytes[i] > '9')
            return false;
    return text.size > 0;
}

static bool is_stripped(uint32_t code_point, const struct text *chars)
{
    if (!chars)
        return pystr_is_space(code_point);
    for (const char *at = chars->bytes; at < chars->bytes + chars->size;)
        if (pystr_next(&at) == code_point)
            return true;
    return false;
}

struct text pystr_strip(struct text text, enum pystr_side side, const struct text *chars)
{
    size_t offset;
    while (side & PYSTR_LEFT && text.size && is_stripped(first_of(text), chars)) {
        const char *at = text.bytes;
        pystr_next(&at);
        text.size -= (size_t)(at - text.bytes);
        text.bytes = at;
    }
    while (side & PYSTR_RIGHT && text.size && is_stripped(last_of(text, &offset), chars))
        text.size = offset;
    return text;
}

int64_t pystr_find(struct text text, struct text needle, size_t from)
{
    if (from > text.size)
        return -1;
    if (!needle.size)
        return (int64_t)from;
    const char *at = memmem(text.bytes + from, text.size - from, needle.bytes, needle.size);
    return at ? at - text.bytes : -1;
}

static void put_escaped(struct buf *out, uint32_t c, char quote)
{
    if (c == '\\' || c == (uint32_t)quote)
        buf_put_fmt(out, "\\%c", (int)c);
    else if (c == '\n')
        buf_put_text(out, "\\n");
    else if (c == '\r')
        buf_put_text(out, "\\r");
    else if (c == '\t')
        buf_put_text(out, "\\t");
    else if (pystr_is_printable(c))
        pystr_put(out, c);
    else if (c < 0x100)
        buf_put_fmt(out, "\\x%02x", c);
    else if (c < 0x10000)
        buf_put_fmt(out, "\\u%04x", c);
    else
        buf_put_fmt(out, "\\U%08x", c);
}

void pystr_put_repr(struct buf *out, struct text text)
{
    /* Single quotes, unless that would need an escape and double quotes would not. */
    bool single = text.size && memchr(text.bytes, '\'', text.size);
    bool twice = text.size && memchr(text.bytes, '"', text.size);
    char quote = single && !twice ? '"' : '\'';

    buf_put_char(out, quote);
    for (const char *at = text.bytes; at < text.bytes + text.size;)
        put_escaped(out, pystr_next(&at), quote);
    buf_put_char(out, quote);
}

/* The shortest "%.*e" that reads back, as digits without the point and a decimal exponent. */
static int shortest_digits(char digits[32], double real)
{
    char text[40];
    for (int precision = 0; precision < 17; precision++) {
        snprintf(text, sizeof text, "%.*e", precision, real);
        if (strtod(text, NULL) == real)
            break;
    }
    char *exponent = strchr(text, 'e');
    int count = 0;
    for (char *at = text; at < exponent; at++)
        if (*at != '.')
            digits[count++] = *at;
    while (count > 1 && digits[count - 1] == '0')
        count--;
    digits[count] = 0;
    return (int)strtol(exponent + 1, NULL, 10);
}

static void put_fixed(struct buf *out, const char *digits, int exponent)
{
    int count = (int)strlen(digits);
    if (exponent < 0) {
        buf_put_text(out, "0.");
        for (int i = -1; i > exponent; i--)
            buf_put_char(out, '0');
        buf_put_text(out, digits);
        return;
    }
    for (int i = 0; i < (count > exponent + 1 ? count : exponent + 1); i++) {
        if (i == exponent + 1)
            buf_put_char(out, '.');
        buf_put_char(out, i < count ? digits[i] : '0');
    }
    if (count <= exponent + 1)
        buf_put_text(out, ".0");
}

void pystr_put_real(struct buf *out, double real)
{
    if (isnan(real) || isinf(real)) {
        buf_put_text(out, isnan(real) ? "nan" : real < 0 ? "-inf" : "inf");
        return;
    }
    char digits[32];
    int exponent = shortest_digits(digits, fabs(real));
    if (signbit(real))
        buf_put_char(out, '-');
    if (exponent >= -4 && exponent < 16) {
        put_fixed(out, digits, exponent);
        return;
    }
    buf_put_char(out, digits[0]);
    if (digits[1])
        buf_put_fmt(out, ".%s", digits + 1);
    buf_put_fmt(out, "e%c%02d", exponent < 0 ? '-' : '+', exponent < 0 ? -exponent : exponent);
}

void pystr_put_case(struct buf *out, struct text text, enum pystr_case to)
{
    const char *at = text.bytes;
    for (bool first = true; at < text.bytes + text.size; first = false) {
        utf8proc_int32_t c = (utf8proc_int32_t)pystr_next(&at);
        if (to == PYSTR_CAPITALIZE && first)
            c = utf8proc_totitle(c);
        else
            c = to == PYSTR_UPPER ? utf8proc_toupper(c) : utf8proc_tolower(c);
        pystr_put(out, (uint32_t)c);
    }
}
