#include "agent/model/tensors.h"

#include <stdio.h>
#include <string.h>

#define NAME_MAX_OURS 256

struct role_shape role_shape(const struct model_config *c, enum role role)
{
    int32_t q = c->heads * c->head_dim, kv = c->kv_heads * c->head_dim;

    /* clang-format off */
    switch (role) {
    case ROLE_EMBED: case ROLE_HEAD:
        return (struct role_shape){ c->vocab, c->hidden, false };
    case ROLE_NORM_OUT: case ROLE_NORM_ATTN: case ROLE_NORM_MLP:
    case ROLE_O_BIAS: case ROLE_DOWN_BIAS:
        return (struct role_shape){ 1, c->hidden, true };
    case ROLE_Q:
        return (struct role_shape){ q, c->hidden, false };
    case ROLE_K: case ROLE_V:
        return (struct role_shape){ kv, c->hidden, false };
    case ROLE_O:
        return (struct role_shape){ c->hidden, q, false };
    case ROLE_Q_BIAS:
        return (struct role_shape){ 1, q, true };
    case ROLE_K_BIAS: case ROLE_V_BIAS:
        return (struct role_shape){ 1, kv, true };
    case ROLE_GATE: case ROLE_UP:
        return (struct role_shape){ c->inter, c->hidden, false };
    case ROLE_DOWN:
        return (struct role_shape){ c->hidden, c->inter, false };
    case ROLE_GATE_BIAS: case ROLE_UP_BIAS:
        return (struct role_shape){ 1, c->inter, true };
    case ROLE_COUNT:
        break;
    }
    /* clang-format on */
    abort();
}

bool role_exists(const struct model_config *c, enum role role)
{
    switch (role) {
    case ROLE_HEAD:
        return !c->tied;
    case ROLE_Q_BIAS:
    case ROLE_K_BIAS:
    case ROLE_V_BIAS:
        return c->qkv_bias;
    case ROLE_O_BIAS:
        return c->o_bias;
    case ROLE_GATE_BIAS:
    case ROLE_UP_BIAS:
    case ROLE_DOWN_BIAS:
        return c->mlp_bias;
    default:
        return true;
    }
}

static size_t index_of(enum role role, int32_t layer)
{
    const size_t per_layer = ROLE_COUNT - ROLE_LAYER;
    return role < ROLE_LAYER ? role : ROLE_LAYER + (size_t)layer * per_layer + (role - ROLE_LAYER);
}

const struct tensor *tensors_at(const struct tensors *tensors, enum role role, int32_t layer)
{
    return tensors->at[index_of(role, layer)];
}

static void name_make(char name[NAME_MAX_OURS], const struct arch *arch, enum role role,
                      int32_t layer)
{
    if (role < ROLE_LAYER)
        snprintf(name, NAME_MAX_OURS, "%s", arch->names[role]);
    else
        snprintf(name, NAME_MAX_OURS, "%s%d.%s", arch->layer_prefix, layer, arch->names[role]);
}

static bool shape_check(const struct tensor *t, struct role_shape want, struct err *err)
{
    if (t->type == TENSOR_OTHER)
        return err_set(err, ERR_INPUT, "tensor %s: weights of type %s are not supported", t->name,
                       t->type_name);
    bool ok = want.vector ? t->rank == 1 && t->shape[0] == want.cols
                          : t->rank == 2 && t->shape[0] == want.rows && t->shape[1] == want.cols;
    if (ok)
        return true;
    return err_set(err, ERR_INPUT, "tensor %s: %d dimensions, first %lld, where %dx%d is expected",
                   t->name, t->rank, t->rank ? (long long)t->shape[0] : 0LL, want.rows, want.cols);
}

static bool role_find(struct tensors *out, const struct model_config *c,
                      const struct checkpoint *checkpoint, enum role role, int32_t layer,
                      struct err *err)
{
    char name[NAME_MAX_OURS];
    name_make(name, c->arch, role, layer);
    const struct tensor *t = checkpoint_find(checkpoint, name);

