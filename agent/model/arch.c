#include "agent/model/arch.h"

#include <strings.h>

/* Defaults: the configuration classes of transformers 4.57. */
/* clang-format off */
static const struct arch archs[] = {
    { .architecture = "LlamaForCausalLM", .model_type = "llama",
      .bias = BIAS_BY_CONFIG, .window = WINDOW_NONE,
      .hidden = 4096, .inter = 11008, .layers = 32, .heads = 32, .kv_heads = 0,
      .vocab = 32000, .positions_max = 2048, .sliding_window = 0, .eps = 1e-6 },
    { .architecture = "MistralForCausalLM", .model_type = "mistral",
      .bias = BIAS_NONE, .window = WINDOW_ALL,
      .hidden = 4096, .inter = 14336, .layers = 32, .heads = 32, .kv_heads = 8,
      .vocab = 32000, .positions_max = 131072, .sliding_window = 4096, .eps = 1e-6 },
    { .architecture = "Qwen2ForCausalLM", .model_type = "qwen2",
      .bias = BIAS_QKV, .window = WINDOW_QWEN,
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
