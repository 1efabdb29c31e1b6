/* literal.c - ast.literal_eval: a Python literal becomes a value. */
#include "coordinator/task/value.h"

struct literal {
    const char *at, *end;
    struct heap *heap;
    struct err *err;
    int depth;
};

static bool read_value(struct value *out, struct literal *in);

static bool bad(struct literal *in) { return err_set(in->err, ERR_INPUT, "no Python literal"); }

static void skip_space(struct literal *in)
{
    while (in->at < in->end && strchr(" \t\n\r\f", *in->at) && *in->at)
        in->at++;
}

static bool take(struct literal *in, char c)
{
    skip_space(in);
    if (in->at == in->end || *in->at != c)
        return false;
    in->at++;
    return true;
}

static int hex_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool put_code(struct literal *in, struct buf *out, int digits)
{
    uint32_t code = 0;
    for (int i = 0; i < digits; i++) {
        int hex = in->at < in->end ? hex_of(*in->at++) : -1;
        if (hex < 0)
            return bad(in);
        code = code << 4 | (uint32_t)hex;
    }
    if (code > 0x10FFFF || (code >= 0xD800 && code < 0xE000))
        return bad(in);
    pystr_put(out, code);
    return true;
}

static bool put_octal(struct literal *in, struct buf *out)
{
    uint32_t code = 0;
    for (int i = 0; i < 3 && in->at < in->end && *in->at >= '0' && *in->at <= '7'; i++)
        code = code * 8 + (uint32_t)(*in->at++ - '0');
    pystr_put(out, code);
    return true;
}

/* What follows a backslash.  An escape that Python does not know keeps its backslash. */
static bool put_escape(struct literal *in, struct buf *out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    if (in->at == in->end)
        return bad(in);
    char c = *in->at;
    if (c >= '0' && c <= '7')
        return put_octal(in, out);
    in->at++;
    if (c == '\n')
        return true;
    if (c == 'x' || c == 'u' || c == 'U')
        return put_code(in, out, c == 'x' ? 2 : c == 'u' ? 4 : 8);
    if (c == 'N')
        return bad(in);
    const char *known = c ? strchr(from, c) : NULL;
    if (!known)
        buf_put_char(out, '\\');
    buf_put_char(out, known ? to[known - from] : c);
    return true;
}

bool value_unescape(struct text *out, struct text body, struct heap *heap, struct err *err)
{
    struct literal in = { body.bytes, body.bytes + body.size, heap, err, 0 };
    AUTO(buf_free) struct buf text = { .max = heap->max };
    while (in.at < in.end) {
        char c = *in.at++;
        if (c != '\\')
            buf_put_char(&text, c);
        else if (!put_escape(&in, &text))
            return false;
    }
    return buf_ok(&text) ? heap_copy(out, heap, (struct text){ buf_text(&text), text.size }, err)
                         : bad(&in);
}

static bool read_string(struct value *out, struct literal *in)
{
    const char *body = in->at + 1;
    char quote = *in->at++;
    while (in->at < in->end && *in->at != quote && *in->at != '\n')
        in->at += *in->at == '\\' ? 2 : 1;
    if (in->at >= in->end || *in->at != quote)
        return bad(in);
    struct text raw = { body, (size_t)(in->at++ - body) }, text;
    if (!value_unescape(&text, raw, in->heap, in->err))
        return false;
    *out = value_str(text);
    return true;
}

static bool read_word(struct value *out, struct literal *in)
{
    static const char *const words[] = { "None", "True", "False" };
    for (int i = 0; i < 3; i++) {
        size_t size = strlen(words[i]);
        if ((size_t)(in->end - in->at) >= size && !memcmp(in->at, words[i], size)) {
            in->at += size;
            *out = i ? value_bool(i == 1) : value_none();
            return true;
        }
    }
    return bad(in);
}

static bool read_number(struct value *out, struct literal *in)
{
    char text[64];
    size_t size = 0;
    while (in->at < in->end && size + 1 < sizeof text && strchr("+-.0123456789eE", *in->at) &&
           *in->at)
        text[size++] = *in->at++;
    text[size] = 0;
    char *end;
    bool real = strpbrk(text, ".eE");
    const char *digits = text + (text[0] == '-' || text[0] == '+');
    if (!real && digits[0] == '0' && digits[strspn(digits, "0")])
        return bad(in); /* 007 is no number in Python */
    *out = real ? value_real(strtod(text, &end)) : value_int(strtoll(text, &end, 10));
    bool whole = size && *end == 0 && strpbrk(text, "0123456789");
    return whole && (real || size < 19) ? true : bad(in);
}

/* [a, b] and (a, b); (a) is a itself. */
static bool read_sequence(struct value *out, struct literal *in, char close, bool dict)
{
    struct value items[256];
    int32_t count = 0;
    bool comma = true;
    while (!take(in, close)) {
        if (!comma || count + 2 > (int32_t)COUNT(items) || !read_value(&items[count++], in))
            return bad(in);
        if (dict && (!take(in, ':') || !read_value(&items[count++], in)))
            return bad(in);
        comma = take(in, ',');
    }
    if (close == ')' && count == 1 && !comma) {
        *out = items[0];
        return true;
    }
    enum value_type type = dict ? VALUE_DICT : close == ')' ? VALUE_TUPLE : VALUE_LIST;
    if (!value_list(out, type, dict ? count / 2 : count, in->heap, in->err))
        return false;
    if (count)
        memcpy(out->items, items, (size_t)count * sizeof *items);
    return true;
}

static bool read_value(struct value *out, struct literal *in)
{
    skip_space(in);
    if (in->at == in->end || ++in->depth > VALUE_DEPTH_MAX / 2)
        return bad(in);
    bool ok;
    switch (*in->at) {
    case '[':
    case '(':
    case '{':;
        char open = *in->at++;
        ok = read_sequence(out, in, open == '[' ? ']' : open == '(' ? ')' : '}', open == '{');
        break;
    case '\'':
    case '"':
        ok = read_string(out, in);
        break;
    case 'N':
    case 'T':
    case 'F':
        ok = read_word(out, in);
        break;
    default:
        ok = read_number(out, in);
    }
    in->depth--;
    return ok;
}

bool value_from_literal(struct value *out, struct text literal, struct heap *heap, struct err *err)
{
    struct literal in = { literal.bytes, literal.bytes + literal.size, heap, err, 0 };
    if (!read_value(out, &in))
        return false;
    skip_space(&in);
    return in.at == in.end ? true : bad(&in);
}
