/* device.h - the CPU device as its ops see it: kernels, threads, scratch. */
#ifndef DEVICE_H
#define DEVICE_H

#include "kernels/cpu/kern.h"
#include "kernels/cpu/store.h"
#include "kernels/cpu/team.h"

enum {
    HEAD_ROWS = 512, /* scored rows whose logits tile is in hand at once */
    ROWS_ITEM = 8,   /* rows of an item of the row ops */
};

struct cpu_dev {
    struct dev dev; /* first: a struct dev * is a struct cpu_dev * */
    const struct kern *kern;
    struct team *team;
    struct room room;
    char *scratch; /* [threads][scratch_bytes], one a worker */
    int64_t scratch_bytes;
    void *logits; /* [HEAD_ROWS][VOCAB_TILE * head_tiles] of F32 at most */
    struct lse *lse;
    struct store *store; /* where weights are packed; NULL: each in memory of its own */
};

struct cpu_weight {
    struct weight weight; /* first */
    struct panels panels;
    bool stored; /* the lines are the store's */
};

static inline struct cpu_dev *cpu_of(struct dev *dev) { return (struct cpu_dev *)dev; }
static inline void *cpu_scratch(const struct cpu_dev *cpu, int32_t worker)
{
    return cpu->scratch + worker * cpu->scratch_bytes;
}
static inline const struct panels *cpu_panels(const struct weight *weight)
{
    return &((const struct cpu_weight *)weight)->panels;
}
static inline int32_t cpu_min(int32_t a, int32_t b) { return a < b ? a : b; }
static inline int32_t cpu_parts(int32_t whole, int32_t part) { return (whole + part - 1) / part; }

/* Tiles of the vocabulary that are computed at once, so that every thread has columns. */
static inline int32_t cpu_head_tiles(const struct cpu_dev *cpu)
{
    return cpu_parts(team_size(cpu->team), 4);
}

/* memory.c.  64-byte aligned, huge pages where it is large; NULL when there is none. */
void *cpu_memory(int64_t bytes);
bool cpu_mem_alloc(struct dev *dev, void **out, int64_t bytes, struct err *err) MUST;
void cpu_mem_free(struct dev *dev, void *data);
void cpu_upload(struct dev *dev, void *to, const void *host, int64_t bytes);
void cpu_download(struct dev *dev, void *host, const void *from, int64_t bytes);
bool cpu_reserve(struct dev *dev, const struct room *room, struct err *err) MUST;
int64_t cpu_room_bytes(const struct dev *dev, const struct room *room);

/* weight.c */
bool cpu_weight_make(struct dev *dev, struct weight **out, const struct weight_source *source,
                     struct err *err) MUST;
void cpu_weight_free(struct dev *dev, struct weight *weight);
int64_t cpu_weight_bytes(const struct dev *dev, int32_t n, int32_t k);
bool cpu_store_begin(struct dev *dev, const char *path, int64_t bytes, int32_t layers,
                     struct err *err) MUST;
bool cpu_store_end(struct dev *dev, struct err *err) MUST;
void cpu_store_drop(struct dev *dev);
bool cpu_stream(struct dev *dev, bool on);
void cpu_layer_prefetch(struct dev *dev, int32_t layer);
void cpu_embed(struct dev *dev, struct mat out, const struct weight *table, const int32_t *tokens,
               float scale);

/* linear.c.  cpu_product() is cpu_linear() for panels [first, last) alone. */
void cpu_product(struct cpu_dev *cpu, const struct gemm *gemm);
void cpu_linear(struct dev *dev, enum site site, struct mat out, struct mat x,
                const struct weight *weight, struct mat bias);

/* rows.c */
void cpu_gather_rows(struct dev *dev, struct mat out, struct mat x, const int32_t *rows);
void cpu_norm(struct dev *dev, struct mat out, struct mat x, struct mat add,
              const struct norm *norm);
void cpu_act_gate(struct dev *dev, struct mat out, struct mat gate, struct mat up, enum act act);
void cpu_add(struct dev *dev, struct mat x, struct mat y);

/* position.c */
void cpu_rope_fill(struct dev *dev, const struct rope *rope, const float *inv_freq, float factor);
void cpu_wave_begin(struct dev *dev, const struct pages *pages, const struct kv *kv);
void cpu_qk_rope_kv(struct dev *dev, const struct qkv *qkv, const struct kv *kv,
                    const int32_t *rows, int32_t count);

/* attention.c */
void cpu_attend(struct dev *dev, struct mat out, struct mat q, const struct kv *kv,
                const struct attention *attention, const int32_t *rows);

/* head.c */
void cpu_head(struct dev *dev, struct mat x, const struct weight *weight, const struct head *head);
void cpu_logits(struct dev *dev, struct mat out, struct mat x, const struct weight *weight,
                const struct head *head);

#endif
