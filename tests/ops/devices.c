#include "tests/ops/devices.h"

#include "tests/sets.h"

#include <stdio.h>

static const struct {
    const char *device;
    int32_t threads;
    const char *name;
} cpus[CPUS] = {
    { "cpu:scalar", 1, "scalar" },        { "cpu:avx2", 1, "avx2" },
    { "cpu:avx2", 2, "avx2, 2 threads" }, { "cpu:scalar", 3, "scalar, 3 threads" },
    { "cpu:avx512", 1, "avx512" },        { "cpu:avx512_bf16", 2, "avx512_bf16, 2 threads" },
};

const char *device_name(int32_t cpu) { return cpus[cpu].name; }

static struct dev *device_open(const char *device, int32_t threads)
{
    struct room room = { 1024, 4096, 64, 64, 256 };
    struct dev *dev;
    struct err err;
    char name[64];

    bool ok =
        dev_open(&dev, set_device(device, name), threads, &err) && dev_reserve(dev, &room, &err);
    assert(ok);
    return dev;
}

struct devices *devices_get(enum dtype type)
{
    static struct devices devices;

    if (!devices.ref) {
        devices.ref = device_open("ref", 1);
        for (int32_t i = 0; i < CPUS; i++)
            devices.cpu[i] = device_open(cpus[i].device, cpus[i].threads);
    }
    dev_numerics(devices.ref, type, MODE_HF);
    for (int32_t i = 0; i < CPUS; i++)
        dev_numerics(devices.cpu[i], type, MODE_HF);
    return &devices;
}

struct weight *device_weight(struct dev *dev, struct mat w)
{
    struct weight_source source = { w.data, w.type, w.rows, w.cols, -1 };
    struct weight *weight;
    struct err err;

    bool ok = weight_make(&weight, dev, &source, &err);
    assert(ok);
    return weight;
}
