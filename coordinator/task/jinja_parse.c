/* jinja_parse.c - expressions, by recursive descent in Jinja2's order of precedence. */
#include "coordinator/task/jinja_node.h"

#include <stdarg.h>
#include <stdio.h>

#define LIST_MAX 256

bool parser_fail(struct parser *p, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(p->err, ERR_INPUT, "line %d: %s", p->at->line, text);
}

bool parser_is(const struct parser *p, enum token_type type, const char *text)
{
    return p->at->type == type && (!text || text_is(p->at->text, text));
}

bool parser_take(struct parser *p, enum token_type type, const char *text)
{
    if (!parser_is(p, type, text))
        return false;
    if (type != TOKEN_END)
        p->at++;
    return true;
}

bool parser_expect(struct parser *p, enum token_type type, const char *text)
{
    if (parser_take(p, type, text))
        return true;
    return parser_fail(p, "%s expected before '%.*s'", text ? text : "a name",
                       (int)(p->at->text.size > 40 ? 40 : p->at->text.size), p->at->text.bytes);
}

bool parser_deeper(struct parser *p)
{
    if (++p->depth > TEMPLATE_DEPTH_MAX)
        return parser_fail(p, "nested deeper than %d", TEMPLATE_DEPTH_MAX);
    return true;
}

bool parser_node(struct node **out, struct parser *p, enum node_type type)
{
    struct node *node = NULL;
    if (!heap_take(&node, p->heap, 1, sizeof *node, p->err))
        return false;
    node->type = type;
    node->line = p->at->line;
    *out = node;
    return true;
}

static bool is_operator(const struct parser *p, const char *text)
{
    return parser_is(p, TOKEN_OPERATOR, text);
}

static bool take_operator(struct parser *p, const char *text)
{
    return parser_take(p, TOKEN_OPERATOR, text);
}

/* Keeps a gathered list in the node. */
static bool keep_list(struct node *node, struct parser *p, struct node *const *list,
                      const struct text *texts, int32_t count)
{
    if (!heap_take(&node->list, p->heap, (size_t)count, sizeof(struct node *), p->err) ||
        !heap_take(&node->texts, p->heap, (size_t)count, sizeof(struct text), p->err))
        return false;
    for (int32_t i = 0; i < count; i++) {
        node->list[i] = list[i];
        node->texts[i] = texts ? texts[i] : (struct text){ 0 };
    }
    node->count = count;
    return true;
}

/* a, b, c up to the closing operator; a dict has pairs a: b. */
static bool parse_items(struct node *node, struct parser *p, const char *close, bool dict,
                        bool *comma)
{
    struct node *list[LIST_MAX];
    int32_t count = 0;
    *comma = false;
    while (!take_operator(p, close)) {
        if (count && !*comma)
            return parser_fail(p, "'%s' expected", close);
        if (count + 2 > LIST_MAX)
            return parser_fail(p, "more than %d items", LIST_MAX);
        if (!parse_expression(&list[count++], p))
            return false;
        if (dict &&
            (!parser_expect(p, TOKEN_OPERATOR, ":") || !parse_expression(&list[count++], p)))
            return false;
        *comma = take_operator(p, ",");
    }
    return keep_list(node, p, list, NULL, count);
}

static bool parse_bracketed(struct node **out, struct parser *p)
{
    bool comma, dict = is_operator(p, "{"), tuple = is_operator(p, "(");
    const char *close = dict ? "}" : tuple ? ")" : "]";
    if (!parser_node(out, p, dict ? NODE_DICT : tuple ? NODE_TUPLE : NODE_LIST))
        return false;
    p->at++;
    if (!parse_items(*out, p, close, dict, &comma))
        return false;
    if (tuple && (*out)->count == 1 && !comma)
        *out = (*out)->list[0];
    return true;
}

/* Adjacent strings are one, as in Python. */
static bool parse_string(struct node *node, struct parser *p)
{
    AUTO(buf_free) struct buf joined = { 0 };
    while (parser_is(p, TOKEN_STRING, NULL)) {
        buf_put(&joined, p->at->text.bytes, p->at->text.size);
        p->at++;
    }
    struct text text;
    if (!heap_copy(&text, p->heap, (struct text){ buf_text(&joined), joined.size }, p->err))
        return false;
    node->value = value_str(text);
    return true;
}

