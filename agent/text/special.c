#include "agent/text/special.h"

#include <math.h>

/* The names under which special tokens are configured, in the order in which they are added. */
enum { BOS, EOS, UNK, SEP, PAD, CLS, MASK, NAMES };

enum {
    CLASS = NAMES,
    ADD_BOS,
    ADD_EOS,
    PREFIX_SPACE,
    DECODER,
    ADDITIONAL,
    MAX_LENGTH,
    SPLIT_SPECIAL,
    FIELDS
};

/* What a class of transformers brings with it. */
struct class
{
    const char *name; /* without "Fast" */
    const char *model_types[6];
    const char *tokens[NAMES]; /* NULL: none */
    bool builds_template, adds_bos;
};

/* clang-format off */
static const struct class classes[] = {
    { "LlamaTokenizer", { "llama", "mistral", "mixtral" },
      { [BOS] = "<s>", [EOS] = "</s>", [UNK] = "<unk>" }, true, true },
    { "CodeLlamaTokenizer", { "code_llama" },
      { [BOS] = "<s>", [EOS] = "</s>", [UNK] = "<unk>" }, true, true },
    { "GemmaTokenizer", { "gemma", "gemma2", "gemma3", "gemma3_text" },
      { [BOS] = "<bos>", [EOS] = "<eos>", [UNK] = "<unk>", [PAD] = "<pad>" }, true, true },
    { "CohereTokenizer", { "cohere", "cohere2" },
      { [BOS] = "<BOS_TOKEN>", [EOS] = "<|END_OF_TURN_TOKEN|>" }, true, true },
    { "GPTNeoXTokenizer", { "gpt_neox" },
      { [BOS] = "<|endoftext|>", [EOS] = "<|endoftext|>", [UNK] = "<|endoftext|>" }, true, false },
    { "GPT2Tokenizer", { "gpt2", "gptj" },
      { [BOS] = "<|endoftext|>", [EOS] = "<|endoftext|>", [UNK] = "<|endoftext|>" }, false, false },
    { "Qwen2Tokenizer", { "qwen2", "qwen3", "qwen2_moe", "qwen3_moe" },
      { [EOS] = "<|endoftext|>", [UNK] = "<|endoftext|>", [PAD] = "<|endoftext|>" }, false, false },
};
static const struct class plain_class; /* PreTrainedTokenizerFast: the file as it is */
/* clang-format on */

static bool is_class(const struct class *class, const char *name)
{
    size_t size = strlen(class->name);
    return !strncmp(name, class->name, size) && (!name[size] || !strcmp(name + size, "Fast"));
}

static bool has_model_type(const struct class *class, const char *type)
{
    for (size_t i = 0; i < COUNT(class->model_types) && class->model_types[i]; i++)
        if (!strcmp(class->model_types[i], type))
            return true;
    return false;
}

static bool class_find(const struct class **out, struct text name, struct text config,
                       struct err *err)
{
    AUTO(buf_free) struct buf text = { 0 };
    struct field type[] = { { "model_type", { 0 } } };
    *out = &plain_class;
    bool named = !field_empty(name);
    if (!named && !fields_read(type, COUNT(type), config, err))
        return err_wrap(err, "config.json");
    if (!field_string(&text, named ? name : type[0].raw, err))
        return false;
    for (size_t i = 0; i < COUNT(classes); i++)
        if (named ? is_class(&classes[i], buf_text(&text))
                  : has_model_type(&classes[i], buf_text(&text)))
            *out = &classes[i];
    return true;
}

static void fields_name(struct field f[FIELDS])
{
    static const char *const names[FIELDS] = {
        [BOS] = "bos_token",
        [EOS] = "eos_token",
        [UNK] = "unk_token",
        [SEP] = "sep_token",
        [PAD] = "pad_token",
        [CLS] = "cls_token",
        [MASK] = "mask_token",
        [CLASS] = "tokenizer_class",
        [ADD_BOS] = "add_bos_token",
        [ADD_EOS] = "add_eos_token",
        [PREFIX_SPACE] = "add_prefix_space",
        [DECODER] = "added_tokens_decoder",
        [ADDITIONAL] = "additional_special_tokens",
        [MAX_LENGTH] = "model_max_length",
        [SPLIT_SPECIAL] = "split_special_tokens",
    };
    for (int32_t i = 0; i < FIELDS; i++)
        f[i] = (struct field){ names[i], { 0 } };
}

static bool config_fields(struct field f[FIELDS], const struct tokenizer_files *files,
                          struct err *err)
{
    fields_name(f);
    if (!fields_read(f, FIELDS, files->tokenizer_config, err))
        return err_wrap(err, "tokenizer_config.json");
    if (f[DECODER].raw.bytes)
        return true;
    /* Before there was an added_tokens_decoder, the map had the last word. */
    if (!fields_read(f, NAMES, files->special_tokens_map, err))
        return err_wrap(err, "special_tokens_map.json");
    return true;
}

bool special_prefix_space(bool *out, const struct tokenizer_files *files, struct err *err)
{
    struct field f[FIELDS];
    return config_fields(f, files, err) && field_bool(out, f[PREFIX_SPACE].raw, false, err);
}

struct adding {
    struct added *added;
    const struct bpe *bpe;
};

