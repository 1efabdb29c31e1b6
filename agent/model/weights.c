#include "agent/model/weights.h"

#include <string.h>

/* Where a role's tensor goes in struct layer_weights. */
/* clang-format off */
static const struct place {
    enum role role;
    size_t at;
} weight_places[] = {
    { ROLE_Q,    offsetof(struct layer_weights, q)    },
    { ROLE_K,    offsetof(struct layer_weights, k)    },
    { ROLE_V,    offsetof(struct layer_weights, v)    },
    { ROLE_O,    offsetof(struct layer_weights, o)    },
    { ROLE_GATE, offsetof(struct layer_weights, gate) },
    { ROLE_UP,   offsetof(struct layer_weights, up)   },
    { ROLE_DOWN, offsetof(struct layer_weights, down) },
}, mat_places[] = {
    { ROLE_NORM_ATTN, offsetof(struct layer_weights, attn_norm.weight) },
    { ROLE_NORM_MLP,  offsetof(struct layer_weights, mlp_norm.weight)  },
    { ROLE_Q_BIAS,    offsetof(struct layer_weights, q_bias)           },
    { ROLE_K_BIAS,    offsetof(struct layer_weights, k_bias)           },
    { ROLE_V_BIAS,    offsetof(struct layer_weights, v_bias)           },
    { ROLE_O_BIAS,    offsetof(struct layer_weights, o_bias)           },
    { ROLE_GATE_BIAS, offsetof(struct layer_weights, gate_bias)        },
    { ROLE_UP_BIAS,   offsetof(struct layer_weights, up_bias)          },
    { ROLE_DOWN_BIAS, offsetof(struct layer_weights, down_bias)        },
};
/* clang-format on */

static struct weight **weight_at(struct layer_weights *layer, const struct place *place)
{
    return (struct weight **)((char *)layer + place->at);
}

static struct mat *mat_at(struct layer_weights *layer, const struct place *place)
{
    return (struct mat *)((char *)layer + place->at);
}

int64_t weights_bytes(const struct dev *dev, const struct model_config *c, bool tied, bool streamed)
{
    int64_t layer = 0, vectors = 0;

    for (size_t i = 0; i < COUNT(weight_places); i++) {
        struct role_shape s = role_shape(c, weight_places[i].role);
        layer += weight_bytes(dev, s.rows, s.cols);
    }
    for (size_t i = 0; i < COUNT(mat_places); i++)
        if (role_exists(c, mat_places[i].role))
            vectors += role_shape(c, mat_places[i].role).cols * dtype_bytes(dev->type);
    return layer * (streamed ? STREAM_LAYERS : c->layers) + vectors * c->layers +
           weight_bytes(dev, c->vocab, c->hidden) * (tied ? 1 : 2) +
           c->hidden * dtype_bytes(dev->type);
}

static enum dtype dtype_of(enum tensor_type type)
{
    assert(type != TENSOR_OTHER); /* tensors_find refused it */
    return type == TENSOR_F32 ? F32 : type == TENSOR_BF16 ? BF16 : F16;
}

/* The tensor's numbers where they can be read by element: as they lie in the file, or a copy of
 * them, *copy, when a file without padding put them at an odd address. */
static const void *aligned(const struct tensor *t, void **copy)
{
    size_t element = (size_t)dtype_bytes(dtype_of(t->type));
    if ((uintptr_t)t->data % element == 0)
        return t->data;
    *copy = must_calloc((size_t)t->bytes, 1);
    return memcpy(*copy, t->data, (size_t)t->bytes);
}

static bool weight_load(struct weight **out, struct dev *dev, const struct tensor *t, int32_t layer,
                        struct err *err)
{
    AUTO(free) void *copy = NULL;
    struct weight_source source = { .rows = aligned(t, &copy),
                                    .type = dtype_of(t->type),
                                    .n = (int32_t)t->shape[0],
                                    .k = (int32_t)t->shape[1],
                                    .layer = layer };
    if (!weight_make(out, dev, &source, err))
        return err_wrap(err, "%.100s", t->name);
    tensor_forget(t); /* else a load needs the model's bytes twice */
    return true;
}

static bool vector_load(struct mat *out, struct dev *dev, const struct tensor *t, struct err *err)
{
    AUTO(free) void *copy = NULL;
    return mat_make(out, dev, aligned(t, &copy), dtype_of(t->type), 1, (int32_t)t->shape[0], err) ||
           err_wrap(err, "%.100s", t->name);
}

static bool layer_load(struct layer_weights *layer, struct dev *dev, const struct tensors *tensors,
                       int32_t l, struct err *err)
{
    for (size_t i = 0; i < COUNT(weight_places); i++) {
        const struct place *place = &weight_places[i];
        const struct tensor *t = tensors_at(tensors, place->role, l);
        if (!weight_load(weight_at(layer, place), dev, t, l, err))
            return false;
    }
    for (size_t i = 0; i < COUNT(mat_places); i++) {
        const struct place *place = &mat_places[i];
        const struct tensor *t = tensors_at(tensors, place->role, l);
        if (t && !vector_load(mat_at(layer, place), dev, t, err))
            return false;
    }
    return true;
}

static bool outside_load(struct weights *w, struct dev *dev, const struct tensors *tensors,
                         struct err *err)
{
    if (!weight_load(&w->embed, dev, tensors_at(tensors, ROLE_EMBED, 0), -1, err) ||
        !vector_load(&w->norm_out.weight, dev, tensors_at(tensors, ROLE_NORM_OUT, 0), err))
        return false;
    w->head = w->embed;
    return tensors->tied || weight_load(&w->head, dev, tensors_at(tensors, ROLE_HEAD, 0), -1, err);
}

static bool all_load(struct weights *w, struct dev *dev, const struct model_config *c,
                     const struct tensors *tensors, struct err *err)
{
    const struct norm norm = { .kind = c->arch->norm, .eps = c->eps };

    w->layer = must_calloc((size_t)c->layers, sizeof(*w->layer));
    w->norm_out = norm;
    if (!outside_load(w, dev, tensors, err))
        return false;
    for (; w->layers < c->layers; w->layers++) {
        struct layer_weights *layer = &w->layer[w->layers];
        layer->attn_norm = layer->mlp_norm = norm;
        if (!layer_load(layer, dev, tensors, w->layers, err)) {
            w->layers++; /* so that what is there of it is given back */
            return false;
        }
    }
    return true;
}

bool weights_load(struct weights *out, struct dev *dev, const struct model_config *config,
                  const struct tensors *tensors, struct err *err)
{
    struct weights w = { 0 };
    if (!all_load(&w, dev, config, tensors, err)) {
        weights_free(&w, dev);
        return false;
    }
    *out = w;
    return true;
}

static void layer_free(struct layer_weights *layer, struct dev *dev)
{
    for (size_t i = 0; i < COUNT(weight_places); i++)
        weight_free(dev, *weight_at(layer, &weight_places[i]));
    for (size_t i = 0; i < COUNT(mat_places); i++)
        mat_free(dev, mat_at(layer, &mat_places[i]));
}

void weights_free(struct weights *w, struct dev *dev)
{
    for (int32_t i = 0; i < w->layers; i++)
        layer_free(&w->layer[i], dev);
    free(w->layer);
    if (w->head != w->embed)
        weight_free(dev, w->head);
    weight_free(dev, w->embed);
    mat_free(dev, &w->norm_out.weight);
    *w = (struct weights){ 0 };
}
