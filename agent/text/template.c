#include "agent/text/special.h"

enum { TYPE, PROCESSORS, SINGLE, SPECIAL_TOKENS, FIELDS };

/* One element of a template's "single": {"SpecialToken": ...} or {"Sequence": ...}. */
struct reading {
    struct special *special;
    struct text tokens; /* "special_tokens" */
    bool after;         /* the text itself has been passed */
    int32_t before[TOKENIZER_SPECIAL_MAX], after_ids[TOKENIZER_SPECIAL_MAX];
    int32_t before_count, after_count;
};

static bool id_put(void *self, struct text raw, struct err *err)
{
    struct reading *r = self;
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    int32_t id = (int32_t)json_int(&json, 0, TOKENIZER_VOCABULARY_MAX - 1);
    if (!json_end(&json, err))
        return false;
    int32_t *count = r->after ? &r->after_count : &r->before_count;
    if (*count == TOKENIZER_SPECIAL_MAX)
        return err_set(err, ERR_INPUT, "more than %d special tokens on one side of a text",
                       TOKENIZER_SPECIAL_MAX);
    (r->after ? r->after_ids : r->before)[(*count)++] = id;
    return true;
}

/* The ids that "special_tokens" lists under the name. */
static bool named_ids_put(struct reading *r, struct text name, struct err *err)
{
    AUTO(buf_free) struct buf key = { 0 };
    struct field id[] = { { "id", { 0 } } };
    if (!fields_read(id, COUNT(id), name, err) || !field_string(&key, id[0].raw, err))
        return false;
    struct field entry[] = { { buf_text(&key), { 0 } } }, ids[] = { { "ids", { 0 } } };
    if (!fields_read(entry, COUNT(entry), r->tokens, err))
        return false;
    if (!entry[0].raw.bytes)
        return err_set(err, ERR_INPUT, "its special_tokens lack one that it uses");
    return fields_read(ids, COUNT(ids), entry[0].raw, err) &&
           field_each(ids[0].raw, id_put, r, err);
}

static bool element_read(void *self, struct text raw, struct err *err)
{
    struct reading *r = self;
    struct field f[] = { { "SpecialToken", { 0 } }, { "Sequence", { 0 } } };
    if (!fields_read(f, COUNT(f), raw, err))
        return false;
    if (f[0].raw.bytes)
        return named_ids_put(r, f[0].raw, err);
    if (!f[1].raw.bytes || r->after)
        return err_set(err, ERR_INPUT, "a single text must stand in it exactly once");
    r->after = true;
    return true;
}

/* A later processor's tokens stand outside of an earlier one's. */
static bool wrap(struct special *special, const struct reading *r, struct err *err)
{
    if (special->before_count + r->before_count > TOKENIZER_SPECIAL_MAX ||
        special->after_count + r->after_count > TOKENIZER_SPECIAL_MAX)
        return err_set(err, ERR_INPUT, "too many special tokens around a text");
    memmove(special->before + r->before_count, special->before,
            (size_t)special->before_count * sizeof(*special->before));
    memcpy(special->before, r->before, (size_t)r->before_count * sizeof(*r->before));
    memcpy(special->after + special->after_count, r->after_ids,
           (size_t)r->after_count * sizeof(*r->after_ids));
    special->before_count += r->before_count;
    special->after_count += r->after_count;
    return true;
}

static bool single_read(struct special *special, const struct field *f, struct err *err)
{
    struct reading r = { .special = special, .tokens = f[SPECIAL_TOKENS].raw };
    if (!field_each(f[SINGLE].raw, element_read, &r, err))
        return err_wrap(err, "TemplateProcessing");
    if (!r.after)
        return err_set(err, ERR_INPUT, "TemplateProcessing leaves the text out");
    return wrap(special, &r, err);
}

static bool each_read(void *self, struct text raw, struct err *err)
{
    return template_read(self, raw, err);
}

bool template_read(struct special *special, struct text post_processor, struct err *err)
{
    if (field_empty(post_processor))
        return true;
    struct field f[FIELDS] = { [TYPE] = { "type", { 0 } },
                               [PROCESSORS] = { "processors", { 0 } },
                               [SINGLE] = { "single", { 0 } },
                               [SPECIAL_TOKENS] = { "special_tokens", { 0 } } };
    AUTO(buf_free) struct buf type = { 0 };
    if (!fields_read(f, FIELDS, post_processor, err) || !field_string(&type, f[TYPE].raw, err))
        return err_wrap(err, "post_processor");
    if (!strcmp(buf_text(&type), "ByteLevel"))
        return true;
    if (!strcmp(buf_text(&type), "Sequence"))
        return field_each(f[PROCESSORS].raw, each_read, special, err);
    if (!strcmp(buf_text(&type), "TemplateProcessing"))
        return single_read(special, f, err);
    return err_set(err, ERR_INPUT, "post_processor %.40s is not supported", buf_text(&type));
}
