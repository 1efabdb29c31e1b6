/* jinja_lex.c - template text becomes tokens.
 *
 * A `-` inside a delimiter takes the whitespace on its outer side away; newlines in text become \n,
 * as Jinja2's lexer does. */
#include "coordinator/task/jinja_node.h"

#define TOKENS_MAX 8192

struct lexer {
    const char *at, *end;
    int32_t line;
    bool trim; /* the delimiter before ended in `-` */
    struct token *tokens;
    int32_t count;
    struct heap *heap;
    struct err *err;
};

static bool lex_fail(const struct lexer *lexer, const char *what)
{
    return err_set(lexer->err, ERR_INPUT, "line %d: %s", lexer->line, what);
}

static bool starts(const struct lexer *lexer, const char *text)
{
    size_t size = strlen(text);
    return (size_t)(lexer->end - lexer->at) >= size && !memcmp(lexer->at, text, size);
}

static bool add(struct lexer *lexer, enum token_type type, struct text text)
{
    if (lexer->count >= TOKENS_MAX)
        return lex_fail(lexer, "template too long");
    if ((lexer->count & (lexer->count - 1)) == 0) /* a power of two: full */
        lexer->tokens =
            must_realloc(lexer->tokens, 2 * (size_t)lexer->count + 1, sizeof *lexer->tokens);
    lexer->tokens[lexer->count++] = (struct token){ type, lexer->line, text };
    return true;
}

static void move(struct lexer *lexer, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++)
        lexer->line += lexer->at[i] == '\n';
    lexer->at += bytes;
}

/* \r\n and \r are \n. */
static bool add_data(struct lexer *lexer, struct text data)
{
    AUTO(buf_free) struct buf text = { 0 };
    for (size_t i = 0; i < data.size; i++) {
        if (data.bytes[i] != '\r')
            buf_put_char(&text, data.bytes[i]);
        else if (i + 1 == data.size || data.bytes[i + 1] != '\n')
            buf_put_char(&text, '\n');
    }
    struct text copy;
    if (!heap_copy(&copy, lexer->heap, (struct text){ buf_text(&text), text.size }, lexer->err))
        return false;
    return !copy.size || add(lexer, TOKEN_DATA, copy);
}

static const char *find_open(const struct lexer *lexer)
{
    for (const char *at = lexer->at; at + 1 < lexer->end; at++)
        if (at[0] == '{' && (at[1] == '{' || at[1] == '%' || at[1] == '#'))
            return at;
    return lexer->end;
}

static bool lex_data(struct lexer *lexer)
{
    const char *open = find_open(lexer);
    struct text data = { lexer->at, (size_t)(open - lexer->at) };
    size_t whole = data.size;
    if (lexer->trim)
        data = pystr_strip(data, PYSTR_LEFT, NULL);
    if (open + 2 < lexer->end && open[2] == '-')
        data = pystr_strip(data, PYSTR_RIGHT, NULL);
    lexer->trim = false;
    if (!add_data(lexer, data))
        return false;
    move(lexer, whole);
    return true;
}

static bool lex_comment(struct lexer *lexer)
{
    struct text rest = { lexer->at, (size_t)(lexer->end - lexer->at) };
    int64_t at = pystr_find(rest, TEXT_LITERAL("#}"), 2);
    if (at < 0)
        return lex_fail(lexer, "comment without end");
    const char *close = lexer->at + at;
    lexer->trim = close > lexer->at + 2 && close[-1] == '-';
    move(lexer, (size_t)(close + 2 - lexer->at));
    return true;
}

static bool lex_string(struct lexer *lexer)
{
    const char *at = lexer->at + 1;
    while (at < lexer->end && *at != *lexer->at)
        at += *at == '\\' ? 2 : 1;
    if (at >= lexer->end)
        return lex_fail(lexer, "string without end");
    struct text body = { lexer->at + 1, (size_t)(at - lexer->at - 1) }, text;
    if (!value_unescape(&text, body, lexer->heap, lexer->err))
        return lex_fail(lexer, "bad escape in a string");
    if (!add(lexer, TOKEN_STRING, text))
        return false;
    move(lexer, body.size + 2);
    return true;
}

static bool is_name_char(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
           (unsigned char)c >= 0x80 || (!first && c >= '0' && c <= '9');
}

