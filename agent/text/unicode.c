#include "agent/text/unicode.h"

#include <utf8proc.h>

/* How many bytes a sequence has by its first byte; 0: none begins so. */
static size_t lead_size(unsigned char c)
{
    return c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
}

static bool sequence_valid(const unsigned char *at, size_t size)
{
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return false;
    /* Overlong forms, surrogates, and what lies beyond U+10FFFF. */
    return !(at[0] == 0xe0 && at[1] < 0xa0) && !(at[0] == 0xed && at[1] > 0x9f) &&
           !(at[0] == 0xf0 && at[1] < 0x90) && !(at[0] == 0xf4 && at[1] > 0x8f);
}

bool utf8_valid(struct text text)
{
    const unsigned char *at = (const unsigned char *)text.bytes, *end = at + text.size;
    while (at < end) {
        size_t size = lead_size(*at);
        if (size == 0 || size > (size_t)(end - at) || !sequence_valid(at, size))
            return false;
        at += size;
    }
    return true;
}

uint32_t utf8_at(const char *at, size_t *size)
{
    const unsigned char *b = (const unsigned char *)at;
    *size = lead_size(b[0]);
    switch (*size) {
    case 1:
        return b[0];
    case 2:
        return (uint32_t)(b[0] & 0x1f) << 6 | (b[1] & 0x3f);
    case 3:
        return (uint32_t)(b[0] & 0x0f) << 12 | (uint32_t)(b[1] & 0x3f) << 6 | (b[2] & 0x3f);
    default:
        assert(*size == 4);
        return (uint32_t)(b[0] & 0x07) << 18 | (uint32_t)(b[1] & 0x3f) << 12 |
               (uint32_t)(b[2] & 0x3f) << 6 | (b[3] & 0x3f);
    }
}

size_t utf8_size_before(const char *at, const char *start)
{
    const char *p = at - 1;
    while (p > start && (*p & 0xc0) == 0x80)
        p--;
    return (size_t)(at - p);
}

size_t utf8_put(char *out, uint32_t c)
{
    return (size_t)utf8proc_encode_char((utf8proc_int32_t)c, (utf8proc_uint8_t *)out);
}

static bool is_syllable(uint32_t c) { return c >= 0xac00 && c <= 0xd7a3; }

/* One bit a category, so that a class is a mask. */
#define BIT(category) (1u << UTF8PROC_CATEGORY_##category)
#define CASELESS      (BIT(LM) | BIT(LO) | MARKS)
#define MARKS         (BIT(MN) | BIT(MC) | BIT(ME))
#define LETTERS       (BIT(LU) | BIT(LL) | BIT(LT) | BIT(LM) | BIT(LO))

static bool in(uint32_t c, uint32_t mask)
{
    return 1u << utf8proc_category((utf8proc_int32_t)c) & mask;
}

static bool ascii_letter(uint32_t c) { return (c | 0x20) - 'a' < 26; }

static bool ascii_digit(uint32_t c) { return c - '0' < 10; }

bool is_letter(uint32_t c) { return c < 0x80 ? ascii_letter(c) : is_syllable(c) || in(c, LETTERS); }

bool is_number(uint32_t c)
{
    return c < 0x80 ? ascii_digit(c) : !is_syllable(c) && in(c, BIT(ND) | BIT(NL) | BIT(NO));
}

bool is_mark(uint32_t c) { return c >= 0x300 && !is_syllable(c) && in(c, MARKS); }

bool is_space(uint32_t c)
{
    return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* Letters that are none by category: Other_Alphabetic beyond the marks. */
static bool is_circled_letter(uint32_t c)
{
    return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
           (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189);
}

bool is_word(uint32_t c)
{
    if (c < 0x80)
        return ascii_letter(c) || ascii_digit(c) || c == '_';
    return in(c, LETTERS | MARKS | BIT(ND) | BIT(NL) | BIT(PC)) || c == 0x200c || c == 0x200d ||
           is_circled_letter(c);
}

bool is_upper_side(uint32_t c)
{
    return c < 0x80 ? c - 'A' < 26 : is_syllable(c) || in(c, BIT(LU) | BIT(LT) | CASELESS);
}

bool is_lower_side(uint32_t c)
{
    return c < 0x80 ? c - 'a' < 26 : is_syllable(c) || in(c, BIT(LL) | CASELESS);
}
