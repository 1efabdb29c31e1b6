/* cuda_fp16.h - fp16 on the host: the engine's own conversions. */
#pragma once
#include <cuda_runtime.h>

#include "kernels/convert.h"

struct __half {
    uint16_t bits;
};

static inline float host_f16_wide(uint16_t bits) { return convert_from_f16(bits); }
static inline float __half2float(__half x) { return host_f16_wide(x.bits); }
static inline __half __float2half_rn(float f) { return { convert_to_f16(f) }; }
