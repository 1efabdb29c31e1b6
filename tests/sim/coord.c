#include "tests/sim/world.h"

#include <stdio.h>
#include <string.h>

#define LEASE_MS 10000
#define GRACE_MS 1000
#define STALE_MS 4000 /* a leader that does not beat is put down after this */

static const struct core_conf conf = {
    .lease_ms = LEASE_MS,
    .heartbeat_ms = 1000,
    .silent_ms = 3000,
    .settle_ms = 2000,
    .flush_ms = 20,
    .flush_items = 12,
    .flushes = 2,
    .window_bytes = 4096,
    .batch_items = ROWS_MAX,
    .recover_ms = 5000,
    .work_ms = 500,
    .retry_ms = 300,
    .standby_ms = 1000,
    .load_ms = 3000,
    .sessions_max = 16,
    .batches_max = 64,
    .bytes_max = 65536,
};

/* ---- actions ---- */

static void call_batches(struct world *w, int32_t c, struct call *call)
{
    for (int32_t k = 0; k < call->tx.count; k++) {
        const struct batch *b = core_batch(w->coords[c].core, call->tx.batches[k]);
        struct db_batch *to = &call->batches[k];
        *to = (struct db_batch){
            .agent = b->agent, .class = b->class, .count = b->items, .lease = b->lease
        };
        memcpy(to->rows, w->bodies[b->body].heavy.rows, sizeof(to->rows));
    }
}

/* Its lists are long and mostly empty. */
static void tx_copy(struct tx *to, const struct tx *from)
{
    size_t count = (size_t)from->count;
    memcpy(to, from, offsetof(struct tx, batches));
    if (from->kind == TX_INGEST)
        memcpy(to->batches, from->batches, count * sizeof(*to->batches));
    if (from->kind != TX_RENEW)
        return;
    memcpy(to->leases, from->leases, count * sizeof(*to->leases));
    memcpy(to->agents, from->agents, count * sizeof(*to->agents));
}

static void tx_start(struct world *w, int32_t c, const struct tx *tx)
{
    int32_t i = 0;
    while (i < CALLS_MAX && w->calls[i].used)
        i++;
    assert(i < CALLS_MAX);
    struct call *call = &w->calls[i];
    call->used = true;
    call->uses = 1;
    tx_copy(&call->tx, tx);
    if (tx->kind == TX_INGEST)
        call_batches(w, c, call);
    if (tx->kind == TX_HELLO) {
        call->class = tx->key == AGENTS ? 2 : 1; /* the last agent is of a class of its own */
        call->incarnation = w->bodies[tx->body].incarnation;
    }
    uint32_t most = chance(w, w->p.slow) ? 1500 : 6;
    struct sim_event *e = push(w, E_TX_RUN, w->now_ms + 1 + roll(w, most), c);
    e->gen = w->coords[c].gen;
    e->db_gen = w->coords[c].db_gen;
    e->call = i;
}

static void send(struct world *w, int32_t c, const struct action *a)
{
    int32_t conn = (int32_t)a->route;
    if (w->conns[conn].open) {
        const struct heavy *heavy = a->msg.body ? &w->bodies[a->msg.body].heavy : NULL;
        deliver(w, E_TO_AGENT, w->conns[conn].agent, conn, &a->msg, heavy);
        w->total.grants += a->msg.kind == MSG_GRANT;
    } else { /* EHOSTUNREACH */
        struct sim_event *e = push(w, E_GONE, w->now_ms, c);
        e->gen = w->coords[c].gen;
        e->conn = conn;
    }
    if (a->msg.body)
        body_back(w, w->bodies, a->msg.body);
}

static void tick_at(struct world *w, int32_t c, int64_t at_ms)
{
    struct sim_coord *x = &w->coords[c];
    x->tick_ms = at_ms > w->now_ms ? at_ms : w->now_ms + 1;
    push(w, E_TICK, x->tick_ms, c)->gen = x->gen;
}

/* What must hold of the cores themselves after each step. */
static void check_step(struct world *w, int32_t c)
{
    struct core_counts n = core_count(w->coords[c].core);
    bool rival = core_role(w->coords[c].core) == ROLE_LEADING && w->coords[1 - c].up &&
                 core_role(w->coords[1 - c].core) == ROLE_LEADING;
    if (n.bodies != w->coords[c].bodies)
        broke(w, "I10 a coordinator's bodies are those that it knows");
    if (core_role(w->coords[c].core) == ROLE_STANDBY && (n.sessions || n.held || n.batches))
        broke(w, "I11 a standby has no sessions, leases or batches");
    if (rival && core_epoch(w->coords[c].core) == core_epoch(w->coords[1 - c].core))
        broke(w, "I11 an epoch has one leader");
}

