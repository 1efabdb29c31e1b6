/* arch.h - one row an architecture: how its classes spell it, its defaults, its tensors, and what
 * its decoder computes.
 *
 * All of them are one decoder: norm, attention, add, norm, MLP, add.  What differs is data, so a
 * new architecture is a new row, and at most a new value of an enum that the forward pass walks by.
 */
#ifndef MODEL_ARCH_H
#define MODEL_ARCH_H

#include "agent/model/config.h"
#include "kernels/ops.h"

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

/* What a tensor is for.  Roles from ROLE_LAYER on exist once a layer. */
enum role {
    ROLE_EMBED,
    ROLE_NORM_OUT,
    ROLE_HEAD,
    ROLE_LAYER,
    ROLE_NORM_ATTN = ROLE_LAYER,
    ROLE_Q,
    ROLE_K,
    ROLE_V,
    ROLE_O,
    ROLE_Q_BIAS,
    ROLE_K_BIAS,
    ROLE_V_BIAS,
    ROLE_O_BIAS,
    ROLE_NORM_MLP,
    ROLE_GATE,
    ROLE_UP,
    ROLE_DOWN,
    ROLE_GATE_BIAS,
    ROLE_UP_BIAS,
    ROLE_DOWN_BIAS,
    ROLE_COUNT
};

struct arch {
    const char *architecture, *model_type;

    /* Tensor names by role: those of a layer follow layer_prefix, N and a point. */
    const char *const *names; /* [ROLE_COUNT] */
    const char *layer_prefix;

    /* The decoder. */
    enum norm_kind norm;
    enum act act;
    enum arch_bias bias;
    enum arch_window window;

    /* Defaults of the configuration class. */
    int32_t hidden, inter, layers, heads, kv_heads, vocab, positions_max; /* kv_heads 0: heads */
    int32_t sliding_window;                                               /* 0: none */
    double eps;
};

/* By architectures[0], else by model_type; upper and lower case are one.  NULL: not ours. */
const struct arch *arch_find(const char *architecture, const char *model_type);

/* "LlamaForCausalLM, MistralForCausalLM, ...": what arch_find knows. */
const char *arch_list(void);

#endif
