/* jinja_operator.c - what + - * / // % **, comparisons, subscripts and slices do to values. */
#include "coordinator/task/jinja_node.h"

#include <math.h>

#define POWER_MAX 63

static bool is_number(const struct value *v)
{
    return value_is_integer(v) || v->type == VALUE_REAL;
}

static double real_of(const struct value *v)
{
    return v->type == VALUE_REAL ? v->real : (double)value_integer(v);
}

/* Rounds towards minus infinity, as Python's // and % do. */
static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b != 0 && (a < 0) != (b < 0));
}

static bool integer_power(struct value *out, struct frame *f, int64_t a, int64_t b)
{
    if (b < 0) {
        *out = value_real(pow((double)a, (double)b));
        return true;
    }
    int64_t power = 1;
    for (int64_t i = 0; i < b; i++)
        if (b > POWER_MAX || __builtin_mul_overflow(power, a, &power))
            return frame_fail(f, "integer out of range");
    *out = value_int(power);
    return true;
}

static bool integers(struct value *out, struct frame *f, struct text op, int64_t a, int64_t b)
{
    int64_t result = 0;
    bool overflow = false, divides = op.bytes[0] == '/' || op.bytes[0] == '%';
    if (divides && (b == 0 || (a == INT64_MIN && b == -1)))
        return frame_fail(f, "division by zero");
    if (text_is(op, "**"))
        return integer_power(out, f, a, b);
    if (text_is(op, "/")) {
        *out = value_real((double)a / (double)b);
        return true;
    }
    if (text_is(op, "+"))
        overflow = __builtin_add_overflow(a, b, &result);
    else if (text_is(op, "-"))
        overflow = __builtin_sub_overflow(a, b, &result);
    else if (text_is(op, "*"))
        overflow = __builtin_mul_overflow(a, b, &result);
    else
        result = text_is(op, "//") ? floor_div(a, b) : a - floor_div(a, b) * b;
    *out = value_int(result);
    return overflow ? frame_fail(f, "integer out of range") : true;
}

static bool reals(struct value *out, struct frame *f, struct text op, double a, double b)
{
    if ((op.bytes[0] == '/' || op.bytes[0] == '%') && b == 0)
        return frame_fail(f, "division by zero");
    double result;
    if (text_is(op, "+"))
        result = a + b;
    else if (text_is(op, "-"))
        result = a - b;
    else if (text_is(op, "*"))
        result = a * b;
    else if (text_is(op, "/"))
        result = a / b;
    else if (text_is(op, "//"))
        result = floor(a / b);
    else if (text_is(op, "%"))
        result = a - floor(a / b) * b;
    else
        result = pow(a, b);
    *out = value_real(result);
    return true;
}

static bool add_texts(struct value *out, struct frame *f, struct text a, struct text b)
{
    char *bytes = NULL;
    if (!heap_take(&bytes, f->heap, a.size + b.size + 1, 1, f->err))
        return false;
    if (a.size)
        memcpy(bytes, a.bytes, a.size);
    if (b.size)
        memcpy(bytes + a.size, b.bytes, b.size);
    *out = value_str((struct text){ bytes, a.size + b.size });
    return true;
}