static void step(struct world *w, int32_t c, struct event ev)
{
    static struct actions acts;
    struct sim_coord *x = &w->coords[c];
    ev.now_ms = w->now_ms;
    core_step(x->core, &ev, &acts);
    trace_step(x->trace, &ev, &acts);
    for (int32_t i = 0; i < acts.count; i++) {
        const struct action *a = &acts.list[i];
        if (a->kind == ACT_SEND)
            send(w, c, a);
        else if (a->kind == ACT_TX)
            tx_start(w, c, a->tx);
        else if (a->kind == ACT_FREE)
            body_back(w, w->bodies, a->body);
    }
    check_step(w, c);
    if (x->tick_ms <= w->now_ms || core_timer_ms(x->core) < x->tick_ms)
        tick_at(w, c, core_timer_ms(x->core));
}

/* ---- life ---- */

static void trace_begin(struct world *w, int32_t c)
{
    char path[256];
    struct err err = { 0 };
    snprintf(path, sizeof(path), "%s/%d", w->traces, c);
    trace_close(w->coords[c].trace);
    if (!trace_open(&w->coords[c].trace, path, &conf, &err))
        broke(w, "no trace");
}

void coord_start(struct world *w, int32_t c)
{
    if (w->traces)
        trace_begin(w, c);
    core_free(w->coords[c].core);
    w->coords[c].core = core_new(&conf);
    w->coords[c].up = true;
    w->coords[c].tick_ms = w->coords[c].paused_ms = 0;
    step(w, c, (struct event){ .kind = EV_TICK });
}

/* Who was connected hears of it, or the word is lost with the host. */
static void agents_cut(struct world *w, int32_t c)
{
    for (int32_t a = 0; a < PROCS; a++) {
        const struct sim_agent *x = &w->agents[a];
        if (!x->up || w->conns[x->conn].coord != c || !roll(w, 3))
            continue;
        struct sim_event *e = push(w, E_AGENT_CUT, w->now_ms + 1 + roll(w, 300), a);
        e->gen = x->gen;
        e->conn = x->conn;
    }
}

void coord_stop(struct world *w, int32_t c)
{
    agents_cut(w, c);
    w->coords[c].up = false;
    w->coords[c].gen++;
    w->coords[c].bodies = 0;
    for (int32_t i = 1; i < BODIES_MAX; i++)
        w->bodies[i].used &= w->bodies[i].owner != c;
}

/* Its backends are gone: what it asked is unknown to it, the lock is free. */
void coord_disconnect(struct world *w, int32_t c)
{
    w->coords[c].db_gen++;
    if (w->lock == c)
        w->lock = -1;
    push(w, E_LOST, w->now_ms + roll(w, 500), c)->gen = w->coords[c].gen;
}

/* Put down, and its lock is free; what it asked on its other connections goes on. */
static void coord_depose(struct world *w, int32_t c)
{
    w->lock = -1;
    push(w, E_LOST, w->now_ms + roll(w, 500), c)->gen = w->coords[c].gen;
}

void coord_ends(struct world *w, int32_t c)
{
    coord_stop(w, c);
    push(w, E_LOCK_FREE, w->now_ms + (roll(w, 2) ? 1 : 4000), c)->db_gen = w->coords[c].db_gen;
    push(w, E_COORD_UP, w->now_ms + 500 + roll(w, 6000), c);
}

static void hear(struct world *w, const struct sim_event *e)
{
    static const int32_t everywhere[] = { 1, 2 };
    struct msg m = e->msg;
    if (m.kind == MSG_RESULTS || m.kind == MSG_HELLO) {
        m.body = body_take(w, w->bodies, e->who);
        w->bodies[m.body].heavy = e->heavy;
        w->bodies[m.body].incarnation = m.incarnation;
    }
    if (m.kind == MSG_HELLO || m.kind == MSG_CREDIT) {
        m.version_min = m.version_max = PROTOCOL_VERSION;
        m.disk = everywhere;
        m.disk_count = MODELS;
    }
    step(w, e->who,
         (struct event){ .kind = EV_MSG,
                         .route = (uint32_t)e->conn,
                         .key = key_of(w->conns[e->conn].agent),
                         .msg = &m });
}

