#include "kernels/convert.h"

uint16_t convert_to_bf16(float x)
{
    uint32_t u = convert_bits(x);
    if ((u & 0x7fffffff) > 0x7f800000)
        return (uint16_t)(u >> 16 | 0x40);
    return (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
}

/* A half's denormals are floats' normals: their leading bit moves to the exponent. */
static uint32_t half_denormal(uint32_t fraction)
{
    uint32_t exponent = 113;
    if (fraction == 0)
        return 0;
    while (!(fraction & 0x400)) {
        fraction <<= 1;
        exponent--;
    }
    return exponent << 23 | (fraction & 0x3ff) << 13;
}

float convert_from_f16(uint16_t x)
{
    uint32_t sign = (uint32_t)(x & 0x8000) << 16, exponent = x >> 10 & 0x1f, fraction = x & 0x3ff;
    if (exponent == 0)
        return convert_float(sign | half_denormal(fraction));
    if (exponent == 31)
        return convert_float(sign | 0x7f800000 | fraction << 13);
    return convert_float(sign | (exponent + 112) << 23 | fraction << 13);
}

uint16_t convert_to_f16(float x)
{
    uint32_t u = convert_bits(x), sign = u >> 16 & 0x8000, a = u & 0x7fffffff;
    if (a > 0x7f800000)
        return (uint16_t)(sign | 0x7e00);
    if (a >= 0x477ff000) /* half way from the greatest half to the next power of two */
        return (uint16_t)(sign | 0x7c00);
    if (a >= 0x38800000)
        return (uint16_t)(sign | ((a + 0xfff + (a >> 13 & 1) - 0x38000000) >> 13));
    if (a <= 0x33000000) /* half of the least denormal, a tie that goes to 0, and below */
        return (uint16_t)sign;

    uint32_t shift = 126 - (a >> 23), fraction = (a & 0x7fffff) | 0x800000;
    uint32_t half = 1u << (shift - 1), odd = fraction >> shift & 1;
    return (uint16_t)(sign | (fraction + half - 1 + odd) >> shift);
}

void convert_row(void *to, enum dtype to_type, const void *from, enum dtype from_type,
                 int64_t count)
{
    if (to_type == from_type) {
        memcpy(to, from, (size_t)(count * dtype_bytes(to_type)));
        return;
    }
    for (int64_t i = 0; i < count; i++)
        convert_store(to, to_type, i, convert_load(from, from_type, i));
}
