#include "agent/model/config.h"

#include "agent/model/arch.h"
#include "agent/model/checkpoint.h"
#include "common/json.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define CONFIG_BYTES_MAX ((size_t)4 << 20)
#define WORD_MAX         64

/* An integer that may be absent, null, or written as 1000000.0. */
struct number {
    double value;
    bool seen, null;
};

/* config.json as it stands.  A repeated key overwrites, as in Python. */
struct raw {
    char architecture[WORD_MAX], model_type[WORD_MAX], act[WORD_MAX];
    char torch_dtype[WORD_MAX], dtype[WORD_MAX];
    struct number hidden, inter, layers, heads, kv_heads, head_dim, vocab, positions_max, eps;
    struct number rope_theta, sliding_window, max_window_layers, partial_rotary_factor;
    bool tied, attention_bias, mlp_bias, use_sliding_window, quantized;
    int32_t layer_types_count; /* -1: absent or null */
    bool sliding[MODEL_LAYERS_MAX];
    char rope_type[WORD_MAX];
    struct number theta, factor, low, high, original, rope_partial; /* rope_parameters, _scaling */
};

enum field_kind { NUMBER, FLAG, WORD, FIRST_WORD, LAYER_TYPES, ROPE, PRESENT };

struct field {
    const char *key;
    enum field_kind kind;
    size_t at; /* in struct raw */
};

/* clang-format off */
#define FIELD(key, kind, member) { key, kind, offsetof(struct raw, member) }
static const struct field fields[] = {
    FIELD("architectures",           FIRST_WORD,  architecture),
    FIELD("model_type",              WORD,        model_type),
    FIELD("hidden_act",              WORD,        act),
    FIELD("torch_dtype",             WORD,        torch_dtype),
    FIELD("dtype",                   WORD,        dtype),
    FIELD("hidden_size",             NUMBER,      hidden),
    FIELD("intermediate_size",       NUMBER,      inter),
    FIELD("num_hidden_layers",       NUMBER,      layers),
    FIELD("num_attention_heads",     NUMBER,      heads),
    FIELD("num_key_value_heads",     NUMBER,      kv_heads),
    FIELD("head_dim",                NUMBER,      head_dim),
    FIELD("vocab_size",              NUMBER,      vocab),
    FIELD("max_position_embeddings", NUMBER,      positions_max),
    FIELD("rms_norm_eps",            NUMBER,      eps),
    FIELD("rope_theta",              NUMBER,      rope_theta),
    FIELD("sliding_window",          NUMBER,      sliding_window),
    FIELD("max_window_layers",       NUMBER,      max_window_layers),
    FIELD("partial_rotary_factor",   NUMBER,      partial_rotary_factor),
    FIELD("tie_word_embeddings",     FLAG,        tied),
    FIELD("attention_bias",          FLAG,        attention_bias),
    FIELD("mlp_bias",                FLAG,        mlp_bias),
    FIELD("use_sliding_window",      FLAG,        use_sliding_window),
    FIELD("quantization_config",     PRESENT,     quantized),
    FIELD("layer_types",             LAYER_TYPES, layer_types_count),
    FIELD("rope_scaling",            ROPE,        rope_type),
    FIELD("rope_parameters",         ROPE,        rope_type),
};

static const struct field rope_fields[] = {
    FIELD("rope_type",                        WORD,   rope_type),
    FIELD("type",                             WORD,   rope_type),
    FIELD("rope_theta",                       NUMBER, theta),
    FIELD("factor",                           NUMBER, factor),
    FIELD("low_freq_factor",                  NUMBER, low),
    FIELD("high_freq_factor",                 NUMBER, high),
    FIELD("original_max_position_embeddings", NUMBER, original),
    FIELD("partial_rotary_factor",            NUMBER, rope_partial),
};
/* clang-format on */

static void number_read(struct json *json, struct number *out)
{
    *out = (struct number){ .seen = true, .null = json_null(json) };
    if (!out->null)
        out->value = json_double(json);
}

/* A word too long to be one of ours stays distinct from all of them; error texts quote words, so
 * only printable ones stay as they are. */
static void word_read(struct json *json, char out[WORD_MAX])
{
    AUTO(buf_free) struct buf text = { 0 };
    out[0] = 0;
    if (json_null(json))
        return;
    json_string(json, &text);
    snprintf(out, WORD_MAX, "%s", buf_text(&text));
    for (char *c = out; *c; c++)
        if (*c < 0x20 || *c > 0x7e)
            *c = '?';
}