void coord_event(struct world *w, const struct sim_event *e)
{
    const struct sim_coord *x = &w->coords[e->who];
    if (!x->up)
        return;
    if (e->kind == E_TO_COORD)
        hear(w, e);
    else if (e->kind == E_REVOKED)
        step(w, e->who, (struct event){ .kind = EV_REVOKED, .key = e->key });
    else if (e->kind == E_HINT)
        step(w, e->who, (struct event){ .kind = EV_WORK });
    else if (e->gen != x->gen)
        return;
    else if (e->kind == E_RESIGN)
        step(w, e->who, (struct event){ .kind = EV_RESIGN });
    else if (e->kind == E_COORD_END)
        coord_ends(w, e->who);
    else if (e->kind == E_TICK && e->at_ms >= x->tick_ms)
        step(w, e->who, (struct event){ .kind = EV_TICK });
    else if (e->kind == E_GONE)
        step(w, e->who, (struct event){ .kind = EV_GONE, .route = (uint32_t)e->conn });
    else if (e->kind == E_LOST)
        step(w, e->who, (struct event){ .kind = EV_LOST });
}

/* ---- the database ---- */

static bool lead(struct world *w, int32_t c, struct answer *a)
{
    a->epoch = w->db.epoch;
    if (w->lock >= 0 && w->lock != c) {
        if (w->now_ms - w->db.beat_ms < STALE_MS)
            return false;
        coord_depose(w, w->lock);
    }
    w->lock = c;
    w->db.beat_ms = w->now_ms;
    a->epoch = ++w->db.epoch;
    return true;
}

static bool poisoned(const struct world *w, const struct call *call)
{
    for (int32_t k = 0; faulty(w) && w->p.poison && k < call->tx.count; k++)
        for (int32_t r = 0; r < call->batches[k].count; r++) {
            const struct row *row = &call->batches[k].rows[r];
            if (!row->reason && (uint32_t)row->item_no == w->p.poison)
                return true;
        }
    return false;
}

static enum tx_outcome ingest(struct world *w, struct call *call)
{
    struct db_answer *a = &call->answer;
    if (poisoned(w, call) || !db_ingest(&w->db, w->now_ms, call->batches, call->tx.count, a))
        return TX_DATA;
    for (int32_t k = 0; k < call->tx.count; k++) {
        const struct lease *l = &call->batches[k].lease;
        enum verdict v = a->verdicts[k].verdict;
        w->total.already += v == VERDICT_ALREADY;
        w->total.rejected += v == VERDICT_REJECTED;
        w->total.late += v == VERDICT_COMMITTED && w->db.shards[l->shard - 1].epoch != l->epoch;
    }
    return TX_OK;
}

/* Whoever has a session is heard of. */
static void seen(struct world *w)
{
    for (int32_t a = 0; a < PROCS; a++)
        if (w->agents[a].up && w->agents[a].core.state == AGENT_UP)
            w->db.agents[key_of(a)].seen_ms = w->now_ms;
}

static enum tx_outcome execute(struct world *w, int32_t c, struct call *call)
{
    const struct tx *tx = &call->tx;
    struct db_answer *a = &call->answer;
    a->answer = (struct answer){ 0 };
    if (tx->kind == TX_LEAD)
        return lead(w, c, &a->answer) ? TX_OK : TX_REFUSED;
    if (tx->epoch != w->db.epoch) {
        w->total.fenced++;
        return TX_FENCED;
    }
    if (tx->kind == TX_HELLO)
        return db_hello(&w->db, w->now_ms, tx->key, call->class, call->incarnation, a) ? TX_OK
                                                                                       : TX_REFUSED;
    if (tx->kind == TX_INGEST)
        return ingest(w, call);
    if (tx->kind == TX_WORK)
        db_work(&w->db, a);
    else if (tx->kind == TX_CLAIM)
        db_claim(&w->db, w->now_ms, LEASE_MS, tx, a);
    else if (tx->kind == TX_RENEW)
        db_renew(&w->db, w->now_ms, LEASE_MS, tx, a);
    else if (tx->kind == TX_EXPIRE)
        w->total.expired += (uint64_t)db_expire(&w->db, w->now_ms, GRACE_MS);
    else if (tx->kind == TX_FAIL)
        db_fail(&w->db, w->now_ms, tx);
    else if (tx->kind == TX_BEAT)
        w->db.beat_ms = w->now_ms;
    else if (tx->kind == TX_LOAD)
        seen(w);
    return TX_OK;
}

