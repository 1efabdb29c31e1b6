/* jinja.c - compile and render; evaluation of statements and expressions. */
#include "coordinator/task/jinja_node.h"

#include <stdarg.h>
#include <stdio.h>

#define TEMPLATE_HEAP_BYTES ((size_t)4 * 1024 * 1024)

struct template
{
    struct heap heap;
    struct node *body;
};

bool template_compile(struct template **out, struct text source, struct err *err)
{
    if (source.size > TEMPLATE_BYTES_MAX)
        return err_set(err, ERR_INPUT, "template of %zu bytes, the most is %d", source.size,
                       TEMPLATE_BYTES_MAX);
    if (!pystr_valid(source))
        return err_set(err, ERR_INPUT, "template is no UTF-8");
    AUTO(template_free) struct template *template = must_calloc(1, sizeof *template);
    template->heap.max = TEMPLATE_HEAP_BYTES;
    AUTO(free) struct token *tokens = NULL;
    if (!jinja_lex(&tokens, source, &template->heap, err) ||
        !jinja_parse(&template->body, tokens, &template->heap, err))
        return false;
    *out = TAKE(template);
    return true;
}

void template_free(struct template *template)
{
    if (template)
        heap_free(&template->heap);
    free(template);
}

bool frame_fail(struct frame *f, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(f->err, ERR_INPUT, "line %d: %s", f->line, text);
}

bool frame_keep(struct value *out, struct frame *f, const struct buf *text)
{
    struct text kept;
    if (!buf_ok(text))
        return frame_fail(f, "text longer than %zu bytes", text->max);
    if (!heap_copy(&kept, f->heap, (struct text){ buf_text(text), text->size }, f->err))
        return false;
    *out = value_str(kept);
    return true;
}

bool frame_str(struct text *out, struct frame *f, const struct value *v)
{
    if (v->type == VALUE_STR) {
        *out = v->text;
        return true;
    }
    AUTO(buf_free) struct buf text = { .max = f->heap->max };
    struct value kept;
    value_put_str(&text, v);
    if (!frame_keep(&kept, f, &text))
        return false;
    *out = kept.text;
    return true;
}

/* Each code point as a str of its own. */
static bool items_of_text(struct value *out, struct frame *f, struct text text)
{
    if (!value_list(out, VALUE_LIST, (int32_t)pystr_length(text), f->heap, f->err))
        return false;
    const char *at = text.bytes;
    for (int32_t i = 0; i < out->count; i++) {
        const char *begin = at;
        pystr_next(&at);
        out->items[i] = value_str((struct text){ begin, (size_t)(at - begin) });
    }
    return true;
}

