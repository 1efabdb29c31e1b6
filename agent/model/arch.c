#include "agent/model/arch.h"

#include <strings.h>

static const char *const llama_names[ROLE_COUNT] = {
    [ROLE_EMBED] = "model.embed_tokens.weight",
    [ROLE_NORM_OUT] = "model.norm.weight",
    [ROLE_HEAD] = "lm_head.weight",
    [ROLE_NORM_ATTN] = "input_layernorm.weight",
    [ROLE_Q] = "self_attn.q_proj.weight",
    [ROLE_K] = "self_attn.k_proj.weight",
    [ROLE_V] = "self_attn.v_proj.weight",
    [ROLE_O] = "self_attn.o_proj.weight",
    [ROLE_Q_BIAS] = "self_attn.q_proj.bias",
    [ROLE_K_BIAS] = "self_attn.k_proj.bias",
    [ROLE_V_BIAS] = "self_attn.v_proj.bias",
    [ROLE_O_BIAS] = "self_attn.o_proj.bias",
    [ROLE_NORM_MLP] = "post_attention_layernorm.weight",
    [ROLE_GATE] = "mlp.gate_proj.weight",
    [ROLE_UP] = "mlp.up_proj.weight",
    [ROLE_DOWN] = "mlp.down_proj.weight",
    [ROLE_GATE_BIAS] = "mlp.gate_proj.bias",
    [ROLE_UP_BIAS] = "mlp.up_proj.bias",
    [ROLE_DOWN_BIAS] = "mlp.down_proj.bias",
};

#define LLAMA_DECODER \
    .names = llama_names, .layer_prefix = "model.layers.", .norm = NORM_LLAMA, .act = ACT_SILU

/* Defaults: the configuration classes of transformers 4.57. */
/* clang-format off */
static const struct arch archs[] = {
    { .architecture = "LlamaForCausalLM", .model_type = "llama",
      LLAMA_DECODER, .bias = BIAS_BY_CONFIG, .window = WINDOW_NONE,
      .hidden = 4096, .inter = 11008, .layers = 32, .heads = 32, .kv_heads = 0,
      .vocab = 32000, .positions_max = 2048, .sliding_window = 0, .eps = 1e-6 },
    { .architecture = "MistralForCausalLM", .model_type = "mistral",
      LLAMA_DECODER, .bias = BIAS_NONE, .window = WINDOW_ALL,
      .hidden = 4096, .inter = 14336, .layers = 32, .heads = 32, .kv_heads = 8,
      .vocab = 32000, .positions_max = 131072, .sliding_window = 4096, .eps = 1e-6 },
    { .architecture = "Qwen2ForCausalLM", .model_type = "qwen2",
      LLAMA_DECODER, .bias = BIAS_QKV, .window = WINDOW_QWEN,
      .hidden = 4096, .inter = 22016, .layers = 32, .heads = 32, .kv_heads = 32,
      .vocab = 151936, .positions_max = 32768, .sliding_window = 4096, .eps = 1e-6 },
};
/* clang-format on */

const struct arch *arch_find(const char *architecture, const char *model_type)
{
    for (size_t i = 0; i < COUNT(archs); i++)
        if (architecture[0] ? strcasecmp(archs[i].architecture, architecture) == 0
                            : strcasecmp(archs[i].model_type, model_type) == 0)
            return &archs[i];
    return NULL;
}

const char *arch_list(void) { return "LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM"; }