void check_all(struct world *w)
{
    const char *bad = db_check(&w->db);
    if (bad)
        broke(w, bad);
    for (int32_t i = 0; i < RUNS * ITEMS; i++)
        if (w->acked[i / ITEMS][i % ITEMS] && !w->db.responses[i / ITEMS][i % ITEMS].there)
            broke(w, "I2 what was acked is there");
}

static void promise(struct world *w)
{
    for (int32_t i = 0; i < SHARDS; i++) {
        const struct db_shard *s = &w->db.shards[i];
        int64_t *at = &w->promised_ms[i][s->epoch][s->agent];
        if (s->state == SHARD_LEASED && s->expires_ms > *at)
            *at = s->expires_ms;
    }
}

static enum tx_outcome commit(struct world *w, int32_t c, struct call *call)
{
    enum tx_outcome outcome = execute(w, c, call);
    enum tx_kind kind = call->tx.kind;
    bool async = kind == TX_CLAIM || kind == TX_RENEW;
    if (outcome == TX_OK && kind != TX_LEAD && call->tx.epoch != w->db.epoch)
        broke(w, "I13 nothing of an epoch that is over is executed");
    if (kind == TX_WORK || kind == TX_ITEMS)
        return outcome;
    if (!async || roll(w, 10) < 3)
        w->durable = w->db;
    if (async)
        promise(w);
    check_all(w);
    return outcome;
}

static void report(struct world *w, const struct sim_event *run, enum tx_outcome outcome,
                   int64_t delay)
{
    struct sim_event *e = push(w, E_TX_DONE, w->now_ms + delay, run->who);
    e->gen = run->gen;
    e->call = run->call;
    e->outcome = outcome;
    w->calls[run->call].uses++;
}

/* The connection goes while the transaction runs: committed, or not, or not yet. */
static void ambiguous(struct world *w, const struct sim_event *e)
{
    uint32_t how = roll(w, 3);
    w->total.ambiguous++;
    if (how == 0)
        commit(w, e->who, &w->calls[e->call]);
    report(w, e, TX_UNKNOWN, 1 + roll(w, 50));
    if (how != 2)
        return;
    struct sim_event *z = push(w, E_TX_RUN, w->now_ms + roll(w, 3000), e->who);
    z->gen = e->gen;
    z->db_gen = e->db_gen;
    z->call = e->call;
    z->zombie = true;
    w->calls[e->call].uses++;
}

void tx_run(struct world *w, const struct sim_event *e)
{
    struct call *call = &w->calls[e->call];
    const struct sim_coord *x = &w->coords[e->who];
    bool cut = w->now_ms < x->cut_ms || e->db_gen != x->db_gen;
    if (e->zombie && !cut)
        commit(w, e->who, call); /* reported UNKNOWN long ago; the gate decides */
    else if (cut && !e->zombie)
        report(w, e, TX_UNKNOWN, 200 + roll(w, 2000));
    else if (e->zombie)
        ;
    else if (chance(w, w->p.retry))
        report(w, e, TX_RETRY, 1);
    else if (chance(w, w->p.ambiguous))
        ambiguous(w, e);
    else
        report(w, e, commit(w, e->who, call), 1 + roll(w, chance(w, w->p.slow) ? 1000 : 4));
    call->used = --call->uses > 0;
}

/* In a message, so in a body: what item_fetch gave. */
static void items_put(struct world *w, int32_t c, struct call *call)
{
    struct answer *a = &call->answer.answer;
    *a = (struct answer){ .body = body_take(w, w->bodies, c) };
    struct db_items *items = &w->bodies[a->body].heavy.items;
    db_items(&w->db, &call->tx, items);
    a->last = items->last;
}

void tx_done(struct world *w, const struct sim_event *e)
{
    struct call *call = &w->calls[e->call];
    if (w->coords[e->who].up && w->coords[e->who].gen == e->gen) {
        if (call->tx.kind == TX_ITEMS && e->outcome == TX_OK)
            items_put(w, e->who, call);
        step(w, e->who,
             (struct event){ .kind = EV_TX,
                             .tx = call->tx.id,
                             .outcome = e->outcome,
                             .answer = &call->answer.answer });
    }
    call->used = --call->uses > 0;
}
