#include "agent/model/arch.h"
#include "agent/model/config.h"
#include "tests/requests.h"
#include "tests/test.h"

#include <math.h>

static struct model_config config;
static struct err err;

static bool reads(const char *text)
{
    err = (struct err){ 0 };
    return model_config_read(&config, text, strlen(text), &err);
}

/* Refused, and the error says why. */
static bool refuses(const char *text, const char *why)
{
    if (!reads(text) && err.code == ERR_INPUT && strstr(err.text, why))
        return true;
    printf("  %s -> %s\n", text, err.code ? err.text : "taken");
    return false;
}

TEST(absent_keys_take_the_defaults_of_their_class)
{
    CHECK(reads("{\"architectures\":[\"LlamaForCausalLM\"]}"));
    CHECK(config.hidden == 4096 && config.inter == 11008 && config.layers == 32);
    CHECK(config.kv_heads == config.heads && config.vocab == 32000);
    CHECK(config.positions_max == 2048 && config.window[0] == 0 && !config.qkv_bias);
    CHECK(fabsf(config.eps - 1e-6f) < 1e-12f && config.rope.theta == 1e4 && !config.tied);

    CHECK(reads("{\"architectures\":[\"MistralForCausalLM\"]}"));
    CHECK(config.kv_heads == 8 && config.inter == 14336 && config.window[31] == 4096);

    CHECK(reads("{\"architectures\":[\"Qwen2ForCausalLM\"]}"));
    CHECK(config.kv_heads == 32 && config.window[31] == 0 && config.qkv_bias && !config.o_bias);
}

TEST(a_null_window_is_none_and_null_kv_heads_are_all_heads)
{
    CHECK(reads("{\"model_type\":\"mistral\",\"sliding_window\":null,"
                "\"num_key_value_heads\":null}"));
    CHECK(config.window[0] == 0 && config.kv_heads == 32);
}

TEST(the_class_is_found_whatever_its_case_and_model_type_serves_without_it)
{
    CHECK(reads("{\"architectures\":[\"LLaMAForCausalLM\"],\"model_type\":\"qwen2\"}"));
    CHECK(!strcmp(config.architecture, "LlamaForCausalLM"));
    CHECK(reads("{\"architectures\":null,\"model_type\":\"Qwen2\"}"));
    CHECK(!strcmp(config.model_type, "qwen2"));
}

TEST(both_dialects_say_the_same)
{
    static struct model_config old;
    CHECK(reads("{\"model_type\":\"llama\",\"torch_dtype\":\"bfloat16\",\"rope_theta\":500000.0,"
                "\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":8.0,\"low_freq_factor\":1,"
                "\"high_freq_factor\":4,\"original_max_position_embeddings\":8192}}"));
    old = config;
    CHECK(reads("{\"model_type\":\"llama\",\"dtype\":\"torch.bfloat16\",\"rope_parameters\":{"
                "\"rope_type\":\"llama3\",\"rope_theta\":500000,\"factor\":8.0,"
                "\"low_freq_factor\":1,\"high_freq_factor\":4,"
                "\"original_max_position_embeddings\":8192.0}}"));
    CHECK(old.dtype == MODEL_BF16 && config.dtype == old.dtype);
    CHECK(config.rope.kind == ROPE_LLAMA3 && config.rope.theta == 500000);
    CHECK(memcmp(&config.rope, &old.rope, sizeof(old.rope)) == 0);
    CHECK(config.rope.original == 8192 && config.rope.high == 4);
}

TEST(rope_types_are_read_under_either_key)
{
    CHECK(
        reads("{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2.5}}"));
    CHECK(config.rope.kind == ROPE_LINEAR && config.rope.factor == 2.5);
    CHECK(reads("{\"model_type\":\"llama\",\"rope_scaling\":{\"rope_type\":\"default\"}}"));
    CHECK(config.rope.kind == ROPE_DEFAULT);
    CHECK(reads("{\"model_type\":\"llama\",\"rope_scaling\":null}"));
}

TEST(head_dim_is_independent_of_hidden_size)
{
    CHECK(reads("{\"model_type\":\"llama\",\"hidden_size\":1792,\"num_attention_heads\":24,"
                "\"num_key_value_heads\":8,\"head_dim\":128}"));
    CHECK(config.head_dim == 128 && config.attn_scale == (float)(1 / sqrt(128)));
    CHECK(refuses("{\"model_type\":\"llama\",\"hidden_size\":1792,\"num_attention_heads\":24,"
                  "\"num_key_value_heads\":8}",
                  "without a head_dim"));
}

TEST(qwen2_slides_from_max_window_layers_on_and_layer_types_win)
{
    CHECK(reads("{\"model_type\":\"qwen2\",\"num_hidden_layers\":3,\"use_sliding_window\":true,"
                "\"sliding_window\":16,\"max_window_layers\":2}"));
    CHECK(config.window[0] == 0 && config.window[1] == 0 && config.window[2] == 16);
    CHECK(reads("{\"model_type\":\"qwen2\",\"num_hidden_layers\":2,\"use_sliding_window\":true,"
                "\"sliding_window\":16,\"layer_types\":[\"sliding_attention\","
                "\"full_attention\"]}"));
    CHECK(config.window[0] == 16 && config.window[1] == 0);
    CHECK(refuses("{\"model_type\":\"qwen2\",\"num_hidden_layers\":2,\"layer_types\":["
                  "\"sliding_attention\",\"full_attention\"]}",
                  "no sliding_window"));
    CHECK(refuses("{\"model_type\":\"qwen2\",\"num_hidden_layers\":3,\"layer_types\":["
                  "\"full_attention\"]}",
                  "1 layer_types of 3 layers"));
}

