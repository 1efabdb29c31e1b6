/* value.h - a Python value, as templates know it.
 *
 * None, bool, int (64 bits), float, str, list, tuple, dict.  Items and texts are borrowed from a
 * heap or from the document; a struct value is copied freely. */
#ifndef VALUE_H
#define VALUE_H

#include <jansson.h>

#include "coordinator/task/heap.h"
#include "coordinator/task/pystr.h"

#define VALUE_DEPTH_MAX 32

enum value_type {
    VALUE_UNDEFINED, /* a name that is not there; text is the name */
    VALUE_NONE,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_REAL,
    VALUE_STR,
    VALUE_LIST,
    VALUE_TUPLE,
    VALUE_DICT, /* items: key, value, key, value ...; count pairs, in insertion order */
};

struct value {
    enum value_type type;
    int32_t count; /* of items, or of pairs */
    union {
        bool boolean;
        int64_t integer;
        double real;
        struct text text;
        struct value *items;
    };
};

static inline struct value value_undefined(struct text name)
{
    return (struct value){ .type = VALUE_UNDEFINED, .text = name };
}
static inline struct value value_none(void) { return (struct value){ .type = VALUE_NONE }; }
static inline struct value value_bool(bool b)
{
    return (struct value){ .type = VALUE_BOOL, .boolean = b };
}
static inline struct value value_int(int64_t i)
{
    return (struct value){ .type = VALUE_INT, .integer = i };
}
static inline struct value value_real(double real)
{
    return (struct value){ .type = VALUE_REAL, .real = real };
}
static inline struct value value_str(struct text text)
{
    return (struct value){ .type = VALUE_STR, .text = text };
}

static inline bool value_is_sequence(const struct value *v)
{
    return v->type == VALUE_LIST || v->type == VALUE_TUPLE;
}

/* int or bool: what Python counts with. */
static inline bool value_is_integer(const struct value *v)
{
    return v->type == VALUE_INT || v->type == VALUE_BOOL;
}

static inline int64_t value_integer(const struct value *v)
{
    return v->type == VALUE_BOOL ? v->boolean : v->integer;
}

/* A list with room for count items, all None. */
bool value_list(struct value *out, enum value_type type, int32_t count, struct heap *heap,
                struct err *err) MUST;
/* Texts stay in json, which must live as long. */
bool value_from_json(struct value *out, const json_t *json, struct heap *heap,
                     struct err *err) MUST;

const char *value_type_name(const struct value *v);
bool value_truth(const struct value *v);
/* ==: 1 == 1.0 == True, never an error. */
bool value_equal(const struct value *a, const struct value *b);
/* The value under the key, or NULL. */
const struct value *value_get(const struct value *dict, const struct value *key);

/* str() and repr(). */
void value_put_str(struct buf *out, const struct value *v);
void value_put_repr(struct buf *out, const struct value *v);

/* ast.literal_eval on a literal: None, True, False, numbers, strings, lists, tuples, dicts.  False
 * with err when it is none; the message never quotes the text. */
bool value_from_literal(struct value *out, struct text literal, struct heap *heap,
                        struct err *err) MUST;

/* The inside of a quoted Python string: backslash escapes become what they mean. */
bool value_unescape(struct text *out, struct text body, struct heap *heap, struct err *err) MUST;

#endif
