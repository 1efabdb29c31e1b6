/* rope.h - inverse frequencies of rotary embeddings: a few numbers a model, the same bits on every
 * machine.
 *
 * base_i = theta^(2i / dims) rounded to fp32, inv_freq[i] = 1 / base_i; the kinds change it from
 * there, in fp32, as transformers computes them. */
#ifndef ROPE_H
#define ROPE_H

#include "common/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* inv_freq[dims / 2] */
void rope_default(float *inv_freq, int32_t dims, double theta);

/* inv_freq / factor */
void rope_linear(float *inv_freq, int32_t dims, float factor);

/* Llama 3: wavelengths w = 2 pi / inv_freq above original / low are divided by factor, those below
 * original / high stay, between them s = (original / w - low) / (high - low) blends the two. */
struct rope_llama3 {
    float factor, low, high;
    int32_t original; /* positions the model was first trained on */
};
void rope_llama3(float *inv_freq, int32_t dims, const struct rope_llama3 *llama3);

#ifdef __cplusplus
}
#endif
#endif
