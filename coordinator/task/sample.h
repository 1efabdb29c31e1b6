/* sample.h - CPython's Random.sample: k distinct indices in the order that random.sample gives
 * them.
 *
 * Its two branches (a copied pool for small populations, a set of what was drawn for large ones)
 * use the generator differently, so both are kept (Lib/random.py, CPython 3.11 and later). */
#ifndef SAMPLE_H
#define SAMPLE_H

#include "common/python_random.h"

/* sample(range(count), k), 0 <= k <= count. */
void sample(struct python_random *random, int32_t *out, int32_t k, int32_t count);

#endif