static bool lex_number(struct lexer *lexer)
{
    const char *at = lexer->at;
    bool real = false;
    while (at < lexer->end && *at >= '0' && *at <= '9')
        at++;
    if (at + 1 < lexer->end && *at == '.' && at[1] >= '0' && at[1] <= '9') {
        real = true;
        for (at++; at < lexer->end && *at >= '0' && *at <= '9';)
            at++;
    }
    if (at < lexer->end && is_name_char(*at, true))
        return lex_fail(lexer, "this form of number is not supported");
    struct text text = { lexer->at, (size_t)(at - lexer->at) };
    if (text.size > 18)
        return lex_fail(lexer, "number too long");
    lexer->at = at;
    return add(lexer, real ? TOKEN_REAL : TOKEN_INT, text);
}

static bool lex_name(struct lexer *lexer)
{
    const char *at = lexer->at;
    while (at < lexer->end && is_name_char(*at, at == lexer->at))
        at++;
    struct text text = { lexer->at, (size_t)(at - lexer->at) };
    lexer->at = at;
    return add(lexer, TOKEN_NAME, text);
}

static bool lex_operator(struct lexer *lexer, int32_t *nested)
{
    static const char *const operators[] = { "==", "!=", ">=", "<=", "//", "**", ">", "<", "=",
                                             "+",  "-",  "*",  "/",  "%",  "~",  "(", ")", "[",
                                             "]",  "{",  "}",  ".",  ",",  ":",  "|" };
    for (size_t i = 0; i < COUNT(operators); i++) {
        if (!starts(lexer, operators[i]))
            continue;
        char c = operators[i][0];
        *nested += (c == '(' || c == '[' || c == '{') - (c == ')' || c == ']' || c == '}');
        struct text text = text_of(operators[i]);
        lexer->at += text.size;
        return add(lexer, TOKEN_OPERATOR, text);
    }
    return lex_fail(lexer, "a character that no expression has");
}

static bool lex_token(struct lexer *lexer, int32_t *nested)
{
    char c = *lexer->at;
    if (c == ' ' || c == '\n' || c == '\t' || c == '\r') {
        move(lexer, 1);
        return true;
    }
    if (c == '"' || c == '\'')
        return lex_string(lexer);
    if (c >= '0' && c <= '9')
        return lex_number(lexer);
    return is_name_char(c, true) ? lex_name(lexer) : lex_operator(lexer, nested);
}

/* Inside {{ }} or {% %}, up to and with its end. */
static bool lex_code(struct lexer *lexer, bool print)
{
    const char *close = print ? "}}" : "%}", *trimming = print ? "-}}" : "-%}";
    int32_t nested = 0;
    while (lexer->at < lexer->end) {
        bool trims = starts(lexer, trimming);
        if (nested <= 0 && (trims || starts(lexer, close))) {
            lexer->trim = trims;
            lexer->at += trims ? 3 : 2;
            return add(lexer, print ? TOKEN_PRINT_END : TOKEN_BLOCK_END, text_of(close));
        }
        if (!lex_token(lexer, &nested))
            return false;
    }
    return lex_fail(lexer, print ? "{{ without }}" : "{% without %}");
}

static bool lex_open(struct lexer *lexer)
{
    if (starts(lexer, "{#"))
        return lex_comment(lexer);
    bool print = starts(lexer, "{{");
    if (!add(lexer, print ? TOKEN_PRINT_BEGIN : TOKEN_BLOCK_BEGIN, text_of(print ? "{{" : "{%")))
        return false;
    lexer->at += 2;
    if (lexer->at < lexer->end && (*lexer->at == '-' || *lexer->at == '+'))
        lexer->at++;
    return lex_code(lexer, print);
}

static bool lex_all(struct lexer *lexer)
{
    while (lexer->at < lexer->end) {
        if (!lex_data(lexer))
            return false;
        if (lexer->at < lexer->end && !lex_open(lexer))
            return false;
    }
    return add(lexer, TOKEN_END, text_of("the end"));
}

bool jinja_lex(struct token **out, struct text source, struct heap *heap, struct err *err)
{
    struct lexer lexer = { source.bytes, source.bytes + source.size, 1, false, NULL, 0, heap, err };
    bool ok = lex_all(&lexer);
    if (ok)
        *out = lexer.tokens;
    else
        free(lexer.tokens);
    return ok;
}