static bool add_lists(struct value *out, struct frame *f, const struct value *a,
                      const struct value *b)
{
    struct value list;
    if (!value_list(&list, a->type, a->count + b->count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < list.count; i++)
        list.items[i] = i < a->count ? a->items[i] : b->items[i - a->count];
    *out = list;
    return true;
}

/* [x] * 3 */
static bool repeat_list(struct value *out, struct frame *f, const struct value *v, int64_t times)
{
    struct value list;
    int64_t count = times * v->count;
    if (count > TEMPLATE_STEPS_MAX)
        return frame_fail(f, "list of more than %d items", TEMPLATE_STEPS_MAX);
    if (!value_list(&list, v->type, (int32_t)count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < list.count; i++)
        list.items[i] = v->items[i % v->count];
    *out = list;
    return true;
}

/* 'ab' * 3 */
static bool repeat(struct value *out, struct frame *f, const struct value *v, int64_t times)
{
    if (times < 0)
        times = 0;
    if (times > TEMPLATE_STEPS_MAX)
        return frame_fail(f, "repeated more than %d times", TEMPLATE_STEPS_MAX);
    if (v->type != VALUE_STR)
        return repeat_list(out, f, v, times);
    AUTO(buf_free) struct buf text = { .max = f->heap->max };
    for (int64_t i = 0; i < times && buf_ok(&text); i++)
        buf_put(&text, v->text.bytes, v->text.size);
    return frame_keep(out, f, &text);
}

bool operate(struct value *out, struct frame *f, struct text op, const struct value *a,
             const struct value *b)
{
    if (value_is_integer(a) && value_is_integer(b))
        return integers(out, f, op, value_integer(a), value_integer(b));
    if (is_number(a) && is_number(b))
        return reals(out, f, op, real_of(a), real_of(b));
    bool add = text_is(op, "+"), multiply = text_is(op, "*");
    if (add && a->type == VALUE_STR && b->type == VALUE_STR)
        return add_texts(out, f, a->text, b->text);
    if (add && value_is_sequence(a) && a->type == b->type)
        return add_lists(out, f, a, b);
    if (multiply && (a->type == VALUE_STR || value_is_sequence(a)) && value_is_integer(b))
        return repeat(out, f, a, value_integer(b));
    if (multiply && (b->type == VALUE_STR || value_is_sequence(b)) && value_is_integer(a))
        return repeat(out, f, b, value_integer(a));
    return frame_fail(f, "%s %.*s %s is not possible", value_type_name(a), (int)op.size, op.bytes,
                      value_type_name(b));
}

/* UTF-8 orders as code points do. */
static int order_texts(struct text a, struct text b)
{
    size_t size = a.size < b.size ? a.size : b.size;
    int order = size ? memcmp(a.bytes, b.bytes, size) : 0;
    return order ? order : (a.size > b.size) - (a.size < b.size);
}

static bool contains(bool *out, struct frame *f, const struct value *item, const struct value *in)
{
    *out = false;
    if (in->type == VALUE_STR) {
        if (item->type != VALUE_STR)
            return frame_fail(f, "%s in str is not possible", value_type_name(item));
        *out = pystr_find(in->text, item->text, 0) >= 0;
    } else if (in->type == VALUE_DICT) {
        *out = value_get(in, item) != NULL;
    } else if (value_is_sequence(in)) {
        for (int32_t i = 0; i < in->count && !*out; i++)
            *out = value_equal(&in->items[i], item);
    } else {
        return frame_fail(f, "in %s is not possible", value_type_name(in));
    }
    return true;
}

bool compare(bool *out, struct frame *f, struct text op, const struct value *a,
             const struct value *b)
{
    bool equality = text_is(op, "==") || text_is(op, "!=");
    if (equality) {
        *out = value_equal(a, b) == text_is(op, "==");
        return true;
    }
    if (text_is(op, "in") || text_is(op, "not in")) {
        if (!contains(out, f, a, b))
            return false;
        *out = *out == text_is(op, "in");
        return true;
    }
    int order;
    if (is_number(a) && is_number(b)) {
        double left = real_of(a), right = real_of(b);
        order = (left > right) - (left < right);
    } else if (a->type == VALUE_STR && b->type == VALUE_STR) {
        order = order_texts(a->text, b->text);
    } else {
        return frame_fail(f, "%s %.*s %s is not possible", value_type_name(a), (int)op.size,
                          op.bytes, value_type_name(b));
    }
    *out = op.bytes[0] == '<' ? order < 0 : order > 0;
    if (op.size == 2)
        *out = *out || order == 0;
    return true;
}

static struct text code_points(struct text text, int64_t from, int64_t count)
{
    size_t begin = pystr_offset(text, (size_t)from);
    struct text rest = { text.bytes + begin, text.size - begin };
    return (struct text){ rest.bytes, pystr_offset(rest, (size_t)count) };
}

bool value_subscript(struct value *out, struct frame *f, const struct value *v,
                     const struct value *key)
{
    *out = value_undefined(TEXT_LITERAL("an element that is not there"));
    if (v->type == VALUE_DICT) {
        const struct value *found = value_get(v, key);
        if (found)
            *out = *found;
        return true;
    }
    bool text = v->type == VALUE_STR;
    if (!text && !value_is_sequence(v))
        return frame_fail(f, "%s has no elements", value_type_name(v));
    if (!value_is_integer(key))
        return true; /* Jinja2: neither item nor attribute, so undefined */
    int64_t count = text ? (int64_t)pystr_length(v->text) : v->count, at = value_integer(key);
    at += at < 0 ? count : 0;
    if (at < 0 || at >= count)
        return true;
    *out = text ? value_str(code_points(v->text, at, 1)) : v->items[at];
    return true;
}

/* Python's slice.indices(): where a slice of `count` elements begins and ends. */
static void slice_bounds(int64_t bounds[2], int64_t count, const struct value *from,
                         const struct value *to, int64_t step)
{
    int64_t least = step < 0 ? -1 : 0, most = step < 0 ? count - 1 : count;
    bounds[0] = step < 0 ? most : least;
    bounds[1] = step < 0 ? least : most;
    const struct value *const given[2] = { from, to };
    for (int i = 0; i < 2; i++) {
        if (!given[i])
            continue;
        int64_t at = value_integer(given[i]);
        at += at < 0 ? count : 0;
        bounds[i] = at < least ? least : at > most ? most : at;
    }
}

static bool slice_list(struct value *out, struct frame *f, const struct value *v,
                       const int64_t bounds[2], int64_t step)
{
    struct value list;
    int64_t span = step > 0 ? bounds[1] - bounds[0] : bounds[0] - bounds[1];
    int64_t stride = step > 0 ? step : -step;
    int64_t count = span > 0 ? (span - 1) / stride + 1 : 0;
    if (!value_list(&list, v->type, (int32_t)count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < list.count; i++)
        list.items[i] = v->items[bounds[0] + i * step];
    *out = list;
    return true;
}

/* A text with a step goes through its list of code points. */
static bool slice_text(struct value *out, struct frame *f, const struct value *v,
                       const int64_t bounds[2], int64_t step)
{
    if (step == 1) {
        int64_t count = bounds[1] > bounds[0] ? bounds[1] - bounds[0] : 0;
        *out = value_str(code_points(v->text, bounds[0], count));
        return true;
    }
    struct value items, picked;
    if (!frame_items(&items, f, v) || !slice_list(&picked, f, &items, bounds, step))
        return false;
    AUTO(buf_free) struct buf text = { .max = f->heap->max };
    for (int32_t i = 0; i < picked.count; i++)
        buf_put(&text, picked.items[i].text.bytes, picked.items[i].text.size);
    return frame_keep(out, f, &text);
}

bool value_slice(struct value *out, struct frame *f, const struct value *v,
                 const struct value *from, const struct value *to, const struct value *step)
{
    if ((from && !value_is_integer(from)) || (to && !value_is_integer(to)) ||
        (step && !value_is_integer(step)))
        return frame_fail(f, "a slice takes integers");
    int64_t stride = step ? value_integer(step) : 1, bounds[2];
    if (stride == 0 || stride < -INT32_MAX || stride > INT32_MAX)
        return frame_fail(f, "slice step is 0 or too large");
    bool text = v->type == VALUE_STR;
    if (!text && !value_is_sequence(v))
        return frame_fail(f, "%s cannot be sliced", value_type_name(v));
    slice_bounds(bounds, text ? (int64_t)pystr_length(v->text) : v->count, from, to, stride);
    return text ? slice_text(out, f, v, bounds, stride) : slice_list(out, f, v, bounds, stride);
}
