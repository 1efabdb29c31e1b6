/* bench - what a card does with the kernels, as rows "| what | figure | unit | of |".
 *
 *     gpu_bench [small]      small: sizes for the host build, whose figures mean nothing
 *
 * Times are of a queue of equal ops, by the host's clock around a sync; the first is not counted.
 * Operands are noise: zeros draw less power and so run faster. */
#include "kernels/cuda/gemm.cuh"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* A Llama-like layer: 8B and 10.8B models have it. */
struct sizes {
    int32_t rows, hidden, inter, heads, kv_heads, dim, vocab;
    int64_t copy_bytes;
    double seconds; /* of each measurement */
};

static const struct sizes large = { 16384, 4096, 14336, 32, 8, 128, 128256, (int64_t)1 << 30, 0.3 };
static const struct sizes small = { 32, 64, 96, 4, 2, 16, 300, 1 << 16, 0 };

static void must(bool ok, const struct err *err)
{
    if (ok)
        return;
    printf("FAILED %s\n", err->text);
    exit(1);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sync(struct cuda_dev *cuda)
{
    struct err err;
    must(dev_sync(&cuda->dev, &err), &err);
}

/* Seconds of one call of `op`. */
template <typename F> static double timed(struct cuda_dev *cuda, double seconds, F op)
{
    op();
    sync(cuda);
    double start = now(), spent = 0;
    int32_t count = 0;
    for (int32_t batch = 1; count == 0 || spent < seconds; batch *= 2) {
        for (int32_t i = 0; i < batch; i++)
            op();
        sync(cuda);
        count += batch;
        spent = now() - start;
    }
    return spent / count;
}

static struct mat noise(struct cuda_dev *cuda, int32_t rows, int32_t cols)
{
    struct mat m;
    struct err err;
    const int64_t count = (int64_t)rows * cols;
    uint16_t *host = (uint16_t *)must_calloc((size_t)count, 2);
    uint32_t u = 12345;
    for (int64_t i = 0; i < count; i++) { /* bf16 in +-[0.5, 2) */
        u = u * 1664525u + 1013904223u;
        host[i] = (uint16_t)(0x3f00 | (u >> 16 & 0x80ff));
    }
    must(mat_alloc(&m, &cuda->dev, BF16, rows, cols, &err), &err);
    op_upload(&cuda->dev, m.data, host, count * 2);
    sync(cuda);
    free(host);
    return m;
}

static void row(const char *what, double figure, const char *unit, const char *of)
{
    printf("| %s | %.4g | %s | %s |\n", what, figure, unit, of);
    fflush(stdout);
}

/* ---- yardsticks ---- */

static double copy_bench(struct cuda_dev *cuda, const struct sizes *s)
{
    struct err err;
    void *a, *b;
    must(cuda_mem_alloc(&cuda->dev, &a, s->copy_bytes, &err) &&
             cuda_mem_alloc(&cuda->dev, &b, s->copy_bytes, &err),
         &err);
    const double t = timed(cuda, s->seconds, [&] {
        cuda_ok(cuda,
                cudaMemcpyAsync(a, b, (size_t)s->copy_bytes, cudaMemcpyDeviceToDevice,
                                cuda->stream),
                "copy");
    });
    const double bandwidth = 2 * (double)s->copy_bytes / t;
    row("copy on the device", bandwidth * 1e-9, "GB/s", "read and written");
    void *host;
    cuda_ok(cuda, cudaHostAlloc(&host, (size_t)s->copy_bytes, cudaHostAllocDefault), "pinned");
    memset(host, 1, (size_t)s->copy_bytes);
    const double up =
        timed(cuda, s->seconds, [&] { cuda_upload(&cuda->dev, a, host, s->copy_bytes); });
    row("copy from pinned host memory", (double)s->copy_bytes / up * 1e-9, "GB/s", "");
    cudaFreeHost(host);
    cuda_mem_free(&cuda->dev, a);
    cuda_mem_free(&cuda->dev, b);
    return bandwidth;
}

/* TFLOP/s of one shape. */
static double product_bench(struct cuda_dev *cuda, const struct sizes *s, struct gemm_door *door,
                            enum site site, int32_t m, int32_t n, int32_t k)
{
    struct mat x = noise(cuda, m, k), w = noise(cuda, n, k), out = noise(cuda, m, n);
    const struct gemm_call call = { site, BF16, out.data, x.data, w.data, NULL, m, n, k, n };
    const double t = timed(cuda, s->seconds, [&] { gemm_door_run(door, cuda, &call); });
    mat_free(&cuda->dev, &x);
    mat_free(&cuda->dev, &w);
    mat_free(&cuda->dev, &out);
    return 2.0 * m * n * k / t * 1e-12;
}

/* G: the rate of a layer's products, weighted by their FLOPs, at each number of rows. */
static double products_bench(struct cuda_dev *cuda, const struct sizes *s, bool tiny)
{
    static const int32_t ms[] = { 2048, 8192, 8448, 16384, 16896 }, few[] = { 16 };
    const int32_t q = s->heads * s->dim, kv = s->kv_heads * s->dim;
    const int32_t shapes[][3] = { { q, s->hidden, 2 }, /* q, o */
                                  { kv, s->hidden, 2 },
                                  { s->inter, s->hidden, 2 }, /* gate, up */
                                  { s->hidden, s->inter, 1 } };
    struct gemm_door *door;
    char facts[128], what[96];
    struct err err;
    double best = 0;

    must(gemm_door_open(&door, cuda, facts, sizeof(facts), &err), &err);
    for (size_t i = 0; i < (tiny ? COUNT(few) : COUNT(ms)); i++) {
        const int32_t m = tiny ? few[i] : ms[i];
        double flops = 0, seconds = 0;
        for (size_t j = 0; j < COUNT(shapes); j++) {
            const int32_t n = shapes[j][0], k = shapes[j][1];
            const double rate = product_bench(cuda, s, door, SITE_OTHER, m, n, k);
            const double flop = 2.0 * m * n * k * shapes[j][2];
            snprintf(what, sizeof(what), "product %d x %d x %d", m, n, k);
            row(what, rate, "TFLOP/s", "");
            flops += flop;
            seconds += flop / (rate * 1e12);
        }
        snprintf(what, sizeof(what), "G, a layer's products at %d rows", m);
        row(what, flops / seconds * 1e-12, "TFLOP/s", "");
        best = fmax(best, flops / seconds);
    }
    gemm_door_close(door);
    return best;
}

/* ---- kernels ---- */

static void element_row(const char *what, double bytes, double t, double bandwidth)
{
    char of[64];
    snprintf(of, sizeof(of), "%.2f of the copy", bytes / t / bandwidth);
    row(what, bytes / t * 1e-9, "GB/s", of);
}

static void elements_bench(struct cuda_dev *cuda, const struct sizes *s, double bandwidth)
{
    struct dev *dev = &cuda->dev;
    struct mat x = noise(cuda, s->rows, s->hidden), y = noise(cuda, s->rows, s->hidden);
    struct mat out = noise(cuda, s->rows, s->hidden), w = noise(cuda, 1, s->hidden);
    struct mat gate = noise(cuda, s->rows, s->inter), up = noise(cuda, s->rows, s->inter);
    const struct norm norm = { NORM_LLAMA, 1e-5f, w, MAT_NONE };
    const double number = 2.0 * s->rows;

    element_row("norm with residual", 4 * number * s->hidden,
                timed(cuda, s->seconds, [&] { op_norm(dev, out, x, y, &norm); }), bandwidth);
    element_row("norm", 2 * number * s->hidden,
                timed(cuda, s->seconds, [&] { op_norm(dev, out, x, MAT_NONE, &norm); }), bandwidth);
    element_row("add", 3 * number * s->hidden, timed(cuda, s->seconds, [&] { op_add(dev, x, y); }),
                bandwidth);
    element_row("gated activation", 3 * number * s->inter,
                timed(cuda, s->seconds, [&] { op_act_gate(dev, gate, gate, up, ACT_SILU); }),
                bandwidth);
    mat_free(dev, &x);
    mat_free(dev, &y);
    mat_free(dev, &out);
    mat_free(dev, &w);
    mat_free(dev, &gate);
    mat_free(dev, &up);
}

/* Chains of `context` tokens side by side, as a planner lays them out. */
struct chains {
    struct pages pages;
    int32_t *pos, *rows, *level_at;
    int32_t (*page)[3], (*slot_row)[PAGE_SLOTS];
    double pairs; /* of query and visible key */
};

static struct chains chains_make(int32_t rows, int32_t context)
{
    struct chains c = {};
    const int32_t count = rows / context, levels = cuda_parts(context, PAGE_SLOTS);
    const size_t all = (size_t)count * context, pages = (size_t)count * levels;
    c.pos = (int32_t *)must_calloc(all, sizeof(int32_t));
    c.rows = (int32_t *)must_calloc(all, sizeof(int32_t));
    c.level_at = (int32_t *)must_calloc((size_t)levels + 1, sizeof(int32_t));
    c.page = (int32_t(*)[3])must_calloc(pages, sizeof(*c.page));
    c.slot_row = (int32_t(*)[PAGE_SLOTS])must_calloc(pages, sizeof(*c.slot_row));
    for (size_t r = 0; r < all; r++) {
        c.rows[r] = (int32_t)r;
        c.pos[r] = (int32_t)r % context;
        c.pairs += c.pos[r] + 1;
    }
    int32_t g = 0;
    for (int32_t v = 0; v < levels; v++) {
        c.level_at[v] = g;
        for (int32_t i = 0; i < count; i++, g++) {
            const int32_t first = i * context + v * PAGE_SLOTS, end = (i + 1) * context;
            c.page[g][0] = v;
            c.page[g][1] = first;
            c.page[g][2] = end;
            for (int32_t q = 0; q < PAGE_SLOTS; q++)
                c.slot_row[g][q] = first + q < end ? first + q : (int32_t)all;
        }
    }
    c.level_at[levels] = g;
    c.pages = { (int32_t)all, levels, g, c.pos, c.page, c.level_at, c.slot_row };
    return c;
}

static void chains_free(struct chains *c)
{
    free(c->pos);
    free(c->rows);
    free(c->level_at);
    free(c->page);
    free(c->slot_row);
}

static void attend_bench(struct cuda_dev *cuda, const struct sizes *s, int32_t dim, int32_t context,
                         double bandwidth)
{
    struct dev *dev = &cuda->dev;
    struct chains c = chains_make(s->rows, context);
    const int32_t rows = c.pages.rows, heads = s->heads * s->dim / dim;
    const int32_t kv_heads = heads / (s->heads / s->kv_heads);
    struct mat q = noise(cuda, rows, heads * dim), out = noise(cuda, rows, heads * dim);
    struct mat k = noise(cuda, rows, kv_heads * dim), v = noise(cuda, rows, kv_heads * dim);
    struct attention a = { heads, kv_heads, dim, 1 / sqrtf((float)dim), 0, 0 };
    struct rope none = {};
    struct qkv qkv = {};
    struct kv kv;
    struct err err;
    char what[96];

    must(kv_alloc(&kv, dev, rows, kv_heads * dim, &err), &err);
    op_wave_begin(dev, &c.pages, &kv);
    qkv.k = k;
    qkv.v = v;
    qkv.head_dim = dim;
    qkv.rope = &none;
    const double store =
        timed(cuda, s->seconds, [&] { op_qk_rope_kv(dev, &qkv, &kv, c.rows, rows); });
    snprintf(what, sizeof(what), "K and V stored, head %d", dim);
    element_row(what, 8.0 * rows * kv_heads * dim, store, bandwidth);
    const double t = timed(cuda, s->seconds, [&] { op_attend(dev, out, q, &kv, &a, c.rows); });
    snprintf(what, sizeof(what), "attention, head %d, %d / %d heads, context %d", dim, heads,
             kv_heads, context);
    row(what, 4.0 * dim * heads * c.pairs / t * 1e-12, "TFLOP/s", "useful");
    mat_free(dev, &q);
    mat_free(dev, &out);
    mat_free(dev, &k);
    mat_free(dev, &v);
    kv_free(dev, &kv);
    chains_free(&c);
}

static void head_bench(struct cuda_dev *cuda, const struct sizes *s)
{
    struct dev *dev = &cuda->dev;
    const int32_t rows = s->rows / 16;
    struct mat x = noise(cuda, rows, s->hidden);
    uint16_t *host = (uint16_t *)must_calloc((size_t)s->vocab * s->hidden, 2);
    float *lse = (float *)must_calloc((size_t)rows, sizeof(float));
    int32_t *argmax = (int32_t *)must_calloc((size_t)rows, sizeof(int32_t));
    uint32_t u = 1;
    struct weight *weight;
    struct err err;

    for (int64_t i = 0; i < (int64_t)s->vocab * s->hidden; i++) {
        u = u * 1664525u + 1013904223u;
        host[i] = (uint16_t)(0x3c00 | (u >> 16 & 0x80ff));
    }
    const struct weight_source source = { host, BF16, s->vocab, s->hidden, -1 };
    must(weight_make(&weight, dev, &source, &err), &err);
    free(host);
    struct head head = {};
    head.scale = 1;
    head.lse = lse;
    head.argmax = argmax;
    const double t = timed(cuda, s->seconds, [&] { op_head(dev, x, weight, &head); });
    row("head, products and answers", 2.0 * rows * s->vocab * s->hidden / t * 1e-12, "TFLOP/s", "");
    weight_free(dev, weight);
    mat_free(dev, &x);
    free(lse);
    free(argmax);
}

int main(int argc, char **argv)
{
    const bool tiny = argc > 1 && strcmp(argv[1], "small") == 0;
    const struct sizes *s = tiny ? &small : &large;
    struct dev *dev;
    struct err err;

    must(dev_open(&dev, "cuda:0", 1, &err), &err);
    dev_numerics(dev, BF16, MODE_HF);
    const struct room room = { s->rows, s->inter, s->heads, s->kv_heads, s->dim };
    must(dev_reserve(dev, &room, &err), &err);
    struct cuda_dev *cuda = cuda_of(dev);
    printf("| %s | | | |\n", dev->facts);
    const double bandwidth = copy_bench(cuda, s);
    products_bench(cuda, s, tiny);
    elements_bench(cuda, s, bandwidth);
    attend_bench(cuda, s, s->dim, tiny ? 16 : 1408, bandwidth);
    if (!tiny) {
        attend_bench(cuda, s, 128, 3008, bandwidth);
        attend_bench(cuda, s, 64, 1408, bandwidth);
        attend_bench(cuda, s, 256, 1408, bandwidth);
    }
    head_bench(cuda, s);
    dev_close(dev);
    return 0;
}
