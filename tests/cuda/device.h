/* device.h - the device under test beside the reference, and operands on either.
 *
 * KOEVAL_DEVICE names it ("cuda:0"): a GPU, or, in the host build, this CPU in its place.  Operands
 * are made in host memory (tests/ops/random.h) and copied; nothing here assumes that they are one.
 */
#ifndef TEST_DEVICE_H
#define TEST_DEVICE_H

#include "kernels/ops.h"

struct pair {
    struct dev *ref, *dev;
};

/* Opened once; numerics set at each call.  Ends the program when there is no device. */
struct pair *pair_get(enum dtype type);

/* A copy of host numbers on the device; all are given back by device_clear(). */
struct mat on(struct dev *dev, struct mat host);
struct mat on_empty(struct dev *dev, enum dtype type, int32_t rows, int32_t cols);
/* A copy in host memory, after a sync: the pool's (random.h). */
struct mat off(struct dev *dev, struct mat m);
struct weight *on_weight(struct dev *dev, struct mat w, int32_t layer);
void device_clear(void);

/* True after a sync without a failure; else says which. */
bool device_fine(struct dev *dev);

#endif
