/* ptx.cuh - the host's side of kernels/cuda/ptx.cuh: same functions, emulated in warp.cc.
 *
 * A warp instruction is a meeting of 32 lanes.  A cp.async writes NaN at once and its bytes at
 * the wait, so that who does not wait reads NaN. */
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>

typedef __nv_bfloat16 bf16;
typedef __half f16;

struct host_ldmatrix {
    uint32_t *r;
    const void *row;
};
struct host_mma {
    float (*wide)(uint16_t); /* of an element */
    float *d;
    const uint32_t *a;
    uint32_t b[2];
};
host_work host_ldmatrix_work, host_ldmatrix_trans_work, host_mma_work;

void *ptx_shared(void);
void host_cp_async(void *shared, const void *global, struct host_line line);
void ptx_cp_async_commit(void);
void host_cp_async_wait(int left);

static inline float ptx_exp2(float x) { return exp2f(x); }

static inline void ptx_ldmatrix_x4(uint32_t r[4], const void *row, HOST_LINE)
{
    struct host_ldmatrix frame = { r, row };
    host_warp(0xffffffff, host_ldmatrix_work, &frame, { "ldmatrix", file, line });
}
static inline void ptx_ldmatrix_x4_trans(uint32_t r[4], const void *row, HOST_LINE)
{
    struct host_ldmatrix frame = { r, row };
    host_warp(0xffffffff, host_ldmatrix_trans_work, &frame, { "ldmatrix.trans", file, line });
}
static inline void ptx_mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, bf16,
                           HOST_LINE)
{
    struct host_mma frame = { host_bf16_wide, d, a, { b0, b1 } };
    host_warp(0xffffffff, host_mma_work, &frame, { "mma", file, line });
}
static inline void ptx_mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, f16,
                           HOST_LINE)
{
    struct host_mma frame = { host_f16_wide, d, a, { b0, b1 } };
    host_warp(0xffffffff, host_mma_work, &frame, { "mma", file, line });
}
static inline uint32_t ptx_pair(float x, float y, bf16)
{
    return __float2bfloat16_rn(x).bits | (uint32_t)__float2bfloat16_rn(y).bits << 16;
}
static inline uint32_t ptx_pair(float x, float y, f16)
{
    return __float2half_rn(x).bits | (uint32_t)__float2half_rn(y).bits << 16;
}
static inline void ptx_cp_async(void *shared, const void *global, HOST_LINE)
{
    host_cp_async(shared, global, { "cp.async", file, line });
}
template <int left> static inline void ptx_cp_async_wait(void) { host_cp_async_wait(left); }
