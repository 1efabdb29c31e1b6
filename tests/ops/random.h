/* random.h - numbers, mats and weights for the op tests, from one seed. */
#ifndef RANDOM_H
#define RANDOM_H

#include "kernels/ops.h"

/* TAME: in [-2, 2).  WIDE: all exponents.  TINY: denormals among them.  WILD: infinities too. */
enum kind { TAME, WIDE, TINY, WILD, KINDS };

void random_seed(uint64_t seed);
uint32_t random_bits(void);
int32_t random_in(int32_t lo, int32_t hi); /* both included */
float random_value(enum kind kind);

/* In host memory, at an odd place: only the element's own alignment holds.  Owned by the pool. */
struct mat random_mat_empty(enum dtype type, int32_t rows, int32_t cols);
struct mat random_mat(enum dtype type, int32_t rows, int32_t cols, enum kind kind);
struct mat random_copy(struct mat m);
/* One to three heads of keys and as many times one to three of queries, in `rows` rows; norms of q
 * and k or none. */
struct qkv random_qkv(enum dtype type, int32_t rows, int32_t dim, enum kind kind);
/* Frees every mat made since the last call. */
void random_pool_clear(void);

/* Numbers that differ in any bit; a NaN equals any NaN. */
int64_t mats_differ(struct mat a, struct mat b);
/* The greatest |a - b| - slack * |b|; NaN or infinity in one alone counts as infinite. */
double mats_distance(struct mat a, struct mat b, double slack);
/* A rounding that is missing or too many changes a quarter of the numbers by a last place; sums in
 * another order change next to none. */
bool rounded_alike(struct mat a, struct mat b);
/* How far a value rounded once to the type may be from it, relative. */
double type_slack(enum dtype type);

#endif