TEST(a_repeated_key_means_its_last_value)
{
    CHECK(reads("{\"model_type\":\"llama\",\"vocab_size\":7,\"vocab_size\":9}"));
    CHECK(config.vocab == 9);
}

TEST(what_is_not_computed_is_refused_by_its_name)
{
    CHECK(refuses("{\"architectures\":[\"GemmaForCausalLM\"]}", "GemmaForCausalLM"));
    CHECK(refuses("{}", "architecture unnamed"));
    CHECK(refuses("{\"model_type\":\"llama\",\"hidden_act\":\"gelu\"}", "hidden_act gelu"));
    CHECK(refuses("{\"model_type\":\"llama\",\"quantization_config\":{\"bits\":4}}",
                  "quantization_config"));
    CHECK(refuses("{\"model_type\":\"llama\",\"rope_scaling\":{\"type\":\"yarn\",\"factor\":2}}",
                  "rope type yarn"));
    CHECK(refuses("{\"model_type\":\"llama\",\"partial_rotary_factor\":0.5}",
                  "partial_rotary_factor"));
    CHECK(refuses("{\"model_type\":\"llama\",\"rope_parameters\":{\"full_attention\":{}}}",
                  "per layer type"));
    CHECK(refuses("{\"model_type\":\"llama\",\"torch_dtype\":\"float8_e4m3fn\"}",
                  "dtype float8_e4m3fn"));
    CHECK(refuses("{\"model_type\":\"qwen2\",\"layer_types\":[\"chunked_attention\"]}",
                  "layer_types of another kind"));
}

TEST(numbers_that_could_size_something_are_bounded)
{
    static const char *const bad[] = { "0", "-1", "2147483648", "1.5", "1e300", "\"4\"", "[4]" };
    static const char *const keys[] = { "hidden_size",         "intermediate_size",
                                        "num_hidden_layers",   "num_attention_heads",
                                        "num_key_value_heads", "head_dim",
                                        "vocab_size",          "max_position_embeddings" };
    char text[128];

    for (size_t k = 0; k < COUNT(keys); k++)
        for (size_t b = 0; b < COUNT(bad); b++) {
            snprintf(text, sizeof(text), "{\"model_type\":\"llama\",\"%s\":%s}", keys[k], bad[b]);
            CHECK(refuses(text, "config.json"));
        }
    CHECK(refuses("{\"model_type\":\"llama\",\"num_attention_heads\":32,"
                  "\"num_key_value_heads\":5}",
                  "32 attention heads over 5"));
    CHECK(refuses("{\"model_type\":\"llama\",\"head_dim\":31}", "is odd"));
    CHECK(refuses("{\"model_type\":\"llama\",\"rms_norm_eps\":0}", "rms_norm_eps"));
    CHECK(refuses("{\"model_type\":\"llama\",\"rms_norm_eps\":1e-85}", "rms_norm_eps is 1e-85"));
    CHECK(refuses("{\"model_type\":\"llama\",\"rope_theta\":-1}", "rope_theta"));
    CHECK(refuses("{\"model_type\":\"mistral\",\"sliding_window\":0}", "sliding_window"));
}

TEST(broken_json_is_refused)
{
    CHECK(refuses("", "config.json"));
    CHECK(refuses("{\"model_type\":\"llama\"", "config.json"));
    CHECK(refuses("[]", "config.json"));
    CHECK(refuses("{\"model_type\":\"llama\"} x", "config.json"));
}

TEST(an_error_quotes_no_control_character)
{
    CHECK(refuses("{\"architectures\":[\"A\\nB\\u001b\"]}", "A?B?"));
}

TEST(no_change_of_a_few_bytes_is_more_than_a_refusal)
{
    static const char good[] =
        "{\"architectures\":[\"Qwen2ForCausalLM\"],\"hidden_size\":64,\"head_dim\":null,"
        "\"num_attention_heads\":4,\"num_key_value_heads\":2,\"rope_scaling\":{\"type\":\"llama3\","
        "\"factor\":8.0,"
        "\"low_freq_factor\":1,\"high_freq_factor\":4,\"original_max_position_embeddings\":64},"
        "\"num_hidden_layers\":2,\"layer_types\":[\"full_attention\",\"full_attention\"]}";
    char bad[sizeof(good)];
    uint64_t seed = 1;

    CHECK(reads(good));
    for (int i = 0; i < 20000; i++) {
        memcpy(bad, good, sizeof(good));
        for (int changes = 1 + rnd_below(&seed, 3); changes > 0; changes--)
            bad[rnd_below(&seed, sizeof(good) - 1)] = (char)rnd_below(&seed, 256);
        err = (struct err){ 0 };
        if (!model_config_read(&config, bad, sizeof(good) - 1, &err))
            CHECK(err.code == ERR_INPUT);
        else
            CHECK(config.hidden > 0 && config.head_dim > 0 && config.layers <= MODEL_LAYERS_MAX);
    }
}