static bool parse_name(struct node **out, struct parser *p)
{
    static const struct {
        const char *name;
        struct value value;
    } constants[] = {
        { "true", { .type = VALUE_BOOL, .boolean = true } },
        { "True", { .type = VALUE_BOOL, .boolean = true } },
        { "false", { .type = VALUE_BOOL, .boolean = false } },
        { "False", { .type = VALUE_BOOL, .boolean = false } },
        { "none", { .type = VALUE_NONE, .integer = 0 } },
        { "None", { .type = VALUE_NONE, .integer = 0 } },
    };
    if (!parser_node(out, p, NODE_NAME))
        return false;
    (*out)->text = p->at->text;
    for (size_t i = 0; i < COUNT(constants); i++)
        if (text_is(p->at->text, constants[i].name)) {
            (*out)->type = NODE_CONST;
            (*out)->value = constants[i].value;
        }
    p->at++;
    return true;
}

static bool parse_number(struct node **out, struct parser *p)
{
    bool real = p->at->type == TOKEN_REAL;
    char digits[32];
    snprintf(digits, sizeof digits, "%.*s", (int)p->at->text.size, p->at->text.bytes);
    if (!parser_node(out, p, NODE_CONST))
        return false;
    (*out)->value = real ? value_real(strtod(digits, NULL)) : value_int(strtoll(digits, NULL, 10));
    p->at++;
    return true;
}

static bool parse_primary(struct node **out, struct parser *p)
{
    if (is_operator(p, "[") || is_operator(p, "(") || is_operator(p, "{"))
        return parse_bracketed(out, p);
    switch (p->at->type) {
    case TOKEN_NAME:
        return parse_name(out, p);
    case TOKEN_INT:
    case TOKEN_REAL:
        return parse_number(out, p);
    case TOKEN_STRING:
        return parser_node(out, p, NODE_CONST) && parse_string(*out, p);
    default:
        return parser_fail(p, "an expression expected before '%.*s'", (int)p->at->text.size,
                           p->at->text.bytes);
    }
}

/* a[b], a[b:c], a[::d] */
static bool parse_subscript(struct node **out, struct parser *p, struct node *object)
{
    struct node **parts[3];
    int part = 0;
    if (!parser_node(out, p, NODE_ITEM))
        return false;
    struct node *node = *out;
    node->a = object;
    parts[0] = &node->b, parts[1] = &node->c, parts[2] = &node->d;
    while (!take_operator(p, "]")) {
        if (take_operator(p, ":")) {
            node->type = NODE_SLICE;
            if (++part > 2)
                return parser_fail(p, "a slice has three parts");
        } else if (*parts[part] || !parse_expression(parts[part], p)) {
            return parser_fail(p, "']' expected");
        }
    }
    return node->type == NODE_SLICE || node->b ? true : parser_fail(p, "an index expected");
}

/* (a, b, key=c) */
static bool parse_arguments(struct node *node, struct parser *p)
{
    struct node *list[ARGUMENTS_MAX];
    struct text names[ARGUMENTS_MAX] = { 0 };
    int32_t count = 0;
    while (!take_operator(p, ")")) {
        if (count && !parser_expect(p, TOKEN_OPERATOR, ","))
            return false;
        if (take_operator(p, ")"))
            break;
        if (count == ARGUMENTS_MAX)
            return parser_fail(p, "more than %d arguments", ARGUMENTS_MAX);
        if (is_operator(p, "*") || is_operator(p, "**"))
            return parser_fail(p, "* arguments are not supported");
        if (p->at->type == TOKEN_NAME && p->at[1].type == TOKEN_OPERATOR &&
            text_is(p->at[1].text, "=")) {
            names[count] = p->at->text;
            p->at += 2;
        }
        if (!parse_expression(&list[count++], p))
            return false;
    }
    return keep_list(node, p, list, names, count);
}

