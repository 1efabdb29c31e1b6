/* python_random.h - CPython's random.Random, as far as lm-evaluation-harness draws from it.
 *
 * MT19937 seeded by init_by_array over the seed's 32-bit words (Lib/random.py,
 * Modules/_randommodule .c): the same seed gives the same few-shot examples and the same bootstrap
 * replicates, on every machine.  Not for anything secret. */
#ifndef PYTHON_RANDOM_H
#define PYTHON_RANDOM_H

#include "common/base.h"

#define PYTHON_RANDOM_WORDS 624

struct python_random {
    uint32_t state[PYTHON_RANDOM_WORDS];
    int32_t at;
};

/* random.Random(seed) for seed >= 0. */
void python_random_seed(struct python_random *random, uint64_t seed);

/* Random.getrandbits(bits), 1 <= bits <= 32. */
uint32_t python_random_bits(struct python_random *random, int bits);
/* Random.random(): 53 bits in [0, 1). */
double python_random_unit(struct python_random *random);
/* Random._randbelow(n), 1 <= n < 2^32: draws again until it fits. */
uint32_t python_random_below(struct python_random *random, uint32_t n);

#endif
