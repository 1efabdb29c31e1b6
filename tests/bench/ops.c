/* ops - GFLOP/s of products and of page attention on one thread of the CPU backend.
 *
 *     bench_ops [DEVICE] [SECONDS] [M N K]     default: cpu 0.5, and all shapes
 *
 * In CPU time, so that neighbours on the machine count as little as they can; medians of at least
 * five runs.  "of peak" is the share of what FMAs on registers alone reach at the same moment. */
#include "kernels/ops.h"
#include "kernels/convert.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RUNS_MIN = 5, RUNS_MAX = 200 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int count)
{
    qsort(x, (size_t)count, sizeof(*x), compare);
    return count % 2 ? x[count / 2] : (x[count / 2 - 1] + x[count / 2]) / 2;
}

/* Twelve chains of FMAs on registers. */
static double peak_gflops(void)
{
    if (!__builtin_cpu_supports("fma"))
        return 0;
    double begin = now_s();
    __asm__ volatile("mov $1000000, %%ecx\n1:\n"
#define CHAIN(r) "vfmadd231ps %%ymm15, %%ymm14, %%ymm" #r "\n"
                     CHAIN(0) CHAIN(1) CHAIN(2) CHAIN(3) CHAIN(4) CHAIN(5) CHAIN(6) CHAIN(7)
                         CHAIN(8) CHAIN(9) CHAIN(10) CHAIN(11) "dec %%ecx\njnz 1b\n"
                     :
                     :
                     : "ecx", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
                       "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", "xmm15");
    return 1e6 * 12 * 16 / (now_s() - begin) * 1e-9;
}

static struct mat mat_fill(struct dev *dev, int32_t rows, int32_t cols, uint32_t *seed)
{
    struct mat m;
    struct err err;
    bool ok = mat_alloc(&m, dev, dev->type, rows, cols, &err);
    assert(ok);
    for (int64_t i = 0; i < (int64_t)rows * cols; i++) {
        *seed = *seed * 1664525 + 1013904223;
        convert_store(m.data, m.type, i, (float)(int32_t)*seed * 0x1p-31f);
    }
    return m;
}

/* What is timed: one call does `flop` operations. */
struct job {
    struct dev *dev;
    void (*run)(struct job *job);
    double flop;
    struct mat x, out;
    struct weight *weight;
    struct kv kv;
    struct attention attention;
    int32_t rows[512];
};

static void job_time(struct job *job, double seconds, const char *label)
{
    static double rate[RUNS_MAX], share[RUNS_MAX];
    int inner = job->flop < 1e8 ? (int)(1e8 / job->flop) + 1 : 1, runs = 0;
    double begin = now_s();

    job->run(job);
    for (; runs < RUNS_MAX && (runs < RUNS_MIN || now_s() - begin < seconds); runs++) {
        double at = now_s();
        for (int i = 0; i < inner; i++)
            job->run(job);
        rate[runs] = job->flop * inner / (now_s() - at) * 1e-9;
        double peak = peak_gflops();
        share[runs] = peak > 0 ? rate[runs] / peak : 0;
    }
    double middle = median(rate, runs);
    printf("| %s | %.1f | %.1f to %.1f | %.2f |\n", label, middle, rate[runs / 4],
           rate[runs * 3 / 4], median(share, runs));
    fflush(stdout);
}

static void product_run(struct job *job)
{
    op_linear(job->dev, SITE_OTHER, job->out, job->x, job->weight, MAT_NONE);
}

static const char *type_name(enum dtype type)
{
    return type == BF16 ? "bf16" : type == F16 ? "f16 " : "f32 ";
}

static void product_bench(struct dev *dev, int32_t m, int32_t n, int32_t k, double seconds)
{
    uint32_t seed = 1;
    struct err err;
    char label[64];
    struct mat w = mat_fill(dev, n, k, &seed);
    struct weight_source source = { w.data, w.type, n, k, -1 };
    struct job job = { .dev = dev, .run = product_run, .flop = 2.0 * m * n * k };

    job.x = mat_fill(dev, m, k, &seed);
    job.out = mat_fill(dev, m, n, &seed);
    bool ok = weight_make(&job.weight, dev, &source, &err);
    assert(ok);
    mat_free(dev, &w);
    snprintf(label, sizeof(label), "linear %s %4d x %5d x %4d", type_name(dev->type), m, n, k);
    job_time(&job, seconds, label);
    weight_free(dev, job.weight);
    mat_free(dev, &job.x);
    mat_free(dev, &job.out);
}

