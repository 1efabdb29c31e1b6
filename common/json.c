#include "common/json.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void json_begin(struct json *json, const char *text, size_t size)
{
    const char *start = text ? text : ""; /* an absent value has no text */
    *json = (struct json){ .start = start, .at = start, .end = start + size };
}

void json_fail(struct json *json, const char *fmt, ...)
{
    if (!json_ok(json))
        return;
    char why[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    err_set(&json->err, ERR_INPUT, "%s at byte %zd", why, json->at - json->start);
}

static void json_space(struct json *json)
{
    while (json->at < json->end && memchr(" \t\r\n", *json->at, 4))
        json->at++;
}

bool json_end(struct json *json, struct err *err)
{
    json_space(json);
    if (json_ok(json) && json->at != json->end)
        json_fail(json, "something follows the value");
    if (json_ok(json))
        return true;
    *err = json->err;
    return false;
}

enum json_type json_peek(struct json *json)
{
    json_space(json);
    if (!json_ok(json) || json->at == json->end)
        return JSON_NONE;
    switch (*json->at) {
    case '{':
        return JSON_OBJECT;
    case '[':
        return JSON_ARRAY;
    case '"':
        return JSON_STRING;
    case 't':
    case 'f':
        return JSON_BOOL;
    case 'n':
        return JSON_NULL;
    default:
        return strchr("-0123456789", *json->at) ? JSON_NUMBER : JSON_NONE;
    }
}

/* Takes one expected character. */
static bool json_char(struct json *json, char c)
{
    json_space(json);
    if (!json_ok(json))
        return false;
    if (json->at == json->end || *json->at != c) {
        json_fail(json, "'%c' expected", c);
        return false;
    }
    json->at++;
    return true;
}

static void json_enter(struct json *json, char open)
{
    if (!json_char(json, open))
        return;
    if (json->depth == JSON_DEPTH_MAX) {
        json_fail(json, "nested deeper than %d", JSON_DEPTH_MAX);
        return;
    }
    json->first[json->depth++] = true;
}

/* Stands before the next element of the innermost container, or leaves it. */
static bool json_step(struct json *json, char close)
{
    json_space(json);
    if (!json_ok(json))
        return false;
    assert(json->depth > 0);
    bool *first = &json->first[json->depth - 1];
    if (json->at < json->end && *json->at == close) {
        json->at++;
        json->depth--;
        return false;
    }
    if (!*first && !json_char(json, ','))
        return false;
    *first = false;
    return true;
}

void json_object(struct json *json) { json_enter(json, '{'); }

void json_array(struct json *json) { json_enter(json, '['); }

bool json_item(struct json *json) { return json_step(json, ']'); }

bool json_member(struct json *json, struct buf *key)
{
    if (!json_step(json, '}'))
        return false;
    json_string(json, key);
    json_char(json, ':');
    return json_ok(json);
}

/* The bytes of one UTF-8 sequence at `at`, or 0: no overlong form, surrogate, or value past 10FFFF.
 */
static size_t utf8_size(const unsigned char *at, size_t left)
{
    unsigned char c = at[0];
    size_t size = c < 0x80 ? 1 : c < 0xc2 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 : c < 0xf5 ? 4 : 0;
    if (size == 0 || size > left)
        return 0;
    for (size_t i = 1; i < size; i++)
        if ((at[i] & 0xc0) != 0x80)
            return 0;
    if ((c == 0xe0 && at[1] < 0xa0) || (c == 0xed && at[1] > 0x9f) || (c == 0xf0 && at[1] < 0x90) ||
        (c == 0xf4 && at[1] > 0x8f))
        return 0;
    return size;
}

static void put_utf8(struct buf *out, uint32_t c)
{
    if (c < 0x80) {
        buf_put_char(out, (char)c);
    } else if (c < 0x800) {
        buf_put_char(out, (char)(0xc0 | c >> 6));
        buf_put_char(out, (char)(0x80 | (c & 0x3f)));
    } else if (c < 0x10000) {
        buf_put_char(out, (char)(0xe0 | c >> 12));
        buf_put_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_put_char(out, (char)(0x80 | (c & 0x3f)));
    } else {
        buf_put_char(out, (char)(0xf0 | c >> 18));
        buf_put_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
        buf_put_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
        buf_put_char(out, (char)(0x80 | (c & 0x3f)));
    }
}

/* Four hex digits after "\u"; at stands behind the u. */
static uint32_t json_hex4(struct json *json)
{
    uint32_t value = 0;
    for (int i = 0; i < 4; i++) {
        int c = json->at < json->end ? *json->at : 0;
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0) {
            json_fail(json, "four hex digits expected");
            return 0;
        }
        value = value << 4 | (uint32_t)digit;
        json->at++;
    }
    return value;
}

static void json_unicode_escape(struct json *json, struct buf *out)
{
    uint32_t c = json_hex4(json);
    if (c >= 0xd800 && c < 0xdc00) {
        if (json->end - json->at < 2 || json->at[0] != '\\' || json->at[1] != 'u') {
            json_fail(json, "half of a surrogate pair");
            return;
        }
        json->at += 2;
        uint32_t low = json_hex4(json);
        if (json_ok(json) && (low < 0xdc00 || low > 0xdfff))
            json_fail(json, "half of a surrogate pair");
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    } else if (c >= 0xdc00 && c < 0xe000) {
        json_fail(json, "half of a surrogate pair");
    }
    if (json_ok(json))
        put_utf8(out, c);
}

