/* attend_mma.cu - attention by mma.sync and cp.async, for sm_80 and up.
 *
 * Bound: tensor cores; a page of 64 keys costs 4 x 64 x dim FLOPs a query and 4 x 64 x dim bytes a
 * block out of L2, hence 128 queries a block (64 at dim 256, where shared memory is full).
 * A warp owns 16 queries of the tile; a lane holds parts of queries lane / 4 and lane / 4 + 8,
 * hence every [2].  Two pages are in shared memory: while one is multiplied the next is in flight.
 * A warp none of whose queries sees a page leaves it out: the page could not have changed a bit. */
#include "kernels/cuda/attend.cuh"

#define LOG2E 1.44269504088896341f

enum { TILES = PAGE_SLOTS / 8 }; /* columns of scores in mma tiles */

template <int dim> struct shape {
    static constexpr int warps = dim > 128 ? 4 : 8, threads = warps * WARP, queries = warps * 16;
    static constexpr int chunks = dim / 8; /* of 16 bytes, in a row */
    /* Eight rows of a chunk must fall into eight groups of banks: chunks change places where a row
     * is a multiple of all groups, and rows are an odd number of chunks apart where it is not. */
    static constexpr bool swizzled = chunks % 8 == 0;
    static constexpr int stride = swizzled ? dim : (chunks | 1) * 8;
    static constexpr bool q_shared = dim > 128; /* else in registers */
};

template <int dim> static __device__ __forceinline__ int at(int row, int chunk)
{
    return row * shape<dim>::stride + (shape<dim>::swizzled ? chunk ^ (row & 7) : chunk) * 8;
}

template <typename T, int dim> struct attend_shared {
    T k[2][PAGE_SLOTS * shape<dim>::stride];
    T v[2][PAGE_SLOTS * shape<dim>::stride];
    T q[shape<dim>::q_shared ? shape<dim>::queries * shape<dim>::stride : 8];
};

/* What a lane keeps of its two queries. */
template <int dim> struct attend_rows {
    uint32_t q[shape<dim>::q_shared ? 1 : dim / 16][4];
    float out[dim / 8][4];
    float max[2], sum[2];
    int32_t row[2], pos[2]; /* of the wave */
};

/* Query `packed` of the tile: its row of the call, or one past the end, and its head. */
static __device__ __forceinline__ int32_t query_row(const struct attend_args &a, int packed)
{
    const int32_t in_tile = packed / a.group;
    return in_tile < a.tile_rows ? (int32_t)(blockIdx.x * a.tile_rows) + in_tile : a.count;
}
static __device__ __forceinline__ int64_t query_at(const struct attend_args &a, int packed,
                                                   int32_t i)
{
    return ((int64_t)i * a.heads + blockIdx.y * a.group + packed % a.group) * a.dim;
}
static __device__ __forceinline__ int query_of_lane(int half)
{
    return threadIdx.x / WARP * 16 + threadIdx.x % WARP / 4 + half * 8;
}

template <typename T, int dim>
static __device__ void page_load(struct attend_shared<T, dim> *s, int stage,
                                 const struct attend_args &a, int32_t page)
{
    constexpr int chunks = shape<dim>::chunks;
    const int64_t stride = (int64_t)gridDim.y * dim;
    const T *k = (const T *)a.k + blockIdx.y * dim, *v = (const T *)a.v + blockIdx.y * dim;
    const int32_t *slot_row = a.slot_row[page];
    for (int i = threadIdx.x; i < PAGE_SLOTS * chunks; i += shape<dim>::threads) {
        const int64_t from = slot_row[i / chunks] * stride + i % chunks * 8;
        const int to = at<dim>(i / chunks, i % chunks);
        ptx_cp_async(&s->k[stage][to], k + from);
        ptx_cp_async(&s->v[stage][to], v + from);
    }
}

template <typename T, int dim>
static __device__ void q_load(struct attend_rows<dim> *r, struct attend_shared<T, dim> *s,
                              const struct attend_args &a)
{
    if constexpr (shape<dim>::q_shared) { /* with the first page's group of copies */
        for (int i = threadIdx.x; i < shape<dim>::queries * shape<dim>::chunks;
             i += shape<dim>::threads) {
            const int packed = i / shape<dim>::chunks, chunk = i % shape<dim>::chunks;
            const int32_t row = min(query_row(a, packed), a.count - 1);
            ptx_cp_async(&s->q[at<dim>(packed, chunk)],
                         (const T *)a.q + query_at(a, packed, row) + chunk * 8);
        }
    } else {
        for (int half = 0; half < 2; half++) {
            const int packed = query_of_lane(half);
            const int32_t row = min(query_row(a, packed), a.count - 1);
            const T *q = (const T *)a.q + query_at(a, packed, row) + threadIdx.x % 4 * 2;
#pragma unroll
            for (int i = 0; i < dim / 16; i++) {
                r->q[i][half] = *(const uint32_t *)(q + i * 16);
                r->q[i][half + 2] = *(const uint32_t *)(q + i * 16 + 8);
            }
        }
    }
}

