/* characters.h - how much text a task's requests are, one by one and with shared beginnings once.
 *
 * Requests are rendered as a run would have them, in shards of the plan's order; inside a shard a
 * beginning that several requests share is counted once, which is what an agent computes.  Counted
 * in code points, on the requests themselves: no tokenizer, no guess. */
#ifndef CHARACTERS_H
#define CHARACTERS_H

#include "coordinator/task/fewshot.h"
#include "coordinator/task/render.h"

/* A task's documents: what is evaluated, and the pool that shots come from. */
struct documents {
    int32_t items_count, pool_count;
    struct text *items, *pool;    /* payloads */
    int64_t *item_ids, *pool_ids; /* equal content, equal id */
};

struct characters {
    int64_t naive, unique;
};

bool characters_count(struct characters *out, const struct task *task,
                      const struct documents *documents, const struct fewshot *fewshot,
                      int32_t shard_items, struct err *err) MUST;

#endif
