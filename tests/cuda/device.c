#include "tests/cuda/device.h"

#include "tests/ops/random.h"

#include <stdio.h>

enum { HELD_MAX = 4096 };

static struct {
    struct dev *dev;
    struct mat mat;
    struct weight *weight;
} held[HELD_MAX];
static int held_count;

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    printf("FAILED device: %s\n", err->text);
    exit(1);
}

struct pair *pair_get(enum dtype type)
{
    static struct pair pair;
    const char *name = getenv("KOEVAL_DEVICE");
    struct room room = { 64, 256, 16, 16, 128 };
    struct err err;

    if (!pair.ref) {
        must(dev_open(&pair.ref, "ref", 1, &err), &err);
        must(dev_open(&pair.dev, name ? name : "cuda:0", 1, &err), &err);
    }
    dev_numerics(pair.ref, type, MODE_HF);
    dev_numerics(pair.dev, type, MODE_HF);
    must(dev_reserve(pair.dev, &room, &err), &err);
    return &pair;
}

struct mat on_empty(struct dev *dev, enum dtype type, int32_t rows, int32_t cols)
{
    struct mat m;
    struct err err;

    must(mat_alloc(&m, dev, type, rows, cols, &err), &err);
    assert(held_count < HELD_MAX);
    held[held_count].dev = dev;
    held[held_count++].mat = m;
    return m;
}

struct mat on(struct dev *dev, struct mat host)
{
    if (!host.data)
        return host;
    struct mat m = on_empty(dev, host.type, host.rows, host.cols);
    op_upload(dev, m.data, host.data, mat_bytes(host));
    return m;
}

struct mat off(struct dev *dev, struct mat m)
{
    struct mat host = random_mat_empty(m.type, m.rows, m.cols);
    struct err err;

    op_download(dev, host.data, m.data, mat_bytes(m));
    must(dev_sync(dev, &err), &err);
    return host;
}

struct weight *on_weight(struct dev *dev, struct mat w, int32_t layer)
{
    struct weight_source source = { w.data, w.type, w.rows, w.cols, layer };
    struct weight *weight;
    struct err err;

    must(weight_make(&weight, dev, &source, &err), &err);
    assert(held_count < HELD_MAX);
    held[held_count].dev = dev;
    held[held_count++].weight = weight;
    return weight;
}

void device_clear(void)
{
    while (held_count) {
        held_count--;
        mat_free(held[held_count].dev, &held[held_count].mat);
        weight_free(held[held_count].dev, held[held_count].weight);
        held[held_count].weight = NULL;
    }
    random_pool_clear();
}

bool device_fine(struct dev *dev)
{
    struct err err;
    if (dev_sync(dev, &err))
        return true;
    printf("the device: %s\n", err.text);
    return false;
}
