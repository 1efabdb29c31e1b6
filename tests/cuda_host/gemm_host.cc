/* gemm_host.cc - products in plain loops: fp32 sums in ascending k.
 *
 * KOEVAL_CUDA_HOST_GEMM=place makes a wrong one, whose sums begin with the row's place: the probe
 * must find it. */
#include "kernels/cuda/gemm.cuh"

#include <vector>

enum { HOST_ROWS = 16 };

struct gemm_door {
    bool wrong;
};

bool gemm_door_open(struct gemm_door **out, struct cuda_dev *, char *facts, size_t size,
                    struct err *)
{
    const char *how = getenv("KOEVAL_CUDA_HOST_GEMM");
    *out = (struct gemm_door *)must_calloc(1, sizeof(**out));
    (*out)->wrong = how && strcmp(how, "place") == 0;
    snprintf(facts, size, ",\"gemm\":\"loops\"");
    return true;
}

void gemm_door_close(struct gemm_door *door) { free(door); }
int64_t gemm_door_bytes(const struct gemm_door *) { return 0; }
int32_t gemm_door_rows(const struct gemm_door *, enum site) { return HOST_ROWS; }

static std::vector<float> widened(const void *from, enum dtype type, int64_t count)
{
    std::vector<float> wide((size_t)count);
    convert_row(wide.data(), F32, from, type, count);
    return wide;
}

void gemm_door_run(struct gemm_door *door, struct cuda_dev *, const struct gemm_call *c)
{
    const std::vector<float> x = widened(c->x, c->type, (int64_t)c->m * c->k);
    std::vector<float> wt((size_t)c->n * c->k), w = widened(c->w, c->type, (int64_t)c->n * c->k);
    std::vector<float> sum((size_t)c->n);
    for (int32_t n = 0; n < c->n; n++)
        for (int32_t k = 0; k < c->k; k++)
            wt[(size_t)k * c->n + n] = w[(size_t)n * c->k + k];
    /* What cuBLASLt would take for granted. */
    assert(c->m == HOST_ROWS && (uintptr_t)c->x % 256 == 0 && (uintptr_t)c->out % 256 == 0);
    for (int32_t m = 0; m < c->m; m++) {
        sum.assign((size_t)c->n, door->wrong ? (float)m * 0.25f : 0);
        for (int32_t k = 0; k < c->k; k++)
            for (int32_t n = 0; n < c->n; n++)
                sum[n] += x[(size_t)m * c->k + k] * wt[(size_t)k * c->n + n];
        for (int32_t n = 0; n < c->n; n++)
            convert_store(c->out, c->type, (int64_t)m * c->out_stride + n,
                          c->bias ? sum[n] + convert_load(c->bias, c->type, n) : sum[n]);
    }
}
