/* plan.h - requests -> sorted paths -> waves of rows, page instances and scored rows.  Pure.
 *
 * The sorted list of paths with the common prefix of neighbours (lcp) *is* the token trie: path k
 * adds the rows at positions [lcp, len), in depth-first order.  A wave is a run of neighbours in
 * that list, hence closed under ancestors, and a cut before path j recomputes exactly lcp[j]
 * tokens.
 *
 * A page instance is (level, [begin, end), slot -> row): the positions of one level of one path.
 * A branch inside a page has an instance of its own whose head slots name the rows it shares, so
 * nothing is copied and no two writers meet.  At each level the intervals [begin, end) partition
 * the rows with pos >= level * slots: every row sees exactly one instance per level, and the slots
 * <= pos(row) of it hold the row's own path. */
#ifndef PLAN_H
#define PLAN_H

#include "common/err.h"

/* Slots of a page in production; tests take fewer.  Part of the numerics class. */
#define PLAN_SLOTS 64

/* tokens[0, ctx) is the prompt, tokens[ctx, n) is scored; 1 <= ctx < n.  The path that runs through
 * the model is tokens[0, n - 1): the last token is only looked up.  Tokens are borrowed. */
struct request {
    const int32_t *tokens;
    int32_t ctx, n;
};

/* Paths in ascending order of tokens, a prefix before what it begins.  lcp[k] tokens of path k are
 * path k-1's too; lcp[0] = 0.  Equal paths stay neighbours with lcp = len and add no row. */
struct trie {
    int32_t count;
    int32_t *req;                   /* [count] whose path it is */
    int32_t *len, *lcp;             /* [count] tokens */
    const struct request *requests; /* borrowed, as are their tokens */
};

/* What a wave costs.  The caller fills it from the model and the backend's layouts. */
struct costs {
    int64_t fixed;      /* bytes whatever the wave's size: weights, scratch of a chunk */
    int64_t per_row;    /* bytes: residual stream, K and V of a layer, token, pos, parent, mark */
    int64_t per_page;   /* bytes: slot list and interval */
    int64_t per_target; /* bytes: gathered last-layer row and its answers */
    int64_t budget;     /* bytes that are there */
    int32_t rows_max;   /* 0: only the budget counts */
    int32_t wave_cost;  /* what one more wave costs, in tokens: padding, the weights' stream */
    int32_t chunk;      /* rows are padded to a multiple of it */
};

struct cut {
    int32_t begin, end;                  /* paths of the trie */
    int64_t rows, pages, targets, bytes; /* known before anything is built */
};

struct cuts {
    int32_t count;
    struct cut *cut;
    int64_t unique;     /* tokens of the trie */
    int64_t recomputed; /* tokens that a later wave runs again */
};

struct page {
    int32_t level;      /* holds positions [level * slots, (level + 1) * slots) */
    int32_t begin, end; /* the rows that see it */
};

struct target {
    int32_t token; /* whose log-prob is asked */
    int32_t req;   /* of which request */
    int32_t at;    /* index in its continuation */
};

struct wave {
    int32_t rows, slots, pages, levels, scored;
    int32_t *token, *pos;  /* [rows], depth-first order */
    int32_t *parent;       /* [rows], always a smaller row; -1 at a root */
    struct page *page;     /* [pages], ascending (level, begin) */
    int32_t *level_at;     /* [levels + 1] first page of a level */
    int32_t *slot_row;     /* [pages * slots]; an empty slot names row `rows`, which is all zero */
    int32_t *scored_row;   /* [scored], ascending */
    int32_t *target_at;    /* [scored + 1], CSR into target */
    struct target *target; /* by row, then by request */
};

/* Sorts; reads every shared token about once.  Refuses a request with an empty prompt or an empty
 * continuation, or with a length under 2. */
bool trie_sort(struct trie *out, const struct request *requests, int32_t count,
               struct err *err) MUST;
void trie_free(struct trie *trie);
AUTO_ENDS(struct trie, trie_free)

/* Bytes of a wave: fixed + per_row * (rows padded to chunk) + per_page * pages + ... */
int64_t costs_bytes(const struct costs *costs, int64_t rows, int64_t pages, int64_t targets);

/* The least sum of recomputed tokens and wave costs over all partitions into runs of neighbours
 * under the budget; exact, O(paths).  A path that fits no wave is refused with the bytes it needs
 * (ERR_DEVICE: a larger machine could). */
bool cuts_pick(struct cuts *out, const struct trie *trie, int32_t slots, const struct costs *costs,
               struct err *err) MUST;
void cuts_free(struct cuts *cuts);
AUTO_ENDS(struct cuts, cuts_free)

void wave_build(struct wave *out, const struct trie *trie, const struct cut *cut, int32_t slots);
void wave_free(struct wave *wave);
AUTO_ENDS(struct wave, wave_free)

#endif
