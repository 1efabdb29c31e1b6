#include "kernels/ref/ref.h"

#include "kernels/ref/op.h"

#include <stdio.h>
#include <string.h>

static void ref_close(struct dev *dev) { free(dev); }

static bool ref_reserve(struct dev *dev, const struct room *room, struct err *err)
{
    (void)dev;
    (void)room;
    (void)err;
    return true;
}

static int64_t ref_room_bytes(const struct dev *dev, const struct room *room)
{
    (void)dev;
    (void)room;
    return 0;
}

static bool ref_sync(struct dev *dev, struct err *err)
{
    (void)dev;
    (void)err;
    return true;
}

static bool ref_mem_alloc(struct dev *dev, void **out, int64_t bytes, struct err *err)
{
    (void)dev;
    (void)err;
    *out = must_calloc((size_t)bytes, 1);
    return true;
}

static void ref_mem_free(struct dev *dev, void *data)
{
    (void)dev;
    free(data);
}

static void ref_upload(struct dev *dev, void *to, const void *host, int64_t bytes)
{
    (void)dev;
    memcpy(to, host, (size_t)bytes);
}

static void ref_download(struct dev *dev, void *host, const void *from, int64_t bytes)
{
    (void)dev;
    memcpy(host, from, (size_t)bytes);
}

static bool ref_weight_make(struct dev *dev, struct weight **out,
                            const struct weight_source *source, struct err *err)
{
    struct ref_weight *w = must_calloc(1, sizeof(*w));

    (void)err;
    w->weight = (struct weight){ source->n, source->k, source->layer };
    w->rows = must_calloc((size_t)source->n * (size_t)source->k, sizeof(*w->rows));
    for (int64_t i = 0; i < (int64_t)source->n * source->k; i++)
        w->rows[i] = convert_round(convert_load(source->rows, source->type, i), dev->type);
    *out = &w->weight;
    return true;
}

static void ref_weight_free(struct dev *dev, struct weight *weight)
{
    (void)dev;
    free(((struct ref_weight *)weight)->rows);
    free(weight);
}

static int64_t ref_weight_bytes(const struct dev *dev, int32_t n, int32_t k)
{
    (void)dev;
    return (int64_t)n * k * (int64_t)sizeof(float);
}

static void ref_layer_prefetch(struct dev *dev, int32_t layer)
{
    (void)dev;
    (void)layer;
}

static const struct ops ref_ops = {
    .name = "ref",
    .close = ref_close,
    .reserve = ref_reserve,
    .room_bytes = ref_room_bytes,
    .sync = ref_sync,
    .mem_alloc = ref_mem_alloc,
    .mem_free = ref_mem_free,
    .upload = ref_upload,
    .download = ref_download,
    .weight_make = ref_weight_make,
    .weight_free = ref_weight_free,
    .weight_bytes = ref_weight_bytes,
    .layer_prefetch = ref_layer_prefetch,
    .rope_fill = ref_rope_fill,
    .wave_begin = ref_wave_begin,
    .embed = ref_embed,
    .gather_rows = ref_gather_rows,
    .norm = ref_norm,
    .linear = ref_linear,
    .qk_rope_kv = ref_qk_rope_kv,
    .attend = ref_attend,
    .act_gate = ref_act_gate,
    .add = ref_add,
    .head = ref_head,
    .logits = ref_logits,
};

bool ref_open(struct dev **out, struct err *err)
{
    struct dev *dev = must_calloc(1, sizeof(*dev));

    (void)err;
    dev->ops = &ref_ops;
    snprintf(dev->facts, sizeof(dev->facts), "\"backend\":\"ref\"");
    *out = dev;
    return true;
}