static void first_word_read(struct json *json, char out[WORD_MAX])
{
    out[0] = 0;
    if (json_null(json))
        return;
    json_array(json);
    for (bool first = true; json_item(json); first = false)
        first ? word_read(json, out) : json_skip(json);
}

static void layer_types_read(struct json *json, struct raw *raw)
{
    char word[WORD_MAX];

    raw->layer_types_count = json_null(json) ? -1 : 0;
    if (raw->layer_types_count < 0)
        return;
    json_array(json);
    while (json_item(json)) {
        word_read(json, word);
        bool sliding = strcmp(word, "sliding_attention") == 0;
        if (!sliding && strcmp(word, "full_attention") != 0)
            json_fail(json, "layer_types of another kind than full_attention, sliding_attention");
        else if (raw->layer_types_count == MODEL_LAYERS_MAX)
            json_fail(json, "more than %d layer_types", MODEL_LAYERS_MAX);
        else
            raw->sliding[raw->layer_types_count++] = sliding;
    }
}

static void fields_read(struct json *json, struct raw *raw, const struct field *list, size_t count);

static void rope_read(struct json *json, struct raw *raw)
{
    if (json_null(json))
        return;
    raw->rope_type[0] = 0;
    raw->factor = raw->low = raw->high = raw->original = (struct number){ 0 };
    fields_read(json, raw, rope_fields, COUNT(rope_fields));
}

static void field_read(struct json *json, struct raw *raw, const struct field *field)
{
    void *at = (char *)raw + field->at;

    switch (field->kind) {
    case NUMBER:
        number_read(json, at);
        break;
    case FLAG:
        *(bool *)at = json_null(json) ? false : json_bool(json);
        break;
    case WORD:
        word_read(json, at);
        break;
    case FIRST_WORD:
        first_word_read(json, at);
        break;
    case LAYER_TYPES:
        layer_types_read(json, raw);
        break;
    case ROPE:
        rope_read(json, raw);
        break;
    case PRESENT:
        *(bool *)at = !json_null(json);
        if (*(bool *)at)
            json_skip(json);
        break;
    }
}

static void fields_read(struct json *json, struct raw *raw, const struct field *list, size_t count)
{
    AUTO(buf_free) struct buf key = { 0 };

    json_object(json);
    while (json_member(json, &key)) {
        size_t i = 0;
        while (i < count && strcmp(list[i].key, buf_text(&key)) != 0)
            i++;
        /* rope_parameters of models with two kinds of layers hold an object a kind. */
        if (i == count && list == rope_fields && json_peek(json) == JSON_OBJECT)
            json_fail(json, "rope_parameters per layer type are not supported");
        else if (i == count)
            json_skip(json);
        else
            field_read(json, raw, &list[i]);
    }
}

/* The number, or the default where it is absent or null; a whole number in [1, most]. */
static bool whole(int32_t *out, const char *name, const struct number *n, int32_t fallback,
                  int32_t most, struct err *err)
{
    double value = n->seen && !n->null ? n->value : fallback;
    if (!(value >= 1 && value <= most) || value != floor(value))
        return err_set(err, ERR_INPUT, "%s is %g, not a whole number from 1 to %d", name, value,
                       most);
    *out = (int32_t)value;
    return true;
}

/* Of a size that fp32 holds as a normal number: smaller ones would be zero there. */
static bool positive(double *out, const char *name, const struct number *n, double fallback,
                     struct err *err)
{
    double value = n->seen && !n->null ? n->value : fallback;
    if (!(value >= 1e-30 && value < 1e30))
        return err_set(err, ERR_INPUT, "%s is %g, not a number from 1e-30 to 1e30", name, value);
    *out = value;
    return true;
}