/* A special token is a string, or an object like an entry of added_tokens. */
static bool token_from(struct added_token *out, struct buf *content, struct text raw,
                       struct err *err)
{
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    if (json_peek(&json) != JSON_STRING)
        return added_token_read(out, content, raw, err);
    if (!field_string(content, raw, err))
        return false;
    *out =
        (struct added_token){ .content = content->bytes, .size = content->size, .special = true };
    return true;
}

static bool special_put(void *self, struct text raw, struct err *err)
{
    struct adding *adding = self;
    AUTO(buf_free) struct buf content = { 0 };
    struct added_token token;
    if (!token_from(&token, &content, raw, err))
        return false;
    token.special = true;
    if (added_find(adding->added, (struct text){ token.content, token.size }) >= 0)
        return true;
    return added_put(adding->added, adding->bpe, token, err);
}

/* {"32000": {"content": ...}, ...}: replaces the flags of what tokenizer.json has. */
static bool decoder_put(struct adding *adding, struct text raw, struct err *err)
{
    AUTO(buf_free) struct buf key = { 0 };
    AUTO(buf_free) struct buf content = { 0 };
    if (field_empty(raw))
        return true;
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    json_object(&json);
    while (json_member(&json, &key)) {
        struct text entry = { 0 };
        struct added_token token;
        json_raw(&json, &entry.bytes, &entry.size);
        if (json_ok(&json) && (!added_token_read(&token, &content, entry, err) ||
                               !added_put(adding->added, adding->bpe, token, err)))
            return false;
    }
    return json_end(&json, err);
}

/* The id of one of bos, eos, ..., which is added if nothing had it; its text too, where asked. */
static bool named_put(int32_t *id, struct adding *adding, struct text raw, const char *otherwise,
                      char **text, struct err *err)
{
    AUTO(buf_free) struct buf content = { 0 };
    struct added_token token = { .special = true };
    *id = -1;
    if (raw.bytes && field_empty(raw))
        return true; /* null: the class's own is taken away */
    if (!raw.bytes)
        buf_put_text(&content, otherwise ? otherwise : "");
    else if (!token_from(&token, &content, raw, err))
        return false;
    if (!content.size)
        return true;
    token.content = content.bytes;
    token.size = content.size;
    token.special = true;
    struct text key = { content.bytes, content.size };
    if (added_find(adding->added, key) < 0 && !added_put(adding->added, adding->bpe, token, err))
        return false;
    *id = added_find(adding->added, key);
    if (text && !*text)
        *text = TAKE(content.bytes);
    return true;
}

static bool names_read(struct special *s, struct adding *adding, const struct field *f,
                       const struct class *class, struct err *err)
{
    int32_t ids[NAMES];
    for (int32_t i = 0; i < NAMES; i++)
        if (!named_put(&ids[i], adding, f[i].raw, class->tokens[i],
                       i == BOS || i == EOS ? &s->prefix : NULL, err))
            return err_wrap(err, "%s", f[i].name);
    s->bos = ids[BOS];
    s->eos = ids[EOS];
    s->unk = ids[UNK];
    s->pad = ids[PAD];
    return field_empty(f[ADDITIONAL].raw) ||
           field_each(f[ADDITIONAL].raw, special_put, adding, err);
}

static bool class_template(struct special *s, const struct class *class, const struct field *f,
                           struct err *err)
{
    bool bos, eos;
    if (!field_bool(&bos, f[ADD_BOS].raw, class->adds_bos, err) ||
        !field_bool(&eos, f[ADD_EOS].raw, false, err))
        return false;
    if ((bos && s->bos < 0) || (eos && s->eos < 0))
        return err_set(err, ERR_INPUT, "add_bos_token or add_eos_token without such a token");
    s->before_count = bos;
    s->before[0] = s->bos;
    s->after_count = eos;
    s->after[0] = s->eos;
    return true;
}

/* A number beyond any model, about 1e30, means that there is no limit. */
static bool max_length_read(int32_t *out, struct text raw, struct err *err)
{
    if (field_empty(raw))
        return true;
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    double value = json_double(&json);
    if (!json_end(&json, err))
        return false;
    *out = value >= 1 && value <= INT32_MAX ? (int32_t)floor(value) : 0;
    return true;
}

bool special_read(struct special *special, const struct tokenizer_files *files,
                  struct text post_processor, struct added *added, const struct bpe *bpe,
                  struct err *err)
{
    struct field f[FIELDS];
    struct adding adding = { added, bpe };
    const struct class *class;
    bool split_special;
    if (!config_fields(f, files, err) || !class_find(&class, f[CLASS].raw, files->config, err) ||
        !field_bool(&split_special, f[SPLIT_SPECIAL].raw, false, err))
        return false;
    if (split_special)
        return err_set(err, ERR_INPUT, "split_special_tokens is not supported");
    if (!decoder_put(&adding, f[DECODER].raw, err) ||
        !names_read(special, &adding, f, class, err) ||
        !max_length_read(&special->max_length, f[MAX_LENGTH].raw, err))
        return false;
    return class->builds_template ? class_template(special, class, f, err)
                                  : template_read(special, post_processor, err);
}

void special_free(struct special *special) { free(special->prefix); }
