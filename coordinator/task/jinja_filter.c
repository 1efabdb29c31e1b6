/* jinja_filter.c - the filters and tests that templates may use, one table each. */
#include "coordinator/task/jinja_node.h"

#include <math.h>
#include <stdio.h>

#define FILTER(name)                                                                     \
    static bool filter_##name(struct value *out, struct frame *f, const struct value *v, \
                              const struct arguments *arguments)

static bool no_arguments(const struct arguments *arguments) { return arguments->count == 0; }

FILTER(string)
{
    out->type = VALUE_STR;
    struct text text;
    if (!no_arguments(arguments) || !frame_str(&text, f, v))
        return false;
    *out = value_str(text);
    return true;
}

FILTER(length)
{
    (void)arguments;
    if (v->type == VALUE_STR)
        *out = value_int((int64_t)pystr_length(v->text));
    else if (value_is_sequence(v) || v->type == VALUE_DICT)
        *out = value_int(v->count);
    else
        return frame_fail(f, "%s has no length", value_type_name(v));
    return true;
}

/* What join and map(attribute=) take out of each item. */
static bool item_attribute(struct value *out, struct frame *f, const struct value *item,
                           const struct value *attribute)
{
    *out = *item;
    if (!attribute)
        return true;
    if (!value_subscript(out, f, item, attribute))
        return false;
    return out->type == VALUE_UNDEFINED ? frame_fail(f, "an item lacks the attribute") : true;
}

FILTER(join)
{
    struct value items, item;
    struct text between = { "", 0 }, text;
    const struct value *d = argument(arguments, 0, "d");
    const struct value *attribute = argument(arguments, 1, "attribute");
    if ((d && !frame_str(&between, f, d)) || !frame_items(&items, f, v))
        return false;
    AUTO(buf_free) struct buf joined = { .max = f->heap->max };
    for (int32_t i = 0; i < items.count; i++) {
        if (!item_attribute(&item, f, &items.items[i], attribute) || !frame_str(&text, f, &item))
            return false;
        if (i)
            buf_put(&joined, between.bytes, between.size);
        buf_put(&joined, text.bytes, text.size);
    }
    return frame_keep(out, f, &joined);
}

/* The number a str spells, as int() or float() reads it: false when it spells none. */
static bool parse_real(double *out, struct text text)
{
    char digits[64], *end;
    struct text stripped = pystr_strip(text, PYSTR_BOTH, NULL);
    if (!stripped.size || stripped.size >= sizeof digits)
        return false;
    snprintf(digits, sizeof digits, "%.*s", (int)stripped.size, stripped.bytes);
    if (digits[strspn(digits, "+-.0123456789eE")])
        return false;
    *out = strtod(digits, &end);
    return *end == 0;
}

static bool parse_integer(int64_t *out, struct text text)
{
    struct text digits = pystr_strip(text, PYSTR_BOTH, NULL);
    bool negative = digits.size && digits.bytes[0] == '-';
    if (negative || (digits.size && digits.bytes[0] == '+'))
        digits = (struct text){ digits.bytes + 1, digits.size - 1 };
    if (!pystr_is_digits(digits) || digits.size > 18)
        return false;
    int64_t value = 0;
    for (size_t i = 0; i < digits.size; i++)
        value = value * 10 + digits.bytes[i] - '0';
    *out = negative ? -value : value;
    return true;
}

FILTER(int)
{
    int64_t integer;
    double real = NAN;
    const struct value *fallback = argument(arguments, 0, "default");
    if (value_is_integer(v)) {
        *out = value_int(value_integer(v));
        return true;
    }
    if (v->type == VALUE_STR && parse_integer(&integer, v->text)) {
        *out = value_int(integer);
        return true;
    }
    if (v->type == VALUE_REAL)
        real = v->real;
    else if (v->type == VALUE_STR && !parse_real(&real, v->text))
        real = NAN;
    if (isnan(real))
        *out = fallback ? *fallback : value_int(0);
    else if (fabs(real) < 9e18)
        *out = value_int((int64_t)real);
    else
        return frame_fail(f, "integer out of range");
    return true;
}

FILTER(float)
{
    (void)f;
    double real;
    const struct value *fallback = argument(arguments, 0, "default");
    if (v->type == VALUE_REAL)
        *out = *v;
    else if (value_is_integer(v))
        *out = value_real((double)value_integer(v));
    else if (v->type == VALUE_STR && parse_real(&real, v->text))
        *out = value_real(real);
    else
        *out = fallback ? *fallback : value_real(0);
    return true;
}

FILTER(list)
{
    (void)arguments;
    if (!frame_items(out, f, v))
        return false;
    out->type = VALUE_LIST;
    return true;
}

