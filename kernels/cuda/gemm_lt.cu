/* gemm_lt.cu - products by cuBLASLt, loaded when a device is opened: it is large, and machines
 * without a GPU lack it.
 *
 * Algorithms come from the table of gemm_table.cuh where it knows the card and the library; else
 * from the library's own heuristic, which is a function of the same things.  Either way none that
 * splits k or reduces between blocks, and never by timing while it runs. */
#include "kernels/cuda/gemm.cuh"

#include "kernels/cuda/gemm_table.cuh"

#include <cublasLt.h>
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>

enum {
    HEAD_ROWS = 512,  /* their logits of a part of the vocabulary stay in L2 */
    BODY_ROWS = 2048, /* 128 x 256 tiles of every site fill 132 SMs about twice or more */
    CHOICES = 32,     /* asked of the heuristic */
    PLANS_MAX = 64,
};
#define WORKSPACE_BYTES ((int64_t)32 << 20)

/* The functions used, by their names without cublasLt. */
/* clang-format off */
#define LT_FUNCTIONS(X)                                                                 \
    X(Create) X(Destroy) X(GetVersion) X(Matmul)                                        \
    X(MatmulDescCreate) X(MatmulDescDestroy) X(MatmulDescSetAttribute)                  \
    X(MatrixLayoutCreate) X(MatrixLayoutDestroy)                                        \
    X(MatmulPreferenceCreate) X(MatmulPreferenceDestroy) X(MatmulPreferenceSetAttribute) \
    X(MatmulAlgoGetHeuristic) X(MatmulAlgoConfigGetAttribute)
/* clang-format on */

struct lt {
#define X(name) decltype(&cublasLt##name) name;
    LT_FUNCTIONS(X)
#undef X
};

/* A product of one shape, ready to run. */
struct plan {
    struct gemm_call key; /* its pointers are not part of it */
    cublasLtMatmulDesc_t desc;
    cublasLtMatrixLayout_t w, x, out;
    cublasLtMatmulAlgo_t algo;
};

struct gemm_door {
    void *library;
    struct lt lt;
    cublasLtHandle_t handle;
    void *workspace;
    int arch, sms;
    size_t version;
    struct plan plan[PLANS_MAX];
    int32_t plans;
};