static bool dims_resolve(struct model_config *c, const struct raw *raw, struct err *err)
{
    const struct arch *a = c->arch;
    int32_t kv_heads = raw->kv_heads.seen ? 0 : a->kv_heads;
    double eps = 0;

    if (!whole(&c->hidden, "hidden_size", &raw->hidden, a->hidden, MODEL_HIDDEN_MAX, err) ||
        !whole(&c->inter, "intermediate_size", &raw->inter, a->inter, MODEL_INTER_MAX, err) ||
        !whole(&c->layers, "num_hidden_layers", &raw->layers, a->layers, MODEL_LAYERS_MAX, err) ||
        !whole(&c->heads, "num_attention_heads", &raw->heads, a->heads, MODEL_HIDDEN_MAX, err) ||
        !whole(&c->kv_heads, "num_key_value_heads", &raw->kv_heads, kv_heads ? kv_heads : c->heads,
               MODEL_HIDDEN_MAX, err) ||
        !whole(&c->vocab, "vocab_size", &raw->vocab, a->vocab, MODEL_VOCAB_MAX, err) ||
        !whole(&c->positions_max, "max_position_embeddings", &raw->positions_max, a->positions_max,
               MODEL_POSITIONS_MAX, err) ||
        !positive(&eps, "rms_norm_eps", &raw->eps, a->eps, err))
        return false;
    c->eps = (float)eps;
    if (c->heads % c->kv_heads != 0)
        return err_set(err, ERR_INPUT, "%d attention heads over %d key-value heads", c->heads,
                       c->kv_heads);
    return true;
}

/* hidden_size need not be heads * head_dim where head_dim is given. */
static bool head_dim_resolve(struct model_config *c, const struct raw *raw, struct err *err)
{
    bool given = raw->head_dim.seen && !raw->head_dim.null;

    if (!given && c->hidden % c->heads != 0)
        return err_set(err, ERR_INPUT, "hidden_size %d over %d heads without a head_dim", c->hidden,
                       c->heads);
    if (!whole(&c->head_dim, "head_dim", &raw->head_dim, c->hidden / c->heads, MODEL_HEAD_DIM_MAX,
               err))
        return false;
    if (c->head_dim % 2 != 0)
        return err_set(err, ERR_INPUT, "head_dim %d is odd", c->head_dim);
    if ((int64_t)c->heads * c->head_dim > MODEL_INTER_MAX)
        return err_set(err, ERR_INPUT, "%d heads of %d are too wide", c->heads, c->head_dim);
    c->attn_scale = (float)(1 / sqrt(c->head_dim));
    return true;
}

static bool rope_llama3_resolve(struct rope_config *rope, const struct raw *raw, struct err *err)
{
    if (!positive(&rope->low, "low_freq_factor", &raw->low, 0, err) ||
        !positive(&rope->high, "high_freq_factor", &raw->high, 0, err) ||
        !whole(&rope->original, "original_max_position_embeddings", &raw->original, 0,
               MODEL_POSITIONS_MAX, err))
        return false;
    return rope->high > rope->low ||
           err_set(err, ERR_INPUT, "high_freq_factor %g is not above low_freq_factor %g",
                   rope->high, rope->low);
}

static bool rope_resolve(struct rope_config *rope, const struct raw *raw, struct err *err)
{
    static const struct number none = { 0 };
    const struct number *partial =
        raw->rope_partial.seen ? &raw->rope_partial : &raw->partial_rotary_factor;
    const struct number *theta = raw->theta.seen ? &raw->theta : &raw->rope_theta;

    if (partial->seen && !partial->null && partial->value != 1)
        return err_set(err, ERR_INPUT, "partial_rotary_factor %g is not supported", partial->value);
    if (!positive(&rope->theta, "rope_theta", theta, 1e4, err))
        return false;
    if (!raw->rope_type[0] || strcmp(raw->rope_type, "default") == 0) {
        rope->kind = ROPE_DEFAULT;
        return positive(&rope->factor, "factor", &none, 1, err);
    }
    bool llama3 = strcmp(raw->rope_type, "llama3") == 0;
    if (!llama3 && strcmp(raw->rope_type, "linear") != 0)
        return err_set(err, ERR_INPUT, "rope type %s is not supported", raw->rope_type);
    rope->kind = llama3 ? ROPE_LLAMA3 : ROPE_LINEAR;
    if (!positive(&rope->factor, "rope factor", &raw->factor, 0, err))
        return false;
    return !llama3 || rope_llama3_resolve(rope, raw, err);
}

static bool layer_slides(const struct model_config *c, const struct raw *raw, int32_t layer,
                         int32_t from)
{
    if (raw->layer_types_count >= 0)
        return raw->sliding[layer];
    return c->arch->window == WINDOW_ALL || layer >= from;
}

static bool any_layer_type_slides(const struct raw *raw)
{
    for (int32_t i = 0; i < raw->layer_types_count; i++)
        if (raw->sliding[i])
            return true;
    return false;
}

