#include "coordinator/task/sample.h"

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

static void sample_from_pool(struct python_random *random, int32_t *out, int32_t k, int32_t count)
{
    int32_t *pool = must_calloc((size_t)count, sizeof *pool);
    for (int32_t i = 0; i < count; i++)
        pool[i] = i;
    for (int32_t i = 0; i < k; i++) {
        uint32_t j = python_random_below(random, (uint32_t)(count - i));
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

void sample(struct python_random *random, int32_t *out, int32_t k, int32_t count)
{
    assert(k >= 0 && k <= count);
    if (count <= pool_limit(k)) {
        sample_from_pool(random, out, k, count);
        return;
    }
    for (int32_t i = 0; i < k; i++) {
        do
            out[i] = (int32_t)python_random_below(random, (uint32_t)count);
        while (drawn_before(out, i, out[i]));
    }
}