/* A query past the end reads its last neighbour's q, sees no key and stores nothing. */
template <int dim>
static __device__ void rows_begin(struct attend_rows<dim> *r, const struct attend_args &a)
{
    for (int half = 0; half < 2; half++) {
        const int32_t i = query_row(a, query_of_lane(half));
        r->row[half] = i < a.count ? a.row[i] : -1;
        r->pos[half] = i < a.count ? a.pos[r->row[half]] : 0;
        r->max[half] = -INFINITY;
        r->sum[half] = 0;
    }
    for (int i = 0; i < dim / 8; i++)
        for (int j = 0; j < 4; j++)
            r->out[i][j] = 0;
}

/* score[16,64] = q[16,dim] * k[64,dim]^T */
template <typename T, int dim>
static __device__ void scores(float score[TILES][4], const struct attend_rows<dim> *r, const T *q,
                              const T *k)
{
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int n = 0; n < TILES; n++)
        for (int j = 0; j < 4; j++)
            score[n][j] = 0;
#pragma unroll
    for (int i = 0; i < dim / 16; i++) {
        uint32_t a[4];
        if constexpr (shape<dim>::q_shared)
            ptx_ldmatrix_x4(a, q + at<dim>(threadIdx.x / WARP * 16 + lane % 16, i * 2 + lane / 16));
        else
            for (int j = 0; j < 4; j++)
                a[j] = r->q[i][j];
#pragma unroll
        for (int n = 0; n < TILES; n += 2) {
            uint32_t b[4];
            ptx_ldmatrix_x4(b, k + at<dim>(n * 8 + lane / 16 * 8 + lane % 8, i * 2 + lane / 8 % 2));
            ptx_mma(score[n], a, b[0], b[1], T());
            ptx_mma(score[n + 1], a, b[2], b[3], T());
        }
    }
}

/* In units of log 2; what a query may not see is hidden by selection. */
static __device__ void mask(float score[TILES][4], const struct attend_view view[2],
                            const struct attend_args &a)
{
    const float scale = a.softcap != 0 ? a.scale / a.softcap : a.scale * LOG2E;
#pragma unroll
    for (int half = 0; half < 2; half++)
#pragma unroll
        for (int i = 0; i < TILES * 2; i++) {
            const int slot = i / 2 * 8 + threadIdx.x % 4 * 2 + i % 2;
            float *x = &score[i / 2][half * 2 + i % 2];
            *x = *x * scale;
            if (a.softcap != 0)
                *x = tanhf(*x) * (a.softcap * LOG2E);
            *x = view[half].from <= slot && slot < view[half].to ? *x : -INFINITY;
        }
}

/* score becomes 2^(score - max); what was summed under an older maximum shrinks to fit. */
template <int dim>
static __device__ void softmax_step(float score[TILES][4], struct attend_rows<dim> *r)
{
#pragma unroll
    for (int half = 0; half < 2; half++) {
        float max = r->max[half];
        for (int i = 0; i < TILES * 2; i++)
            max = fmaxf(max, score[i / 2][half * 2 + i % 2]);
        max = fmaxf(max, __shfl_xor_sync(0xffffffff, max, 1));
        max = fmaxf(max, __shfl_xor_sync(0xffffffff, max, 2));
        const float base = max == -INFINITY ? 0 : max; /* -inf - -inf would be a NaN */
        const float keep = ptx_exp2(r->max[half] - base);
        float sum = 0;
        for (int i = 0; i < TILES * 2; i++) {
            float *x = &score[i / 2][half * 2 + i % 2];
            *x = ptx_exp2(*x - base);
            sum = sum + *x;
        }
        r->max[half] = max;
        r->sum[half] = fmaf(r->sum[half], keep, sum);
        for (int i = 0; i < dim / 8 * 2; i++)
            r->out[i / 2][half * 2 + i % 2] *= keep;
    }
}

/* out[16,dim] += T(score[16,64]) * v[64,dim].  Scores lie in registers as an mma returns them,
 * which is how the next one wants its left side. */
