#include "kernels/rope.h"

#include "kernels/math64.h"

void rope_default(float *inv_freq, int32_t dims, double theta)
{
    for (int32_t i = 0; i < dims / 2; i++) {
        double exponent = (float)(2 * i) / (float)dims;
        float base = (float)math64_exp(math64_log(theta) * exponent);
        inv_freq[i] = 1.0f / base;
    }
}

void rope_linear(float *inv_freq, int32_t dims, float factor)
{
    for (int32_t i = 0; i < dims / 2; i++)
        inv_freq[i] /= factor;
}

/* transformers, modeling_rope_utils: _compute_llama3_parameters.  Python scalars are doubles that
 * round to fp32 where they meet a tensor. */
static float llama3_one(float inv, const struct rope_llama3 *l)
{
    float original = (float)l->original;
    float wave = (float)6.283185307179586 / inv;

    if (wave < (float)((double)l->original / (double)l->high))
        return inv;
    if (wave > (float)((double)l->original / (double)l->low))
        return inv / l->factor;
    float smooth = (original / wave - l->low) / (float)((double)l->high - (double)l->low);
    return (1.0f - smooth) * inv / l->factor + smooth * inv;
}

void rope_llama3(float *inv_freq, int32_t dims, const struct rope_llama3 *llama3)
{
    for (int32_t i = 0; i < dims / 2; i++)
        inv_freq[i] = llama3_one(inv_freq[i], llama3);
}
