/* ptx.cuh - the instructions that CUDA C has no word for, one inline function each.
 *
 * Nothing else in kernels/cuda writes asm.  The host build (tests/cuda_host) puts a header of
 * the same name earlier on the include path, with the same functions emulated: a kernel that
 * stays on this page therefore runs on a CPU, unchanged. */
#pragma once
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <stdint.h>

typedef __nv_bfloat16 bf16;
typedef __half f16;

#define PTX static __device__ __forceinline__

PTX uint32_t ptx_address(const void *shared) { return (uint32_t)__cvta_generic_to_shared(shared); }

/* The dynamic shared memory of the launch: kernels cast it to their one struct. */
PTX void *ptx_shared(void)
{
    extern __shared__ __align__(1024) unsigned char ptx_shared_bytes[];
    return ptx_shared_bytes;
}

/* 2^x, one instruction; 2^-inf is 0. */
PTX float ptx_exp2(float x)
{
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}

/* Four 8x8 matrices of 16-bit elements: lane 8i+j points at row j of matrix i.  Lane l then
 * holds, of each, row l/4 elements 2(l%4) and the next; transposed: column for row. */
PTX void ptx_ldmatrix_x4(uint32_t r[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(ptx_address(row))
                 : "memory");
}

PTX void ptx_ldmatrix_x4_trans(uint32_t r[4], const void *row)
{
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(ptx_address(row))
                 : "memory");
}

/* d[16,8] += a[16,16] * b[16,8], fp32 out; the last argument only names the type. */
PTX void ptx_mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, bf16)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

PTX void ptx_mma(float d[4], const uint32_t a[4], uint32_t b0, uint32_t b1, f16)
{
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b0), "r"(b1));
}

/* x in the lower half. */
PTX uint32_t ptx_pair(float x, float y, bf16)
{
    const __nv_bfloat162 both = __floats2bfloat162_rn(x, y);
    return *(const uint32_t *)&both;
}

PTX uint32_t ptx_pair(float x, float y, f16)
{
    const __half2 both = __floats2half2_rn(x, y);
    return *(const uint32_t *)&both;
}

/* 16 bytes, global to shared; they may be read after the wait of their group, by this thread,
 * and after a barrier by the others. */
PTX void ptx_cp_async(void *shared, const void *global)
{
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(ptx_address(shared)), "l"(global)
                 : "memory");
}

PTX void ptx_cp_async_commit(void) { asm volatile("cp.async.commit_group;" ::: "memory"); }

/* Until at most the newest `left` groups are in flight. */
template <int left> PTX void ptx_cp_async_wait(void)
{
    asm volatile("cp.async.wait_group %0;" ::"n"(left) : "memory");
}
