/* arch.h - one row an architecture: how its classes spell it, its defaults, its tensors.
 *
 * All of them are the same decoder: pre-norm RMSNorm, rotary grouped-query attention, gated SiLU.
 * What differs is data. */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "agent/model/config.h"

/* Which linear layers have a bias. */
enum arch_bias {
    BIAS_NONE,
    BIAS_BY_CONFIG, /* attention_bias: q, k, v and o; mlp_bias: gate, up and down */
    BIAS_QKV,
};

/* Which layers see a window. */
enum arch_window {
    WINDOW_NONE,
    WINDOW_ALL,  /* sliding_window, in every layer unless layer_types says otherwise */
    WINDOW_QWEN, /* only with use_sliding_window, in layers from max_window_layers on */
};

struct arch {
    const char *architecture, *model_type;
    enum arch_bias bias;
    enum arch_window window;
    /* Class defaults. */
    int32_t hidden, inter, layers, heads, kv_heads, vocab, positions_max;
    int32_t sliding_window; /* 0: none */
    double eps;
};

/* By architectures[0], else by model_type; upper and lower case are one.  NULL: not ours. */
const struct arch *arch_find(const char *architecture, const char *model_type);

/* "LlamaForCausalLM, MistralForCausalLM, ...": what arch_find knows. */
const char *arch_list(void);

#endif
