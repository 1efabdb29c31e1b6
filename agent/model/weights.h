/* weights.h - a checkpoint's tensors on a device, under the names that the forward pass reads. */
#ifndef MODEL_WEIGHTS_H
#define MODEL_WEIGHTS_H

#include "agent/model/tensors.h"
#include "kernels/ops.h"

struct layer_weights {
    struct norm attn_norm, mlp_norm;
    struct weight *q, *k, *v, *o, *gate, *up, *down;
    struct mat q_bias, k_bias, v_bias, o_bias, gate_bias, up_bias, down_bias; /* NONE: no bias */
};

struct weights {
    struct weight *embed, *head; /* one and the same where they are tied */
    struct norm norm_out;
    struct layer_weights *layer; /* [layers] */
    int32_t layers;
};

/* Bytes that weights_load will take of the device, known from the configuration alone; streamed: of
 * a few layers at once (dev_stream). */
int64_t weights_bytes(const struct dev *dev, const struct model_config *config, bool tied,
                      bool streamed);

/* Converts to dev->type.  ERR_DEVICE when memory is short. */
bool weights_load(struct weights *out, struct dev *dev, const struct model_config *config,
                  const struct tensors *tensors, struct err *err) MUST;
void weights_free(struct weights *weights, struct dev *dev);

#endif
