/* known.h - the known bits of a class: what a fixed tiny model answers, as one number.
 *
 * Weights, tokens and schedule come from a seed, the ops are those of every forward pass, in all
 * three types.  A machine whose number is not the committed one computes otherwise than its facts
 * say: it is of another class. */
#ifndef KNOWN_H
#define KNOWN_H

#include "kernels/ops.h"

/* Of "backend":"cpu" at its present numerics number: changes with it, and with ENGINE_NUMERICS. */
#define KNOWN_BITS_CPU UINT64_C(0x3e42ffdb3d163ab3)

/* A few milliseconds.  Nothing may be loaded: the device's numerics are changed.  fault: the first
 * number of every weight changes its sign. */
bool known_bits(uint64_t *out, struct dev *dev, bool fault, struct err *err) MUST;

#endif