static bool library_open(struct gemm_door *door, struct err *err)
{
    static const char *const names[] = { "libcublasLt.so.13", "libcublasLt.so.12",
                                         "libcublasLt.so" };
    for (size_t i = 0; i < COUNT(names) && !door->library; i++)
        door->library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (!door->library)
        return err_set(err, ERR_DEVICE, "no cuBLASLt: %s", dlerror());
#define X(name)                                                                        \
    door->lt.name = (decltype(&cublasLt##name))dlsym(door->library, "cublasLt" #name); \
    if (!door->lt.name)                                                                \
        return err_set(err, ERR_DEVICE, "cuBLASLt lacks %s", #name);
    LT_FUNCTIONS(X)
#undef X
    return true;
}

static bool lt_ok(struct cuda_dev *cuda, cublasStatus_t got, const char *what)
{
    if (got != CUBLAS_STATUS_SUCCESS && !cuda->dev.err.code)
        err_put(&cuda->dev.err, ERR_DEVICE, "cuBLASLt %s: status %d", what, (int)got);
    return got == CUBLAS_STATUS_SUCCESS;
}

/* FNV-1a over the table's entries for this card and library; 0: it has none. */
static uint64_t table_digest(const struct gemm_door *door)
{
    uint64_t digest = 0;
    for (size_t i = 0; i < COUNT(gemm_table); i++) {
        const struct gemm_choice *c = &gemm_table[i];
        if (c->arch != door->arch || c->sms != door->sms || c->version != door->version)
            continue;
        const unsigned char *bytes = (const unsigned char *)c;
        digest = digest ? digest : 14695981039346656037u;
        for (size_t b = 0; b < sizeof(*c); b++)
            digest = (digest ^ bytes[b]) * 1099511628211u;
    }
    return digest;
}

bool gemm_door_open(struct gemm_door **out, struct cuda_dev *cuda, char *facts, size_t size,
                    struct err *err)
{
    struct gemm_door *door = (struct gemm_door *)must_calloc(1, sizeof(*door));
    *out = door;
    if (!library_open(door, err) ||
        !cuda_mem_alloc(&cuda->dev, &door->workspace, WORKSPACE_BYTES, err))
        return false;
    if (door->lt.Create(&door->handle) != CUBLAS_STATUS_SUCCESS)
        return err_set(err, ERR_DEVICE, "cuBLASLt could not be started");
    door->arch = cuda->arch;
    door->sms = cuda->sms;
    door->version = door->lt.GetVersion();
    snprintf(facts, size, ",\"cublaslt\":%zu,\"table\":\"%016llx\"", door->version,
             (unsigned long long)table_digest(door));
    return true;
}

void gemm_door_close(struct gemm_door *door)
{
    if (!door)
        return;
    for (int32_t i = 0; i < door->plans; i++) {
        door->lt.MatmulDescDestroy(door->plan[i].desc);
        door->lt.MatrixLayoutDestroy(door->plan[i].w);
        door->lt.MatrixLayoutDestroy(door->plan[i].x);
        door->lt.MatrixLayoutDestroy(door->plan[i].out);
    }
    if (door->handle)
        door->lt.Destroy(door->handle);
    cudaFree(door->workspace);
    if (door->library)
        dlclose(door->library);
    free(door);
}

int64_t gemm_door_bytes(const struct gemm_door *door)
{
    (void)door;
    return WORKSPACE_BYTES;
}

int32_t gemm_door_rows(const struct gemm_door *door, enum site site)
{
    (void)door;
    if (site == SITE_HEAD)
        return HEAD_ROWS;
    return BODY_ROWS;
}

/* ---- plans ---- */

static cudaDataType_t lt_type(enum dtype type)
{
    if (type == F32)
        return CUDA_R_32F;
    if (type == BF16)
        return CUDA_R_16BF;
    return CUDA_R_16F;
}

/* cuBLASLt counts columns first: out^T[n][m] = w[k][n]^T x^T[k][m], all with leading k or stride.
 */
static bool layouts_make(struct gemm_door *door, struct cuda_dev *cuda, struct plan *p)
{
    const struct gemm_call *c = &p->key;
    const cudaDataType_t type = lt_type(c->type);
    return lt_ok(cuda, door->lt.MatrixLayoutCreate(&p->w, type, c->k, c->n, c->k), "w") &&
           lt_ok(cuda, door->lt.MatrixLayoutCreate(&p->x, type, c->k, c->m, c->k), "x") &&
           lt_ok(cuda, door->lt.MatrixLayoutCreate(&p->out, type, c->n, c->m, c->out_stride),
                 "out");
}

static bool desc_set(struct gemm_door *door, struct cuda_dev *cuda, struct plan *p,
                     cublasLtMatmulDescAttributes_t what, const void *value, size_t size)
{
    return lt_ok(cuda, door->lt.MatmulDescSetAttribute(p->desc, what, value, size), "description");
}

static bool desc_make(struct gemm_door *door, struct cuda_dev *cuda, struct plan *p)
{
    const cublasOperation_t transposed = CUBLAS_OP_T;
    const cublasLtEpilogue_t bias = CUBLASLT_EPILOGUE_BIAS;
    return lt_ok(cuda, door->lt.MatmulDescCreate(&p->desc, CUBLAS_COMPUTE_32F, CUDA_R_32F),
                 "description") &&
           desc_set(door, cuda, p, CUBLASLT_MATMUL_DESC_TRANSA, &transposed, sizeof(transposed)) &&
           (!p->key.bias ||
            (desc_set(door, cuda, p, CUBLASLT_MATMUL_DESC_EPILOGUE, &bias, sizeof(bias)) &&
             desc_set(door, cuda, p, CUBLASLT_MATMUL_DESC_BIAS_POINTER, &p->key.bias,
                      sizeof(p->key.bias))));
}

static bool algo_known(const struct gemm_door *door, struct plan *p)
{
    const struct gemm_call *c = &p->key;
    for (size_t i = 0; i < COUNT(gemm_table); i++) {
        const struct gemm_choice *t = &gemm_table[i];
        if (t->arch == door->arch && t->sms == door->sms && t->version == door->version &&
            t->type == c->type && t->m == c->m && t->n == c->n && t->k == c->k) {
            static_assert(sizeof(p->algo) == sizeof(t->algo), "an algorithm is eight words");
            memcpy(&p->algo, t->algo, sizeof(p->algo));
            return true;
        }
    }
    return false;
}

static bool algo_whole(const struct gemm_door *door, const cublasLtMatmulAlgo_t *algo)
{
    int32_t split = 1;
    uint32_t reduction = 0;
    size_t got;
    return door->lt.MatmulAlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_SPLITK_NUM, &split,
                                                 sizeof(split), &got) == CUBLAS_STATUS_SUCCESS &&
           door->lt.MatmulAlgoConfigGetAttribute(algo, CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME,
                                                 &reduction, sizeof(reduction),
                                                 &got) == CUBLAS_STATUS_SUCCESS &&
           split <= 1 && reduction == CUBLASLT_REDUCTION_SCHEME_NONE;
}

/* The heuristic's answers, best first, with our conditions among its own. */
static int32_t algos_ask(struct gemm_door *door, struct cuda_dev *cuda, const struct plan *p,
                         cublasLtMatmulHeuristicResult_t *out)
{
    cublasLtMatmulPreference_t preference;
    const uint64_t workspace = WORKSPACE_BYTES;
    const uint32_t reduction = CUBLASLT_REDUCTION_SCHEME_NONE;
    int found = 0;
    if (!lt_ok(cuda, door->lt.MatmulPreferenceCreate(&preference), "preference"))
        return 0;
    door->lt.MatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES,
                                          &workspace, sizeof(workspace));
    door->lt.MatmulPreferenceSetAttribute(preference, CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK,
                                          &reduction, sizeof(reduction));
    lt_ok(cuda,
          door->lt.MatmulAlgoGetHeuristic(door->handle, p->desc, p->w, p->x, p->out, p->out,
                                          preference, CHOICES, out, &found),
          "heuristic");
    door->lt.MatmulPreferenceDestroy(preference);
    return found;
}

static bool algo_pick(struct gemm_door *door, struct cuda_dev *cuda, struct plan *p)
{
    cublasLtMatmulHeuristicResult_t found[CHOICES];
    if (algo_known(door, p))
        return true;
    const int32_t count = algos_ask(door, cuda, p, found);
    for (int32_t i = 0; i < count; i++)
        if (found[i].state == CUBLAS_STATUS_SUCCESS && algo_whole(door, &found[i].algo)) {
            p->algo = found[i].algo;
            return true;
        }
    if (!cuda->dev.err.code)
        err_put(&cuda->dev.err, ERR_DEVICE,
                "cuBLASLt has no product of %d x %d x %d that keeps its sums whole", p->key.m,
                p->key.n, p->key.k);
    return false;
}

static bool key_equal(const struct gemm_call *a, const struct gemm_call *b)
{
    return a->type == b->type && a->m == b->m && a->n == b->n && a->k == b->k &&
           a->out_stride == b->out_stride && !a->bias == !b->bias;
}

static struct plan *plan_of(struct gemm_door *door, struct cuda_dev *cuda,
                            const struct gemm_call *call)
{
    for (int32_t i = 0; i < door->plans; i++)
        if (key_equal(&door->plan[i].key, call))
            return &door->plan[i];
    struct plan made = {};
    made.key = *call;
    if (door->plans == PLANS_MAX || !layouts_make(door, cuda, &made) ||
        !desc_make(door, cuda, &made) || !algo_pick(door, cuda, &made)) {
        if (!cuda->dev.err.code)
            err_put(&cuda->dev.err, ERR_DEVICE, "more than %d shapes of products", PLANS_MAX);
        return NULL;
    }
    door->plan[door->plans] = made;
    return &door->plan[door->plans++];
}

void gemm_door_run(struct gemm_door *door, struct cuda_dev *cuda, const struct gemm_call *call)
{
    const float one = 1, zero = 0;
    struct plan *p = cuda->dev.err.code ? NULL : plan_of(door, cuda, call);
    if (!p || (call->bias && !desc_set(door, cuda, p, CUBLASLT_MATMUL_DESC_BIAS_POINTER,
                                       &call->bias, sizeof(call->bias))))
        return;
    lt_ok(cuda,
          door->lt.Matmul(door->handle, p->desc, &one, call->w, p->w, call->x, p->x, &zero,
                          call->out, p->out, call->out, p->out, &p->algo, door->workspace,
                          (size_t)WORKSPACE_BYTES, cuda->stream),
          "product");
}
