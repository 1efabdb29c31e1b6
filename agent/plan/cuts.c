/* Where waves begin and end: what a wave needs, and the least recomputation. */
#include "agent/plan/plan.h"

int64_t costs_bytes(const struct costs *costs, int64_t rows, int64_t pages, int64_t targets)
{
    int64_t padded = (rows + costs->chunk - 1) / costs->chunk * costs->chunk;
    return costs->fixed + costs->per_row * padded + costs->per_page * pages +
           costs->per_target * targets;
}

/* Running sums over paths: a wave [j, i) holds its first path whole and the others' new parts. */
struct sums {
    int64_t *rows, *pages, *targets; /* [paths + 1] */
};

static int32_t levels_of(int32_t tokens, int32_t slots) { return (tokens + slots - 1) / slots; }

/* A branch opens an instance at its own level too; an extension of the path before goes on filling
 * the last one. */
static int32_t pages_added(const struct trie *trie, int32_t k, int32_t slots)
{
    bool extends = k > 0 && trie->lcp[k] == trie->len[k - 1];
    int32_t shared = extends ? levels_of(trie->lcp[k], slots) : trie->lcp[k] / slots;
    return levels_of(trie->len[k], slots) - shared;
}

static struct sums sums_make(const struct trie *trie, int32_t slots)
{
    size_t count = (size_t)trie->count + 1;
    struct sums s = { must_calloc(count, sizeof(*s.rows)), must_calloc(count, sizeof(*s.pages)),
                      must_calloc(count, sizeof(*s.targets)) };

    for (int32_t k = 0; k < trie->count; k++) {
        const struct request *request = &trie->requests[trie->req[k]];
        s.rows[k + 1] = s.rows[k] + trie->len[k] - trie->lcp[k];
        s.pages[k + 1] = s.pages[k] + pages_added(trie, k, slots);
        s.targets[k + 1] = s.targets[k] + request->n - request->ctx;
    }
    return s;
}

static void sums_free(struct sums *s)
{
    free(s->rows);
    free(s->pages);
    free(s->targets);
}
AUTO_ENDS(struct sums, sums_free)

struct picker {
    const struct trie *trie;
    const struct sums *sums;
    const struct costs *costs;
    int32_t slots;
};

static struct cut cut_make(const struct picker *p, int32_t begin, int32_t end)
{
    const struct sums *s = p->sums;
    int32_t len = p->trie->len[begin];
    struct cut cut = { .begin = begin, .end = end };

    cut.rows = len + s->rows[end] - s->rows[begin + 1];
    cut.pages = levels_of(len, p->slots) + s->pages[end] - s->pages[begin + 1];
    cut.targets = s->targets[end] - s->targets[begin];
    cut.bytes = costs_bytes(p->costs, cut.rows, cut.pages, cut.targets);
    return cut;
}

/* Row numbers, and page numbers times slots, are int32_t in a wave. */
static bool cut_fits(const struct picker *p, const struct cut *cut)
{
    const struct costs *costs = p->costs;
    return cut->bytes <= costs->budget && (costs->rows_max == 0 || cut->rows <= costs->rows_max) &&
           cut->rows < INT32_MAX && cut->targets < INT32_MAX && cut->pages < INT32_MAX / p->slots;
}

static bool refuse(const struct picker *p, const struct cut *cut, struct err *err)
{
    const struct costs *costs = p->costs;
    err_put(err, ERR_DEVICE,
            "request %d: %lld tokens need a wave of %lld bytes, %lld are there (rows %d)",
            p->trie->req[cut->begin], (long long)cut->rows, (long long)cut->bytes,
            (long long)costs->budget, costs->rows_max);
    err->number = cut->bytes;
    return false;
}

/* Ends of waves so far, with the cost of the best partition that stops there, rising. */
struct queue {
    int64_t *best; /* [paths + 1] least cost of the first i paths */
    int32_t *ends; /* [paths + 1] */
    int32_t head, tail;
};

static void queue_free(struct queue *q)
{
    free(q->best);
    free(q->ends);
}
AUTO_ENDS(struct queue, queue_free)

/* A wave that begins at path i costs what came before and the tokens it shares with path i-1. */
static int64_t begin_cost(const struct queue *q, const struct trie *trie, int32_t i)
{
    return q->best[i] + trie->lcp[i];
}

static void queue_push(struct queue *q, const struct trie *trie, int32_t i)
{
    int64_t cost = begin_cost(q, trie, i);
    while (q->tail > q->head && begin_cost(q, trie, q->ends[q->tail - 1]) > cost)
        q->tail--;
    q->ends[q->tail++] = i;
}

/* from[i]: where the last wave of the best partition of the first i paths begins.  The feasible
 * begins for an end i are [left, i) with left monotone, because a wider run has more of everything:
 * a queue of rising costs gives each minimum in O(1) amortised. */
static bool cuts_solve(int32_t *from, const struct picker *p, struct err *err)
{
    const struct trie *trie = p->trie;
    size_t count = (size_t)trie->count + 1;
    AUTO(queue_free)
    struct queue q = { .best = must_calloc(count, sizeof(*q.best)),
                       .ends = must_calloc(count, sizeof(*q.ends)) };

    for (int32_t i = 1, left = 0; i <= trie->count; i++) {
        queue_push(&q, trie, i - 1);
        struct cut cut = cut_make(p, left, i);
        while (!cut_fits(p, &cut) && left + 1 < i)
            cut = cut_make(p, ++left, i);
        if (!cut_fits(p, &cut))
            return refuse(p, &cut, err);
        while (q.ends[q.head] < left)
            q.head++;
        from[i] = q.ends[q.head];
        q.best[i] = begin_cost(&q, trie, from[i]) + p->costs->wave_cost;
    }
    return true;
}

static void cuts_collect(struct cuts *out, const struct picker *p, const int32_t *from)
{
    int32_t count = p->trie->count;

    *out = (struct cuts){ .unique = p->sums->rows[count] };
    for (int32_t i = count; i > 0; i = from[i])
        out->count++;
    out->cut = must_calloc((size_t)out->count, sizeof(*out->cut));
    for (int32_t i = count, w = out->count; i > 0; i = from[i]) {
        out->cut[--w] = cut_make(p, from[i], i);
        out->recomputed += p->trie->lcp[from[i]];
    }
}

bool cuts_pick(struct cuts *out, const struct trie *trie, int32_t slots, const struct costs *costs,
               struct err *err)
{
    assert(slots > 0 && costs->chunk > 0);
    AUTO(sums_free) struct sums sums = sums_make(trie, slots);
    AUTO(free) int32_t *from = must_calloc((size_t)trie->count + 1, sizeof(*from));
    struct picker picker = { trie, &sums, costs, slots };

    if (!cuts_solve(from, &picker, err))
        return false;
    cuts_collect(out, &picker, from);
    return true;
}

void cuts_free(struct cuts *cuts)
{
    free(cuts->cut);
    *cuts = (struct cuts){ 0 };
}
