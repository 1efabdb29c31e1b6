#include "tests/ops/random.h"

#include "kernels/convert.h"

#include <math.h>

static uint64_t state = 88172645463325252ull;
static void *pool[4096];
static int pool_count;

void random_seed(uint64_t seed) { state = seed * 0x9e3779b97f4a7c15ull + 88172645463325252ull; }

uint32_t random_bits(void)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 16);
}

int32_t random_in(int32_t lo, int32_t hi)
{
    return lo + (int32_t)(random_bits() % (uint32_t)(hi - lo + 1));
}

float random_value(enum kind kind)
{
    uint32_t u = random_bits(), r = random_bits() % 64;

    if (kind == WIDE)
        return convert_float((u & 0x807fffff) | (random_bits() % 254 + 1) << 23);
    if (kind == TINY && r < 40)
        return convert_float(r < 10 ? u & 0x807fffff : (u & 0x807fffff) | r % 70 << 23);
    if (kind == WILD && r < 3)
        return r == 0 ? INFINITY : r == 1 ? -INFINITY : -0.0f;
    return ((float)(u & 0xffffff) - 0x800000) * 0x1p-22f;
}

struct mat random_mat_empty(enum dtype type, int32_t rows, int32_t cols)
{
    struct mat m = { NULL, type, rows, cols };
    char *data = must_calloc((size_t)mat_bytes(m) + 128, 1);

    assert(pool_count < (int)COUNT(pool));
    pool[pool_count++] = data;
    m.data = data + dtype_bytes(type) * random_in(0, 15);
    return m;
}

struct mat random_mat(enum dtype type, int32_t rows, int32_t cols, enum kind kind)
{
    struct mat m = random_mat_empty(type, rows, cols);
    for (int64_t i = 0; i < (int64_t)rows * cols; i++)
        convert_store(m.data, type, i, random_value(kind));
    return m;
}

struct mat random_copy(struct mat m)
{
    struct mat copy = random_mat_empty(m.type, m.rows, m.cols);
    memcpy(copy.data, m.data, (size_t)mat_bytes(m));
    return copy;
}

void random_pool_clear(void)
{
    while (pool_count)
        free(pool[--pool_count]);
}

int64_t mats_differ(struct mat a, struct mat b)
{
    int64_t count = 0;

    assert(a.type == b.type && a.rows == b.rows && a.cols == b.cols);
    for (int64_t i = 0; i < (int64_t)a.rows * a.cols; i++) {
        float x = convert_load(a.data, a.type, i), y = convert_load(b.data, b.type, i);
        count += convert_bits(x) != convert_bits(y) && !(isnan(x) && isnan(y));
    }
    return count;
}

static double distance(double x, double y, double slack)
{
    if (isnan(x) || isnan(y) || isinf(x) || isinf(y))
        return (isnan(x) && isnan(y)) || x == y ? 0 : INFINITY;
    return fabs(x - y) - slack * fabs(y);
}

double mats_distance(struct mat a, struct mat b, double slack)
{
    double worst = 0;

    assert(a.rows == b.rows && a.cols == b.cols);
    for (int64_t i = 0; i < (int64_t)a.rows * a.cols; i++)
        worst = fmax(worst, distance(convert_load(a.data, a.type, i),
                                     convert_load(b.data, b.type, i), slack));
    return worst;
}

double type_slack(enum dtype type)
{
    return type == BF16 ? 0x1p-7 : type == F16 ? 0x1p-10 : 0x1p-22;
}

bool rounded_alike(struct mat a, struct mat b)
{
    return a.type == F32 || mats_differ(a, b) * 50 <= (int64_t)a.rows * a.cols + 50;
}

struct qkv random_qkv(enum dtype type, int32_t rows, int32_t dim, enum kind kind)
{
    struct norm none = { NORM_LLAMA, 1e-6f, MAT_NONE, MAT_NONE }, norm = none;
    int32_t kv_heads = random_in(1, 3);

    norm.kind = (enum norm_kind)random_in(NORM_LLAMA, NORM_LAYER);
    norm.weight = random_mat(type, 1, dim, TAME);
    return (struct qkv){ .q = random_mat(type, rows, dim * kv_heads * random_in(1, 3), kind),
                         .k = random_mat(type, rows, dim * kv_heads, kind),
                         .v = random_mat(type, rows, dim * kv_heads, kind),
                         .head_dim = dim,
                         .q_norm = random_bits() & 1 ? norm : none,
                         .k_norm = random_bits() & 1 ? norm : none };
}
