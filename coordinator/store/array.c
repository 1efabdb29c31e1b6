#include "coordinator/store/array.h"

#include <string.h>

static int32_t count_items(const char *text)
{
    if (text[1] == '}')
        return 0;
    int32_t count = 1;
    bool quoted = false;
    for (const char *at = text; *at; at++) {
        if (*at == '\\' && quoted)
            at++;
        else if (*at == '"')
            quoted = !quoted;
        else if (*at == ',' && !quoted)
            count++;
    }
    return count;
}

/* Copies one element to *to and returns where it ended in the array's text. */
static const char *item_copy(char **to, bool *null, const char *at)
{
    bool quoted = *at == '"';
    const char *from = at += quoted;
    for (; *at && (quoted ? *at != '"' : *at != ',' && *at != '}'); at++) {
        if (*at == '\\')
            at++;
        *(*to)++ = *at;
    }
    *null = !quoted && at - from == 4 && !memcmp(from, "NULL", 4);
    *(*to)++ = 0;
    return at + quoted;
}

void array_split(char ***items, char **storage, int32_t *count, const char *text)
{
    assert(text[0] == '{');
    *count = count_items(text);
    *items = must_calloc((size_t)*count, sizeof(**items));
    *storage = must_calloc(strlen(text) + 1, 1);

    char *to = *storage;
    const char *at = text + 1;
    for (int32_t i = 0; i < *count; i++, at++) {
        bool null;
        char *item = to;
        at = item_copy(&to, &null, at);
        (*items)[i] = null ? NULL : item;
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    assert(c >= 'a' && c <= 'f');
    return c - 'a' + 10;
}

size_t bytes_unhex(void *out, const char *text)
{
    assert(text[0] == '\\' && text[1] == 'x');
    unsigned char *to = out;
    size_t count = 0;
    for (const char *at = text + 2; *at; at += 2)
        to[count++] = (unsigned char)(hex_digit(at[0]) << 4 | hex_digit(at[1]));
    return count;
}
