#include "tests/sim/world.h"

#include <string.h>

static const struct agent_conf conf = {
    .shards = 2,
    .endpoints = COORDS,
    .silent_ms = 3000,
    .resend_ms = 2000,
    .unit_ms = 4000,
    .drain_ms = 10000,
};

static void happen(struct world *w, int32_t a, struct agent_event ev);

/* ---- actions ---- */

static void connect_to(struct world *w, int32_t a, int32_t coord)
{
    assert(w->conns_count < CONNS_MAX);
    w->agents[a].conn = w->conns_count++;
    w->conns[w->agents[a].conn] = (struct conn){ a, coord, true };
}

static void send(struct world *w, int32_t a, const struct msg *msg)
{
    int32_t conn = w->agents[a].conn;
    struct heavy heavy = { 0 };
    /* ZAP keeps a revoked key out, half of the time late. */
    bool refused =
        faulty(w) && w->db.keys[key_of(a)].revoked_ms && msg->kind == MSG_HELLO && roll(w, 2);
    if (refused)
        return;
    if (msg->kind == MSG_RESULTS) {
        heavy = w->theirs[a][msg->body].heavy;
        for (int32_t i = 0; msg->reason && i < heavy.count; i++)
            heavy.rows[i].reason = msg->reason;
    }
    deliver(w, E_TO_COORD, w->conns[conn].coord, conn, msg, &heavy);
}

static void agent_exit(struct world *w, int32_t a, int32_t code)
{
    w->agents[a].exited = true;
    if (code == AGENT_EXIT_DRAINED && agent_room(&w->agents[a].core) != UNACKED_MAX)
        broke(w, "I12 an agent that is drained has nothing unacknowledged");
}

static void act(struct world *w, int32_t a, const struct agent_action *x)
{
    if (x->kind == AGENT_FREE)
        body_back(w, w->theirs[a], x->body);
    else if (x->kind == AGENT_SEND)
        send(w, a, &x->msg);
    else if (x->kind == AGENT_EXIT)
        agent_exit(w, a, x->code);
    else
        w->conns[w->agents[a].conn].open = false;
    if (x->kind == AGENT_CONNECT)
        connect_to(w, a, x->endpoint);
}

/* ---- computing: one item after another, results in batches ---- */

static void batch_out(struct world *w, int32_t a)
{
    struct sim_agent *x = &w->agents[a];
    if (!x->open_count)
        return;
    int32_t body = body_take(w, w->theirs[a], a), count = x->open_count;
    w->theirs[a][body].heavy.count = count;
    memcpy(w->theirs[a][body].heavy.rows, x->open, sizeof(x->open));
    x->open_count = 0;
    happen(w, a,
           (struct agent_event){ .kind = AGENT_RESULT,
                                 .lease = x->unit.lease,
                                 .items = count,
                                 .bytes = 40 * count,
                                 .body = body });
}

static void unit_over(struct world *w, int32_t a, bool complete)
{
    struct sim_agent *x = &w->agents[a];
    batch_out(w, a);
    x->busy = false;
    happen(w, a,
           (struct agent_event){ .kind = AGENT_DONE,
                                 .lease = x->unit.lease,
                                 .complete = complete,
                                 .took_ms = 4000,
                                 .bytes = x->unit.bytes });
}

static void item_begin(struct world *w, int32_t a, int32_t load_ms)
{
    struct sim_agent *x = &w->agents[a];
    struct lease lease = x->unit.lease;
    if (x->at == x->count || !agent_may(&x->core, lease, w->now_ms)) {
        unit_over(w, a, x->at == x->count);
        return;
    }
    if (w->now_ms >= w->promised_ms[lease.shard - 1][lease.epoch][key_of(a)])
        broke(w, "P1 nobody begins an item after its lease has run out");
    w->total.computed++;
    push(w, E_COMPUTED, w->now_ms + 200 + roll(w, 3000) + load_ms, a)->gen = x->gen;
}

static void item_end(struct world *w, int32_t a)
{
    struct sim_agent *x = &w->agents[a];
    int32_t item = x->items[x->at++];
    bool failed = chance(w, w->p.error);
    w->total.erred += failed;
    x->open[x->open_count++] = (struct row){ item, failed ? REASON_INTERNAL : REASON_NONE,
                                             db_truth(x->unit.run, item, x->unit.model) };
    if (x->open_count == ROWS_MAX || !roll(w, 3))
        batch_out(w, a);
    item_begin(w, a, 0);
}

static void unit_begin(struct world *w, int32_t a)
{
    struct sim_agent *x = &w->agents[a];
    int32_t old = x->core.model;
    if (x->busy || x->exited || !agent_next(&x->core, w->now_ms, &x->unit))
        return;
    x->busy = true;
    x->count = x->at = x->open_count = 0;
    for (int32_t i = 0; i < x->unit.chunks_count; i++) {
        const struct db_items *items = &w->theirs[a][x->unit.chunks[i]].heavy.items;
        for (int32_t k = 0; k < items->count; k++)
            x->items[x->count++] = items->no[k];
        body_back(w, w->theirs[a], x->unit.chunks[i]);
    }
    if (chance(w, w->p.fail)) { /* out of memory, say */
        happen(w, a,
               (struct agent_event){
                   .kind = AGENT_FAIL, .lease = x->unit.lease, .reason = REASON_OOM });
        unit_over(w, a, false);
        return;
    }
    item_begin(w, a, old != x->unit.model ? 1500 : 0);
}

