/* math64.h - exp, log, sine and cosine in double: the same bits on every x86-64.
 *
 * For tables and for one value a row, where speed does not matter.  No FMA, no libm but exact
 * rint, ldexp and frexp.  Errors: exp 2.2e-16, log 4.0e-16 relative; sin, cos 2.2e-16 absolute for
 * arguments to 1e6. */
#ifndef MATH64_H
#define MATH64_H

#ifdef __cplusplus
extern "C" {
#endif

double math64_exp(double x);
double math64_log(double x);
void math64_sincos(double x, double *sin, double *cos);

#ifdef __cplusplus
}
#endif
#endif
