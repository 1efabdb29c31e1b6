/* fewshot.h - which documents of the pool are each item's shots.
 *
 * Drawn once, in document order, by one generator, as a single lm-eval process draws them: item i's
 * shots depend on how many draws came before.  Documents are compared by a content number (item_id
 * in the database): equal content, equal number. */
#ifndef FEWSHOT_H
#define FEWSHOT_H

#include "common/err.h"
#include "coordinator/task/definition.h"

struct fewshot {
    int32_t shots;
    int64_t seed;
    enum task_sampler sampler;
    bool excludes_self; /* an item's own document is none of its shots */
};

#define FEWSHOT_MAX 1000

/* out[items * shots]: pool numbers of item i at out[i * shots].  items and pool hold content
 * numbers; where self-exclusion is off they may be NULL.  Fails when the pool holds too few
 * documents. */
bool fewshot_draw(int32_t *out, const struct fewshot *fewshot, const int64_t *items,
                  int32_t items_count, const int64_t *pool, int32_t pool_count,
                  struct err *err) MUST;

/* order[rank] = item: items by (shots, item number), so that neighbours share prompt beginnings. */
void fewshot_order(int32_t *order, const int32_t *shots, int32_t shots_count, int32_t items_count);

#endif
