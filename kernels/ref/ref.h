/* ref.h - the op table in plain loops, as a textbook has it: for tests, which compare every backend
 * with it.
 *
 * Sums are double and in any order; results are rounded where ops.h writes T(), except attention's
 * P, which depends on the visiting order.  So it is an oracle of values within a tolerance, not of
 * bits.  Slow. */
#ifndef REF_H
#define REF_H

#include "kernels/ops.h"

bool ref_open(struct dev **out, struct err *err) MUST;

#endif
