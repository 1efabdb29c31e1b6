/* buf.h - growable bytes with a maximum and a sticky failure.
 *
 * buf_put_* never fail at the call: past the maximum the buffer remembers that it overflowed, later
 * puts do nothing, and buf_ok() is asked once at the end.  The bytes are always followed by a NUL
 * that does not count. */
#ifndef BUF_H
#define BUF_H

#include "common/base.h"

struct buf {
    char *bytes;
    size_t size, capacity;
    size_t max; /* 0 means BUF_MAX_DEFAULT */
    bool overflowed;
};

#define BUF_MAX_DEFAULT ((size_t)1 << 30)

void buf_put(struct buf *buf, const void *bytes, size_t size);
void buf_put_text(struct buf *buf, const char *text);
void buf_put_char(struct buf *buf, char c);
void buf_put_fmt(struct buf *buf, const char *fmt, ...) PRINTF(2, 3);
/* As a JSON string, quotes included.  The bytes must be UTF-8. */
void buf_put_json_string(struct buf *buf, const char *bytes, size_t size);

/* Makes it empty again and keeps the memory. */
void buf_clear(struct buf *buf);
void buf_free(struct buf *buf);
AUTO_ENDS(struct buf, buf_free)

static inline bool buf_ok(const struct buf *buf) { return !buf->overflowed; }

/* The text so far, never NULL. */
static inline const char *buf_text(const struct buf *buf) { return buf->bytes ? buf->bytes : ""; }

#endif
