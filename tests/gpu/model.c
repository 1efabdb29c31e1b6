/* model LAYERS HIDDEN INTER HEADS KV_HEADS VOCAB - writes a Llama of random bf16 weights into a new
 * folder under /tmp and prints its name, then the FLOPs that its products take for one token. */
#include "tests/random_model.h"

int main(int argc, char **argv)
{
    long a[6];
    char config[1024], dir[64];

    if (argc != 7)
        return 2;
    for (int i = 0; i < 6; i++)
        a[i] = strtol(argv[i + 1], NULL, 10);
    long layers = a[0], hidden = a[1], inter = a[2], heads = a[3], kv_heads = a[4], vocab = a[5];
    snprintf(config, sizeof(config),
             "{\"model_type\":\"llama\",\"vocab_size\":%ld,\"hidden_size\":%ld,"
             "\"intermediate_size\":%ld,\"num_hidden_layers\":%ld,\"num_attention_heads\":%ld,"
             "\"num_key_value_heads\":%ld,\"max_position_embeddings\":8192,\"rope_theta\":500000}",
             vocab, hidden, inter, layers, heads, kv_heads);
    random_model_write(dir, config, strlen(config), 1, TENSOR_BF16);
    double kv = (double)hidden / (double)heads * (double)kv_heads;
    double layer = (double)hidden * (2.0 * (double)hidden + 2.0 * kv + 3.0 * (double)inter);
    printf("%s %.0f\n", dir, 2.0 * layer * (double)layers);
    return 0;
}
