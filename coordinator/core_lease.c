#include "coordinator/core_state.h"

/* ---- held leases ---- */

static int32_t *shard_head(const struct core *core, int64_t shard)
{
    return &core->held_heads[hash_mix((uint64_t)shard) & (uint32_t)core->held_mask];
}

void leases_init(struct core *core)
{
    int32_t count = core->conf.sessions_max * HELD_MAX, size = hash_size(count / 2);
    core->held = must_calloc((size_t)count, sizeof(*core->held));
    core->held_mask = size - 1;
    core->renew_at = NONE;
    heads_init(&core->held_heads, size);
    for (int32_t i = 0; i < count; i++)
        core->held[i].next = i + 1 < count ? i + 1 : NONE;
}

void leases_free(struct core *core)
{
    free(core->held);
    free(core->held_heads);
}

struct held *held_find(const struct core *core, const struct session *s, struct lease lease)
{
    for (int32_t i = s->held_first; i != NONE; i = core->held[i].next)
        if (lease_same(core->held[i].lease, lease))
            return &core->held[i];
    return NULL;
}

struct held *held_add(struct core *core, struct session *s, struct lease lease, int64_t renewed_ms)
{
    assert(s->held_count < HELD_MAX && core->held_free != NONE);
    int32_t at = core->held_free, *head = shard_head(core, lease.shard);
    struct held *h = &core->held[at];
    core->held_free = h->next;
    *h = (struct held){ .lease = lease,
                        .session = (int32_t)(s - core->sessions),
                        .granted_ms = core->now_ms,
                        .renewed_ms = renewed_ms,
                        .next = s->held_first,
                        .next_same = *head };
    s->held_first = *head = at;
    s->held_count++;
    core->held_count++;
    return h;
}

void held_drop(struct core *core, struct session *s, struct held *held)
{
    int32_t me = (int32_t)(held - core->held), *at = &s->held_first;
    while (*at != me)
        at = &core->held[*at].next;
    *at = held->next;
    at = shard_head(core, held->lease.shard);
    while (*at != me)
        at = &core->held[*at].next_same;
    *at = held->next_same;
    held->next = core->held_free;
    core->held_free = me;
    s->held_count--;
    core->held_count--;
    session_queue(core, s); /* there is room for another */
}

void held_clear(struct core *core, struct session *s)
{
    while (s->held_first != NONE)
        held_drop(core, s, &core->held[s->held_first]);
}

bool lease_among(const struct lease *list, int32_t count, struct lease lease)
{
    for (int32_t i = 0; i < count; i++)
        if (lease_same(list[i], lease))
            return true;
    return false;
}

/* Whoever holds the shard is done with it, whatever its lease. */
void shard_done(struct core *core, int64_t shard)
{
    for (int32_t i = *shard_head(core, shard), next; i != NONE; i = next) {
        struct held *h = &core->held[i];
        next = h->next_same;
        if (h->lease.shard == shard)
            held_drop(core, &core->sessions[h->session], h);
    }
}

void give_back(struct core *core, int32_t agent, struct lease lease, enum reason reason,
               int64_t reason_num)
{
    struct tx *tx = tx_new(core, TX_FAIL);
    if (!tx)
        return; /* it expires then */
    tx->agent = agent;
    tx->lease = lease;
    tx->reason = reason;
    tx->reason_num = reason_num;
    tx_go(core, tx);
}

/* Keeps what both sides hold; gives back what only the database has; tells the agent what only it
 * has. */
void reconcile(struct core *core, struct session *s, const struct answer *a)
{
    for (int32_t i = 0; i < a->count; i++)
        if (!held_find(core, s, a->leases[i]))
            give_back(core, s->agent, a->leases[i], REASON_RETURNED, 0);
    for (int32_t i = s->held_first, next; i != NONE; i = next) {
        struct held *h = &core->held[i];
        next = h->next;
        if (lease_among(a->leases, a->count, h->lease))
            continue;
        if (!s->welcome)
            say(core, s,
                (struct msg){ .kind = MSG_REVOKE, .lease = h->lease, .reason = REASON_AGENT_LOST });
        held_drop(core, s, h);
    }
}

/* A heartbeat says what the agent holds.  What it does not name a while after the Grant died on the
 * way, or its ShardEnd did; what it names and does not hold is lost to it. */
void settle(struct core *core, struct session *s, const struct msg *beat, struct msg *ack)
{
    int64_t oldest = core->now_ms;
    for (int32_t i = 0; i < beat->held_count; i++)
        if (!held_find(core, s, beat->held[i]))
            ack->held[ack->held_count++] = beat->held[i];
    for (int32_t i = s->held_first, next; i != NONE; i = next) {
        struct held *h = &core->held[i];
        next = h->next;
        if (h->renewed_ms < oldest)
            oldest = h->renewed_ms;
        if (lease_among(beat->held, beat->held_count, h->lease) ||
            core->now_ms - h->granted_ms < core->conf.settle_ms)
            continue;
        give_back(core, s->agent, h->lease, REASON_RETURNED, 0);
        held_drop(core, s, h);
    }
    ack->age_ms = oldest == NEVER ? 2 * core->conf.lease_ms : (int32_t)(core->now_ms - oldest);
}

/* ---- items ---- */