/* The window of layers that slide, 0 where none may. */
static bool window_size(int32_t *out, const struct model_config *c, const struct raw *raw,
                        struct err *err)
{
    bool null = raw->sliding_window.seen && raw->sliding_window.null;
    bool off = c->arch->window == WINDOW_NONE || null ||
               (c->arch->window == WINDOW_QWEN && !raw->use_sliding_window);

    *out = 0;
    if (off && any_layer_type_slides(raw))
        return err_set(err, ERR_INPUT, "layer_types slide and no sliding_window is in use");
    return off || whole(out, "sliding_window", &raw->sliding_window, c->arch->sliding_window,
                        MODEL_POSITIONS_MAX, err);
}

static bool windows_resolve(struct model_config *c, const struct raw *raw, struct err *err)
{
    const int32_t max_window_layers_default = 28; /* Qwen2Config */
    const struct number *n = &raw->max_window_layers;
    int32_t window, from = n->seen && !n->null && n->value >= 0 && n->value < MODEL_LAYERS_MAX
                               ? (int32_t)n->value
                               : max_window_layers_default;

    if (raw->layer_types_count >= 0 && raw->layer_types_count != c->layers)
        return err_set(err, ERR_INPUT, "%d layer_types of %d layers", raw->layer_types_count,
                       c->layers);
    if (!window_size(&window, c, raw, err))
        return false;
    for (int32_t i = 0; i < c->layers; i++)
        c->window[i] = layer_slides(c, raw, i, from) ? window : 0;
    return true;
}

static bool dtype_resolve(enum model_dtype *out, const struct raw *raw, struct err *err)
{
    static const char *const words[] = { "float32", "bfloat16", "float16" };
    const char *word = raw->dtype[0] ? raw->dtype : raw->torch_dtype;

    if (strncmp(word, "torch.", 6) == 0)
        word += 6;
    *out = MODEL_F32;
    for (int32_t i = 0; i < (int32_t)COUNT(words); i++)
        if (strcmp(word, words[i]) == 0) {
            *out = (enum model_dtype)i;
            return true;
        }
    return word[0] == 0 || err_set(err, ERR_INPUT, "dtype %s is not supported", word);
}

static void biases_resolve(struct model_config *c, const struct raw *raw)
{
    bool by_config = c->arch->bias == BIAS_BY_CONFIG;
    c->qkv_bias = c->arch->bias == BIAS_QKV || (by_config && raw->attention_bias);
    c->o_bias = by_config && raw->attention_bias;
    c->mlp_bias = by_config && raw->mlp_bias;
}

static bool features_check(const struct raw *raw, struct err *err)
{
    if (raw->quantized)
        return err_set(err, ERR_INPUT, "quantised weights (quantization_config) are not supported");
    if (raw->act[0] && strcasecmp(raw->act, "silu") != 0 && strcasecmp(raw->act, "swish") != 0)
        return err_set(err, ERR_INPUT, "hidden_act %s is not supported", raw->act);
    return true;
}

static bool config_resolve(struct model_config *c, const struct raw *raw, struct err *err)
{
    const char *name = raw->architecture[0] ? raw->architecture : raw->model_type;

    c->arch = arch_find(raw->architecture, raw->model_type);
    if (!c->arch)
        return err_set(err, ERR_INPUT, "architecture %s is not supported (%s are)",
                       name[0] ? name : "unnamed", arch_list());
    c->architecture = c->arch->architecture;
    c->model_type = c->arch->model_type;
    c->tied = raw->tied;
    biases_resolve(c, raw);
    return features_check(raw, err) && dims_resolve(c, raw, err) && head_dim_resolve(c, raw, err) &&
           rope_resolve(&c->rope, raw, err) && windows_resolve(c, raw, err) &&
           dtype_resolve(&c->dtype, raw, err);
}

bool model_config_read(struct model_config *out, const char *text, size_t size, struct err *err)
{
    struct raw raw = { .layer_types_count = -1 };
    struct model_config config = { 0 };
    struct json json;

    json_begin(&json, text, size);
    fields_read(&json, &raw, fields, COUNT(fields));
    if (!json_end(&json, err) || !config_resolve(&config, &raw, err))
        return err_wrap(err, "config.json");
    *out = config;
    return true;
}

bool model_config_open(struct model_config *out, const char *dir, struct err *err)
{
    AUTO(free) char *text = NULL;
    size_t size;
    return model_file_read(&text, &size, dir, "config.json", CONFIG_BYTES_MAX, err) &&
           model_config_read(out, text, size, err);
}
