/* cuda_bf16.h - bf16 on the host: the engine's own conversions. */
#pragma once
#include <cuda_runtime.h>

#include "kernels/convert.h"

struct __nv_bfloat16 {
    uint16_t bits;
};

static inline float host_bf16_wide(uint16_t bits) { return convert_from_bf16(bits); }
static inline float __bfloat162float(__nv_bfloat16 x) { return host_bf16_wide(x.bits); }
static inline __nv_bfloat16 __float2bfloat16_rn(float f) { return { convert_to_bf16(f) }; }
