/* core_rig.h - the coordinator's core on a bench: events in, what it asked and said out.
 *
 * Header only, for the test programs beside it; each has one core at a time, which lead() makes
 * anew. */
#ifndef CORE_RIG_H
#define CORE_RIG_H

#include "coordinator/core_state.h"
#include "tests/test.h"

static struct core *core;
static struct actions acts;
static int64_t now;
static uint64_t seq;
static int32_t bodies; /* given to the core and not come back */
static int32_t everywhere[] = { 1, 2, 3 };

static inline void step(struct event ev)
{
    ev.now_ms = now;
    core_step(core, &ev, &acts);
    for (int32_t i = 0; i < acts.count; i++) {
        const struct action *a = &acts.list[i];
        bodies -= a->kind == ACT_FREE || (a->kind == ACT_SEND && a->msg.body);
    }
}

static inline void tick(int32_t later_ms)
{
    now += later_ms;
    step((struct event){ .kind = EV_TICK });
}

static inline const struct tx *asked(enum tx_kind kind)
{
    for (int32_t i = 0; i < TXS_MAX; i++)
        if (core->txs[i].state == TX_SENT && core->txs[i].kind == kind)
            return &core->txs[i];
    return NULL;
}

static inline int32_t asked_count(enum tx_kind kind)
{
    int32_t n = 0;
    for (int32_t i = 0; i < TXS_MAX; i++)
        n += core->txs[i].state == TX_SENT && core->txs[i].kind == kind;
    return n;
}

static inline void answer(enum tx_kind kind, enum tx_outcome outcome, struct answer a)
{
    const struct tx *tx = asked(kind);
    assert(tx);
    bodies += outcome == TX_OK && a.body;
    step((struct event){ .kind = EV_TX, .tx = tx->id, .outcome = outcome, .answer = &a });
}

static inline int32_t said(enum msg_kind kind)
{
    int32_t n = 0;
    for (int32_t i = 0; i < acts.count; i++)
        n += acts.list[i].kind == ACT_SEND && acts.list[i].msg.kind == kind;
    return n;
}

static inline const struct msg *said_first(enum msg_kind kind)
{
    for (int32_t i = 0; i < acts.count; i++)
        if (acts.list[i].kind == ACT_SEND && acts.list[i].msg.kind == kind)
            return &acts.list[i].msg;
    return NULL;
}

static inline struct session *session(int32_t agent)
{
    return session_by(core, BY_AGENT, (uint64_t)agent);
}

/* Connection, key and agent have one number. */
static inline void hear(int32_t route, struct msg m)
{
    const struct session *s = session_by(core, BY_ROUTE, (uint64_t)route);
    m.seq = m.seq ? m.seq : ++seq;
    m.session = m.session || !s || m.kind == MSG_HELLO ? m.session : s->id;
    bodies += m.body != 0;
    step((struct event){ .kind = EV_MSG, .route = (uint32_t)route, .key = route, .msg = &m });
}

static inline void lead(void)
{
    static const struct core_conf *conf = &core_conf_default;
    core_free(core);
    core = core_new(conf);
    now = 100000;
    bodies = 0;
    tick(0);
    answer(TX_LEAD, TX_OK, (struct answer){ .epoch = 1 });
    answer(TX_WORK, TX_OK, (struct answer){ 0 });
}

static inline struct msg hello(int32_t shards)
{
    return (struct msg){ .kind = MSG_HELLO,
                         .version_min = 1,
                         .version_max = 1,
                         .shards = shards,
                         .incarnation = 5,
                         .disk = everywhere,
                         .disk_count = 3,
                         .body = 1 };
}

static inline void join(int32_t agent, int32_t model)
{
    struct msg m = hello(2);
    m.resident[0] = model;
    m.resident_count = model != 0;
    hear(agent, m);
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = agent, .class = 1 });
}

static inline void work(int32_t ready)
{
    struct work w = { .model = 1, .ready = ready, .load_ms = 100, .shard_ms = 100 };
    tick(core->conf.work_ms);
    answer(TX_WORK, TX_OK, (struct answer){ .count = 1, .works = &w });
}

static inline void granted(int32_t agent, int64_t shard, int32_t epoch)
{
    struct grant g = { .lease = { shard, epoch }, .run = 1, .lo = 0, .hi = 4 };
    if (!asked(TX_CLAIM))
        work(1);
    assert(asked(TX_CLAIM)->agent == agent);
    answer(TX_CLAIM, TX_OK, (struct answer){ .count = 1, .grants = &g });
}

static inline void beat(int32_t agent, int64_t number, struct lease held)
{
    hear(agent, (struct msg){ .kind = MSG_HEARTBEAT,
                              .number = number,
                              .held = { held },
                              .held_count = held.shard != 0 });
}

static inline void results(int32_t agent, int64_t number, int32_t items)
{
    hear(agent, (struct msg){ .kind = MSG_RESULTS,
                              .lease = { 3, 1 },
                              .number = number,
                              .items = items,
                              .bytes = items * 40,
                              .body = 2 });
}

static inline void away_and_back(int64_t epoch)
{
    step((struct event){ .kind = EV_LOST });
    assert(core_role(core) == ROLE_AWAY);
    answer(TX_LEAD, TX_OK, (struct answer){ .epoch = epoch });
}

#endif