static void attend_run(struct job *job)
{
    op_attend(job->dev, job->out, job->x, &job->kv, &job->attention, job->rows);
}

/* The last `rows` rows of a chain of `context`. */
static void attend_bench(struct dev *dev, int32_t dim, int32_t context, int32_t rows, int32_t group,
                         double seconds)
{
    enum { PAGES_MAX = 64 };
    static int32_t pos[PAGES_MAX * PAGE_SLOTS], page[PAGES_MAX][3], level_at[PAGES_MAX + 1];
    static int32_t slot_row[PAGES_MAX][PAGE_SLOTS];
    int32_t levels = context / PAGE_SLOTS;
    struct pages pages = { context, levels, levels, pos, page, level_at, slot_row };
    struct job job = { .dev = dev, .run = attend_run, .flop = 4.0 * rows * group * context * dim };
    struct err err;
    uint32_t seed = 1;
    char label[64];

    for (int32_t r = 0; r < context; r++) {
        pos[r] = r;
        slot_row[r / PAGE_SLOTS][r % PAGE_SLOTS] = r;
    }
    for (int32_t v = 0; v < levels; v++) {
        page[v][0] = level_at[v] = v;
        page[v][1] = v * PAGE_SLOTS;
        page[v][2] = context;
    }
    level_at[levels] = levels;
    for (int32_t i = 0; i < rows; i++)
        job.rows[i] = context - rows + i;
    bool ok = kv_alloc(&job.kv, dev, context, dim, &err);
    assert(ok);
    struct mat k = mat_fill(dev, context, dim, &seed);
    memcpy(job.kv.k.data, k.data, (size_t)mat_bytes(k));
    memcpy(job.kv.v.data, k.data, (size_t)mat_bytes(k));
    op_wave_begin(dev, &pages, &job.kv);
    job.x = mat_fill(dev, rows, group * dim, &seed);
    job.out = mat_fill(dev, rows, group * dim, &seed);
    job.attention = (struct attention){ group, 1, dim, 0.1f, 0, 0 };
    snprintf(label, sizeof(label), "attend %s head %3d context %4d rows %3d x %d",
             type_name(dev->type), dim, context, rows, group);
    job_time(&job, seconds, label);
    mat_free(dev, &k);
    mat_free(dev, &job.x);
    mat_free(dev, &job.out);
    kv_free(dev, &job.kv);
}

static void bench_all(struct dev *dev, double seconds)
{
    static const int32_t ms[] = { 1, 16, 128, 512, 2048 };
    static const int32_t nk[][2] = {
        { 2048, 2048 }, { 5632, 2048 }, { 2048, 5632 }, { 32000, 2048 }, { 4096, 4096 }
    };

    for (size_t s = 0; s < COUNT(nk); s++)
        for (size_t i = 0; i < COUNT(ms); i++)
            product_bench(dev, ms[i], nk[s][0], nk[s][1], seconds);
    for (int32_t dim = 64; dim <= 128; dim *= 2)
        for (int32_t context = 512; context <= 2048; context *= 4)
            attend_bench(dev, dim, context, 32, 4, seconds);
    attend_bench(dev, 128, 2048, 256, 4, seconds);
    attend_bench(dev, 128, 2048, 1, 4, seconds);
}

int main(int argc, char **argv)
{
    struct room room = { 2048, 8192, 8, 1, 128 };
    double seconds = argc > 2 ? strtod(argv[2], NULL) : 0.5;
    struct dev *dev;
    struct err err;

    if (!dev_open(&dev, argc > 1 ? argv[1] : "cpu", 1, &err) || !dev_reserve(dev, &room, &err)) {
        fprintf(stderr, "bench_ops: %s\n", err.text);
        return 1;
    }
    printf("| op | GFLOP/s | quartiles | of the peak beside it |\n|---|---|---|---|\n");
    for (int type = F32; type <= BF16; type++) {
        dev_numerics(dev, (enum dtype)type, MODE_HF);
        if (argc == 6)
            product_bench(dev, (int32_t)strtol(argv[3], NULL, 10),
                          (int32_t)strtol(argv[4], NULL, 10), (int32_t)strtol(argv[5], NULL, 10),
                          seconds);
        else
            bench_all(dev, seconds);
    }
    dev_close(dev);
    return 0;
}