static void check_bodies(struct world *w, int32_t a)
{
    const struct agent *core = &w->agents[a].core;
    int32_t known = UNACKED_MAX - agent_room(core);
    for (int32_t i = 0; i < core->jobs_count; i++)
        known += core->jobs[i].chunks_count;
    if (known != w->agents[a].bodies)
        broke(w, "I10 an agent's bodies are those that it knows");
}

static void happen(struct world *w, int32_t a, struct agent_event ev)
{
    assert(w->nested < NESTED_MAX); /* what an agent does may be an event of its own */
    struct agent_actions *acts = &w->agent_acts[w->nested++];
    ev.now_ms = w->now_ms;
    ev.random = roll(w, 1u << 30);
    agent_step(&w->agents[a].core, &ev, acts);
    for (int32_t i = 0; i < acts->count; i++)
        act(w, a, &acts->list[i]);
    if (!--w->nested)
        check_bodies(w, a);
    unit_begin(w, a);
}

/* ---- events ---- */

/* The Ack as the agent would log it: what it says must already be safe from a crash. */
static void check_ack(struct world *w, int32_t a, const struct msg *m)
{
    const struct agent *core = &w->agents[a].core;
    if (m->kind != MSG_ACK || m->verdict == VERDICT_REJECTED || core->session != m->session)
        return;
    for (int32_t i = 0; i < UNACKED_MAX; i++) {
        const struct unacked *u = &core->unacked[i];
        if (!u->used || u->number != m->number)
            continue;
        const struct heavy *heavy = &w->theirs[a][u->body].heavy;
        int32_t run = w->db.shards[u->lease.shard - 1].run;
        for (int32_t k = 0; k < heavy->count; k++) {
            int32_t item = heavy->rows[k].item_no;
            bool there = w->durable.responses[run][item].there;
            if (!there && !w->durable.errors[run][item])
                broke(w, "I2 an Ack is for what is durable");
            w->acked[run][item] |= there;
        }
    }
}

static void hear(struct world *w, const struct sim_event *e)
{
    int32_t a = e->who;
    struct msg m = e->msg;
    struct agent_event ev = { .kind = AGENT_MSG, .msg = &m };
    check_ack(w, a, &m);
    if (m.kind == MSG_CHUNK) {
        const struct db_items *items = &e->heavy.items;
        m.body = body_take(w, w->theirs[a], a);
        w->theirs[a][m.body].heavy = e->heavy;
        ev.items = items->count;
        ev.bytes = 1000 * items->count;
        ev.next = items->count ? items->no[items->count - 1] + 1 : 0;
    }
    happen(w, a, ev);
}

void agent_event_in(struct world *w, const struct sim_event *e)
{
    struct sim_agent *x = &w->agents[e->who];
    if (!x->up || e->gen != x->gen)
        return;
    if (e->kind == E_TO_AGENT && e->conn == x->conn && w->conns[e->conn].open) {
        hear(w, e);
    } else if (e->kind == E_AGENT_TICK) {
        push(w, E_AGENT_TICK, w->now_ms + 200, e->who)->gen = e->gen;
        happen(w, e->who, (struct agent_event){ .kind = AGENT_TICK });
    } else if (e->kind == E_COMPUTED) {
        item_end(w, e->who);
    } else if (e->kind == E_AGENT_STOP) {
        happen(w, e->who, (struct agent_event){ .kind = AGENT_STOP });
    } else if (e->kind == E_AGENT_CUT && e->conn == x->conn) {
        happen(w, e->who, (struct agent_event){ .kind = AGENT_CUT });
    }
    if (x->exited)
        agent_ends(w, e->who, true);
}

void agent_ends(struct world *w, int32_t a, bool again)
{
    w->agents[a].up = false;
    w->agents[a].gen++;
    w->conns[w->agents[a].conn].open = false;
    if (again)
        push(w, E_AGENT_UP, w->now_ms + 100 + roll(w, 5000), a);
}

void agent_start(struct world *w, int32_t a)
{
    struct sim_agent *x = &w->agents[a];
    struct agent_conf mine = conf;
    mine.incarnation = (uint64_t)(a + 1) * 1000 + ++x->lives;
    agent_init(&x->core, &mine);
    x->core.endpoint = (int32_t)roll(w, COORDS);
    x->up = true;
    x->busy = x->exited = false;
    x->open_count = x->bodies = 0;
    x->paused_ms = 0;
    memset(w->theirs[a], 0, sizeof(w->theirs[a]));
    push(w, E_AGENT_TICK, w->now_ms + roll(w, 200), a)->gen = x->gen;
}
