/* config.h - config.json -> what the model is, with every default resolved.
 *
 * Both dialects are read: rope_theta, rope_scaling and torch_dtype, or rope_parameters and dtype.
 * An absent key takes the default of its class, a feature that the engine does not compute is
 * refused by its name, and every number is checked before it can size anything.
 *
 * An architecture is a row of a table (arch.h), not code. */
#ifndef MODEL_CONFIG_H
#define MODEL_CONFIG_H

#include "common/err.h"

#define MODEL_LAYERS_MAX    1024
#define MODEL_HIDDEN_MAX    65536
#define MODEL_INTER_MAX     (1 << 20)
#define MODEL_VOCAB_MAX     (1 << 22)
#define MODEL_HEAD_DIM_MAX  1024
#define MODEL_POSITIONS_MAX (1 << 24)

enum model_dtype { MODEL_F32, MODEL_BF16, MODEL_F16 };

enum rope_kind { ROPE_DEFAULT, ROPE_LINEAR, ROPE_LLAMA3 };

struct rope_config {
    enum rope_kind kind;
    double theta;
    double factor;    /* linear, llama3 */
    double low, high; /* llama3: low_freq_factor, high_freq_factor */
    int32_t original; /* llama3: original_max_position_embeddings */
};

struct model_config {
    const struct arch *arch;  /* static */
    const char *architecture; /* as transformers spells the class, static */
    const char *model_type;   /* static */
    enum model_dtype dtype;   /* of the checkpoint, as config.json says; F32 when it does not */
    int32_t hidden, inter, layers, heads, kv_heads, head_dim, vocab, positions_max;
    float eps, attn_scale; /* attn_scale: score = attn_scale (q . k) */
    bool tied;             /* the head is the embedding; weights without a head tie it too */
    bool qkv_bias, o_bias, mlp_bias;
    struct rope_config rope;
    int32_t window[MODEL_LAYERS_MAX]; /* a layer's last keys, itself included; 0: all */
};

/* Reads the text of a config.json. */
bool model_config_read(struct model_config *out, const char *text, size_t size,
                       struct err *err) MUST;
/* Reads DIR/config.json. */
bool model_config_open(struct model_config *out, const char *dir, struct err *err) MUST;

#endif
