/* ops.c - opening a device by name, and what every backend shares around its memory. */
#include "kernels/ops.h"

#include "kernels/convert.h"
#include "kernels/cpu/cpu.h"
#include "kernels/cuda/cuda.h"
#include "kernels/ref/ref.h"

bool dev_open(struct dev **out, const char *device, int32_t threads, struct err *err)
{
    if (!strcmp(device, "cpu"))
        return cpu_open(out, NULL, threads, err);
    if (!strncmp(device, "cpu:", 4))
        return cpu_open(out, device + 4, threads, err);
    if (!strncmp(device, "cuda:", 5))
        return cuda_open(out, device + 5, err);
    if (!strcmp(device, "ref"))
        return ref_open(out, err);
    return err_set(err, ERR_INPUT,
                   "no device is called '%s'; there are: cpu, cpu:avx512_bf16, cpu:avx512, "
                   "cpu:avx2, cpu:scalar, cuda:N",
                   device);
}

void dev_close(struct dev *dev)
{
    if (dev)
        dev->ops->close(dev);
}

void dev_numerics(struct dev *dev, enum dtype model, enum dev_mode mode)
{
    dev->mode = mode;
    dev->type = mode == MODE_FP32 ? F32 : model;
}

bool mat_alloc(struct mat *out, struct dev *dev, enum dtype type, int32_t rows, int32_t cols,
               struct err *err)
{
    struct mat m = { NULL, type, rows, cols };
    if (!dev->ops->mem_alloc(dev, &m.data, mat_bytes(m), err))
        return err_wrap(err, "a mat of %d x %d", rows, cols);
    *out = m;
    return true;
}

bool mat_make(struct mat *out, struct dev *dev, const void *host, enum dtype type, int32_t rows,
              int32_t cols, struct err *err)
{
    struct mat m;
    if (!mat_alloc(&m, dev, dev->type, rows, cols, err))
        return false;

    AUTO(free) void *converted = must_calloc((size_t)mat_bytes(m), 1);
    convert_row(converted, m.type, host, type, (int64_t)rows * cols);
    op_upload(dev, m.data, converted, mat_bytes(m));
    if (!dev_sync(dev, err)) { /* the copy is read until here */
        mat_free(dev, &m);
        return false;
    }
    *out = m;
    return true;
}

void mat_free(struct dev *dev, struct mat *mat)
{
    if (mat->data)
        dev->ops->mem_free(dev, mat->data);
    *mat = MAT_NONE;
}

bool kv_alloc(struct kv *out, struct dev *dev, int32_t rows_max, int32_t width, struct err *err)
{
    struct kv kv = { 0 };
    void *mark;

    if (!mat_alloc(&kv.k, dev, dev->type, rows_max + 1, width, err) ||
        !mat_alloc(&kv.v, dev, dev->type, rows_max + 1, width, err) ||
        !dev->ops->mem_alloc(dev, &mark, rows_max + 1, err)) {
        kv_free(dev, &kv);
        return err_wrap(err, "K and V of %d rows", rows_max);
    }
    kv.mark = mark;
    *out = kv;
    return true;
}

void kv_free(struct dev *dev, struct kv *kv)
{
    mat_free(dev, &kv->k);
    mat_free(dev, &kv->v);
    if (kv->mark)
        dev->ops->mem_free(dev, kv->mark);
    kv->mark = NULL;
}

int64_t kv_row_bytes(const struct dev *dev, int32_t width)
{
    return 2 * width * dtype_bytes(dev->type) + 1;
}
