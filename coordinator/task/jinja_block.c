/* jinja_block.c - statements: text, {{ }}, if, for, set. */
#include "coordinator/task/jinja_node.h"

static bool parse_body(struct node **out, struct parser *p, const char *const *ends);

/* Enters {% and takes the word if it is the one. */
static bool take_block(struct parser *p, const char *word)
{
    if (p->at->type != TOKEN_BLOCK_BEGIN || p->at[1].type != TOKEN_NAME ||
        !text_is(p->at[1].text, word))
        return false;
    p->at += 2;
    return true;
}

static bool end_block(struct parser *p) { return parser_expect(p, TOKEN_BLOCK_END, "%}"); }

static bool parse_if(struct node **out, struct parser *p)
{
    static const char *const ends[] = { "elif", "else", "endif", NULL };
    static const char *const last[] = { "endif", NULL };
    struct node *node = NULL;
    if (!parser_node(&node, p, NODE_IF) || !parse_expression(&node->a, p) || !end_block(p) ||
        !parse_body(&node->b, p, ends))
        return false;
    *out = node;
    if (take_block(p, "elif"))
        return parser_deeper(p) && parse_if(&node->c, p);
    if (take_block(p, "else") && (!end_block(p) || !parse_body(&node->c, p, last)))
        return false;
    return take_block(p, "endif") ? end_block(p) : parser_fail(p, "{%% if %%} without endif");
}

static bool parse_targets(struct node *node, struct parser *p)
{
    if (!heap_take(&node->texts, p->heap, ARGUMENTS_MAX, sizeof(struct text), p->err))
        return false;
    bool open = parser_take(p, TOKEN_OPERATOR, "(");
    do {
        if (!parser_is(p, TOKEN_NAME, NULL) || node->count == ARGUMENTS_MAX)
            return parser_fail(p, "a name expected");
        node->texts[node->count++] = p->at++->text;
    } while (parser_take(p, TOKEN_OPERATOR, ","));
    return !open || parser_expect(p, TOKEN_OPERATOR, ")");
}

static bool parse_for(struct node **out, struct parser *p)
{
    static const char *const ends[] = { "else", "endfor", NULL };
    static const char *const last[] = { "endfor", NULL };
    struct node *node = NULL;
    if (!parser_node(&node, p, NODE_FOR) || !parse_targets(node, p) ||
        !parser_expect(p, TOKEN_NAME, "in") || !parse_condition(&node->a, p))
        return false;
    if (parser_take(p, TOKEN_NAME, "if") && !parse_expression(&node->d, p))
        return false;
    if (!end_block(p) || !parse_body(&node->b, p, ends))
        return false;
    if (take_block(p, "else") && (!end_block(p) || !parse_body(&node->c, p, last)))
        return false;
    *out = node;
    return take_block(p, "endfor") ? end_block(p) : parser_fail(p, "{%% for %%} without endfor");
}

static bool parse_set(struct node **out, struct parser *p)
{
    struct node *node = NULL;
    if (!parser_node(&node, p, NODE_SET))
        return false;
    if (!parser_is(p, TOKEN_NAME, NULL))
        return parser_fail(p, "a name expected after {%% set");
    node->text = p->at++->text;
    if (!parser_is(p, TOKEN_OPERATOR, "="))
        return parser_fail(p, "only {%% set name = value %%} is supported");
    p->at++;
    *out = node;
    return parse_expression(&node->a, p) && end_block(p);
}

static bool parse_block(struct node **out, struct parser *p)
{
    if (take_block(p, "if"))
        return parse_if(out, p);
    if (take_block(p, "for"))
        return parse_for(out, p);
    if (take_block(p, "set"))
        return parse_set(out, p);
    return parser_fail(p, "{%% %.*s %%} is not supported", (int)p->at[1].text.size,
                       p->at[1].text.bytes);
}

static bool parse_statement(struct node **out, struct parser *p)
{
    if (p->at->type == TOKEN_DATA) {
        if (!parser_node(out, p, NODE_DATA))
            return false;
        (*out)->text = p->at++->text;
        return true;
    }
    if (p->at->type == TOKEN_PRINT_BEGIN) {
        if (!parser_node(out, p, NODE_PRINT))
            return false;
        p->at++;
        return parse_expression(&(*out)->a, p) && parser_expect(p, TOKEN_PRINT_END, "}}");
    }
    return parse_block(out, p);
}

static bool at_end(const struct parser *p, const char *const *ends)
{
    if (p->at->type == TOKEN_END)
        return true;
    for (; *ends; ends++)
        if (p->at->type == TOKEN_BLOCK_BEGIN && text_is(p->at[1].text, *ends))
            return true;
    return false;
}

/* Statements up to {% with one of the words, which stays. */
static bool parse_body(struct node **out, struct parser *p, const char *const *ends)
{
    if (!parser_deeper(p))
        return false;
    *out = NULL;
    for (struct node **tail = out; !at_end(p, ends);) {
        struct node *node = NULL;
        if (!parse_statement(&node, p))
            return false;
        *tail = node;
        tail = &node->next;
    }
    p->depth--;
    return true;
}

bool jinja_parse(struct node **out, const struct token *tokens, struct heap *heap, struct err *err)
{
    static const char *const none[] = { NULL };
    struct parser p = { tokens, heap, err, 0 };
    if (!parse_body(out, &p, none))
        return false;
    return p.at->type == TOKEN_END ? true : parser_fail(&p, "text after the end");
}
