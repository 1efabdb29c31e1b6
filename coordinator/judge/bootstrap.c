#include "coordinator/judge/bootstrap.h"

#include <string.h>

#define WEYL 0x9e3779b97f4a7c15u /* 2^64 / golden ratio, odd: visits every word */

/* Items of one block stay in the first cache for all replicates of a call. */
#define BLOCK_BYTES 24576

/* Columns whose sums of two replicates fit sixteen 256-bit registers, half of them. */
#define TILE 16

static uint64_t mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t bootstrap_word(uint64_t key, uint64_t counter) { return mix(key + (counter + 1) * WEYL); }

uint64_t bootstrap_key(uint64_t seed, uint64_t task, int32_t replicate)
{
    return bootstrap_word(bootstrap_word(seed, task), (uint64_t)replicate);
}

/* The high part of a 32-bit number times n: off uniform by less than n / 2^32. */
static uint32_t below(uint32_t number, int32_t n)
{
    return (uint32_t)(((uint64_t)number * n) >> 32);
}

void bootstrap_counts(uint16_t *counts, int32_t n, uint64_t key)
{
    assert(n > 0);
    memset(counts, 0, (size_t)n * sizeof(*counts));
    for (int32_t i = 0; i + 1 < n; i += 2) {
        uint64_t word = bootstrap_word(key, (uint64_t)i / 2);
        counts[below((uint32_t)word, n)]++;
        counts[below((uint32_t)(word >> 32), n)]++;
    }
    if (n % 2)
        counts[below((uint32_t)bootstrap_word(key, (uint64_t)n / 2), n)]++;
}

/* Two replicates over the columns of one tile: their sums stay in registers while items pass.
 * Columns are independent and no two products are fused, so wider vectors give the same bits. */
static inline __attribute__((always_inline)) void add_tile(double *restrict a, double *restrict b,
                                                           const uint16_t *restrict a_counts,
                                                           const uint16_t *restrict b_counts,
                                                           const double *restrict values, int32_t n,
                                                           int32_t columns, int32_t tile)
{
    double a_sum[TILE], b_sum[TILE];
    for (int32_t c = 0; c < tile; c++) {
        a_sum[c] = a[c];
        b_sum[c] = b[c];
    }
    for (int32_t i = 0; i < n; i++, values += columns) {
        double a_count = a_counts[i], b_count = b_counts[i];
        for (int32_t c = 0; c < tile; c++) {
            a_sum[c] += a_count * values[c];
            b_sum[c] += b_count * values[c];
        }
    }
    for (int32_t c = 0; c < tile; c++) {
        a[c] = a_sum[c];
        b[c] = b_sum[c];
    }
}

__attribute__((target_clones("avx2", "default"), optimize("O3"))) static void
add_block(double *restrict a, double *restrict b, const uint16_t *restrict a_counts,
          const uint16_t *restrict b_counts, const double *restrict values, int32_t n,
          int32_t columns)
{
    int32_t c = 0;
    for (; c + TILE <= columns; c += TILE)
        add_tile(a + c, b + c, a_counts, b_counts, values + c, n, columns, TILE);
    for (; c + TILE / 4 <= columns; c += TILE / 4)
        add_tile(a + c, b + c, a_counts, b_counts, values + c, n, columns, TILE / 4);
    for (; c < columns; c++)
        add_tile(a + c, b + c, a_counts, b_counts, values + c, n, columns, 1);
}

void bootstrap_product(double *sums, const uint16_t *counts, int32_t replicates,
                       const double *values, int32_t n, int32_t columns)
{
    int32_t block = BLOCK_BYTES / (columns * (int32_t)sizeof(double));
    /* The last of an odd number has itself for company, into sums that nobody reads. */
    AUTO(free) double *company = must_calloc((size_t)columns, sizeof(*company));
    block = block < 1 ? 1 : block;
    memset(sums, 0, (size_t)replicates * columns * sizeof(*sums));
    for (int32_t at = 0; at < n; at += block)
        for (int32_t r = 0; r < replicates; r += 2) {
            bool alone = r + 1 == replicates;
            const uint16_t *mine = counts + (size_t)r * n + at;
            double *sum = sums + (size_t)r * columns;
            add_block(sum, alone ? company : sum + columns, mine, alone ? mine : mine + n,
                      values + (size_t)at * columns, n - at < block ? n - at : block, columns);
        }
}
