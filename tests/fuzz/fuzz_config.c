/* fuzz_config.c - any config.json: refused with a reason, or a configuration that nothing of can
 * size more than its limits allow. */
#include <string.h>

#include "agent/model/tensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void within(int32_t value, int32_t most) { assert(value >= 1 && value <= most); }

static void look(const struct model_config *c)
{
    within(c->layers, MODEL_LAYERS_MAX);
    within(c->hidden, MODEL_HIDDEN_MAX);
    within(c->inter, MODEL_INTER_MAX);
    within(c->vocab, MODEL_VOCAB_MAX);
    within(c->head_dim, MODEL_HEAD_DIM_MAX);
    within(c->positions_max, MODEL_POSITIONS_MAX);
    assert(c->heads >= 1 && c->kv_heads >= 1 && c->heads % c->kv_heads == 0);
    assert(c->head_dim % 2 == 0 && c->eps > 0 && c->eps < 1e30f && c->rope.theta > 0);
    for (int32_t i = 0; i < c->layers; i++)
        assert(c->window[i] >= 0);
    for (int role = 0; role < ROLE_COUNT; role++) {
        struct role_shape shape = role_shape(c, (enum role)role);
        assert(shape.rows >= 1 && shape.cols >= 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct model_config config;
    struct err err = { 0 };
    char *text = must_calloc(size + 1, 1);
    memcpy(text, data, size);
    if (model_config_read(&config, text, size, &err))
        look(&config);
    else
        assert(err.text[0]);
    free(text);
    return 0;
}
