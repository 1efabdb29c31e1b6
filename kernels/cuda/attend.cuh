/* attend.cuh - attention over the pages of a token trie: what its two kernels share.
 *
 * A tile is tile_rows rows of the call, with all query heads that share a kv head side by side.  It
 * visits the pages that attend.cu listed for it, in (level, begin) order; a page's keys are
 * gathered through slot -> row.  A key is selected, never weighted: row i sees slots [from, to) of
 * a page, and a page of which it sees nothing leaves maximum, sum and output as they are, to the
 * bit. */
#pragma once
#include "kernels/cuda/cuda.cuh"

struct attend_args {
    void *out; /* [count, heads, dim], as q */
    const void *q;
    const void *k, *v;  /* [rows of the wave + 1, kv_heads, dim] */
    const int32_t *row; /* [count] of the wave */
    const int32_t *pos; /* by row of the wave */
    const int32_t (*page)[3];
    const int32_t (*slot_row)[PAGE_SLOTS];
    const int32_t *start, *visit; /* tile t visits pages visit[start[t]] .. visit[start[t + 1]] */
    int32_t count, tile_rows, heads, group, dim, window;
    float scale, softcap;
};

/* Slots [from, to) of the page that the row at this position sees. */
struct attend_view {
    int32_t from, to;
};

static __device__ __forceinline__ struct attend_view
attend_view_of(const struct attend_args &a, const int32_t *page, int32_t row, int32_t pos)
{
    const int32_t first = page[0] * PAGE_SLOTS, oldest = a.window ? pos - a.window + 1 : 0;
    const bool member = page[1] <= row && row < page[2];
    return { oldest > first ? oldest - first : 0,
             member ? min(pos + 1 - first, (int32_t)PAGE_SLOTS) : 0 };
}

/* False: no mma kernel for this head; attend_any() takes it. */
bool attend_mma(struct cuda_dev *cuda, enum dtype type, const struct attend_args &args);
int32_t attend_mma_rows(enum dtype type, int32_t dim, int32_t group);
void attend_any(struct cuda_dev *cuda, enum dtype type, const struct attend_args &args);