    if (!t && role == ROLE_HEAD)
        return true; /* a file without a head ties it, whatever config.json says */
    if (!t)
        return err_set(err, ERR_INPUT, "tensor %s is missing", name);
    struct role_shape shape = role_shape(c, role);
    if (!shape_check(t, shape, err))
        return false;
    out->parameters += (int64_t)shape.rows * shape.cols;
    out->at[index_of(role, layer)] = t;
    return true;
}

static bool layer_find(struct tensors *out, const struct model_config *c,
                       const struct checkpoint *checkpoint, int32_t layer, struct err *err)
{
    for (int role = ROLE_LAYER; role < ROLE_COUNT; role++)
        if (role_exists(c, role) && !role_find(out, c, checkpoint, role, layer, err))
            return false;
    return true;
}

static bool ends_with(const char *name, const char *end)
{
    size_t size = strlen(name), end_size = strlen(end);
    return size >= end_size && strcmp(name + size - end_size, end) == 0;
}

/* What checkpoints carry along without using it: rotary tables, causal masks, layers for predicting
 * several tokens. */
static bool is_left_over(const struct model_config *c, const char *name)
{
    static const char *const ends[] = { ".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias",
                                        ".attention.bias", ".attention.masked_bias" };
    size_t prefix = strlen(c->arch->layer_prefix);

    for (size_t i = 0; i < COUNT(ends); i++)
        if (ends_with(name, ends[i]))
            return true;
    if (strncmp(name, c->arch->layer_prefix, prefix) == 0)
        return strtol(name + prefix, NULL, 10) >= c->layers;
    return strncmp(name, "mtp.", 4) == 0 ||
           (c->tied && strcmp(name, c->arch->names[ROLE_HEAD]) == 0);
}

/* Is `name` exactly one that this model has? */
static bool is_ours(const struct model_config *c, const char *name)
{
    size_t prefix = strlen(c->arch->layer_prefix);
    char expected[NAME_MAX_OURS];

    int32_t layer = strncmp(name, c->arch->layer_prefix, prefix) == 0
                        ? (int32_t)strtol(name + prefix, NULL, 10)
                        : -1;
    for (int role = 0; role < ROLE_COUNT; role++) {
        if (!role_exists(c, role) || (role >= ROLE_LAYER) != (layer >= 0))
            continue;
        name_make(expected, c->arch, role, layer);
        if (strcmp(expected, name) == 0)
            return true;
    }
    return false;
}

static bool no_strangers(const struct model_config *c, const struct checkpoint *checkpoint,
                         struct err *err)
{
    for (int32_t f = 0; f < checkpoint->count; f++)
        for (int32_t i = 0; i < checkpoint->file[f].count; i++) {
            const char *name = checkpoint->file[f].tensor[i].name;
            if (!is_left_over(c, name) && !is_ours(c, name))
                return err_set(err, ERR_INPUT, "tensor %.100s is none of %s", name,
                               c->architecture);
        }
    return true;
}

bool tensors_find(struct tensors *out, const struct model_config *config,
                  const struct checkpoint *checkpoint, struct err *err)
{
    AUTO(tensors_free)
    struct tensors t = { .at = must_calloc(index_of(ROLE_LAYER, config->layers), sizeof(*t.at)) };

    for (int role = 0; role < ROLE_LAYER; role++)
        if (role_exists(config, role) && !role_find(&t, config, checkpoint, role, 0, err))
            return false;
    for (int32_t layer = 0; layer < config->layers; layer++)
        if (!layer_find(&t, config, checkpoint, layer, err))
            return false;
    if (!no_strangers(config, checkpoint, err))
        return false;
    t.tied = !tensors_at(&t, ROLE_HEAD, 0);
    *out = t;
    t = (struct tensors){ 0 };
    return true;
}

void tensors_free(struct tensors *tensors)
{
    free(tensors->at);
    *tensors = (struct tensors){ 0 };
}

bool model_check(struct model_config *config, int64_t *parameters, const char *dir, struct err *err)
{
    AUTO(checkpoint_close) struct checkpoint checkpoint = { 0 };
    AUTO(tensors_free) struct tensors tensors = { 0 };

    if (!model_config_open(config, dir, err) || !checkpoint_open(&checkpoint, dir, err) ||
        !tensors_find(&tensors, config, &checkpoint, err))
        return false;
    *parameters = tensors.parameters;
    return true;
}
