#define _GNU_SOURCE /* memmem */
#include "agent/text/normal.h"

#include "agent/text/unicode.h"

#include <utf8proc.h>

static bool step_add(struct normal_step **out, struct normal *normal, enum normal_kind kind,
                     struct err *err)
{
    if (normal->count == TOKENIZER_STEPS_MAX)
        return err_set(err, ERR_INPUT, "more than %d normalizers", TOKENIZER_STEPS_MAX);
    *out = &normal->steps[normal->count++];
    **out = (struct normal_step){ .kind = kind };
    return true;
}

static bool string_read(char **out, size_t *size, struct text raw, struct err *err)
{
    AUTO(buf_free) struct buf value = { 0 };
    if (!field_string(&value, raw, err))
        return false;
    if (value.size > NORMAL_STRING_BYTES)
        return err_set(err, ERR_INPUT, "a normalizer's string of %zu bytes, the most is %d",
                       value.size, NORMAL_STRING_BYTES);
    *out = must_calloc(value.size + 1, 1);
    *size = value.size;
    memcpy(*out, buf_text(&value), value.size);
    return true;
}

static bool replace_read(struct normal_step *step, struct text pattern, struct text content,
                         struct err *err)
{
    struct field kinds[] = { { "String", { 0 } }, { "Regex", { 0 } } };
    if (!fields_read(kinds, COUNT(kinds), pattern, err))
        return false;
    if (field_empty(kinds[0].raw))
        return err_set(err, ERR_INPUT, "normalizer Replace by a regex is not supported");
    return string_read(&step->from, &step->from_size, kinds[0].raw, err) &&
           string_read(&step->to, &step->to_size, content, err);
}

enum { TYPE, NORMALIZERS, PATTERN, CONTENT, PREPEND, LEFT, RIGHT, FIELDS };

static bool step_fill(struct normal_step *step, const struct field *f, struct err *err)
{
    switch (step->kind) {
    case NORMAL_REPLACE:
        return replace_read(step, f[PATTERN].raw, f[CONTENT].raw, err);
    case NORMAL_PREPEND:
        return string_read(&step->to, &step->to_size, f[PREPEND].raw, err);
    case NORMAL_STRIP:
        return field_bool(&step->left, f[LEFT].raw, true, err) &&
               field_bool(&step->right, f[RIGHT].raw, true, err);
    default:
        return true;
    }
}

/* clang-format off */
static const struct { const char *name; enum normal_kind kind; } kinds[] = {
    { "NFC",          NORMAL_NFC },
    { "NFD",          NORMAL_NFD },
    { "NFKC",         NORMAL_NFKC },
    { "NFKD",         NORMAL_NFKD },
    { "Lowercase",    NORMAL_LOWERCASE },
    { "Strip",        NORMAL_STRIP },
    { "StripAccents", NORMAL_STRIP_ACCENTS },
    { "Replace",      NORMAL_REPLACE },
    { "Prepend",      NORMAL_PREPEND },
};
/* clang-format on */

static bool each_read(void *self, struct text raw, struct err *err)
{
    return normal_read(self, raw, err);
}

bool normal_read(struct normal *normal, struct text raw, struct err *err)
{
    if (field_empty(raw))
        return true;
    struct field f[FIELDS] = { { "type", { 0 } },       { "normalizers", { 0 } },
                               { "pattern", { 0 } },    { "content", { 0 } },
                               { "prepend", { 0 } },    { "strip_left", { 0 } },
                               { "strip_right", { 0 } } };
    AUTO(buf_free) struct buf type = { 0 };
    if (!fields_read(f, FIELDS, raw, err) || !field_string(&type, f[TYPE].raw, err))
        return err_wrap(err, "normalizer");
    if (!strcmp(buf_text(&type), "Sequence"))
        return field_each(f[NORMALIZERS].raw, each_read, normal, err);

    for (size_t i = 0; i < COUNT(kinds); i++) {
        struct normal_step *step = NULL;
        if (!strcmp(kinds[i].name, buf_text(&type)))
            return step_add(&step, normal, kinds[i].kind, err) && step_fill(step, f, err);
    }
    return err_set(err, ERR_INPUT, "normalizer %.40s is not supported", buf_text(&type));
}

void normal_free(struct normal *normal)
{
    for (int32_t i = 0; i < normal->count; i++) {
        free(normal->steps[i].from);
        free(normal->steps[i].to);
    }
    normal->count = 0;
}

/* Ranges whose characters no canonical form changes and which combine with nothing in them.  A
 * syllable is left alone as long as no conjoining jamo follows, and those are in no range here. */
