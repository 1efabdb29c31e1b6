#include "agent/text/split.h"

enum {
    TYPE,
    PRETOKENIZERS,
    PATTERN,
    BEHAVIOR,
    INVERT,
    REPLACEMENT,
    SCHEME,
    SPLIT,
    PREFIX_SPACE,
    USE_REGEX,
    INDIVIDUAL,
    FIELDS
};

/* A name in the file and what it stands for. */
struct word {
    const char *name;
    int32_t value;
};

/* clang-format off */
static const struct word behaviors[] = {
    { "Removed",            SPLIT_REMOVED },
    { "Isolated",           SPLIT_ISOLATED },
    { "MergedWithPrevious", SPLIT_MERGED_WITH_PREVIOUS },
    { "MergedWithNext",     SPLIT_MERGED_WITH_NEXT },
    { "Contiguous",         SPLIT_CONTIGUOUS },
};
static const struct word schemes[] = {
    { "always", SPLIT_ALWAYS },
    { "first",  SPLIT_FIRST },
    { "never",  SPLIT_NEVER },
};
/* clang-format on */

static bool word_read(int32_t *out, const struct word *words, size_t count, struct text raw,
                      const char *what, struct err *err)
{
    AUTO(buf_free) struct buf name = { 0 };
    if (!field_string(&name, raw, err))
        return false;
    for (size_t i = 0; i < count; i++)
        if (!strcmp(words[i].name, buf_text(&name))) {
            *out = words[i].value;
            return true;
        }
    return err_set(err, ERR_INPUT, "%s \"%.40s\" is not supported", what, buf_text(&name));
}

static bool literal_read(struct split_step *step, struct text raw, struct err *err)
{
    AUTO(buf_free) struct buf value = { 0 };
    if (!field_string(&value, raw, err))
        return false;
    if (value.size > TOKENIZER_TOKEN_BYTES)
        return err_set(err, ERR_INPUT, "a string of %zu bytes to split at", value.size);
    step->literal = must_calloc(value.size + 1, 1);
    step->literal_size = value.size;
    memcpy(step->literal, buf_text(&value), value.size);
    return true;
}

static bool regex_read(struct split_step *step, struct text raw, struct err *err)
{
    AUTO(buf_free) struct buf regex = { 0 };
    if (!field_string(&regex, raw, err))
        return false;
    step->kind = SPLIT_PATTERN;
    step->pattern = pattern_find((struct text){ buf_text(&regex), regex.size });
    if (!step->pattern)
        return err_set(err, ERR_INPUT, "pre_tokenizer Split by the pattern %.200s is not supported",
                       buf_text(&regex));
    return true;
}

static bool split_step_read(struct split_step *step, const struct field *f, struct err *err)
{
    struct field kinds[] = { { "String", { 0 } }, { "Regex", { 0 } } };
    int32_t behavior;
    if (!fields_read(kinds, COUNT(kinds), f[PATTERN].raw, err) ||
        !word_read(&behavior, behaviors, COUNT(behaviors), f[BEHAVIOR].raw, "Split behavior",
                   err) ||
        !field_bool(&step->invert, f[INVERT].raw, false, err))
        return false;
    step->behavior = (enum split_behavior)behavior;
    step->kind = SPLIT_LITERAL;
    return field_empty(kinds[0].raw) ? regex_read(step, kinds[1].raw, err)
                                     : literal_read(step, kinds[0].raw, err);
}

static bool metaspace_read(struct split_step *step, const struct field *f, struct err *err)
{
    bool cut, prefix_space;
    int32_t scheme = SPLIT_ALWAYS;
    if (!literal_read(step, f[REPLACEMENT].raw, err) ||
        !field_bool(&cut, f[SPLIT].raw, true, err) ||
        !field_bool(&prefix_space, f[PREFIX_SPACE].raw, true, err))
        return false;
    if (!field_empty(f[SCHEME].raw) && !word_read(&scheme, schemes, COUNT(schemes), f[SCHEME].raw,
                                                  "Metaspace prepend_scheme", err))
        return false;
    if (!step->literal_size)
        return err_set(err, ERR_INPUT, "Metaspace without a replacement");
    if (!prefix_space && !field_empty(f[SCHEME].raw) && scheme != SPLIT_NEVER)
        return err_set(err, ERR_INPUT, "Metaspace add_prefix_space contradicts its prepend_scheme");
    step->prepend = prefix_space ? (enum split_prepend)scheme : SPLIT_NEVER;
    step->behavior = SPLIT_MERGED_WITH_NEXT;
    step->whole = !cut;
    return true;
}