bool frame_items(struct value *out, struct frame *f, const struct value *v)
{
    if (value_is_sequence(v)) {
        *out = *v;
        return true;
    }
    if (v->type == VALUE_STR)
        return items_of_text(out, f, v->text);
    if (v->type != VALUE_DICT)
        return frame_fail(f, "%s is not iterable", value_type_name(v));
    if (!value_list(out, VALUE_LIST, v->count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < v->count; i++)
        out->items[i] = v->items[2 * i];
    return true;
}

bool eval_defined(struct value *out, struct frame *f, const struct node *node)
{
    if (!eval(out, f, node))
        return false;
    f->line = node->line;
    if (out->type != VALUE_UNDEFINED)
        return true;
    return frame_fail(f, "'%.*s' is undefined", (int)(out->text.size > 100 ? 100 : out->text.size),
                      out->text.bytes);
}

static bool eval_name(struct value *out, struct frame *f, const struct node *node)
{
    for (const struct binding *b = f->bindings; b; b = b->next)
        if (text_equal(b->name, node->text)) {
            *out = b->value;
            return true;
        }
    struct value key = value_str(node->text);
    const struct value *found = value_get(f->document, &key);
    *out = found ? *found : value_undefined(node->text);
    return true;
}

static bool eval_list(struct value *out, struct frame *f, const struct node *node)
{
    bool dict = node->type == NODE_DICT;
    enum value_type type = dict ? VALUE_DICT : node->type == NODE_LIST ? VALUE_LIST : VALUE_TUPLE;
    struct value list;
    if (!value_list(&list, type, dict ? node->count / 2 : node->count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < node->count; i++)
        if (!eval_defined(&list.items[i], f, node->list[i]))
            return false;
    *out = list;
    return true;
}

static bool eval_sign(struct value *out, struct frame *f, const struct node *node)
{
    struct value v;
    if (!eval_defined(&v, f, node->a))
        return false;
    bool negate = node->type == NODE_NEGATE;
    if (v.type == VALUE_REAL)
        *out = value_real(negate ? -v.real : v.real);
    else if (!value_is_integer(&v))
        return frame_fail(f, "a sign needs a number, not %s", value_type_name(&v));
    else if (negate && value_integer(&v) == INT64_MIN)
        return frame_fail(f, "integer out of range");
    else
        *out = value_int(negate ? -value_integer(&v) : value_integer(&v));
    return true;
}

static bool eval_logic(struct value *out, struct frame *f, const struct node *node)
{
    if (!eval_defined(out, f, node->a))
        return false;
    bool truth = value_truth(out);
    if (node->type == NODE_NOT) {
        *out = value_bool(!truth);
        return true;
    }
    return truth == (node->type == NODE_OR) || eval_defined(out, f, node->b);
}

static bool eval_binary(struct value *out, struct frame *f, const struct node *node)
{
    struct value a, b;
    if (!eval_defined(&a, f, node->a) || !eval_defined(&b, f, node->b))
        return false;
    if (node->type == NODE_ARITHMETIC)
        return operate(out, f, node->text, &a, &b);
    struct value left, right;
    if (!frame_str(&left.text, f, &a) || !frame_str(&right.text, f, &b))
        return false;
    left.type = right.type = VALUE_STR;
    return operate(out, f, TEXT_LITERAL("+"), &left, &right);
}

/* a < b < c is a < b and b < c. */
static bool eval_compare(struct value *out, struct frame *f, const struct node *node)
{
    struct value left, right;
    if (!eval_defined(&left, f, node->a))
        return false;
    bool holds = true;
    for (int32_t i = 0; holds && i < node->count; i++) {
        if (!eval_defined(&right, f, node->list[i]) ||
            !compare(&holds, f, node->texts[i], &left, &right))
            return false;
        left = right;
    }
    *out = value_bool(holds);
    return true;
}

static bool eval_ternary(struct value *out, struct frame *f, const struct node *node)
{
    struct value condition;
    if (!eval_defined(&condition, f, node->a))
        return false;
    if (value_truth(&condition))
        return eval(out, f, node->b);
    if (node->c)
        return eval(out, f, node->c);
    *out = value_str(TEXT_LITERAL("")); /* even StrictUndefined prints nothing here */
    return true;
}

static bool eval_attribute(struct value *out, struct frame *f, const struct node *node)
{
    struct value object, key = value_str(node->text);
    if (!eval_defined(&object, f, node->a))
        return false;
    const struct value *found = object.type == VALUE_DICT ? value_get(&object, &key) : NULL;
    *out = found ? *found : value_undefined(node->text);
    return true;
}

static bool eval_item(struct value *out, struct frame *f, const struct node *node)
{
    struct value object, key;
    return eval_defined(&object, f, node->a) && eval_defined(&key, f, node->b) &&
           value_subscript(out, f, &object, &key);
}

static bool eval_slice(struct value *out, struct frame *f, const struct node *node)
{
    struct value object, bounds[3];
    const struct node *const nodes[3] = { node->b, node->c, node->d };
    const struct value *given[3] = { 0 };
    if (!eval_defined(&object, f, node->a))
        return false;
    for (int i = 0; i < 3; i++) {
        if (!nodes[i])
            continue;
        if (!eval_defined(&bounds[i], f, nodes[i]))
            return false;
        given[i] = bounds[i].type == VALUE_NONE ? NULL : &bounds[i];
    }
    return value_slice(out, f, &object, given[0], given[1], given[2]);
}

static bool eval_arguments(struct arguments *out, struct frame *f, const struct node *node)
{
    *out = (struct arguments){ .count = node->count };
    for (int32_t i = 0; i < node->count; i++) {
        out->names[i] = node->texts[i];
        if (!eval_defined(&out->values[i], f, node->list[i]))
            return false;
    }
    return true;
}

const struct value *argument(const struct arguments *arguments, int32_t position, const char *name)
{
    for (int32_t i = 0; i < arguments->count; i++)
        if (arguments->names[i].size ? text_is(arguments->names[i], name) : i == position)
            return &arguments->values[i];
    return NULL;
}

static bool call_range(struct value *out, struct frame *f, const struct arguments *arguments)
{
    int64_t bounds[3] = { 0, 0, 1 };
    if (arguments->count < 1 || arguments->count > 3)
        return frame_fail(f, "range takes one to three numbers");
    for (int32_t i = 0; i < arguments->count; i++) {
        if (!value_is_integer(&arguments->values[i]))
            return frame_fail(f, "range takes integers");
        bounds[arguments->count == 1 ? 1 : i] = value_integer(&arguments->values[i]);
    }
    if (bounds[2] == 0)
        return frame_fail(f, "range with step 0");
    __int128 span = (__int128)bounds[1] - bounds[0], step = bounds[2];
    __int128 count = (span + step + (step > 0 ? -1 : 1)) / step;
    if (count < 0 || (span > 0) != (step > 0))
        count = 0;
    if (count > TEMPLATE_STEPS_MAX)
        return frame_fail(f, "range of more than %d", TEMPLATE_STEPS_MAX);
    if (!value_list(out, VALUE_LIST, (int32_t)count, f->heap, f->err))
        return false;
    for (int32_t i = 0; i < out->count; i++)
        out->items[i] = value_int(bounds[0] + i * bounds[2]);
    return true;
}

static bool eval_call(struct value *out, struct frame *f, const struct node *node)
{
    struct arguments arguments;
    if (!eval_arguments(&arguments, f, node))
        return false;
    const struct node *callee = node->a;
    if (callee->type == NODE_ATTRIBUTE) {
        struct value self;
        return eval_defined(&self, f, callee->a) &&
               method_call(out, f, &self, callee->text, &arguments);
    }
    if (callee->type == NODE_NAME && text_is(callee->text, "range"))
        return call_range(out, f, &arguments);
    return frame_fail(f, "function '%.*s' is not supported",
                      (int)(callee->text.size > 100 ? 100 : callee->text.size),
                      callee->text.size ? callee->text.bytes : "");
}

static bool eval_filter(struct value *out, struct frame *f, const struct node *node)
{
    struct value v;
    struct arguments arguments;
    if (!(node->filter->takes_undefined ? eval(&v, f, node->a) : eval_defined(&v, f, node->a)) ||
        !eval_arguments(&arguments, f, node))
        return false;
    f->line = node->line;
    return node->filter->run(out, f, &v, &arguments);
}

static bool eval_test(struct value *out, struct frame *f, const struct node *node)
{
    struct value v;
    struct arguments arguments;
    bool holds = false, asks = text_is(node->text, "defined") || text_is(node->text, "undefined");
    if (!(asks ? eval(&v, f, node->a) : eval_defined(&v, f, node->a)) ||
        !eval_arguments(&arguments, f, node) || !node->test->run(&holds, f, &v, &arguments))
        return false;
    *out = value_bool(holds);
    return true;
}

static bool eval_node(struct value *out, struct frame *f, const struct node *node)
{
    switch (node->type) {
    case NODE_CONST:
        *out = node->value;
        return true;
    case NODE_NAME:
        return eval_name(out, f, node);
    case NODE_LIST:
    case NODE_TUPLE:
    case NODE_DICT:
        return eval_list(out, f, node);
    case NODE_NEGATE:
    case NODE_PLUS:
        return eval_sign(out, f, node);
    case NODE_NOT:
    case NODE_AND:
    case NODE_OR:
        return eval_logic(out, f, node);
    case NODE_ARITHMETIC:
    case NODE_CONCAT:
        return eval_binary(out, f, node);
    case NODE_COMPARE:
        return eval_compare(out, f, node);
    case NODE_TERNARY:
        return eval_ternary(out, f, node);
    case NODE_ATTRIBUTE:
        return eval_attribute(out, f, node);
    case NODE_ITEM:
        return eval_item(out, f, node);
    case NODE_SLICE:
        return eval_slice(out, f, node);
    case NODE_CALL:
        return eval_call(out, f, node);
    case NODE_FILTER:
        return eval_filter(out, f, node);
    default:
        assert(node->type == NODE_TEST);
        return eval_test(out, f, node);
    }
}

bool eval(struct value *out, struct frame *f, const struct node *node)
{
    f->line = node->line;
    if (++f->steps > TEMPLATE_STEPS_MAX)
        return frame_fail(f, "more than %d steps", TEMPLATE_STEPS_MAX);
    return eval_node(out, f, node);
}

/* Statements ------------------------------------------------------------------------------------
 */

static bool run(struct frame *f, const struct node *node);

static bool bind(struct frame *f, struct text name, struct value value)
{
    struct binding *binding = NULL;
    if (!heap_take(&binding, f->heap, 1, sizeof *binding, f->err))
        return false;
    *binding = (struct binding){ name, value, f->bindings };
    f->bindings = binding;
    return true;
}

/* One name takes the item, several unpack it. */
static bool bind_targets(struct frame *f, const struct node *node, const struct value *item)
{
    if (node->count == 1)
        return bind(f, node->texts[0], *item);
    struct value parts;
    if (!frame_items(&parts, f, item))
        return false;
    if (parts.count != node->count)
        return frame_fail(f, "cannot unpack %d values into %d names", parts.count, node->count);
    for (int32_t i = 0; i < node->count; i++)
        if (!bind(f, node->texts[i], parts.items[i]))
            return false;
    return true;
}

static bool bind_loop(struct frame *f, int32_t at, int32_t count)
{
    const struct {
        const char *name;
        struct value value;
    } members[] = {
        { "index", value_int(at + 1) },
        { "index0", value_int(at) },
        { "first", value_bool(at == 0) },
        { "last", value_bool(at == count - 1) },
        { "length", value_int(count) },
        { "revindex", value_int(count - at) },
        { "revindex0", value_int(count - at - 1) },
    };
    struct value loop;
    if (!value_list(&loop, VALUE_DICT, COUNT(members), f->heap, f->err))
        return false;
    for (size_t i = 0; i < COUNT(members); i++) {
        loop.items[2 * i] = value_str(text_of(members[i].name));
        loop.items[2 * i + 1] = members[i].value;
    }
    return bind(f, TEXT_LITERAL("loop"), loop);
}

/* The items for which the loop's `if` holds. */
static bool filter_items(struct value *items, struct frame *f, const struct node *node)
{
    struct value kept;
    if (!value_list(&kept, VALUE_LIST, items->count, f->heap, f->err))
        return false;
    struct binding *outer = f->bindings;
    int32_t count = 0;
    for (int32_t i = 0; i < items->count; i++) {
        struct value holds;
        if (!bind_targets(f, node, &items->items[i]) || !eval_defined(&holds, f, node->d))
            return false;
        if (value_truth(&holds))
            kept.items[count++] = items->items[i];
        f->bindings = outer;
    }
    kept.count = count;
    *items = kept;
    return true;
}

static bool run_for(struct frame *f, const struct node *node)
{
    struct value iterable, items;
    if (!eval_defined(&iterable, f, node->a) || !frame_items(&items, f, &iterable) ||
        (node->d && !filter_items(&items, f, node)))
        return false;
    if (!items.count)
        return run(f, node->c);
    struct binding *outer = f->bindings;
    for (int32_t i = 0; i < items.count; i++) {
        if (!bind_targets(f, node, &items.items[i]) || !bind_loop(f, i, items.count) ||
            !run(f, node->b))
            return false;
        f->bindings = outer; /* what a loop sets, ends with its turn */
    }
    return true;
}

static bool run_print(struct frame *f, const struct node *node)
{
    struct value v;
    if (!eval_defined(&v, f, node->a))
        return false;
    value_put_str(f->out, &v);
    return true;
}

static bool run_one(struct frame *f, const struct node *node)
{
    struct value v;
    f->line = node->line;
    switch (node->type) {
    case NODE_DATA:
        buf_put(f->out, node->text.bytes, node->text.size);
        return true;
    case NODE_PRINT:
        return run_print(f, node);
    case NODE_IF:
        return eval_defined(&v, f, node->a) && run(f, value_truth(&v) ? node->b : node->c);
    case NODE_FOR:
        return run_for(f, node);
    default:
        assert(node->type == NODE_SET);
        return eval_defined(&v, f, node->a) && bind(f, node->text, v);
    }
}

static bool run(struct frame *f, const struct node *node)
{
    for (; node; node = node->next) {
        if (++f->steps > TEMPLATE_STEPS_MAX)
            return frame_fail(f, "more than %d steps", TEMPLATE_STEPS_MAX);
        if (!run_one(f, node))
            return false;
        if (!buf_ok(f->out))
            return frame_fail(f, "text longer than %zu bytes", f->out->max);
    }
    return true;
}

bool template_render(struct buf *out, const struct template *template, const struct value *document,
                     struct heap *heap, struct err *err)
{
    assert(document->type == VALUE_DICT);
    struct frame frame = { .document = document, .heap = heap, .out = out, .err = err };
    return run(&frame, template->body);
}
