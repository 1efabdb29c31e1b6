/* devices.h - the devices that must agree: the reference, and the CPU by instruction set and
 * threads. */
#ifndef DEVICES_H
#define DEVICES_H

#include "kernels/ops.h"

enum { CPUS = 6 };

struct devices {
    struct dev *ref;
    struct dev *cpu[CPUS]; /* scalar with 1 thread first; what neither machine nor emulation
                              has runs as the best below it */
};

/* Opened once, numerics set at each call; room for every test. */
struct devices *devices_get(enum dtype type);
const char *device_name(int32_t cpu);

/* A weight of w[n][k] on the device, the caller's; MAT_NONE stays MAT_NONE. */
struct weight *device_weight(struct dev *dev, struct mat w);

#endif