template <typename T, int dim>
static __device__ void values(struct attend_rows<dim> *r, const float score[TILES][4], const T *v)
{
    const int lane = threadIdx.x % WARP;
#pragma unroll
    for (int n = 0; n < TILES; n += 2) {
        const uint32_t a[4] = { ptx_pair(score[n][0], score[n][1], T()),
                                ptx_pair(score[n][2], score[n][3], T()),
                                ptx_pair(score[n + 1][0], score[n + 1][1], T()),
                                ptx_pair(score[n + 1][2], score[n + 1][3], T()) };
#pragma unroll
        for (int i = 0; i < dim / 8; i += 2) {
            uint32_t b[4];
            ptx_ldmatrix_x4_trans(b, v + at<dim>(n * 8 + lane % 16, i + lane / 16));
            ptx_mma(r->out[i], a, b[0], b[1], T());
            ptx_mma(r->out[i + 1], a, b[2], b[3], T());
        }
    }
}

template <typename T, int dim>
static __device__ void page_take(struct attend_rows<dim> *r, struct attend_shared<T, dim> *s,
                                 int stage, const struct attend_args &a, const int32_t *page)
{
    struct attend_view view[2];
    for (int half = 0; half < 2; half++)
        view[half] = attend_view_of(a, page, r->row[half], r->pos[half]);
    if (!__any_sync(0xffffffff, view[0].from < view[0].to || view[1].from < view[1].to))
        return;
    float score[TILES][4];
    scores(score, r, s->q, s->k[stage]);
    mask(score, view, a);
    softmax_step(score, r);
    values(r, score, s->v[stage]);
}

/* + 0: a skipped page leaves a -0, a masked one makes it +0. */
template <typename T, int dim>
static __device__ void rows_store(const struct attend_rows<dim> *r, const struct attend_args &a)
{
    for (int half = 0; half < 2; half++) {
        float sum = r->sum[half];
        sum += __shfl_xor_sync(0xffffffff, sum, 1);
        sum += __shfl_xor_sync(0xffffffff, sum, 2);
        if (r->row[half] < 0)
            continue;
        const int packed = query_of_lane(half);
        T *out = (T *)a.out + query_at(a, packed, query_row(a, packed)) + threadIdx.x % 4 * 2;
        for (int i = 0; i < dim / 8; i++)
            *(uint32_t *)(out + i * 8) = ptx_pair(r->out[i][half * 2] / sum + 0.0f,
                                                  r->out[i][half * 2 + 1] / sum + 0.0f, T());
    }
}

template <typename T, int dim>
static __global__ void __launch_bounds__(shape<dim>::threads)
    attend_kernel(const struct attend_args a)
{
    struct attend_shared<T, dim> *s = (struct attend_shared<T, dim> *)ptx_shared();
    struct attend_rows<dim> r;
    const int32_t *visit = a.visit + a.start[blockIdx.x];
    const int32_t count = a.start[blockIdx.x + 1] - a.start[blockIdx.x];

    q_load(&r, s, a);
    rows_begin(&r, a);
    page_load(s, 0, a, visit[0]);
    ptx_cp_async_commit();
    for (int32_t i = 0; i < count; i++) {
        ptx_cp_async_wait<0>();
        __syncthreads(); /* page i is there, and all are done with page i - 1 */
        if (i + 1 < count) {
            page_load(s, (i + 1) % 2, a, visit[i + 1]);
            ptx_cp_async_commit();
        }
        page_take(&r, s, i % 2, a, a.page[visit[i]]);
    }
    rows_store<T>(&r, a);
}

template <typename T, int dim>
static void attend_launch(struct cuda_dev *cuda, const struct attend_args &args)
{
    const dim3 grid(cuda_parts(args.count, args.tile_rows), args.heads / args.group);
    cuda_launch(cuda, "attend", attend_kernel<T, dim>, grid, shape<dim>::threads,
                sizeof(struct attend_shared<T, dim>), args);
}

/* One line a head size that has a kernel. */
#define ATTEND_DIMS(X) X(16) X(32) X(64) X(80) X(96) X(128) X(256)

static int32_t queries_of(int32_t dim)
{
#define X(d) dim == d ? shape<d>::queries:
    return ATTEND_DIMS(X) 0;
#undef X
}

/* Rows of a tile: as many as fill a block with their group; 64 for attend_any, which has no tiles.
 */
int32_t attend_mma_rows(enum dtype type, int32_t dim, int32_t group)
{
    const int32_t queries = type == F32 ? 0 : queries_of(dim);
    return queries < group ? 64 : queries / group;
}

template <typename T>
static void attend_typed(struct cuda_dev *cuda, const struct attend_args &args)
{
    switch (args.dim) {
#define X(d)                             \
    case d:                              \
        attend_launch<T, d>(cuda, args); \
        break;
        ATTEND_DIMS(X)
#undef X
    }
}

bool attend_mma(struct cuda_dev *cuda, enum dtype type, const struct attend_args &args)
{
    if (type == F32 || queries_of(args.dim) < args.group)
        return false;
    if (type == BF16)
        attend_typed<bf16>(cuda, args);
    else
        attend_typed<f16>(cuda, args);
    return true;
}
