#include "coordinator/load.h"

#include <string.h>

struct node {
    int32_t agent, model;
    int64_t heard_ms, rated_ms; /* rated: when items and tokens were what they are below */
    uint64_t items, tokens;
    double item_rate, token_rate;
    int64_t memory_used, memory_total;
    bool fresh; /* heard since the last taking */
};

struct measured {
    int32_t agent;
    struct lease lease;
    int64_t naive, unique, engine_ms;
};

struct load {
    struct node *nodes;
    int32_t *slots; /* hash by agent: 1 + index, 0 free */
    int32_t nodes_count, slots_count;
    struct measured *leases;
    int32_t leases_count, leases_capacity;
    char *columns; /* one block, cut into the arrays of load_columns */
};

struct load *load_new(void) { return must_calloc(1, sizeof(struct load)); }

void load_free(struct load *load)
{
    if (!load)
        return;
    free(load->nodes);
    free(load->slots);
    free(load->leases);
    free(load->columns);
    free(load);
}

static int32_t slot_of(const struct load *load, int32_t agent)
{
    uint32_t mask = (uint32_t)load->slots_count - 1, at = (uint32_t)agent * 2654435761u & mask;
    while (load->slots[at] && load->nodes[load->slots[at] - 1].agent != agent)
        at = (at + 1) & mask;
    return (int32_t)at;
}

static void grow(struct load *load)
{
    int32_t count = load->slots_count ? 2 * load->slots_count : 64;
    free(load->slots);
    load->slots = must_calloc((size_t)count, sizeof(*load->slots));
    load->slots_count = count;
    load->nodes = must_realloc(load->nodes, (size_t)count / 2, sizeof(*load->nodes));
    for (int32_t i = 0; i < load->nodes_count; i++)
        load->slots[slot_of(load, load->nodes[i].agent)] = i + 1;
}

static struct node *node_of(struct load *load, int32_t agent)
{
    if (2 * (load->nodes_count + 1) > load->slots_count)
        grow(load);
    int32_t at = slot_of(load, agent);
    if (!load->slots[at]) {
        load->nodes[load->nodes_count++] = (struct node){ .agent = agent };
        load->slots[at] = load->nodes_count;
    }
    return &load->nodes[load->slots[at] - 1];
}

static int64_t clipped(uint64_t x) { return x <= INT64_MAX ? (int64_t)x : INT64_MAX; }

/* Counters that went back belong to a new process: no rate until the next word. */
static void rates(struct node *n, uint64_t items, uint64_t tokens, int64_t now_ms)
{
    double seconds = (double)(now_ms - n->rated_ms) / 1000;
    bool on = n->rated_ms && items >= n->items && tokens >= n->tokens;
    if (n->rated_ms && seconds < 1)
        return;
    n->item_rate = on ? (double)(items - n->items) / seconds : 0;
    n->token_rate = on ? (double)(tokens - n->tokens) / seconds : 0;
    n->items = items;
    n->tokens = tokens;
    n->rated_ms = now_ms;
}

void load_heard(struct load *load, int32_t agent, int32_t model_id,
                const Koeval__Heartbeat *heartbeat, int64_t now_ms)
{
    struct node *n = node_of(load, agent);
    const Koeval__NodeLoad *said = heartbeat->node;
    n->model = model_id;
    n->heard_ms = now_ms;
    n->fresh = true;
    if (!said)
        return;
    rates(n, said->items_done, said->tokens_done, now_ms);
    n->memory_used = clipped(said->rss_bytes);
    n->memory_total = clipped(said->rss_bytes) / 2 + clipped(said->mem_free_bytes) / 2;
    n->memory_total = n->memory_total <= INT64_MAX / 2 ? 2 * n->memory_total : INT64_MAX;
}

static struct measured *measured_of(struct load *load, int32_t agent, struct lease lease)
{
    for (int32_t i = load->leases_count - 1; i >= 0 && i > load->leases_count - 64; i--)
        if (load->leases[i].agent == agent && lease_same(load->leases[i].lease, lease))
            return &load->leases[i];
    if (load->leases_count == load->leases_capacity) {
        load->leases_capacity = load->leases_capacity ? 2 * load->leases_capacity : 64;
        load->leases =
            must_realloc(load->leases, (size_t)load->leases_capacity, sizeof(*load->leases));
    }
    struct measured *m = &load->leases[load->leases_count++];
    *m = (struct measured){ .agent = agent, .lease = lease };
    return m;
}

void load_measured(struct load *load, int32_t agent, struct lease lease,
                   const Koeval__ResultBatch *results)
{
    if (!results->token_naive && !results->token_unique && !results->engine_ms)
        return;
    struct measured *m = measured_of(load, agent, lease);
    if (clipped(results->token_naive) < m->naive)
        return; /* an older batch, sent again */
    m->naive = clipped(results->token_naive);
    m->unique = clipped(results->token_unique);
    m->engine_ms = clipped(results->engine_ms);
}

/* The next array of count elements out of the block. */
static void *cut(char **at, int32_t count, size_t size)
{
    void *p = *at;
    *at += ((size_t)count * size + 15) & ~(size_t)15;
    return p;
}

static void take_nodes(struct load *load, struct load_columns *c, char **at, int64_t now_ms)
{
    int32_t n = load->nodes_count, k = 0;
    int32_t *agent = cut(at, n, 4), *model = cut(at, n, 4);
    int64_t *silent = cut(at, n, 8), *used = cut(at, n, 8), *total = cut(at, n, 8);
    double *items = cut(at, n, 8), *tokens = cut(at, n, 8);
    for (int32_t i = 0; i < n; i++) {
        struct node *x = &load->nodes[i];
        if (!x->fresh)
            continue;
        x->fresh = false;
        agent[k] = x->agent;
        model[k] = x->model;
        silent[k] = now_ms - x->heard_ms;
        used[k] = x->memory_used;
        total[k] = x->memory_total;
        items[k] = x->item_rate;
        tokens[k++] = x->token_rate;
    }
    c->agents_count = k;
    c->agent = agent;
    c->model = model;
    c->silent_ms = silent;
    c->memory_used = used;
    c->memory_total = total;
    c->item_rate = items;
    c->token_rate = tokens;
}

static void take_leases(const struct load *load, struct load_columns *c, char **at)
{
    int32_t n = load->leases_count;
    int64_t *shard = cut(at, n, 8), *naive = cut(at, n, 8), *unique = cut(at, n, 8);
    int64_t *engine = cut(at, n, 8);
    int32_t *epoch = cut(at, n, 4), *agent = cut(at, n, 4);
    for (int32_t i = 0; i < n; i++) {
        const struct measured *m = &load->leases[i];
        shard[i] = m->lease.shard;
        epoch[i] = m->lease.epoch;
        agent[i] = m->agent;
        naive[i] = m->naive;
        unique[i] = m->unique;
        engine[i] = m->engine_ms;
    }
    c->leases_count = n;
    c->shard = shard;
    c->token_naive = naive;
    c->token_unique = unique;
    c->engine_ms = engine;
    c->lease_epoch = epoch;
    c->lease_agent = agent;
}

struct load_columns load_take(struct load *load, int64_t now_ms)
{
    struct load_columns c = { 0 };
    size_t bytes = (size_t)load->nodes_count * 48 + (size_t)load->leases_count * 40 + 16 * 16;
    load->columns = must_realloc(load->columns, bytes, 1);
    char *at = load->columns;
    take_nodes(load, &c, &at, now_ms);
    take_leases(load, &c, &at);
    load->leases_count = 0;
    return c;
}
