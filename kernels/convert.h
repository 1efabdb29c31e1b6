/* convert.h - numbers between the stored types, one by one, in integer arithmetic: nearest even,
 * overflow to infinity, a NaN stays one.  Independent of the rounding and denormal modes. */
#ifndef CONVERT_H
#define CONVERT_H

#include "kernels/mat.h"

#include <string.h>

#ifdef __cplusplus
extern "C" {
#endif

static inline uint32_t convert_bits(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return bits;
}

static inline float convert_float(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, 4);
    return x;
}

static inline float convert_from_bf16(uint16_t x) { return convert_float((uint32_t)x << 16); }
uint16_t convert_to_bf16(float x);
float convert_from_f16(uint16_t x);
uint16_t convert_to_f16(float x);

/* to[count] = from[count]; the types' own sizes. */
void convert_row(void *to, enum dtype to_type, const void *from, enum dtype from_type,
                 int64_t count);

/* T(x) */
static inline float convert_round(float x, enum dtype type)
{
    return type == BF16  ? convert_from_bf16(convert_to_bf16(x))
           : type == F16 ? convert_from_f16(convert_to_f16(x))
                         : x;
}

static inline float convert_load(const void *from, enum dtype type, int64_t i)
{
    return type == BF16  ? convert_from_bf16(((const uint16_t *)from)[i])
           : type == F16 ? convert_from_f16(((const uint16_t *)from)[i])
                         : ((const float *)from)[i];
}

static inline void convert_store(void *to, enum dtype type, int64_t i, float x)
{
    if (type == F32)
        ((float *)to)[i] = x;
    else
        ((uint16_t *)to)[i] = type == BF16 ? convert_to_bf16(x) : convert_to_f16(x);
}

#ifdef __cplusplus
}
#endif
#endif
