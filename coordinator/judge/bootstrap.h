/* bootstrap.h - the paired bootstrap: how often each item is drawn in a replicate, for all models
 * at once.
 *
 * A replicate of a task draws its n items with replacement.  All models answered the same items, so
 * one vector of counts serves them all and what is hard for everybody cancels in their differences;
 * the sums of every model are then a matrix product counts x scores.
 *
 * The numbers are our own and counter-based: word i of (seed, task, replicate) is a mix of the four
 * and of nothing else, so replicates can be computed in any order, in any number of threads, and
 * again in ten years.  The mix is SplitMix64's (Steele, Lea, Flood 2014) over a Weyl sequence. */
#ifndef BOOTSTRAP_H
#define BOOTSTRAP_H

#include "common/base.h"

/* The key of one replicate of one task. */
uint64_t bootstrap_key(uint64_t seed, uint64_t task, int32_t replicate);
/* The counter-th 64-bit word under a key. */
uint64_t bootstrap_word(uint64_t key, uint64_t counter);

/* counts[n], their sum is n. */
void bootstrap_counts(uint16_t *counts, int32_t n, uint64_t key);

/* sums[replicates][columns] = counts[replicates][n] x values[n][columns], each sum over items in
 * ascending order.  The bits do not depend on the machine's vector width. */
void bootstrap_product(double *sums, const uint16_t *counts, int32_t replicates,
                       const double *values, int32_t n, int32_t columns);

#endif
