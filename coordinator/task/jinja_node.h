/* jinja_node.h - inside Jinja: tokens, the tree, and what its parts call in each other.
 *
 * lex -> parse -> eval.  The tree and its texts live in the template's heap. */
#ifndef JINJA_NODE_H
#define JINJA_NODE_H

#include "coordinator/task/jinja.h"

enum token_type {
    TOKEN_END,
    TOKEN_DATA, /* text outside of {{ }} and {% %} */
    TOKEN_PRINT_BEGIN,
    TOKEN_PRINT_END,
    TOKEN_BLOCK_BEGIN,
    TOKEN_BLOCK_END,
    TOKEN_NAME,
    TOKEN_STRING, /* text is unescaped */
    TOKEN_INT,
    TOKEN_REAL,
    TOKEN_OPERATOR,
};

struct token {
    enum token_type type;
    int32_t line;
    struct text text;
};

/* The tokens, TOKEN_END last, are the caller's to free; their texts are the heap's. */
bool jinja_lex(struct token **out, struct text source, struct heap *heap, struct err *err) MUST;

enum node_type {
    /* statements, chained by next */
    NODE_DATA,  /* text */
    NODE_PRINT, /* a */
    NODE_IF,    /* a: condition, b: body, c: else (a chain) */
    NODE_FOR,   /* list: target names, a: iterable, b: body, c: else, d: filter */
    NODE_SET,   /* text = a */
    /* expressions */
    NODE_CONST,      /* value */
    NODE_NAME,       /* text */
    NODE_LIST,       /* list */
    NODE_TUPLE,      /* list */
    NODE_DICT,       /* list: key, value, ... */
    NODE_NEGATE,     /* -a */
    NODE_PLUS,       /* +a */
    NODE_NOT,        /* not a */
    NODE_AND,        /* a and b */
    NODE_OR,         /* a or b */
    NODE_ARITHMETIC, /* a text b */
    NODE_CONCAT,     /* str(a) ~ str(b) */
    NODE_COMPARE,    /* a, then list: right sides; texts: operators */
    NODE_TERNARY,    /* a if b else c (c may be NULL) */
    NODE_ATTRIBUTE,  /* a.text */
    NODE_ITEM,       /* a[b] */
    NODE_SLICE,      /* a[b:c:d], each may be NULL */
    NODE_CALL,       /* a(list), keywords in texts */
    NODE_FILTER,     /* a|text(list) */
    NODE_TEST,       /* a is text(list) */
};

struct node {
    enum node_type type;
    int32_t line;
    struct text text;
    struct value value;
    struct node *a, *b, *c, *d;
    struct node *next;
    struct node **list;
    struct text *texts; /* as long as list; an empty text is none */
    int32_t count;
    const struct filter *filter;
    const struct test *test;
};

/* The whole template as a chain of statements. */
bool jinja_parse(struct node **out, const struct token *tokens, struct heap *heap,
                 struct err *err) MUST;

/* What the statement parser asks of the expression parser. */
struct parser {
    const struct token *at;
    struct heap *heap;
    struct err *err;
    int32_t depth;
};

bool parse_expression(struct node **out, struct parser *p) MUST;
/* An expression without `x if y else z` at its top: the iterable of {% for x in y if z %}. */
bool parse_condition(struct node **out, struct parser *p) MUST;
bool parser_node(struct node **out, struct parser *p, enum node_type type) MUST;
bool parser_is(const struct parser *p, enum token_type type, const char *text);
bool parser_take(struct parser *p, enum token_type type, const char *text);
bool parser_expect(struct parser *p, enum token_type type, const char *text) MUST;
bool parser_fail(struct parser *p, const char *fmt, ...) PRINTF(2, 3);
bool parser_deeper(struct parser *p) MUST;

/* Evaluation. */
struct binding {
    struct text name;
    struct value value;
    struct binding *next;
};

struct frame {
    const struct value *document;
    struct binding *bindings; /* newest first */
    struct heap *heap;
    struct buf *out;
    struct err *err;
    int32_t line;
    int32_t steps, depth;
};

bool eval(struct value *out, struct frame *f, const struct node *node) MUST;
/* As eval, but an undefined result is an error. */
bool eval_defined(struct value *out, struct frame *f, const struct node *node) MUST;
bool frame_fail(struct frame *f, const char *fmt, ...) PRINTF(2, 3);
/* str(v) in the frame's heap. */
bool frame_str(struct text *out, struct frame *f, const struct value *v) MUST;
/* The buffer's text, moved into the frame's heap. */
bool frame_keep(struct value *out, struct frame *f, const struct buf *text) MUST;
/* What `for x in v` walks over: the items of a list, the keys of a dict, the code points of a str.
 */
bool frame_items(struct value *out, struct frame *f, const struct value *v) MUST;

/* Evaluated arguments of a call. */
#define ARGUMENTS_MAX 8
struct arguments {
    int32_t count; /* positional ones first, then keywords */
    struct text names[ARGUMENTS_MAX];
    struct value values[ARGUMENTS_MAX];
};

/* The argument at a position or under a keyword, or NULL. */
const struct value *argument(const struct arguments *arguments, int32_t position, const char *name);

typedef bool filter_fn(struct value *out, struct frame *f, const struct value *v,
                       const struct arguments *arguments);
struct filter {
    const char *name;
    filter_fn *run;
    int32_t args_max;
    bool takes_undefined;
};
struct test {
    const char *name;
    bool (*run)(bool *out, struct frame *f, const struct value *v,
                const struct arguments *arguments);
    int32_t args;
};

const struct filter *filter_find(struct text name);
const struct test *test_find(struct text name);
bool method_call(struct value *out, struct frame *f, const struct value *self, struct text name,
                 const struct arguments *arguments) MUST;
/* str.replace: count < 0 replaces all. */
bool value_replace(struct value *out, struct frame *f, struct text text, struct text from,
                   struct text to, int64_t count) MUST;

/* Binary operators (jinja_operator.c). */
bool operate(struct value *out, struct frame *f, struct text operator, const struct value * a,
             const struct value *b) MUST;
bool compare(bool *out, struct frame *f, struct text operator, const struct value * a,
             const struct value *b) MUST;
bool value_subscript(struct value *out, struct frame *f, const struct value *v,
                     const struct value *key) MUST;
/* v[from:to:step], each NULL or an integer. */
bool value_slice(struct value *out, struct frame *f, const struct value *v,
                 const struct value *from, const struct value *to, const struct value *step) MUST;

#endif
