/* gemm - our product against oneDNN's, by turns in one process.
 *
 *     OMP_NUM_THREADS=N bench_gemm [THREADS] [SECONDS]     default: 1 0.5
 *
 * Both sides have packed their weights before the clock starts (oneDNN in the layout that it asks
 * for), read the same random numbers, N(0, 0.02) near enough, and take turns call by call.  One
 * thread is timed in CPU time; several by the clock, so that other work on the machine shows. */
#include "kernels/convert.h"
#include "kernels/ops.h"

#include <math.h>
#include <oneapi/dnnl/dnnl.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RUNS_MIN = 5, RUNS_MAX = 400 };

static int32_t threads = 1;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(threads == 1 ? CLOCK_THREAD_CPUTIME_ID : CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double quantile(double *x, int count, double at)
{
    qsort(x, (size_t)count, sizeof(*x), compare);
    return x[(int)((count - 1) * at)];
}

/* Sums of four uniform numbers. */
static void fill(void *to, enum dtype type, int64_t count, double deviation, uint64_t *state)
{
    for (int64_t i = 0; i < count; i++) {
        double sum = 0;
        for (int j = 0; j < 4; j++) {
            *state = *state * 6364136223846793005u + 1442695040888963407u;
            sum += (double)(*state >> 32) * 0x1p-32 - 0.5;
        }
        convert_store(to, type, i, (float)(sum * sqrt(3.0) * deviation));
    }
}

#define DNNL(call)                                          \
    do {                                                    \
        dnnl_status_t status_ = call;                       \
        if (status_ != dnnl_success) {                      \
            printf("%s: status %d\n", #call, (int)status_); \
            exit(1);                                        \
        }                                                   \
    } while (0)

/* ---- the peer ---- */

struct peer {
    dnnl_engine_t engine;
    dnnl_stream_t stream;
    dnnl_primitive_t product;
    dnnl_memory_t x, w, out;
};

static dnnl_data_type_t peer_type(enum dtype type) { return type == BF16 ? dnnl_bf16 : dnnl_f32; }

static dnnl_memory_desc_t shape_of(int64_t rows, int64_t cols, enum dtype type,
                                   dnnl_format_tag_t tag)
{
    dnnl_memory_desc_t desc;
    DNNL(dnnl_memory_desc_init_by_tag(&desc, 2, (dnnl_dims_t){ rows, cols }, peer_type(type), tag));
    return desc;
}

/* w[n][k] in memory is the k x n matrix "ba"; reordered into what the product asks for. */
static void peer_weight(struct peer *p, dnnl_primitive_desc_t chosen, void *w, int32_t n, int32_t k,
                        enum dtype type)
{
    const dnnl_memory_desc_t *asked =
        dnnl_primitive_desc_query_md(chosen, dnnl_query_weights_md, 0);
    dnnl_memory_desc_t plain = shape_of(k, n, type, dnnl_ba);
    dnnl_memory_t from;
    dnnl_primitive_desc_t desc;
    dnnl_primitive_t reorder;

    DNNL(dnnl_memory_create(&from, &plain, p->engine, w));
    DNNL(dnnl_memory_create(&p->w, asked, p->engine, DNNL_MEMORY_ALLOCATE));
    DNNL(dnnl_reorder_primitive_desc_create(&desc, &plain, p->engine, asked, p->engine, NULL));
    DNNL(dnnl_primitive_create(&reorder, desc));
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, p->w } };
    DNNL(dnnl_primitive_execute(reorder, p->stream, 2, args));
    DNNL(dnnl_stream_wait(p->stream));
    dnnl_primitive_destroy(reorder);
    dnnl_primitive_desc_destroy(desc);
    dnnl_memory_destroy(from);
}

/* False: this oneDNN has no such product on this machine. */
static bool peer_open(struct peer *p, struct mat x, void *w, struct mat out, int32_t n)
{
    dnnl_memory_desc_t a = shape_of(x.rows, x.cols, x.type, dnnl_ab);
    dnnl_memory_desc_t b = shape_of(x.cols, n, x.type, dnnl_format_tag_any);
    dnnl_memory_desc_t c = shape_of(x.rows, n, x.type, dnnl_ab);
    dnnl_matmul_desc_t asked;
    dnnl_primitive_desc_t chosen;

    DNNL(dnnl_engine_create(&p->engine, dnnl_cpu, 0));
    DNNL(dnnl_stream_create(&p->stream, p->engine, dnnl_stream_default_flags));
    DNNL(dnnl_matmul_desc_init(&asked, &a, &b, NULL, &c));
    if (dnnl_primitive_desc_create(&chosen, &asked, NULL, p->engine, NULL) != dnnl_success)
        return false;
    DNNL(dnnl_primitive_create(&p->product, chosen));
    DNNL(dnnl_memory_create(&p->x, &a, p->engine, x.data));
    DNNL(dnnl_memory_create(&p->out, &c, p->engine, out.data));
    peer_weight(p, chosen, w, n, x.cols, x.type);
    dnnl_primitive_desc_destroy(chosen);
    return true;
}

static void peer_run(struct peer *p)
{
    const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, p->x },
                                     { DNNL_ARG_WEIGHTS, p->w },
                                     { DNNL_ARG_DST, p->out } };
    DNNL(dnnl_primitive_execute(p->product, p->stream, 3, args));
    DNNL(dnnl_stream_wait(p->stream));
}

