/* linear.c - the reference of products, and of the head above them. */
#include "kernels/ref/op.h"

#include <math.h>

static double dot(struct mat x, int32_t r, const struct weight *weight, int32_t n)
{
    const float *w = ref_row(weight, n);
    double sum = 0;
    for (int32_t k = 0; k < x.cols; k++)
        sum += ref_get(x, r, k) * (double)w[k];
    return sum;
}

void ref_linear(struct dev *dev, enum site site, struct mat out, struct mat x,
                const struct weight *weight, struct mat bias)
{
    (void)dev;
    (void)site;
    for (int32_t r = 0; r < x.rows; r++)
        for (int32_t n = 0; n < weight->n; n++)
            ref_put(out, r, n, dot(x, r, weight, n) + (bias.data ? ref_get(bias, 0, n) : 0));
}

static double logit(struct mat x, int32_t r, const struct weight *weight, int32_t n,
                    const struct head *head)
{
    double z = convert_round((float)dot(x, r, weight, n), x.type);
    z = convert_round((float)(z * head->scale), x.type);
    if (head->softcap != 0)
        z = convert_round((float)(head->softcap * tanh(z / head->softcap)), x.type);
    return z;
}

void ref_logits(struct dev *dev, struct mat out, struct mat x, const struct weight *weight,
                const struct head *head)
{
    (void)dev;
    for (int32_t r = 0; r < x.rows; r++)
        for (int32_t n = 0; n < weight->n; n++)
            ref_put(out, r, n, logit(x, r, weight, n, head));
}

static void head_row(struct mat x, int32_t r, const struct weight *weight, const struct head *head)
{
    double max = -INFINITY, sum = 0;

    head->argmax[r] = -1;
    for (int32_t n = 0; n < weight->n; n++) {
        double z = logit(x, r, weight, n, head);
        if (z > max) {
            max = z;
            head->argmax[r] = n;
        }
    }
    for (int32_t n = 0; n < weight->n; n++)
        sum += exp(logit(x, r, weight, n, head) - (max == -INFINITY ? 0 : max));
    head->lse[r] = (float)(max + log(sum));
    for (int32_t t = head->target_at ? head->target_at[r] : 0;
         head->target_at && t < head->target_at[r + 1]; t++)
        head->logit[t] = (float)logit(x, r, weight, head->target[t], head);
}

void ref_head(struct dev *dev, struct mat x, const struct weight *weight, const struct head *head)
{
    (void)dev;
    for (int32_t r = 0; r < x.rows; r++)
        head_row(x, r, weight, head);
}