static bool parse_postfix(struct node **out, struct parser *p)
{
    for (;;) {
        struct node *object = *out;
        if (take_operator(p, ".")) {
            if (!parser_is(p, TOKEN_NAME, NULL))
                return parser_fail(p, "a name expected after '.'");
            if (!parser_node(out, p, NODE_ATTRIBUTE))
                return false;
            (*out)->text = p->at++->text;
            (*out)->a = object;
        } else if (take_operator(p, "[")) {
            if (!parse_subscript(out, p, object))
                return false;
        } else if (take_operator(p, "(")) {
            if (!parser_node(out, p, NODE_CALL) || !parse_arguments(*out, p))
                return false;
            (*out)->a = object;
        } else {
            return true;
        }
    }
}

static bool parse_filter(struct node **out, struct parser *p)
{
    struct node *object = *out;
    if (!parser_is(p, TOKEN_NAME, NULL))
        return parser_fail(p, "a filter's name expected");
    if (!parser_node(out, p, NODE_FILTER))
        return false;
    struct node *node = *out;
    node->a = object;
    node->text = p->at->text;
    node->filter = filter_find(node->text);
    if (!node->filter)
        return parser_fail(p, "filter '%.*s' is not supported", (int)node->text.size,
                           node->text.bytes);
    p->at++;
    if (take_operator(p, "(") && !parse_arguments(node, p))
        return false;
    return node->count <= node->filter->args_max
               ? true
               : parser_fail(p, "filter '%s' takes at most %d arguments", node->filter->name,
                             node->filter->args_max);
}

/* A test's argument may stand without parentheses: `x is divisibleby 3`. */
static bool parse_test_arguments(struct node *node, struct parser *p)
{
    if (take_operator(p, "("))
        return parse_arguments(node, p);
    if (node->test->args == 0)
        return true;
    struct node *argument = NULL;
    if (!parse_primary(&argument, p) || !parse_postfix(&argument, p))
        return false;
    return keep_list(node, p, &argument, NULL, 1);
}

static bool parse_test(struct node **out, struct parser *p)
{
    struct node *object = *out, *negation = NULL;
    if (parser_take(p, TOKEN_NAME, "not") && !parser_node(&negation, p, NODE_NOT))
        return false;
    if (!parser_is(p, TOKEN_NAME, NULL))
        return parser_fail(p, "a test's name expected after 'is'");
    if (!parser_node(out, p, NODE_TEST))
        return false;
    struct node *node = *out;
    node->a = object;
    node->text = p->at->text;
    node->test = test_find(node->text);
    if (!node->test)
        return parser_fail(p, "test '%.*s' is not supported", (int)node->text.size,
                           node->text.bytes);
    p->at++;
    if (!parse_test_arguments(node, p))
        return false;
    if (node->count != node->test->args)
        return parser_fail(p, "test '%s' takes %d arguments", node->test->name, node->test->args);
    if (negation) {
        negation->a = node;
        *out = negation;
    }
    return true;
}

/* Any number of |filter and `is test`; a call may follow one. */
static bool parse_filters(struct node **out, struct parser *p)
{
    for (;;) {
        bool ok = true;
        if (take_operator(p, "|"))
            ok = parse_filter(out, p);
        else if (parser_take(p, TOKEN_NAME, "is"))
            ok = parse_test(out, p);
        else if (is_operator(p, "("))
            ok = parse_postfix(out, p);
        else
            return true;
        if (!ok)
            return false;
    }
}

static bool parse_unary(struct node **out, struct parser *p, bool filters)
{
    if (!parser_deeper(p))
        return false;
    bool negate = is_operator(p, "-");
    if (negate || is_operator(p, "+")) {
        if (!parser_node(out, p, negate ? NODE_NEGATE : NODE_PLUS))
            return false;
        p->at++;
        if (!parse_unary(&(*out)->a, p, false))
            return false;
    } else if (!parse_primary(out, p)) {
        return false;
    }
    if (!parse_postfix(out, p) || (filters && !parse_filters(out, p)))
        return false;
    p->depth--;
    return true;
}

