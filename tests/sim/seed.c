#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

#define PATIENCE_MS 400000 /* after the last fault */

struct world *world_new(void)
{
    struct world *w = must_calloc(1, sizeof(*w));
    w->pool = must_calloc(EVENTS_MAX, sizeof(*w->pool));
    w->heap = must_calloc(EVENTS_MAX, sizeof(*w->heap));
    w->spare = must_calloc(EVENTS_MAX, sizeof(*w->spare));
    w->calls = must_calloc(CALLS_MAX, sizeof(*w->calls));
    w->agent_acts = must_calloc(NESTED_MAX, sizeof(*w->agent_acts));
    return w;
}

static void coords_free(struct world *w)
{
    for (int32_t c = 0; c < COORDS; c++) {
        core_free(w->coords[c].core);
        trace_close(w->coords[c].trace);
    }
}

void world_free(struct world *w)
{
    coords_free(w);
    free(w->pool);
    free(w->heap);
    free(w->spare);
    free(w->calls);
    free(w->agent_acts);
    free(w);
}

/* Everything zero but what is allocated and what is counted over all seeds. */
static void world_clear(struct world *w)
{
    struct world keep = { .pool = w->pool,
                          .heap = w->heap,
                          .spare = w->spare,
                          .calls = w->calls,
                          .total = w->total,
                          .agent_acts = w->agent_acts,
                          .traces = w->traces };
    coords_free(w);
    *w = keep;
    for (int32_t i = 0; i < CALLS_MAX; i++)
        w->calls[i].used = false;
    for (int32_t i = 0; i < EVENTS_MAX; i++)
        w->spare[w->spare_count++] = EVENTS_MAX - 1 - i;
    w->lock = -1;
    w->conns_count = 1;
}

static void world_begin(struct world *w, uint64_t seed)
{
    world_clear(w);
    w->random = seed * 0x9e3779b97f4a7c15u + 1;
    for (int32_t i = 0; i < 20; i++)
        roll(w, 2);
    draw_faults(w);
    db_init(&w->db);
    w->durable = w->db;
    for (int32_t c = 0; c < COORDS; c++)
        coord_start(w, c);
    for (int32_t a = 0; a < AGENTS; a++)
        agent_start(w, a);
    push(w, E_FAULT, 500, 0);
    push(w, E_OPERATOR, 3000, 0);
}

/* ---- events ---- */

/* A stopped process hears and does everything later. */
static bool put_off(struct world *w, const struct sim_event *e)
{
    bool coord = e->kind == E_TO_COORD || e->kind == E_TX_DONE || e->kind == E_TICK ||
                 e->kind == E_GONE || e->kind == E_REVOKED || e->kind == E_LOST ||
                 e->kind == E_HINT || e->kind == E_RESIGN || e->kind == E_COORD_END;
    bool agent = e->kind == E_TO_AGENT || e->kind == E_AGENT_TICK || e->kind == E_COMPUTED ||
                 e->kind == E_AGENT_STOP || e->kind == E_AGENT_CUT;
    int64_t until = coord ? w->coords[e->who].paused_ms : agent ? w->agents[e->who].paused_ms : 0;
    if (until > w->fault_end_ms)
        until = w->fault_end_ms;
    if (until <= w->now_ms)
        return false;
    struct sim_event *later = push(w, e->kind, until, e->who);
    int64_t order = later->order;
    *later = *e;
    later->at_ms = until;
    later->order = order;
    return true;
}

static void happen(struct world *w, const struct sim_event *e)
{
    switch (e->kind) {
    case E_TX_RUN:
        tx_run(w, e);
        break;
    case E_TX_DONE:
        tx_done(w, e);
        break;
    case E_TO_AGENT:
    case E_AGENT_TICK:
    case E_COMPUTED:
    case E_AGENT_STOP:
    case E_AGENT_CUT:
        agent_event_in(w, e);
        break;
    case E_FAULT:
        if (faulty(w))
            fault(w);
        break;
    case E_COORD_UP:
        coord_start(w, e->who);
        break;
    case E_AGENT_UP:
        agent_start(w, e->who);
        break;
    case E_LOCK_FREE:
        if (e->db_gen == w->coords[e->who].db_gen)
            coord_disconnect(w, e->who);
        break;
    case E_OPERATOR:
        operator_turn(w);
        break;
    default:
        coord_event(w, e);
    }
}

/* ---- the end ---- */

static bool all_complete(const struct world *w)
{
    for (int32_t r = 0; r < RUNS; r++)
        if (w->db.runs[r].state != RUN_COMPLETE)
            return false;
    return true;
}

/* I8 broken: what the world looks like then is where the search begins. */
static void stuck(struct world *w)
{
    broke(w, "I8 all runs complete after the last fault");
    for (int32_t c = 0; c < COORDS; c++) {
        struct core_counts n = core_count(w->coords[c].core);
        printf("  coordinator %d: role %d epoch %lld sessions %d held %d txs %d, lock %d\n", c,
               core_role(w->coords[c].core), (long long)core_epoch(w->coords[c].core), n.sessions,
               n.held, n.txs, w->lock);
    }
    for (int32_t a = 0; a < PROCS; a++)
        printf("  agent %d: up %d state %d to %d, jobs %d, busy %d, room %d, revoked %d\n", a + 1,
               w->agents[a].up, w->agents[a].core.state, w->agents[a].core.endpoint,
               w->agents[a].core.jobs_count, w->agents[a].busy, agent_room(&w->agents[a].core),
               w->db.keys[key_of(a)].revoked_ms != 0);
    for (int32_t i = 0; i < SHARDS; i++) {
        const struct db_shard *s = &w->db.shards[i];
        printf("  shard %d of run %d (class %d state %d): state %d agent %d epoch %d not %d "
               "done %d error %d\n",
               i + 1, s->run, w->db.runs[s->run].class, w->db.runs[s->run].state, s->state,
               s->agent, s->epoch, s->not_agent, s->n_done, s->n_error);
    }
}

static void trail(struct world *w, const struct sim_event *e)
{
    uint64_t what = (uint64_t)e->at_ms << 20 ^ (uint64_t)e->kind << 12 ^ (uint64_t)e->who << 8 ^
                    (uint64_t)e->msg.kind;
    w->trail = (w->trail ^ what) * 0x100000001b3u;
}

const char *seed_run(struct world *w, uint64_t seed)
{
    world_begin(w, seed);
    while (!w->broken && !(all_complete(w) && !faulty(w))) {
        struct sim_event e = pop(w);
        w->now_ms = e.at_ms;
        w->total.events++;
        trail(w, &e);
        if (w->now_ms > w->fault_end_ms + PATIENCE_MS)
            stuck(w);
        else if (!put_off(w, &e))
            happen(w, &e);
    }
    w->total.seeds++;
    w->total.virtual_ms += (uint64_t)w->now_ms;
    return w->broken;
}
