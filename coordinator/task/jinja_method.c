/* jinja_method.c - methods of str, list and dict. */
#include "coordinator/task/jinja_node.h"

typedef bool method_fn(struct value *out, struct frame *f, const struct value *self,
                       const struct arguments *arguments);

#define METHOD(name)                                                                        \
    static bool method_##name(struct value *out, struct frame *f, const struct value *self, \
                              const struct arguments *arguments)

/* The text at a position; a missing one is an error. */
static bool text_argument(struct text *out, struct frame *f, const struct arguments *arguments,
                          int32_t position)
{
    const struct value *v = argument(arguments, position, "");
    if (!v || v->type != VALUE_STR)
        return frame_fail(f, "argument %d must be a str", position + 1);
    *out = v->text;
    return true;
}

static bool stripped(struct value *out, struct frame *f, const struct value *self,
                     const struct arguments *arguments, enum pystr_side side)
{
    const struct value *chars = argument(arguments, 0, "chars");
    bool given = chars && chars->type != VALUE_NONE;
    if (given && chars->type != VALUE_STR)
        return frame_fail(f, "strip takes a str");
    *out = value_str(pystr_strip(self->text, side, given ? &chars->text : NULL));
    return true;
}

METHOD(strip) { return stripped(out, f, self, arguments, PYSTR_BOTH); }
METHOD(lstrip) { return stripped(out, f, self, arguments, PYSTR_LEFT); }
METHOD(rstrip) { return stripped(out, f, self, arguments, PYSTR_RIGHT); }

bool value_replace(struct value *out, struct frame *f, struct text text, struct text from,
                   struct text to, int64_t count)
{
    AUTO(buf_free) struct buf result = { .max = f->heap->max };
    size_t at = 0;
    if (!from.size)
        return frame_fail(f, "replace of an empty text is not supported");
    for (int64_t found; count != 0 && (found = pystr_find(text, from, at)) >= 0; count--) {
        buf_put(&result, text.bytes + at, (size_t)found - at);
        buf_put(&result, to.bytes, to.size);
        at = (size_t)found + from.size;
    }
    buf_put(&result, text.bytes + at, text.size - at);
    return frame_keep(out, f, &result);
}

METHOD(replace)
{
    struct text from, to;
    const struct value *count = argument(arguments, 2, "count");
    if (count && !value_is_integer(count))
        return frame_fail(f, "count must be an int");
    return text_argument(&from, f, arguments, 0) && text_argument(&to, f, arguments, 1) &&
           value_replace(out, f, self->text, from, to, count ? value_integer(count) : -1);
}

#define PIECES_MAX 4096
struct pieces {
    struct text *list;
    int32_t count;
};

