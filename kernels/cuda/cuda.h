/* cuda.h - the CUDA backend: devices "cuda:0", "cuda:1", ...
 *
 * A build without CUDA has the same function, which says so. */
#ifndef CUDA_H
#define CUDA_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* number: of the device, as the driver counts; "0:streamed" streams the weights of every model, for
 * tests.  ERR_DEVICE: no driver, no such device, one that is
 * too old or no library of products; never another device in its place. */
bool cuda_open(struct dev **out, const char *number, struct err *err) MUST;

#ifdef __cplusplus
}
#endif
#endif