static bool stays_composed(uint32_t c)
{
    return c < 0x300 || (c >= 0xac00 && c <= 0xd7a3) || (c >= 0x4e00 && c <= 0x9fff) ||
           (c >= 0x2010 && c <= 0x2027) || (c >= 0x3000 && c <= 0x3029) ||
           (c >= 0x3131 && c <= 0x318e);
}

static bool is_composed(struct text piece)
{
    size_t size;
    for (size_t i = 0; i < piece.size; i += size)
        if (!stays_composed(utf8_at(piece.bytes + i, &size)))
            return false;
    return true;
}

static void compose(struct buf *out, struct text piece, enum normal_kind kind)
{
    utf8proc_option_t options = UTF8PROC_STABLE;
    options |= kind == NORMAL_NFC || kind == NORMAL_NFKC ? UTF8PROC_COMPOSE : UTF8PROC_DECOMPOSE;
    options |= kind == NORMAL_NFKC || kind == NORMAL_NFKD ? UTF8PROC_COMPAT : 0;
    AUTO(free) utf8proc_uint8_t *made = NULL;
    utf8proc_ssize_t size = utf8proc_map((const utf8proc_uint8_t *)piece.bytes,
                                         (utf8proc_ssize_t)piece.size, &made, options);
    assert(size >= 0); /* the piece is valid UTF-8 */
    buf_put(out, made, (size_t)size);
}

static void put_char(struct buf *out, uint32_t c)
{
    char bytes[UTF8_BYTES_MAX];
    buf_put(out, bytes, utf8_put(bytes, c));
}

static void lowercase(struct buf *out, struct text piece)
{
    size_t size;
    for (size_t i = 0; i < piece.size; i += size) {
        uint32_t c = utf8_at(piece.bytes + i, &size);
        if (c == 0x130) /* the one character whose lower case is two */
            buf_put_text(out, "i\xcc\x87");
        else
            put_char(out, (uint32_t)utf8proc_tolower((utf8proc_int32_t)c));
    }
}

static void strip_accents(struct buf *out, struct text piece)
{
    size_t size;
    for (size_t i = 0; i < piece.size; i += size) {
        uint32_t c = utf8_at(piece.bytes + i, &size);
        if (utf8proc_category((utf8proc_int32_t)c) != UTF8PROC_CATEGORY_MN)
            buf_put(out, piece.bytes + i, size);
    }
}

static struct text strip(struct text piece, bool left, bool right)
{
    size_t size;
    while (left && piece.size && is_space(utf8_at(piece.bytes, &size)))
        piece = (struct text){ piece.bytes + size, piece.size - size };
    while (right && piece.size) {
        const char *end = piece.bytes + piece.size;
        size_t last = utf8_size_before(end, piece.bytes);
        if (!is_space(utf8_at(end - last, &size)))
            break;
        piece.size -= last;
    }
    return piece;
}

static void replace(struct buf *out, struct text piece, const struct normal_step *step)
{
    const char *at = piece.bytes, *end = at + piece.size;
    while (at < end) {
        const char *hit =
            step->from_size ? memmem(at, (size_t)(end - at), step->from, step->from_size) : NULL;
        buf_put(out, at, (size_t)((hit ? hit : end) - at));
        if (!hit)
            return;
        buf_put(out, step->to, step->to_size);
        at = hit + step->from_size;
    }
}

static struct text step_apply(const struct normal_step *step, struct text piece, struct buf *out)
{
    if (step->kind == NORMAL_STRIP)
        return strip(piece, step->left, step->right);
    if (step->kind == NORMAL_NFC && is_composed(piece))
        return piece;

    buf_clear(out);
    switch (step->kind) {
    case NORMAL_LOWERCASE:
        lowercase(out, piece);
        break;
    case NORMAL_STRIP_ACCENTS:
        strip_accents(out, piece);
        break;
    case NORMAL_REPLACE:
        replace(out, piece, step);
        break;
    case NORMAL_PREPEND:
        buf_put(out, step->to, piece.size ? step->to_size : 0);
        buf_put(out, piece.bytes, piece.size);
        break;
    default:
        compose(out, piece, step->kind);
    }
    return (struct text){ buf_text(out), out->size };
}

struct text normal_apply(const struct normal *normal, struct text piece, struct buf buffers[2])
{
    int32_t turn = 0;
    for (int32_t i = 0; i < normal->count; i++) {
        struct buf *out = &buffers[turn];
        piece = step_apply(&normal->steps[i], piece, out);
        if (piece.bytes == buf_text(out))
            turn = !turn;
    }
    return piece;
}
