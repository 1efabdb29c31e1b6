#include "coordinator/task/value.h"

bool value_list(struct value *out, enum value_type type, int32_t count, struct heap *heap,
                struct err *err)
{
    struct value *items = NULL;
    size_t slots = (size_t)count * (type == VALUE_DICT ? 2 : 1);
    if (!heap_take(&items, heap, slots, sizeof *items, err))
        return false;
    for (size_t i = 0; i < slots; i++)
        items[i] = value_none();
    *out = (struct value){ .type = type, .count = count, .items = items };
    return true;
}

static bool from_json(struct value *out, const json_t *json, struct heap *heap, int depth,
                      struct err *err);

static bool array_from_json(struct value *out, const json_t *json, struct heap *heap, int depth,
                            struct err *err)
{
    int32_t count = (int32_t)json_array_size(json);
    if (!value_list(out, VALUE_LIST, count, heap, err))
        return false;
    for (int32_t i = 0; i < count; i++)
        if (!from_json(&out->items[i], json_array_get(json, (size_t)i), heap, depth + 1, err))
            return false;
    return true;
}

static bool object_from_json(struct value *out, const json_t *json, struct heap *heap, int depth,
                             struct err *err)
{
    if (!value_list(out, VALUE_DICT, (int32_t)json_object_size(json), heap, err))
        return false;
    const char *key;
    json_t *member;
    int32_t i = 0;
    json_object_foreach((json_t *)json, key, member)
    {
        out->items[2 * i] = value_str(text_of(key));
        if (!from_json(&out->items[2 * i + 1], member, heap, depth + 1, err))
            return false;
        i++;
    }
    return true;
}

static bool from_json(struct value *out, const json_t *json, struct heap *heap, int depth,
                      struct err *err)
{
    if (depth > VALUE_DEPTH_MAX)
        return err_set(err, ERR_INPUT, "nested deeper than %d", VALUE_DEPTH_MAX);
    switch (json_typeof(json)) {
    case JSON_OBJECT:
        return object_from_json(out, json, heap, depth, err);
    case JSON_ARRAY:
        return array_from_json(out, json, heap, depth, err);
    case JSON_STRING:
        *out = value_str((struct text){ json_string_value(json), json_string_length(json) });
        return true;
    case JSON_INTEGER:
        *out = value_int(json_integer_value(json));
        return true;
    case JSON_REAL:
        *out = value_real(json_real_value(json));
        return true;
    case JSON_TRUE:
    case JSON_FALSE:
        *out = value_bool(json_is_true(json));
        return true;
    default:
        *out = value_none();
        return true;
    }
}

bool value_from_json(struct value *out, const json_t *json, struct heap *heap, struct err *err)
{
    return from_json(out, json, heap, 0, err);
}

const char *value_type_name(const struct value *v)
{
    static const char *const names[] = { "undefined", "None", "bool",  "int", "float",
                                         "str",       "list", "tuple", "dict" };
    return names[v->type];
}

bool value_truth(const struct value *v)
{
    switch (v->type) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        return false;
    case VALUE_BOOL:
        return v->boolean;
    case VALUE_INT:
        return v->integer != 0;
    case VALUE_REAL:
        return v->real != 0;
    case VALUE_STR:
        return v->text.size > 0;
    default:
        return v->count > 0;
    }
}

static bool is_number(const struct value *v)
{
    return value_is_integer(v) || v->type == VALUE_REAL;
}

static bool numbers_equal(const struct value *a, const struct value *b)
{
    if (value_is_integer(a) && value_is_integer(b))
        return value_integer(a) == value_integer(b);
    double left = a->type == VALUE_REAL ? a->real : (double)value_integer(a);
    double right = b->type == VALUE_REAL ? b->real : (double)value_integer(b);
    return left == right;
}

static bool dicts_equal(const struct value *a, const struct value *b)
{
    if (a->count != b->count)
        return false;
    for (int32_t i = 0; i < a->count; i++) {
        const struct value *other = value_get(b, &a->items[2 * i]);
        if (!other || !value_equal(&a->items[2 * i + 1], other))
            return false;
    }
    return true;
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (is_number(a) && is_number(b))
        return numbers_equal(a, b);
    if (a->type != b->type)
        return false;
    if (a->type == VALUE_STR)
        return text_equal(a->text, b->text);
    if (a->type == VALUE_DICT)
        return dicts_equal(a, b);
    if (!value_is_sequence(a))
        return true; /* None, undefined */
    if (a->count != b->count)
        return false;
    for (int32_t i = 0; i < a->count; i++)
        if (!value_equal(&a->items[i], &b->items[i]))
            return false;
    return true;
}

const struct value *value_get(const struct value *dict, const struct value *key)
{
    assert(dict->type == VALUE_DICT);
    for (int32_t i = 0; i < dict->count; i++)
        if (value_equal(&dict->items[2 * i], key))
            return &dict->items[2 * i + 1];
    return NULL;
}

void value_put_str(struct buf *out, const struct value *v)
{
    if (v->type == VALUE_STR)
        buf_put(out, v->text.bytes, v->text.size);
    else
        value_put_repr(out, v);
}

static void put_items(struct buf *out, const struct value *v)
{
    static const char brackets[][2] = { { '[', ']' }, { '(', ')' }, { '{', '}' } };
    const char *bracket = brackets[v->type - VALUE_LIST];
    bool dict = v->type == VALUE_DICT;

    buf_put_char(out, bracket[0]);
    for (int32_t i = 0; i < v->count; i++) {
        if (i)
            buf_put_text(out, ", ");
        value_put_repr(out, &v->items[dict ? 2 * i : i]);
        if (dict) {
            buf_put_text(out, ": ");
            value_put_repr(out, &v->items[2 * i + 1]);
        }
    }
    if (v->type == VALUE_TUPLE && v->count == 1)
        buf_put_char(out, ',');
    buf_put_char(out, bracket[1]);
}

void value_put_repr(struct buf *out, const struct value *v)
{
    switch (v->type) {
    case VALUE_UNDEFINED:
    case VALUE_NONE:
        buf_put_text(out, "None");
        return;
    case VALUE_BOOL:
        buf_put_text(out, v->boolean ? "True" : "False");
        return;
    case VALUE_INT:
        buf_put_fmt(out, "%lld", (long long)v->integer);
        return;
    case VALUE_REAL:
        pystr_put_real(out, v->real);
        return;
    case VALUE_STR:
        pystr_put_repr(out, v->text);
        return;
    default:
        put_items(out, v);
    }
}
