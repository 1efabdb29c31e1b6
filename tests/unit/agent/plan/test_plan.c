/* The planner against its definitions, by brute force on random tries. */
#include "agent/plan/plan.h"
#include "tests/requests.h"
#include "tests/test.h"

#define SEEDS 300

static const int32_t slots_all[] = { 1, 2, 4, 8, 16, 64 };

static struct costs costs_rows(int32_t rows_max, int32_t wave_cost)
{
    return (struct costs){ .per_row = 1,
                           .budget = INT64_MAX / 2,
                           .rows_max = rows_max,
                           .wave_cost = wave_cost,
                           .chunk = 1 };
}

static int32_t common(const struct request *a, const struct request *b)
{
    int32_t i = 0;
    while (i < a->n - 1 && i < b->n - 1 && a->tokens[i] == b->tokens[i])
        i++;
    return i;
}

static bool trie_is_right(const struct trie *t, const struct pool *pool)
{
    int32_t seen[POOL_REQUESTS_MAX] = { 0 };
    for (int32_t k = 0; k < t->count; k++) {
        const struct request *r = &pool->request[t->req[k]];
        const struct request *before = k ? &pool->request[t->req[k - 1]] : NULL;
        if (seen[t->req[k]]++ || t->len[k] != r->n - 1 || t->lcp[k] != (k ? common(r, before) : 0))
            return false;
        int32_t at = t->lcp[k];
        if (k && at < t->len[k - 1] && (at == t->len[k] || before->tokens[at] > r->tokens[at]))
            return false;
    }
    return t->count == pool->count;
}

TEST(paths_are_sorted_and_know_what_they_share_with_the_one_before)
{
    static struct pool pool;
    struct err err = { 0 };
    for (uint64_t s = 1; s <= SEEDS; s++) {
        uint64_t seed = s;
        pool_make(&pool, RND_PICK(slots_all, &seed), 60, 500, &seed);
        AUTO(trie_free) struct trie t = { 0 };
        CHECK(trie_sort(&t, pool.request, pool.count, &err));
        CHECK(trie_is_right(&t, &pool));
    }
}

TEST(no_requests_make_no_waves)
{
    struct err err = { 0 };
    AUTO(trie_free) struct trie t = { 0 };
    AUTO(cuts_free) struct cuts cuts = { 0 };
    struct costs costs = costs_rows(0, 0);
    CHECK(trie_sort(&t, NULL, 0, &err));
    CHECK(cuts_pick(&cuts, &t, 64, &costs, &err));
    CHECK(cuts.count == 0 && cuts.unique == 0);
}

TEST(an_empty_prompt_or_continuation_is_refused_by_number)
{
    int32_t tokens[4] = { 1, 2, 3, 4 };
    struct request good_then_no_prompt[] = { { tokens, 1, 2 }, { tokens, 0, 4 } };
    struct request no_continuation = { tokens, 3, 3 };
    struct err err = { 0 };
    struct trie t = { 0 };

    CHECK(!trie_sort(&t, good_then_no_prompt, 2, &err));
    CHECK(err.code == ERR_INPUT && !strcmp(err.text, "request 1: empty prompt"));
    CHECK(!trie_sort(&t, &no_continuation, 1, &err));
    CHECK(!strcmp(err.text, "request 0: empty continuation"));
}

/* All partitions by dynamic programming without the queue: O(paths^2). */
static int64_t least_cost(const struct trie *t, const struct costs *c)
{
    int64_t best[POOL_REQUESTS_MAX + 1] = { 0 };
    for (int32_t i = 1; i <= t->count; i++) {
        best[i] = INT64_MAX;
        for (int32_t j = i - 1, rows = 0; j >= 0; j--) {
            rows = j == i - 1 ? t->len[j] : rows - t->lcp[j + 1] + t->len[j];
            int64_t cost = best[j] + t->lcp[j] + c->wave_cost;
            if ((c->rows_max == 0 || rows <= c->rows_max) && cost < best[i])
                best[i] = cost;
        }
    }
    return best[t->count];
}

