#include "coordinator/task/random.h"

#include <string.h>

#define N 624
#define M 397

static void seed_word(struct random *r, uint32_t seed)
{
    r->state[0] = seed;
    for (uint32_t i = 1; i < N; i++)
        r->state[i] = 1812433253u * (r->state[i - 1] ^ (r->state[i - 1] >> 30)) + i;
    r->at = N;
}

static void seed_words(struct random *r, const uint32_t *key, int count)
{
    seed_word(r, 19650218u);
    int i = 1, j = 0;
    for (int k = N > count ? N : count; k; k--) {
        uint32_t last = r->state[i - 1];
        r->state[i] = (r->state[i] ^ ((last ^ (last >> 30)) * 1664525u)) + key[j] + (uint32_t)j;
        if (++i == N) {
            r->state[0] = r->state[N - 1];
            i = 1;
        }
        j = (j + 1) % count;
    }
    for (int k = N - 1; k; k--) {
        uint32_t last = r->state[i - 1];
        r->state[i] = (r->state[i] ^ ((last ^ (last >> 30)) * 1566083941u)) - (uint32_t)i;
        if (++i == N) {
            r->state[0] = r->state[N - 1];
            i = 1;
        }
    }
    r->state[0] = 0x80000000u;
}

void random_seed(struct random *random, int64_t seed)
{
    uint64_t size = seed < 0 ? -(uint64_t)seed : (uint64_t)seed;
    uint32_t key[2] = { (uint32_t)size, (uint32_t)(size >> 32) };
    seed_words(random, key, key[1] ? 2 : 1);
}

static void turn(struct random *r)
{
    for (int i = 0; i < N; i++) {
        uint32_t y = (r->state[i] & 0x80000000u) | (r->state[(i + 1) % N] & 0x7fffffffu);
        r->state[i] = r->state[(i + M) % N] ^ (y >> 1) ^ (y & 1 ? 0x9908b0dfu : 0);
    }
    r->at = 0;
}

uint32_t random_u32(struct random *random)
{
    if (random->at >= N)
        turn(random);
    uint32_t y = random->state[random->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

double random_real(struct random *random)
{
    uint32_t a = random_u32(random) >> 5, b = random_u32(random) >> 6;
    return (a * 67108864.0 + b) / 9007199254740992.0;
}

uint32_t random_below(struct random *random, uint32_t below)
{
    assert(below);
    int bits = 32 - __builtin_clz(below);
    uint32_t drawn;
    do
        drawn = random_u32(random) >> (32 - bits);
    while (drawn >= below);
    return drawn;
}

/* Up to this many, sample() copies the population; beyond it remembers what it drew:
 * 21, plus 4 ** ceil(log(3 k, 4)) for k > 5. */
static int64_t pool_limit(int32_t k)
{
    int64_t power = 1;
    if (k <= 5)
        return 21;
    while (power < 3 * (int64_t)k)
        power *= 4;
    return 21 + power;
}

static void sample_from_pool(struct random *random, int32_t *out, int32_t k, int32_t count)
{
    int32_t *pool = must_calloc((size_t)count, sizeof *pool);
    for (int32_t i = 0; i < count; i++)
        pool[i] = i;
    for (int32_t i = 0; i < k; i++) {
        uint32_t j = random_below(random, (uint32_t)(count - i));
        out[i] = pool[j];
        pool[j] = pool[count - i - 1];
    }
    free(pool);
}

static bool drawn_before(const int32_t *drawn, int32_t count, int32_t j)
{
    for (int32_t i = 0; i < count; i++)
        if (drawn[i] == j)
            return true;
    return false;
}

void random_sample(struct random *random, int32_t *out, int32_t k, int32_t count)
{
    assert(k >= 0 && k <= count);
    if (count <= pool_limit(k)) {
        sample_from_pool(random, out, k, count);
        return;
    }
    for (int32_t i = 0; i < k; i++) {
        do
            out[i] = (int32_t)random_below(random, (uint32_t)count);
        while (drawn_before(out, i, out[i]));
    }
}