void on_item_request(struct core *core, struct session *s, const struct msg *m)
{
    struct held *held = held_find(core, s, m->lease);
    if (!held || held->asking || core->role != ROLE_LEADING)
        return; /* it asks again */
    struct tx *tx = tx_new(core, TX_ITEMS);
    if (!tx)
        return;
    held->asking = true;
    tx->session = s->id;
    tx->agent = s->agent;
    tx->lease = m->lease;
    tx->from = m->from;
    tx->bytes = m->bytes;
    tx_go(core, tx);
}

void items_done(struct core *core, const struct tx *tx, const struct answer *a)
{
    struct session *s = session_by(core, BY_ID, tx->session);
    if (s && s->state == SES_UP && held_find(core, s, tx->lease))
        say(core, s,
            (struct msg){ .kind = MSG_CHUNK,
                          .lease = tx->lease,
                          .from = tx->from,
                          .last = a->last,
                          .body = a->body });
    else
        body_free(core, a->body);
}

/* ---- claims ---- */

void claim_go(struct core *core, struct session *s)
{
    int32_t most = s->shards < HELD_MAX ? s->shards : HELD_MAX, n = most - s->held_count;
    if (s->state != SES_UP || s->busy || s->recheck || s->drain || n <= 0)
        return;
    struct work *w = work_pick(core, s);
    struct tx *tx = w ? tx_new(core, TX_CLAIM) : NULL;
    if (!tx)
        return; /* the next look at the work asks everybody again */
    s->busy = true;
    tx->session = s->id;
    tx->agent = s->agent;
    tx->beat = s->beat;
    tx->model = w->model;
    tx->class = w->class;
    tx->count = n < w->ready ? n : w->ready;
    w->ready -= tx->count;
    tx_go(core, tx);
}

static void grant(struct core *core, struct session *s, const struct tx *tx, struct grant g)
{
    /* A grant that the database lost in a crash is made again with its number: the same lease. */
    struct held *h = s ? held_find(core, s, g.lease) : NULL;
    if (!h && (!s || s->held_count == HELD_MAX)) {
        give_back(core, tx->agent, g.lease, REASON_RETURNED, 0);
        return;
    }
    if (!h)
        h = held_add(core, s, g.lease, tx->sent_ms);
    h->granted_ms = core->now_ms;
    h->renewed_ms = tx->sent_ms;
    session_runs(core, s, tx->model);
    say(core, s,
        (struct msg){ .kind = MSG_GRANT,
                      .lease = g.lease,
                      .model = tx->model,
                      .run = g.run,
                      .replica = g.replica,
                      .lo = g.lo,
                      .hi = g.hi,
                      .missing = g.missing,
                      .lease_ms = core->conf.lease_ms,
                      .number = tx->beat });
}

void claim_done(struct core *core, const struct tx *tx, const struct answer *a)
{
    struct session *s = session_by(core, BY_ID, tx->session);
    for (int32_t i = 0; i < a->count; i++)
        grant(core, s, tx, a->grants[i]);
    /* Barred there, or revoked and not known here: it must not stand before the others at the next
     * look at the work too. */
    if (s && a->count == 0)
        work_dry(core, s, tx->model);
    works_move(core, tx->model, tx->class, tx->count - a->count);
    if (a->count < tx->count)
        session_wants(core);
    else if (s)
        session_queue(core, s);
}

/* ---- renewals ---- */

static void renew_add(const struct core *core, struct tx *tx, const struct session *s)
{
    for (int32_t i = s->held_first; i != NONE; i = core->held[i].next) {
        tx->leases[tx->count] = core->held[i].lease;
        tx->agents[tx->count++] = s->agent;
    }
}

/* At once for who came back, because what it holds is vouched for only when a renewal committed;
 * not all of them, or a thousand that come back would renew a thousand times. */
void renew_one(struct core *core, const struct session *s)
{
    struct tx *tx = s->held_count ? tx_new(core, TX_RENEW) : NULL;
    if (!tx)
        return;
    renew_add(core, tx, s);
    tx_go(core, tx);
}

void renew_begin(struct core *core)
{
    core->renew_ms = core->now_ms + core->conf.lease_ms / 3;
    core->renew_at = 0;
}

/* One sweep over all slots of sessions, going on later where transactions ran out. */
void renew_go(struct core *core)
{
    struct tx *tx = NULL;
    for (; core->renew_at != NONE; core->renew_at++) {
        if (core->renew_at == core->conf.sessions_max) {
            core->renew_at = NONE;
            break;
        }
        const struct session *s = &core->sessions[core->renew_at];
        if (s->state != SES_UP || !s->held_count)
            continue;
        if (tx && tx->count + s->held_count > RENEW_MAX) {
            tx_go(core, tx);
            tx = NULL;
        }
        if (!tx && !(tx = tx_new(core, TX_RENEW)))
            return;
        renew_add(core, tx, s);
    }
    if (tx)
        tx_go(core, tx);
}

void renew_done(struct core *core, const struct tx *tx, const struct answer *a)
{
    for (int32_t i = 0; i < tx->count; i++) {
        struct session *s = session_by(core, BY_AGENT, (uint64_t)tx->agents[i]);
        struct held *h = s && s->state == SES_UP ? held_find(core, s, tx->leases[i]) : NULL;
        if (!h || h->granted_ms > tx->sent_ms)
            continue;
        if (!lease_among(a->leases, a->count, h->lease)) {
            h->renewed_ms = tx->sent_ms;
            continue;
        }
        say(core, s,
            (struct msg){ .kind = MSG_REVOKE, .lease = h->lease, .reason = REASON_LEASE_EXPIRED });
        held_drop(core, s, h);
    }
}