static void json_escape(struct json *json, struct buf *out)
{
    static const char plain[] = "\"\"\\\\//b\bf\fn\nr\rt\t";

    char c = json->at < json->end ? *json->at : 0;
    if (c == 'u') {
        json->at++;
        json_unicode_escape(json, out);
        return;
    }
    for (const char *p = plain; *p; p += 2)
        if (*p == c && c) {
            json->at++;
            buf_put_char(out, p[1]);
            return;
        }
    json_fail(json, "unknown escape");
}

void json_string(struct json *json, struct buf *out)
{
    buf_clear(out);
    if (!json_char(json, '"'))
        return;
    while (json_ok(json)) {
        if (json->at == json->end) {
            json_fail(json, "string without an end");
            break;
        }
        unsigned char c = (unsigned char)*json->at;
        if (c == '"') {
            json->at++;
            break;
        }
        if (c == '\\') {
            json->at++;
            json_escape(json, out);
            continue;
        }
        size_t size = utf8_size((const unsigned char *)json->at, (size_t)(json->end - json->at));
        if (c < 0x20 || size == 0) {
            json_fail(json, c < 0x20 ? "control character in a string" : "invalid UTF-8");
            break;
        }
        buf_put(out, json->at, size);
        json->at += size;
    }
    if (!buf_ok(out))
        json_fail(json, "string too long");
}

/* The extent of a number by the grammar; 0 when it is none. */
static size_t number_size(const char *at, const char *end)
{
    const char *p = at;
    if (p < end && *p == '-')
        p++;
    const char *digits = p;
    while (p < end && *p >= '0' && *p <= '9')
        p++;
    if (p == digits || (*digits == '0' && p - digits > 1))
        return 0;
    if (p < end && *p == '.') {
        const char *fraction = ++p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == fraction)
            return 0;
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-'))
            p++;
        const char *exponent = p;
        while (p < end && *p >= '0' && *p <= '9')
            p++;
        if (p == exponent)
            return 0;
    }
    return (size_t)(p - at);
}

#define NUMBER_MAX 64

/* Copies the number, NUL-terminated, for strtod and strtoll. */
static bool json_number(struct json *json, char text[NUMBER_MAX])
{
    json_space(json);
    if (!json_ok(json))
        return false;
    size_t size = number_size(json->at, json->end);
    if (size == 0 || size >= NUMBER_MAX) {
        json_fail(json, size ? "number of %zu characters" : "number expected", size);
        return false;
    }
    memcpy(text, json->at, size);
    text[size] = 0;
    json->at += size;
    return true;
}

int64_t json_int(struct json *json, int64_t least, int64_t most)
{
    char text[NUMBER_MAX], *end;
    if (!json_number(json, text))
        return least;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    if (*end || errno || value < least || value > most) {
        json_fail(json, "%s where an integer from %lld to %lld is expected", text, (long long)least,
                  (long long)most);
        return least;
    }
    return value;
}

double json_double(struct json *json)
{
    char text[NUMBER_MAX];
    if (!json_number(json, text))
        return 0;
    double value = strtod(text, NULL);
    if (!isfinite(value))
        json_fail(json, "number too large");
    return value;
}

/* Takes a word if it stands here. */
static bool json_word(struct json *json, const char *word)
{
    size_t size = strlen(word);
    json_space(json);
    if (!json_ok(json) || (size_t)(json->end - json->at) < size ||
        memcmp(json->at, word, size) != 0)
        return false;
    json->at += size;
    return true;
}

bool json_bool(struct json *json)
{
    if (json_word(json, "true"))
        return true;
    if (!json_word(json, "false"))
        json_fail(json, "true or false expected");
    return false;
}

bool json_null(struct json *json) { return json_word(json, "null"); }

static void json_skip_scalar(struct json *json, enum json_type type, struct buf *scratch)
{
    char text[NUMBER_MAX];

    if (type == JSON_STRING)
        json_string(json, scratch);
    else if (type == JSON_NUMBER)
        (void)json_number(json, text);
    else if (type == JSON_BOOL)
        json_bool(json);
    else if (type != JSON_NULL || !json_null(json))
        json_fail(json, "value expected");
}

void json_skip(struct json *json)
{
    AUTO(buf_free) struct buf scratch = { 0 };
    uint8_t is_object[JSON_DEPTH_MAX];
    int base = json->depth;

    do {
        bool more = true;
        if (json->depth > base)
            more = is_object[json->depth - 1] ? json_member(json, &scratch) : json_item(json);
        if (!more)
            continue;
        enum json_type type = json_peek(json);
        if (type == JSON_OBJECT)
            json_object(json);
        else if (type == JSON_ARRAY)
            json_array(json);
        else
            json_skip_scalar(json, type, &scratch);
        if (json_ok(json) && (type == JSON_OBJECT || type == JSON_ARRAY))
            is_object[json->depth - 1] = type == JSON_OBJECT;
    } while (json_ok(json) && json->depth > base);
}

void json_raw(struct json *json, const char **text, size_t *size)
{
    json_space(json);
    const char *from = json->at;
    json_skip(json);
    if (text)
        *text = from;
    if (size)
        *size = (size_t)(json->at - from);
}