TEST(cuts_cost_the_least_of_all_partitions)
{
    static struct pool pool;
    struct err err = { 0 };
    for (uint64_t s = 1; s <= SEEDS; s++) {
        uint64_t seed = s;
        pool_make(&pool, 8, 60, 500, &seed);
        struct costs c =
            costs_rows(pool.longest + rnd_below(&seed, 2 * pool.longest), rnd_below(&seed, 2) * 10);
        AUTO(trie_free) struct trie t = { 0 };
        AUTO(cuts_free) struct cuts cuts = { 0 };
        CHECK(trie_sort(&t, pool.request, pool.count, &err));
        CHECK(cuts_pick(&cuts, &t, 8, &c, &err));
        CHECK(cuts.recomputed + (int64_t)cuts.count * c.wave_cost == least_cost(&t, &c));
        for (int32_t i = 0, end = 0; i < cuts.count; end = cuts.cut[i++].end) {
            CHECK(cuts.cut[i].begin == end && cuts.cut[i].rows <= c.rows_max);
            CHECK(i + 1 < cuts.count || cuts.cut[i].end == t.count);
        }
    }
}

/* Every row finds at every level up to its own exactly one instance, whose slots up to its position
 * are its ancestors, and none at the levels past its own. */
static bool row_is_right(const struct wave *w, int32_t row)
{
    int32_t ancestor = row;
    for (int32_t level = w->levels - 1; level >= 0; level--) {
        int32_t seen = -1, sees = 0;
        for (int32_t g = w->level_at[level]; g < w->level_at[level + 1]; g++)
            if (w->page[g].begin <= row && row < w->page[g].end) {
                seen = g;
                sees++;
            }
        if (sees != (level * w->slots <= w->pos[row]))
            return false;
        for (; sees && ancestor >= 0 && w->pos[ancestor] >= level * w->slots;
             ancestor = w->parent[ancestor])
            if (w->slot_row[(int64_t)seen * w->slots + w->pos[ancestor] % w->slots] != ancestor)
                return false;
    }
    return ancestor == -1;
}

static bool wave_is_right(const struct wave *w)
{
    if (w->level_at[0] != 0 || w->level_at[w->levels] != w->pages)
        return false;
    for (int32_t g = 0; g < w->pages; g++) {
        const struct page *page = &w->page[g], *before = page - 1;
        if (page->begin >= page->end || g < w->level_at[page->level] ||
            g >= w->level_at[page->level + 1] ||
            (g > w->level_at[page->level] && before->end > page->begin))
            return false;
    }
    for (int32_t row = 0; row < w->rows; row++)
        if (w->parent[row] >= row || !row_is_right(w, row))
            return false;
    return true;
}

/* The row's path, read through its parents, is the request's tokens up to the target. */
static bool target_is_right(const struct wave *w, int32_t row, const struct target *target,
                            const struct request *r)
{
    int32_t at = r->ctx + target->at;
    if (target->token != r->tokens[at] || w->pos[row] != at - 1)
        return false;
    for (int32_t q = at - 1; q >= 0; q--, row = w->parent[row])
        if (row < 0 || w->token[row] != r->tokens[q])
            return false;
    return row == -1;
}

/* Marks each (request, at) that the wave answers; false when one is wrong or answered twice. */
static bool targets_are_right(const struct wave *w, const struct pool *pool,
                              bool answered[POOL_REQUESTS_MAX][POOL_TOKENS_MAX])
{
    for (int32_t i = 0; i < w->scored; i++)
        for (int32_t t = w->target_at[i]; t < w->target_at[i + 1]; t++) {
            const struct target *target = &w->target[t];
            bool *mark = &answered[target->req][target->at];
            if (*mark || !target_is_right(w, w->scored_row[i], target, &pool->request[target->req]))
                return false;
            *mark = true;
        }
    return true;
}

