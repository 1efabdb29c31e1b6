/* gemm.cuh - the one function that multiplies, whoever does it: cuBLASLt (gemm_lt.cu), or plain
 * loops in the host build (tests/cuda_host/gemm_host.cc).
 *
 * Law 2 asks that a row's bits depend on that row alone.  So m is one constant a site, whatever the
 * fill (gemm.cu pads), no sum over k is split among blocks, and a probe compares the bits of rows
 * that changed their places the first time a shape is asked for. */
#pragma once
#include "kernels/cuda/cuda.cuh"

/* out[m][n] = T(x[m][k] w[n][k]^T + bias[n]); out's rows are out_stride numbers apart; bias or
 * NULL. */
struct gemm_call {
    enum site site;
    enum dtype type;
    void *out;
    const void *x, *w, *bias;
    int32_t m, n, k, out_stride;
};

struct gemm_door;

/* facts: what the numerics class says of it, members of a JSON object. */
bool gemm_door_open(struct gemm_door **out, struct cuda_dev *cuda, char *facts, size_t size,
                    struct err *err);
void gemm_door_close(struct gemm_door *door);
int64_t gemm_door_bytes(const struct gemm_door *door);
/* The m of every call at the site; a power of two. */
int32_t gemm_door_rows(const struct gemm_door *door, enum site site);
void gemm_door_run(struct gemm_door *door, struct cuda_dev *cuda, const struct gemm_call *call);
