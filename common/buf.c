#include "common/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool buf_reserve(struct buf *buf, size_t more)
{
    size_t max = buf->max ? buf->max : BUF_MAX_DEFAULT;
    if (buf->overflowed || more > max - buf->size) {
        buf->overflowed = true;
        return false;
    }
    size_t need = buf->size + more + 1;
    if (need > buf->capacity) {
        size_t capacity = buf->capacity ? buf->capacity * 2 : 64;
        buf->capacity = capacity > need ? capacity : need;
        buf->bytes = must_realloc(buf->bytes, buf->capacity, 1);
    }
    return true;
}

void buf_put(struct buf *buf, const void *bytes, size_t size)
{
    if (!buf_reserve(buf, size))
        return;
    if (size)
        memcpy(buf->bytes + buf->size, bytes, size);
    buf->size += size;
    buf->bytes[buf->size] = 0;
}

void buf_put_text(struct buf *buf, const char *text) { buf_put(buf, text, strlen(text)); }

void buf_put_char(struct buf *buf, char c) { buf_put(buf, &c, 1); }

void buf_put_fmt(struct buf *buf, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    assert(size >= 0);
    if (buf_reserve(buf, (size_t)size)) {
        vsnprintf(buf->bytes + buf->size, (size_t)size + 1, fmt, again);
        buf->size += (size_t)size;
    }
    va_end(again);
}

/* What c is written as after a backslash: 'u' for a number, 0 when it stands for itself. */
static char json_escape(unsigned char c)
{
    static const char escapes[] = "\"\"\\\\\bb\ff\nn\rr\tt";

    if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
        return 0;
    for (const char *e = escapes; *e; e += 2)
        if (c == (unsigned char)*e)
            return e[1];
    return 'u';
}

void buf_put_json_string(struct buf *buf, const char *bytes, size_t size)
{
    size_t plain = 0; /* bytes[plain .. i) stand for themselves */

    buf_put_char(buf, '"');
    for (size_t i = 0; i < size; i++) {
        char escape = json_escape((unsigned char)bytes[i]);
        if (!escape)
            continue;
        buf_put(buf, bytes + plain, i - plain);
        plain = i + 1;
        if (escape == 'u')
            buf_put_fmt(buf, "\\u%04x", (unsigned char)bytes[i]);
        else
            buf_put_fmt(buf, "\\%c", escape);
    }
    buf_put(buf, bytes + plain, size - plain);
    buf_put_char(buf, '"');
}

void buf_clear(struct buf *buf)
{
    buf->size = 0;
    buf->overflowed = false;
    if (buf->bytes)
        buf->bytes[0] = 0;
}

void buf_free(struct buf *buf)
{
    free(buf->bytes);
    *buf = (struct buf){ .max = buf->max };
}
