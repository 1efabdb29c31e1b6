/* json.h - a pull reader over a byte range: the caller asks for what it expects, in order.
 *
 * Failures are sticky, so reading is a list of plain lines and json_end() is asked once:
 *
 *     struct json json;
 *     json_begin(&json, text, size);
 *     struct buf key = { 0 };
 *     json_object(&json);
 *     while (json_member(&json, &key))
 *         if (!strcmp(buf_text(&key), "hidden_size"))
 *             hidden = json_int(&json, 1, 65536);
 *         else
 *             json_skip(&json);
 *     return json_end(&json, err);
 *
 * Nothing is allocated but what the caller's buffers take, depth is bounded, and an error names the
 * byte offset and never quotes the text.  RFC 8259; a lone surrogate escape is an error, invalid
 * UTF-8 is an error, and so is a number that does not fit what was asked for. */
#ifndef JSON_H
#define JSON_H

#include "common/buf.h"
#include "common/err.h"

#define JSON_DEPTH_MAX 64

enum json_type {
    JSON_NONE, /* the end, or a failure */
    JSON_NULL,
    JSON_BOOL,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT,
};

struct json {
    const char *start, *at, *end;
    int depth;
    bool first[JSON_DEPTH_MAX]; /* nothing was read yet in the container at this depth */
    struct err err;
};

/* A program may link jansson too, which has functions of four of these names: other symbols. */
#define JSON_SYMBOL(name) __asm__("koeval_" #name)

/* No text (NULL, 0) is an absent value: it reads as an empty text. */
void json_begin(struct json *json, const char *text, size_t size);
/* True when everything was read and nothing failed. */
bool json_end(struct json *json, struct err *err) MUST;

/* What comes next; reads nothing. */
enum json_type json_peek(struct json *json);

/* The JSON library that the coordinator links exports four of our names, so ours go by another name
 * at link time. */
#define JSON_SYMBOL(name) __asm__("koeval_" #name)

/* Enters an object; json_member then reads each key until it returns false, which leaves it. */
void json_object(struct json *json) JSON_SYMBOL(json_object);
bool json_member(struct json *json, struct buf *key);
/* Enters an array; json_item returns true before each value and false at its end, leaving it. */
void json_array(struct json *json) JSON_SYMBOL(json_array);
bool json_item(struct json *json);

/* Appends nothing on failure; out is cleared first. */
void json_string(struct json *json, struct buf *out) JSON_SYMBOL(json_string);
int64_t json_int(struct json *json, int64_t least, int64_t most);
double json_double(struct json *json);
bool json_bool(struct json *json);
/* Reads a null if there is one. */
bool json_null(struct json *json) JSON_SYMBOL(json_null);
/* Passes over one value of any kind and gives its bytes; either pointer may be NULL. */
void json_skip(struct json *json);
void json_raw(struct json *json, const char **text, size_t *size);

/* A reader's own complaint about the value it stands at, with its offset. */
void json_fail(struct json *json, const char *fmt, ...) PRINTF(2, 3);
static inline bool json_ok(const struct json *json) { return json->err.code == ERR_NONE; }

#endif
