/* random.h - CPython's random.Random, seeded by an integer: the few-shot draws must be its draws.
 *
 * Mersenne Twister MT19937 with init_by_array over the seed's 32-bit words, getrandbits from the
 * top bits, _randbelow by rejection, sample() with its two branches (Lib/random.py,
 * Modules/_randommodule.c, CPython 3.11 and later). */
#ifndef RANDOM_H
#define RANDOM_H

#include "common/base.h"

struct random {
    uint32_t state[624];
    int at;
};

/* Random(seed); a negative seed counts as its absolute value, as in CPython. */
void random_seed(struct random *random, int64_t seed);
uint32_t random_u32(struct random *random);
/* random(): [0, 1) of 53 bits. */
double random_real(struct random *random);
/* randrange(below), below >= 1. */
uint32_t random_below(struct random *random, uint32_t below);
/* sample(range(count), k): k distinct indices, 0 <= k <= count. */
void random_sample(struct random *random, int32_t *out, int32_t k, int32_t count);

#endif
