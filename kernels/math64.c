#include "kernels/math64.h"

#include "common/base.h"

#include <math.h>

/* ln 2 in two parts: the first times an exponent is exact. */
#define LN2_HI 0x1.62e42fefa38p-1
#define LN2_LO 0x1.ef35793c7673p-45

double math64_exp(double x)
{
    if (x != x)
        return x;
    if (x > 709)
        return INFINITY;
    if (x <= -745)
        return 0;

    double n = rint(x * 0x1.71547652b82fep0); /* 1 / ln 2 */
    double r = x - n * LN2_HI, p = 1;
    r -= n * LN2_LO;
    for (int i = 14; i > 0; i--)
        p = 1 + p * r / i;
    return ldexp(p, (int)n);
}

double math64_log(double x)
{
    if (x == 0)
        return -INFINITY;
    if (!(x > 0))
        return NAN;
    if (x == INFINITY)
        return x;

    int e;
    double m = frexp(x, &e), sum = 0;
    if (m < 0.70710678118654752) {
        m *= 2;
        e--;
    }
    double s = (m - 1) / (m + 1), z = s * s; /* log m = 2 artanh s */
    for (int i = 23; i > 0; i -= 2)
        sum = sum * z + 1.0 / i;
    return e * LN2_HI + (e * LN2_LO + 2 * s * sum);
}

void math64_sincos(double x, double *sin, double *cos)
{
    double n = rint(x * 0x1.45f306dc9c883p-1), s = 1, c = 1; /* 2 / pi */
    double r = x - n * 0x1.921fb544p0;                       /* pi / 2 in three parts */
    r -= n * 0x1.0b4611a6p-34;
    r -= n * 0x1.3198a2e037073p-69;
    for (int i = 20; i > 0; i -= 2) {
        c = 1 - r * r * c / (i * (i - 1));
        s = 1 - r * r * s / (i * (i + 1));
    }
    s *= r;

    int quadrant = (int)((int64_t)n & 3);
    *sin = (quadrant & 1 ? c : s) * (quadrant & 2 ? -1 : 1);
    *cos = (quadrant & 1 ? s : c) * (quadrant == 1 || quadrant == 2 ? -1 : 1);
}
