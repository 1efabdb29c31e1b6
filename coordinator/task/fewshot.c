#define _GNU_SOURCE /* qsort_r */
#include "coordinator/task/fewshot.h"

#include <string.h>

#include "coordinator/task/sample.h"

struct draw {
    const struct fewshot *fewshot;
    const int64_t *pool;
    int32_t pool_count;
    struct python_random random;
    int32_t *drawn;  /* shots + 1 */
    int32_t *others; /* pool_count: the pool without the item */
    struct err *err;
};

static bool too_few(struct draw *d, int32_t item, int32_t there)
{
    return err_set(d->err, ERR_INPUT, "item %d asks for %d shots, the pool holds %d", item,
                   d->fewshot->shots, there);
}

static int32_t list_others(struct draw *d, int64_t content)
{
    int32_t count = 0;
    for (int32_t i = 0; i < d->pool_count; i++)
        if (d->pool[i] != content)
            d->others[count++] = i;
    return count;
}

/* One more is drawn than needed, the item itself is dropped; where copies of it leave too few,
 * lm-eval draws anew from the pool without them. */
static bool draw_without(struct draw *d, int32_t *out, int32_t item, int64_t content)
{
    int32_t shots = d->fewshot->shots, kept = 0;
    if (shots + 1 > d->pool_count)
        return too_few(d, item, d->pool_count - 1);
    sample(&d->random, d->drawn, shots + 1, d->pool_count);
    for (int32_t i = 0; i <= shots && kept < shots; i++)
        if (d->pool[d->drawn[i]] != content)
            out[kept++] = d->drawn[i];
    if (kept == shots)
        return true;
    int32_t others = list_others(d, content);
    if (others < shots)
        return too_few(d, item, others);
    sample(&d->random, out, shots, others);
    for (int32_t i = 0; i < shots; i++)
        out[i] = d->others[out[i]];
    return true;
}

static bool draw_first(struct draw *d, int32_t *out, int32_t item, const int64_t *content)
{
    int32_t kept = 0;
    for (int32_t i = 0; i < d->pool_count && kept < d->fewshot->shots; i++)
        if (!content || d->pool[i] != *content)
            out[kept++] = i;
    return kept == d->fewshot->shots ? true : too_few(d, item, kept);
}

static bool draw_item(struct draw *d, int32_t *out, int32_t item, const int64_t *content)
{
    if (d->fewshot->sampler == TASK_SAMPLE_FIRST_N)
        return draw_first(d, out, item, content);
    if (content)
        return draw_without(d, out, item, *content);
    if (d->fewshot->shots > d->pool_count)
        return too_few(d, item, d->pool_count);
    sample(&d->random, out, d->fewshot->shots, d->pool_count);
    return true;
}

bool fewshot_draw(int32_t *out, const struct fewshot *fewshot, const int64_t *items,
                  int32_t items_count, const int64_t *pool, int32_t pool_count, struct err *err)
{
    assert(!fewshot->excludes_self || (items && pool) || !fewshot->shots);
    if (fewshot->shots < 0 || fewshot->shots > FEWSHOT_MAX)
        return err_set(err, ERR_INPUT, "%d shots, at most %d", fewshot->shots, FEWSHOT_MAX);
    if (!fewshot->shots)
        return true;
    AUTO(free) int32_t *drawn = must_calloc((size_t)fewshot->shots + 1, sizeof *drawn);
    AUTO(free) int32_t *others = must_calloc((size_t)pool_count, sizeof *others);
    struct draw d = { .fewshot = fewshot, .pool = pool, .pool_count = pool_count };
    d.drawn = drawn, d.others = others, d.err = err;
    /* A negative seed counts as its absolute value. */
    int64_t seed = fewshot->seed;
    python_random_seed(&d.random, seed < 0 ? -(uint64_t)seed : (uint64_t)seed);
    for (int32_t i = 0; i < items_count; i++)
        if (!draw_item(&d, out + (size_t)i * (size_t)fewshot->shots, i,
                       fewshot->excludes_self ? &items[i] : NULL))
            return false;
    return true;
}

struct order {
    const int32_t *shots;
    int32_t count;
};

static int compare_items(const void *left, const void *right, void *self)
{
    const struct order *order = self;
    int32_t a = *(const int32_t *)left, b = *(const int32_t *)right;
    for (int32_t i = 0; i < order->count; i++) {
        int32_t x = order->shots[(size_t)a * (size_t)order->count + (size_t)i];
        int32_t y = order->shots[(size_t)b * (size_t)order->count + (size_t)i];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return (a > b) - (a < b);
}

void fewshot_order(int32_t *order, const int32_t *shots, int32_t shots_count, int32_t items_count)
{
    struct order by = { shots, shots_count };
    for (int32_t i = 0; i < items_count; i++)
        order[i] = i;
    qsort_r(order, (size_t)items_count, sizeof *order, compare_items, &by);
}