FILTER(map)
{
    struct value items, list;
    const struct value *attribute = argument(arguments, -1, "attribute");
    const struct value *name = argument(arguments, 0, "filter");
    const struct filter *filter = name && name->type == VALUE_STR ? filter_find(name->text) : NULL;
    if (!attribute && !filter)
        return frame_fail(f, "map takes a filter's name or attribute=");
    if (!frame_items(&items, f, v) || !value_list(&list, VALUE_LIST, items.count, f->heap, f->err))
        return false;
    struct arguments rest = { 0 };
    for (int32_t i = 1; filter && i < arguments->count; i++) {
        rest.names[rest.count] = arguments->names[i];
        rest.values[rest.count++] = arguments->values[i];
    }
    for (int32_t i = 0; i < items.count; i++)
        if (filter ? filter->run == filter_map ||
                         !filter->run(&list.items[i], f, &items.items[i], &rest)
                   : !item_attribute(&list.items[i], f, &items.items[i], attribute))
            return filter && filter->run == filter_map ? frame_fail(f, "map of map") : false;
    *out = list;
    return true;
}

FILTER(replace)
{
    const struct value *from = argument(arguments, 0, "old"), *to = argument(arguments, 1, "new");
    const struct value *count = argument(arguments, 2, "count");
    struct text text, old, new;
    if (!from || !to || (count && !value_is_integer(count)))
        return frame_fail(f, "replace takes two texts and a count");
    if (!frame_str(&text, f, v) || !frame_str(&old, f, from) || !frame_str(&new, f, to))
        return false;
    return value_replace(out, f, text, old, new, count ? value_integer(count) : -1);
}

FILTER(trim)
{
    struct text text;
    const struct value *chars = argument(arguments, 0, "chars");
    if (!frame_str(&text, f, v))
        return false;
    if (chars && chars->type != VALUE_STR && chars->type != VALUE_NONE)
        return frame_fail(f, "trim takes a text");
    bool given = chars && chars->type == VALUE_STR;
    *out = value_str(pystr_strip(text, PYSTR_BOTH, given ? &chars->text : NULL));
    return true;
}

static bool cased(struct value *out, struct frame *f, const struct value *v, enum pystr_case to)
{
    struct text text;
    if (!frame_str(&text, f, v))
        return false;
    AUTO(buf_free) struct buf result = { .max = f->heap->max };
    pystr_put_case(&result, text, to);
    return frame_keep(out, f, &result);
}

FILTER(lower) { return no_arguments(arguments) && cased(out, f, v, PYSTR_LOWER); }
FILTER(upper) { return no_arguments(arguments) && cased(out, f, v, PYSTR_UPPER); }
FILTER(capitalize) { return no_arguments(arguments) && cased(out, f, v, PYSTR_CAPITALIZE); }

static bool end_item(struct value *out, struct frame *f, const struct value *v, bool last)
{
    struct value items;
    if (!frame_items(&items, f, v))
        return false;
    *out = items.count ? items.items[last ? items.count - 1 : 0]
                       : value_undefined(TEXT_LITERAL("an element of an empty sequence"));
    return true;
}

FILTER(first) { return no_arguments(arguments) && end_item(out, f, v, false); }
FILTER(last) { return no_arguments(arguments) && end_item(out, f, v, true); }

FILTER(default)
{
    (void)f;
    const struct value *fallback = argument(arguments, 0, "default_value");
    const struct value *falsy = argument(arguments, 1, "boolean");
    bool replaced = v->type == VALUE_UNDEFINED || (falsy && value_truth(falsy) && !value_truth(v));
    *out = !replaced ? *v : fallback ? *fallback : value_str(TEXT_LITERAL(""));
    return true;
}

FILTER(abs)
{
    (void)arguments;
    if (v->type == VALUE_REAL)
        *out = value_real(fabs(v->real));
    else if (value_is_integer(v) && value_integer(v) != INT64_MIN)
        *out = value_int(llabs(value_integer(v)));
    else
        return frame_fail(f, "abs needs a number, not %s", value_type_name(v));
    return true;
}

FILTER(sum)
{
    (void)arguments;
    struct value items, total = value_int(0);
    if (!frame_items(&items, f, v))
        return false;
    for (int32_t i = 0; i < items.count; i++)
        if (!operate(&total, f, TEXT_LITERAL("+"), &total, &items.items[i]))
            return false;
    *out = total;
    return true;
}

FILTER(reverse)
{
    (void)arguments;
    struct value back = value_int(-1);
    if (v->type == VALUE_STR || value_is_sequence(v))
        return value_slice(out, f, v, NULL, NULL, &back);
    return frame_fail(f, "%s cannot be reversed", value_type_name(v));
}

