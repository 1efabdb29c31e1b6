#include "common/python_random.h"

#define N         PYTHON_RANDOM_WORDS
#define M         397
#define UPPER     0x80000000u
#define LOWER     0x7fffffffu
#define MATRIX    0x9908b0dfu
#define SEED_BASE 19650218u

static void init_by_number(struct python_random *random, uint32_t seed)
{
    random->state[0] = seed;
    for (uint32_t i = 1; i < N; i++) {
        uint32_t before = random->state[i - 1];
        random->state[i] = 1812433253u * (before ^ (before >> 30)) + i;
    }
    random->at = N;
}

/* The reference generator's init_by_array, with the array of one or two words that a seed is. */
void python_random_seed(struct python_random *random, uint64_t seed)
{
    uint32_t key[2] = { (uint32_t)seed, (uint32_t)(seed >> 32) };
    uint32_t size = key[1] ? 2 : 1;
    uint32_t *s = random->state;
    uint32_t i = 1, j = 0;
    init_by_number(random, SEED_BASE);
    for (int k = 0; k < N; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1664525u)) + key[j] + j;
        j = (j + 1) % size;
        if (++i == N) {
            s[0] = s[N - 1];
            i = 1;
        }
    }
    for (int k = 0; k < N - 1; k++) {
        s[i] = (s[i] ^ ((s[i - 1] ^ (s[i - 1] >> 30)) * 1566083941u)) - i;
        if (++i == N) {
            s[0] = s[N - 1];
            i = 1;
        }
    }
    s[0] = UPPER;
}

static void turn(struct python_random *random)
{
    uint32_t *s = random->state;
    for (int k = 0; k < N; k++) {
        uint32_t y = (s[k] & UPPER) | (s[(k + 1) % N] & LOWER);
        s[k] = s[(k + M) % N] ^ (y >> 1) ^ (y & 1 ? MATRIX : 0);
    }
    random->at = 0;
}

static uint32_t next(struct python_random *random)
{
    if (random->at == N)
        turn(random);
    uint32_t y = random->state[random->at++];
    y ^= y >> 11;
    y ^= (y << 7) & 0x9d2c5680u;
    y ^= (y << 15) & 0xefc60000u;
    return y ^ (y >> 18);
}

uint32_t python_random_bits(struct python_random *random, int bits)
{
    assert(bits >= 1 && bits <= 32);
    return next(random) >> (32 - bits);
}

double python_random_unit(struct python_random *random)
{
    uint32_t a = next(random) >> 5, b = next(random) >> 6;
    return (a * 67108864.0 + b) * (1.0 / 9007199254740992.0);
}

uint32_t python_random_below(struct python_random *random, uint32_t n)
{
    assert(n >= 1);
    int bits = 32 - __builtin_clz(n);
    uint32_t drawn = python_random_bits(random, bits);
    while (drawn >= n)
        drawn = python_random_bits(random, bits);
    return drawn;
}