static bool keep_pieces(struct value *out, struct frame *f, const struct pieces *pieces)
{
    if (!value_list(out, VALUE_LIST, pieces->count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < pieces->count; i++)
        out->items[i] = value_str(pieces->list[i]);
    return true;
}

/* Between runs of whitespace, without empty pieces. */
static void split_space(struct pieces *pieces, struct text text, int64_t most)
{
    text = pystr_strip(text, PYSTR_LEFT, NULL);
    while (text.size && pieces->count < PIECES_MAX) {
        const char *at = text.bytes, *end = text.bytes + text.size, *stop = end;
        while (most != 0 && at < end) {
            const char *begin = at;
            if (pystr_is_space(pystr_next(&at))) {
                stop = begin;
                break;
            }
        }
        struct text piece = { text.bytes, (size_t)(stop - text.bytes) };
        most--;
        pieces->list[pieces->count++] = piece;
        text = pystr_strip((struct text){ stop, (size_t)(end - stop) }, PYSTR_LEFT, NULL);
    }
}

static void split_by(struct pieces *pieces, struct text text, struct text by, int64_t most)
{
    size_t at = 0;
    for (int64_t found;
         most != 0 && pieces->count + 1 < PIECES_MAX && (found = pystr_find(text, by, at)) >= 0;
         most--) {
        pieces->list[pieces->count++] = (struct text){ text.bytes + at, (size_t)found - at };
        at = (size_t)found + by.size;
    }
    pieces->list[pieces->count++] = (struct text){ text.bytes + at, text.size - at };
}

METHOD(split)
{
    const struct value *by = argument(arguments, 0, "sep"),
                       *most = argument(arguments, 1, "maxsplit");
    bool given = by && by->type != VALUE_NONE;
    if ((given && (by->type != VALUE_STR || !by->text.size)) || (most && !value_is_integer(most)))
        return frame_fail(f, "split takes a str that is not empty and an int");
    AUTO(free) struct text *list = must_calloc(PIECES_MAX, sizeof *list);
    struct pieces pieces = { list, 0 };
    int64_t limit = most ? value_integer(most) : -1;
    if (given)
        split_by(&pieces, self->text, by->text, limit);
    else
        split_space(&pieces, self->text, limit);
    if (pieces.count >= PIECES_MAX)
        return frame_fail(f, "split into more than %d pieces", PIECES_MAX);
    return keep_pieces(out, f, &pieces);
}

METHOD(join)
{
    struct value items;
    if (arguments->count != 1 || !frame_items(&items, f, &arguments->values[0]))
        return frame_fail(f, "join takes one list");
    AUTO(buf_free) struct buf joined = { .max = f->heap->max };
    for (int32_t i = 0; i < items.count; i++) {
        if (items.items[i].type != VALUE_STR)
            return frame_fail(f, "join needs str, item %d is %s", i,
                              value_type_name(&items.items[i]));
        if (i)
            buf_put(&joined, self->text.bytes, self->text.size);
        buf_put(&joined, items.items[i].text.bytes, items.items[i].text.size);
    }
    return frame_keep(out, f, &joined);
}

static bool cased(struct value *out, struct frame *f, const struct value *self, enum pystr_case to)
{
    AUTO(buf_free) struct buf result = { .max = f->heap->max };
    pystr_put_case(&result, self->text, to);
    return frame_keep(out, f, &result);
}

METHOD(lower) { return arguments->count == 0 && cased(out, f, self, PYSTR_LOWER); }
METHOD(upper) { return arguments->count == 0 && cased(out, f, self, PYSTR_UPPER); }
METHOD(capitalize) { return arguments->count == 0 && cased(out, f, self, PYSTR_CAPITALIZE); }

METHOD(startswith)
{
    struct text start;
    if (!text_argument(&start, f, arguments, 0))
        return false;
    *out = value_bool(self->text.size >= start.size &&
                      text_equal((struct text){ self->text.bytes, start.size }, start));
    return true;
}

METHOD(endswith)
{
    struct text end;
    if (!text_argument(&end, f, arguments, 0))
        return false;
    size_t size = self->text.size;
    *out =
        value_bool(size >= end.size &&
                   text_equal((struct text){ self->text.bytes + size - end.size, end.size }, end));
    return true;
}

/* Where it is in code points, or -1. */
static bool found_at(int64_t *out, struct frame *f, const struct value *self,
                     const struct arguments *arguments)
{
    struct text needle;
    if (!text_argument(&needle, f, arguments, 0))
        return false;
    int64_t at = pystr_find(self->text, needle, 0);
    *out = at < 0 ? -1 : (int64_t)pystr_length((struct text){ self->text.bytes, (size_t)at });
    return true;
}

METHOD(find)
{
    int64_t at;
    if (!found_at(&at, f, self, arguments))
        return false;
    *out = value_int(at);
    return true;
}

METHOD(text_index)
{
    int64_t at;
    if (!found_at(&at, f, self, arguments))
        return false;
    *out = value_int(at);
    return at < 0 ? frame_fail(f, "index: not found") : true;
}

METHOD(text_count)
{
    struct text needle;
    int64_t count = 0;
    if (!text_argument(&needle, f, arguments, 0))
        return false;
    if (!needle.size)
        return frame_fail(f, "count of an empty text is not supported");
    for (int64_t at = 0; (at = pystr_find(self->text, needle, (size_t)at)) >= 0;
         at += (int64_t)needle.size)
        count++;
    *out = value_int(count);
    return true;
}

METHOD(isdigit)
{
    (void)f;
    (void)arguments;
    *out = value_bool(pystr_is_digits(self->text));
    return true;
}

METHOD(list_index)
{
    if (arguments->count != 1)
        return frame_fail(f, "index takes one value");
    for (int32_t i = 0; i < self->count; i++)
        if (value_equal(&self->items[i], &arguments->values[0])) {
            *out = value_int(i);
            return true;
        }
    return frame_fail(f, "index: the value is not in the list");
}

METHOD(list_count)
{
    int64_t count = 0;
    if (arguments->count != 1)
        return frame_fail(f, "count takes one value");
    for (int32_t i = 0; i < self->count; i++)
        count += value_equal(&self->items[i], &arguments->values[0]);
    *out = value_int(count);
    return true;
}

METHOD(get)
{
    if (arguments->count < 1 || arguments->count > 2)
        return frame_fail(f, "get takes a key and a default");
    const struct value *found = value_get(self, &arguments->values[0]);
    *out = found ? *found : arguments->count == 2 ? arguments->values[1] : value_none();
    return true;
}

METHOD(keys) { return arguments->count == 0 && frame_items(out, f, self); }

METHOD(values)
{
    if (arguments->count || !value_list(out, VALUE_LIST, self->count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < self->count; i++)
        out->items[i] = self->items[2 * i + 1];
    return true;
}

METHOD(items)
{
    if (arguments->count || !value_list(out, VALUE_LIST, self->count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < self->count; i++) {
        if (!value_list(&out->items[i], VALUE_TUPLE, 2, f->heap, f->err))
            return false;
        out->items[i].items[0] = self->items[2 * i];
        out->items[i].items[1] = self->items[2 * i + 1];
    }
    return true;
}

/* clang-format off */
static const struct {
    enum value_type type;
    const char *name;
    method_fn *run;
    int32_t args_max;
} methods[] = {
    { VALUE_STR,  "strip",      method_strip,      1 },
    { VALUE_STR,  "lstrip",     method_lstrip,     1 },
    { VALUE_STR,  "rstrip",     method_rstrip,     1 },
    { VALUE_STR,  "replace",    method_replace,    3 },
    { VALUE_STR,  "split",      method_split,      2 },
    { VALUE_STR,  "join",       method_join,       1 },
    { VALUE_STR,  "lower",      method_lower,      0 },
    { VALUE_STR,  "upper",      method_upper,      0 },
    { VALUE_STR,  "capitalize", method_capitalize, 0 },
    { VALUE_STR,  "startswith", method_startswith, 1 },
    { VALUE_STR,  "endswith",   method_endswith,   1 },
    { VALUE_STR,  "find",       method_find,       1 },
    { VALUE_STR,  "index",      method_text_index, 1 },
    { VALUE_STR,  "count",      method_text_count, 1 },
    { VALUE_STR,  "isdigit",    method_isdigit,    0 },
    { VALUE_LIST, "index",      method_list_index, 1 },
    { VALUE_LIST, "count",      method_list_count, 1 },
    { VALUE_DICT, "get",        method_get,        2 },
    { VALUE_DICT, "keys",       method_keys,       0 },
    { VALUE_DICT, "values",     method_values,     0 },
    { VALUE_DICT, "items",      method_items,      0 },
};
/* clang-format on */

bool method_call(struct value *out, struct frame *f, const struct value *self, struct text name,
                 const struct arguments *arguments)
{
    enum value_type type = self->type == VALUE_TUPLE ? VALUE_LIST : self->type;
    for (size_t i = 0; i < COUNT(methods); i++) {
        if (methods[i].type != type || !text_is(name, methods[i].name))
            continue;
        if (arguments->count > methods[i].args_max)
            return frame_fail(f, "%s takes at most %d arguments", methods[i].name,
                              methods[i].args_max);
        return methods[i].run(out, f, self, arguments);
    }
    return frame_fail(f, "method '%.*s' of %s is not supported",
                      (int)(name.size > 100 ? 100 : name.size), name.bytes, value_type_name(self));
}