static bool all_answered(const struct pool *pool, bool answered[POOL_REQUESTS_MAX][POOL_TOKENS_MAX])
{
    for (int32_t i = 0; i < pool->count; i++)
        for (int32_t at = 0; at < pool->request[i].n - pool->request[i].ctx; at++)
            if (!answered[i][at])
                return false;
    return true;
}

TEST(a_row_sees_one_instance_a_level_and_every_target_is_asked_once)
{
    static struct pool pool;
    static bool answered[POOL_REQUESTS_MAX][POOL_TOKENS_MAX];
    struct err err = { 0 };
    for (uint64_t s = 1; s <= SEEDS; s++) {
        uint64_t seed = s;
        int32_t slots = RND_PICK(slots_all, &seed);
        pool_make(&pool, slots, slots == 64 ? POOL_TOKENS_MAX : 60, 500, &seed);
        struct costs c = costs_rows(pool.longest + rnd_below(&seed, 2 * pool.longest), 0);
        AUTO(trie_free) struct trie t = { 0 };
        AUTO(cuts_free) struct cuts cuts = { 0 };
        CHECK(trie_sort(&t, pool.request, pool.count, &err));
        CHECK(cuts_pick(&cuts, &t, slots, &c, &err));
        memset(answered, 0, sizeof(answered));
        for (int32_t i = 0; i < cuts.count; i++) {
            AUTO(wave_free) struct wave w = { 0 };
            wave_build(&w, &t, &cuts.cut[i], slots);
            CHECK(wave_is_right(&w));
            CHECK(targets_are_right(&w, &pool, answered));
        }
        CHECK(all_answered(&pool, answered));
    }
}

TEST(a_path_that_fits_no_wave_is_refused_with_the_bytes_it_needs)
{
    static int32_t tokens[300];
    struct request r = { tokens, 290, 300 };
    struct costs c = { .fixed = 1000,
                       .per_row = 100,
                       .per_page = 10,
                       .per_target = 7,
                       .budget = 50000,
                       .wave_cost = 0,
                       .chunk = 64 };
    struct err err = { 0 };
    AUTO(trie_free) struct trie t = { 0 };
    AUTO(cuts_free) struct cuts cuts = { 0 };

    CHECK(trie_sort(&t, &r, 1, &err));
    CHECK(costs_bytes(&c, 299, 5, 10) == 1000 + 100 * 320 + 10 * 5 + 7 * 10);
    CHECK(cuts_pick(&cuts, &t, 64, &c, &err));
    CHECK(cuts.count == 1 && cuts.cut[0].bytes == 33120);
    c.budget = 33119;
    struct cuts none = { 0 };
    CHECK(!cuts_pick(&none, &t, 64, &c, &err));
    CHECK(err.code == ERR_DEVICE && strstr(err.text, "33120 bytes, 33119 are there"));
    CHECK(err.number == 33120);
}

TEST(a_star_of_short_arms_opens_one_instance_an_arm_and_copies_nothing)
{
    enum { ARMS = 1000, AT = 63, LEN = AT + 2 };
    static int32_t tokens[ARMS][LEN];
    static struct request r[ARMS];
    struct costs c = costs_rows(0, 0);
    struct err err = { 0 };
    AUTO(trie_free) struct trie t = { 0 };
    AUTO(cuts_free) struct cuts cuts = { 0 };
    AUTO(wave_free) struct wave w = { 0 };

    for (int32_t i = 0; i < ARMS; i++) {
        tokens[i][AT] = i;
        r[i] = (struct request){ tokens[i], AT, LEN };
    }
    CHECK(trie_sort(&t, r, ARMS, &err));
    CHECK(cuts_pick(&cuts, &t, 64, &c, &err));
    wave_build(&w, &t, &cuts.cut[0], 64);
    CHECK(w.rows == AT + ARMS && w.pages == ARMS && w.levels == 1);
    CHECK(w.scored == 1 + ARMS); /* the arms share the row before them */
    CHECK(wave_is_right(&w));
}