/* One level of left-associative binary operators, loosest first. */
static bool parse_binary(struct node **out, struct parser *p, int level)
{
    static const char *const levels[][5] = {
        { "+", "-" }, { "~" }, { "*", "/", "//", "%" }, { "**" }
    };
    if (level == COUNT(levels))
        return parse_unary(out, p, true);
    if (!parse_binary(out, p, level + 1))
        return false;
    for (;;) {
        const char *found = NULL;
        for (int i = 0; levels[level][i] && !found; i++)
            if (is_operator(p, levels[level][i]))
                found = levels[level][i];
        if (!found)
            return true;
        struct node *left = *out;
        if (!parser_node(out, p, level == 1 ? NODE_CONCAT : NODE_ARITHMETIC))
            return false;
        p->at++;
        (*out)->a = left;
        (*out)->text = text_of(found);
        if (!parse_binary(&(*out)->b, p, level + 1))
            return false;
    }
}

/* The comparison that begins here ("" when none does), and past it. */
static const char *take_comparison(struct parser *p)
{
    static const char *const operators[] = { "==", "!=", "<=", ">=", "<", ">" };
    for (size_t i = 0; i < COUNT(operators); i++)
        if (take_operator(p, operators[i]))
            return operators[i];
    if (parser_take(p, TOKEN_NAME, "in"))
        return "in";
    if (parser_is(p, TOKEN_NAME, "not") && p->at[1].type == TOKEN_NAME &&
        text_is(p->at[1].text, "in")) {
        p->at += 2;
        return "not in";
    }
    return "";
}

static bool parse_compare(struct node **out, struct parser *p)
{
    struct node *list[ARGUMENTS_MAX];
    struct text operators[ARGUMENTS_MAX];
    int32_t count = 0;
    if (!parse_binary(out, p, 0))
        return false;
    for (const char *op; *(op = take_comparison(p));) {
        if (count == ARGUMENTS_MAX)
            return parser_fail(p, "more than %d comparisons", ARGUMENTS_MAX);
        operators[count] = text_of(op);
        if (!parse_binary(&list[count++], p, 0))
            return false;
    }
    if (!count)
        return true;
    struct node *left = *out;
    if (!parser_node(out, p, NODE_COMPARE) || !keep_list(*out, p, list, operators, count))
        return false;
    (*out)->a = left;
    return true;
}

static bool parse_not(struct node **out, struct parser *p)
{
    if (!parser_is(p, TOKEN_NAME, "not"))
        return parse_compare(out, p);
    if (!parser_deeper(p) || !parser_node(out, p, NODE_NOT))
        return false;
    p->at++;
    if (!parse_not(&(*out)->a, p))
        return false;
    p->depth--;
    return true;
}

/* `and` binds tighter than `or`. */
static bool parse_logic(struct node **out, struct parser *p, bool is_or)
{
    if (!(is_or ? parse_logic(out, p, false) : parse_not(out, p)))
        return false;
    while (parser_is(p, TOKEN_NAME, is_or ? "or" : "and")) {
        struct node *left = *out;
        if (!parser_node(out, p, is_or ? NODE_OR : NODE_AND))
            return false;
        p->at++;
        (*out)->a = left;
        if (!(is_or ? parse_logic(&(*out)->b, p, false) : parse_not(&(*out)->b, p)))
            return false;
    }
    return true;
}

bool parse_condition(struct node **out, struct parser *p) { return parse_logic(out, p, true); }

bool parse_expression(struct node **out, struct parser *p)
{
    if (!parser_deeper(p) || !parse_condition(out, p))
        return false;
    while (parser_is(p, TOKEN_NAME, "if")) {
        struct node *chosen = *out;
        if (!parser_node(out, p, NODE_TERNARY))
            return false;
        p->at++;
        (*out)->b = chosen;
        if (!parse_condition(&(*out)->a, p))
            return false;
        if (parser_take(p, TOKEN_NAME, "else") && !parse_expression(&(*out)->c, p))
            return false;
    }
    p->depth--;
    return true;
}