/* clang-format off */
static const struct filter filters[] = {
    { "string",     filter_string,     0, false },
    { "length",     filter_length,     0, false },
    { "count",      filter_length,     0, false },
    { "join",       filter_join,       2, false },
    { "int",        filter_int,        1, false },
    { "float",      filter_float,      1, false },
    { "list",       filter_list,       0, false },
    { "map",        filter_map,        8, false },
    { "replace",    filter_replace,    3, false },
    { "trim",       filter_trim,       1, false },
    { "lower",      filter_lower,      0, false },
    { "upper",      filter_upper,      0, false },
    { "capitalize", filter_capitalize, 0, false },
    { "first",      filter_first,      0, false },
    { "last",       filter_last,       0, false },
    { "default",    filter_default,    2, true  },
    { "d",          filter_default,    2, true  },
    { "abs",        filter_abs,        0, false },
    { "sum",        filter_sum,        0, false },
    { "reverse",    filter_reverse,    0, false },
};
/* clang-format on */

const struct filter *filter_find(struct text name)
{
    for (size_t i = 0; i < COUNT(filters); i++)
        if (text_is(name, filters[i].name))
            return &filters[i];
    return NULL;
}

/* Tests -----------------------------------------------------------------------------------------
 */

#define TEST_OF(name)                                                          \
    static bool test_##name(bool *out, struct frame *f, const struct value *v, \
                            const struct arguments *arguments)
#define IS(name, condition) \
    TEST_OF(name)           \
    {                       \
        (void)f;            \
        (void)arguments;    \
        *out = (condition); \
        return true;        \
    }

IS(defined, v->type != VALUE_UNDEFINED)
IS(undefined, v->type == VALUE_UNDEFINED)
IS(none, v->type == VALUE_NONE)
IS(string, v->type == VALUE_STR)
IS(number, value_is_integer(v) || v->type == VALUE_REAL)
IS(integer, v->type == VALUE_INT)
IS(float, v->type == VALUE_REAL)
IS(boolean, v->type == VALUE_BOOL)
IS(is_true, v->type == VALUE_BOOL && v->boolean)
IS(is_false, v->type == VALUE_BOOL && !v->boolean)
IS(mapping, v->type == VALUE_DICT)
IS(sequence, v->type == VALUE_STR || value_is_sequence(v) || v->type == VALUE_DICT)

static bool remainder_is(bool *out, struct frame *f, const struct value *v, int64_t by,
                         int64_t remainder)
{
    if (!value_is_integer(v) || by == 0)
        return frame_fail(f, "a test of divisibility needs integers");
    *out = by == -1 || llabs(value_integer(v) % by) == remainder;
    return true;
}

TEST_OF(odd) { return arguments->count == 0 && remainder_is(out, f, v, 2, 1); }
TEST_OF(even) { return arguments->count == 0 && remainder_is(out, f, v, 2, 0); }

TEST_OF(divisibleby)
{
    const struct value *by = &arguments->values[0];
    return remainder_is(out, f, v, value_is_integer(by) ? value_integer(by) : 0, 0);
}

#define COMPARES(name, operator) \
    TEST_OF(name) { return compare(out, f, TEXT_LITERAL(operator), v, &arguments->values[0]); }

COMPARES(eq, "==")
COMPARES(ne, "!=")
COMPARES(lt, "<")
COMPARES(le, "<=")
COMPARES(gt, ">")
COMPARES(ge, ">=")
COMPARES(in, "in")

/* clang-format off */
static const struct test tests[] = {
    { "defined",      test_defined,      0 },
    { "undefined",    test_undefined,    0 },
    { "none",         test_none,         0 },
    { "string",       test_string,       0 },
    { "number",       test_number,       0 },
    { "integer",      test_integer,      0 },
    { "float",        test_float,        0 },
    { "boolean",      test_boolean,      0 },
    { "true",         test_is_true,      0 },
    { "false",        test_is_false,     0 },
    { "mapping",      test_mapping,      0 },
    { "sequence",     test_sequence,     0 },
    { "iterable",     test_sequence,     0 },
    { "odd",          test_odd,          0 },
    { "even",         test_even,         0 },
    { "divisibleby",  test_divisibleby,  1 },
    { "eq",           test_eq,           1 },
    { "equalto",      test_eq,           1 },
    { "==",           test_eq,           1 },
    { "ne",           test_ne,           1 },
    { "lt",           test_lt,           1 },
    { "le",           test_le,           1 },
    { "gt",           test_gt,           1 },
    { "ge",           test_ge,           1 },
    { "in",           test_in,           1 },
};
/* clang-format on */

const struct test *test_find(struct text name)
{
    for (size_t i = 0; i < COUNT(tests); i++)
        if (text_is(name, tests[i].name))
            return &tests[i];
    return NULL;
}
