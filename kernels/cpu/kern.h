/* kern.h - the CPU backend's arithmetic, once per instruction set, with the same bits on each.
 *
 * Every kernel is written over sixteen lanes (lane/v16_*.h) and compiled once a set: kern_<set>.c
 * include the same files of lane/ after another definition of the lanes.  The bits
 * are fixed by these rules:
 *   - an output of a product sums K ascending in one chain of FMAs from +0; bf16 takes K in pairs,
 *     the odd element first (what AVX-512's vdpbf16ps does);
 *   - a reduction over columns keeps column c in lane c mod 16, ascending, and ends in one tree:
 *     lane l adds l + 8, then l + 4, l + 2, l + 1 (v_sum); attention's sum over a page's slots too;
 *   - denormals are flushed (team.h); only sqrt and division are not our own sums of products;
 *   - that a result is a NaN is promised, its payload is not.
 * One thread runs a kernel; what a kernel is given is the whole of the outputs it owns. */
#ifndef KERN_H
#define KERN_H

#include "kernels/ops.h"

enum {
    LANES = 16,
    ATTEND_LANES_MAX = 256, /* (row, query head) pairs of a q tile */
    VOCAB_TILE = 2048,      /* columns of logits that one update of struct lse takes: numerics */
};

/* W packed: panels of 16 rows, a panel is lines of 64 bytes, a line is 16 floats of one k, or 16
 * pairs of bf16 (even k low).  An odd k of bf16 and rows past n are zero.  The same bytes for every
 * instruction set.  F16 is kept as F32. */
struct panels {
    enum dtype type; /* F32 or BF16 */
    int32_t n, k;
    void *lines; /* 64-byte aligned */
};

/* out[m, j] = T(x[m, k] w[16 left + j, k]^T + bias), for the rows of w in panels [first, last). */
struct gemm {
    struct mat x; /* BF16 with BF16 panels; F32 or F16 with F32 panels */
    const struct panels *w;
    struct mat bias;           /* [1, n] or NONE */
    struct mat out;            /* [m, ...] */
    int32_t left, first, last; /* left <= first: the panel that is out's column 0 */
};

/* log-sum-exp and argmax of a row, tile by tile; begins as LSE_BEGIN. */
struct lse {
    float max, sum;
    int32_t arg; /* lowest column of the maximum; -1 while all were NaN or -inf */
};
#define LSE_BEGIN ((struct lse){ -__builtin_inff(), 0, -1 })

/* A q tile against its pages, for one kv head.  A lane is one (row, query head): lane i * group + h
 * is row rows[i], head h of the group. */
struct attend {
    enum dtype type;
    int32_t head_dim, group, window;
    float scale, softcap;
    const void *k, *v;         /* of this kv head; wave row r begins at r * kv_stride elements */
    int64_t kv_stride, stride; /* stride: between rows of q and of out, in elements */
    const void *q;             /* first head of the group of row rows[0] */
    void *out;
    const struct pages *pages;
    const int32_t *rows; /* ascending; count * group <= ATTEND_LANES_MAX */
    int32_t count;
};

enum kern_fn { FN_EXP, FN_EXP_NEG, FN_TANH, FN_ERF };

/* Mats of one call have one type unless said otherwise; shapes as in kernels/ops.h. */
struct kern {
    const char *name;
    int32_t gemm_rows; /* rows a packed block of x may have */

    void (*gemm)(const struct gemm *gemm, void *scratch);
    void (*norm)(struct mat out, struct mat x, struct mat add, const struct norm *norm);
    void (*act)(struct mat out, struct mat gate, struct mat up, enum act act);
    void (*add)(struct mat x, struct mat y);
    void (*scale)(struct mat x, float scale);
    /* One row's heads [heads, head_dim], in place; cos and sin [rope->dims / 2]. */
    void (*rope)(struct mat heads, const struct rope *rope, const float *cos, const float *sin);
    /* to[cols] = x, numbers that are not finite as 0; true if there was none of those. */
    bool (*guard)(void *to, struct mat x);
    void (*attend)(const struct attend *attend, void *scratch);
    /* In place: T(scale z), then T(c tanh(z / c)) if softcap. */
    void (*logit)(struct mat z, float scale, float softcap);
    /* Tile by tile, in order: columns first_column ... of the logits; one state a row. */
    void (*lse)(struct lse *lse, struct mat logits, int32_t first_column);
    /* out[i] = fn(x[i]), count a multiple of 16: for tests of the functions. */
    void (*map)(float *out, const float *x, int64_t count, enum kern_fn fn);
};

extern const struct kern kern_scalar, kern_avx2, kern_avx512, kern_avx512_bf16;

/* The best table this machine has that is not above cap (a table's name; NULL: no cap).  NULL: the
 * cap names none. */
const struct kern *kern_pick(const char *cap);

/* What the probe of vdpbf16ps said of this machine, in words. */
const char *kern_probe_words(void);

int64_t kern_gemm_scratch_bytes(const struct kern *kern, int32_t k);
int64_t kern_attend_scratch_bytes(int32_t head_dim);

#endif