static bool byte_level_read(struct split_step *step, const struct field *f, struct err *err)
{
    bool regex;
    if (!field_bool(&step->prefix_space, f[PREFIX_SPACE].raw, true, err) ||
        !field_bool(&regex, f[USE_REGEX].raw, true, err))
        return false;
    step->pattern = pattern_gpt2;
    step->whole = !regex;
    return true;
}

static bool digits_read(struct split_step *step, const struct field *f, struct err *err)
{
    bool individual;
    if (!field_bool(&individual, f[INDIVIDUAL].raw, false, err))
        return false;
    step->behavior = individual ? SPLIT_ISOLATED : SPLIT_CONTIGUOUS;
    return true;
}

/* clang-format off */
static const struct {
    const char *name;
    enum split_kind kind;
    bool (*read)(struct split_step *step, const struct field *f, struct err *err);
} kinds[] = {
    { "ByteLevel", SPLIT_BYTE_LEVEL, byte_level_read },
    { "Split",     SPLIT_PATTERN,    split_step_read },
    { "Metaspace", SPLIT_METASPACE,  metaspace_read },
    { "Digits",    SPLIT_DIGITS,     digits_read },
};
/* clang-format on */

static bool step_read(struct split *split, const char *type, const struct field *f, struct err *err)
{
    for (size_t i = 0; i < COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, type) != 0)
            continue;
        if (split->count == TOKENIZER_STEPS_MAX)
            return err_set(err, ERR_INPUT, "more than %d pre-tokenizers", TOKENIZER_STEPS_MAX);
        struct split_step *step = &split->steps[split->count++];
        *step = (struct split_step){ .kind = kinds[i].kind };
        return kinds[i].read(step, f, err);
    }
    return err_set(err, ERR_INPUT, "pre_tokenizer %.40s is not supported", type);
}

static bool any_read(struct split *split, struct text raw, struct err *err);

static bool each_read(void *self, struct text raw, struct err *err)
{
    return any_read(self, raw, err);
}

static bool any_read(struct split *split, struct text raw, struct err *err)
{
    struct field f[FIELDS] = {
        [TYPE] = { "type", { 0 } },
        [PRETOKENIZERS] = { "pretokenizers", { 0 } },
        [PATTERN] = { "pattern", { 0 } },
        [BEHAVIOR] = { "behavior", { 0 } },
        [INVERT] = { "invert", { 0 } },
        [REPLACEMENT] = { "replacement", { 0 } },
        [SCHEME] = { "prepend_scheme", { 0 } },
        [SPLIT] = { "split", { 0 } },
        [PREFIX_SPACE] = { "add_prefix_space", { 0 } },
        [USE_REGEX] = { "use_regex", { 0 } },
        [INDIVIDUAL] = { "individual_digits", { 0 } },
    };
    AUTO(buf_free) struct buf type = { 0 };
    if (!fields_read(f, FIELDS, raw, err) || !field_string(&type, f[TYPE].raw, err))
        return err_wrap(err, "pre_tokenizer");
    if (!strcmp(buf_text(&type), "Sequence"))
        return field_each(f[PRETOKENIZERS].raw, each_read, split, err);
    return step_read(split, buf_text(&type), f, err);
}

static bool byte_level_check(struct split *split, struct err *err)
{
    for (int32_t i = 0; i < split->count; i++) {
        if (split->steps[i].kind != SPLIT_BYTE_LEVEL)
            continue;
        if (i + 1 != split->count)
            return err_set(err, ERR_INPUT,
                           "pre_tokenizer ByteLevel before another one is not supported");
        split->byte_level = true;
    }
    return true;
}

/* The type of the outermost pre-tokenizer, which only a lone ByteLevel has. */
static bool is_sequence(struct text raw)
{
    struct field f[] = { { "pretokenizers", { 0 } } };
    struct err ignored = { 0 };
    return fields_read(f, COUNT(f), raw, &ignored) && f[0].raw.bytes;
}

bool split_read(struct split *split, struct text raw, bool prefix_space, struct err *err)
{
    if (field_empty(raw))
        return true;
    if (!any_read(split, raw, err) || !byte_level_check(split, err))
        return false;
    if (split->byte_level && split->count == 1 && !is_sequence(raw))
        split->steps[0].prefix_space = prefix_space;
    return true;
}

void split_free(struct split *split)
{
    for (int32_t i = 0; i < split->count; i++)
        free(split->steps[i].literal);
    split->count = 0;
}