static void peer_close(struct peer *p)
{
    dnnl_memory_destroy(p->x);
    dnnl_memory_destroy(p->w);
    dnnl_memory_destroy(p->out);
    dnnl_primitive_destroy(p->product);
    dnnl_stream_destroy(p->stream);
    dnnl_engine_destroy(p->engine);
}

/* ---- both ---- */

static struct mat mat_new(struct dev *dev, int32_t rows, int32_t cols, double deviation,
                          uint64_t *state)
{
    struct mat m;
    struct err err;
    bool ok = mat_alloc(&m, dev, dev->type, rows, cols, &err);
    assert(ok);
    fill(m.data, m.type, (int64_t)rows * cols, deviation, state);
    return m;
}

/* The greatest difference, as a share of the greatest number: the peer must have done the same. */
static double distance(struct mat a, struct mat b)
{
    double most = 0, top = 0;
    for (int64_t i = 0; i < (int64_t)a.rows * a.cols; i++) {
        double x = convert_load(a.data, a.type, i), y = convert_load(b.data, b.type, i);
        most = fmax(most, fabs(x - y));
        top = fmax(top, fabs(y));
    }
    return most / top;
}

struct pair {
    struct dev *dev;
    struct mat x, ours, theirs;
    struct weight *weight;
    struct peer peer;
    double flop;
};

static double ours_time(struct pair *p)
{
    double at = now_s();
    op_linear(p->dev, SITE_OTHER, p->ours, p->x, p->weight, MAT_NONE);
    return now_s() - at;
}

static double theirs_time(struct pair *p)
{
    double at = now_s();
    peer_run(&p->peer);
    return now_s() - at;
}

static void pair_time(struct pair *p, double seconds, int32_t n)
{
    static double ours[RUNS_MAX], theirs[RUNS_MAX], ratio[RUNS_MAX];
    int runs = 0;
    double begin = now_s();

    ours_time(p);
    theirs_time(p);
    double apart = distance(p->ours, p->theirs);
    assert(apart < 0.02);
    for (; runs < RUNS_MAX && (runs < RUNS_MIN || now_s() - begin < seconds); runs++) {
        double first = ours_time(p), second = theirs_time(p), third = ours_time(p),
               fourth = theirs_time(p);
        ours[runs] = p->flop / (first + third) * 2e-9;
        theirs[runs] = p->flop / (second + fourth) * 2e-9;
        ratio[runs] = (second + fourth) / (first + third);
    }
    printf("| %s | %d | %d x %d x %d | %.1f | %.1f | %.2f | %.2f to %.2f |\n",
           p->dev->type == BF16 ? "bf16" : "f32", threads, p->x.rows, n, p->x.cols,
           quantile(ours, runs, 0.5), quantile(theirs, runs, 0.5), quantile(ratio, runs, 0.5),
           quantile(ratio, runs, 0.25), quantile(ratio, runs, 0.75));
    fflush(stdout);
}

/* False: the peer cannot. */
static bool pair_bench(struct dev *dev, int32_t m, int32_t n, int32_t k, double seconds)
{
    uint64_t state = 1;
    struct err err;
    struct mat w = mat_new(dev, n, k, 0.02, &state);
    struct weight_source source = { w.data, w.type, n, k, -1 };
    struct pair p = { .dev = dev, .flop = 2.0 * m * n * k };

    p.x = mat_new(dev, m, k, 1, &state);
    p.ours = mat_new(dev, m, n, 1, &state);
    p.theirs = mat_new(dev, m, n, 1, &state);
    bool ok = weight_make(&p.weight, dev, &source, &err);
    assert(ok);
    bool there = peer_open(&p.peer, p.x, w.data, p.theirs, n);
    if (there) {
        pair_time(&p, seconds, n);
        peer_close(&p.peer);
    }
    weight_free(dev, p.weight);
    mat_free(dev, &w);
    mat_free(dev, &p.x);
    mat_free(dev, &p.ours);
    mat_free(dev, &p.theirs);
    return there;
}

static void shapes_bench(struct dev *dev, double seconds)
{
    static const int32_t ms[] = { 128, 512, 2048 };
    static const int32_t nk[][2] = { { 2048, 2048 }, { 5632, 2048 }, { 2048, 5632 } };

    for (size_t s = 0; s < COUNT(nk); s++)
        for (size_t i = 0; i < COUNT(ms); i++)
            if (!pair_bench(dev, ms[i], nk[s][0], nk[s][1], seconds)) {
                printf("%s: this oneDNN has no such product on this machine\n",
                       dev->type == BF16 ? "bf16" : "f32");
                return;
            }
}

int main(int argc, char **argv)
{
    struct room room = { 2048, 8192, 8, 1, 128 };
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0.5;
    struct dev *dev;
    struct err err;

    threads = argc > 1 ? (int32_t)strtol(argv[1], NULL, 10) : 1;
    if (!dev_open(&dev, "cpu", threads, &err) || !dev_reserve(dev, &room, &err)) {
        fprintf(stderr, "bench_gemm: %s\n", err.text);
        return 1;
    }
    printf("| type | threads | M x N x K | ours GFLOP/s | oneDNN GFLOP/s | ratio | quartiles |\n"
           "|---|---|---|---|---|---|---|\n");
    for (int type = F32; type <= BF16; type++) {
        dev_numerics(dev, (enum dtype)type, MODE_HF);
        shapes_bench(dev, seconds);
    }
    dev_close(dev);
    return 0;
}
