#include "coordinator/core_state.h"

#include <string.h>

/* ---- finding sessions ---- */

static uint64_t key_of(const struct session *s, enum by by)
{
    return by == BY_ROUTE ? s->route : by == BY_ID ? s->id : (uint64_t)s->agent;
}

static int32_t *head_of(const struct core *core, enum by by, uint64_t key)
{
    return &core->heads[by][hash_mix(key) & (uint32_t)core->heads_mask];
}

struct session *session_by(const struct core *core, enum by by, uint64_t key)
{
    for (int32_t i = *head_of(core, by, key); i != NONE; i = core->sessions[i].next[by])
        if (key_of(&core->sessions[i], by) == key)
            return &core->sessions[i];
    return NULL;
}

static void index_put(struct core *core, enum by by, struct session *s)
{
    int32_t *head = head_of(core, by, key_of(s, by));
    s->next[by] = *head;
    *head = (int32_t)(s - core->sessions);
}

static void index_drop(struct core *core, enum by by, struct session *s)
{
    int32_t *at = head_of(core, by, key_of(s, by)), me = (int32_t)(s - core->sessions);
    while (*at != me)
        at = &core->sessions[*at].next[by];
    *at = s->next[by];
}

/* ---- the list by silence, and the queue of those who want something ---- */

static void list_drop(struct core *core, struct session *s)
{
    *(s->older == NONE ? &core->oldest : &core->sessions[s->older].newer) = s->newer;
    *(s->newer == NONE ? &core->newest : &core->sessions[s->newer].older) = s->older;
}

static void list_append(struct core *core, struct session *s)
{
    int32_t me = (int32_t)(s - core->sessions);
    s->older = core->newest;
    s->newer = NONE;
    *(core->newest == NONE ? &core->oldest : &core->sessions[core->newest].newer) = me;
    core->newest = me;
}

static void heard(struct core *core, struct session *s)
{
    s->seen_ms = core->now_ms;
    list_drop(core, s);
    list_append(core, s);
}

void session_queue(struct core *core, struct session *s)
{
    int32_t me = (int32_t)(s - core->sessions);
    if (s->queued)
        return;
    s->queued = true;
    s->next_queue = NONE;
    *(core->queue_first == NONE ? &core->queue_first
                                : &core->sessions[core->queue_last].next_queue) = me;
    core->queue_last = me;
}

static struct session *queue_pop(struct core *core)
{
    if (core->queue_first == NONE)
        return NULL;
    struct session *s = &core->sessions[core->queue_first];
    core->queue_first = s->next_queue;
    s->queued = false;
    return s;
}

void session_wants(struct core *core)
{
    for (int32_t i = core->oldest; i != NONE; i = core->sessions[i].newer)
        session_queue(core, &core->sessions[i]);
}

/* ---- life ---- */

void sessions_init(struct core *core)
{
    int32_t count = core->conf.sessions_max, size = hash_size(count);
    core->sessions = must_calloc((size_t)count, sizeof(*core->sessions));
    core->heads_mask = size - 1;
    for (int by = 0; by < BY_COUNT; by++)
        heads_init(&core->heads[by], size);
    core->oldest = core->newest = core->queue_first = core->queue_last = NONE;
    for (int32_t i = 0; i < count; i++)
        core->sessions[i].next[BY_ROUTE] = i + 1 < count ? i + 1 : NONE;
}

void sessions_free(struct core *core)
{
    for (int by = 0; by < BY_COUNT; by++)
        free(core->heads[by]);
    free(core->sessions);
    free(core->running);
}

static struct session *session_open(struct core *core, uint32_t route, int32_t key)
{
    if (core->session_free == NONE)
        return NULL;
    struct session *s = &core->sessions[core->session_free];
    core->session_free = s->next[BY_ROUTE];
    /* A slot may still stand in the queue from its last life. */
    *s = (struct session){ .state = SES_HELLO,
                           .route = route,
                           .key = key,
                           .held_first = NONE,
                           .queued = s->queued,
                           .next_queue = s->next_queue };
    s->id = (uint64_t)core->epoch << 24 | (uint64_t)(++core->sessions_made & 0xffffff);
    s->seen_ms = core->now_ms;
    index_put(core, BY_ROUTE, s);
    index_put(core, BY_ID, s);
    list_append(core, s);
    core->sessions_count++;
    return s;
}

static void running_add(struct core *core, int32_t model, int32_t more)
{
    while (model >= core->running_capacity) {
        int32_t old = core->running_capacity, now = old ? 2 * old : 64;
        core->running = must_realloc(core->running, (size_t)now, sizeof(*core->running));
        memset(core->running + old, 0, (size_t)(now - old) * sizeof(*core->running));
        core->running_capacity = now;
    }
    core->running[model] += more;
}

static void residents_set(struct core *core, struct session *s, const int32_t *models,
                          int32_t count)
{
    if (s->resident_count)
        running_add(core, s->resident[0], -1);
    s->resident_count = count;
    if (count)
        memcpy(s->resident, models, (size_t)count * sizeof(*models));
    if (count)
        running_add(core, s->resident[0], 1);
}

void session_runs(struct core *core, struct session *s, int32_t model)
{
    if (s->resident_count && s->resident[0] == model)
        return;
    core->switches++;
    int32_t now[RESIDENT_MAX] = { model }, count = 1;
    for (int32_t i = 0; i < s->resident_count && count < RESIDENT_MAX; i++)
        if (s->resident[i] != model)
            now[count++] = s->resident[i];
    residents_set(core, s, now, count);
}

void session_end(struct core *core, struct session *s, enum code code)
{
    if (code)
        say(core, s, (struct msg){ .kind = MSG_ERROR, .code = code });
    core_act(core, ACT_CLOSE)->route = s->route;
    body_free(core, s->body);
    residents_set(core, s, NULL, 0);
    held_clear(core, s); /* its batches go on: commits need no session, only acks do */
    if (s->agent)
        index_drop(core, BY_AGENT, s);
    index_drop(core, BY_ROUTE, s);
    index_drop(core, BY_ID, s);
    list_drop(core, s);
    s->state = SES_FREE;
    s->body = s->agent = 0;
    s->next[BY_ROUTE] = core->session_free;
    core->session_free = (int32_t)(s - core->sessions);
    core->sessions_count--;
}

void sessions_silent(struct core *core)
{
    while (core->oldest != NONE &&
           core->now_ms - core->sessions[core->oldest].seen_ms > core->conf.silent_ms)
        session_end(core, &core->sessions[core->oldest], CODE_NONE); /* its leases run on */
}

/* ---- Hello ---- */

static void hello_go(struct core *core, struct session *s, bool welcome)
{
    struct tx *tx = tx_new(core, TX_HELLO);
    if (!tx) {
        session_queue(core, s); /* a recheck comes again, and so does the agent's Hello */
        return;
    }
    s->busy = true;
    s->recheck = false;
    s->welcome = welcome;
    tx->session = s->id;
    tx->key = s->key;
    tx->slot = s->slot;
    tx->body = s->body;
    tx_go(core, tx);
}

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static void disk_set(struct session *s, const struct msg *m)
{
    s->disk_count = m->disk_count;
    if (m->disk_count)
        memcpy(s->disk, m->disk, (size_t)m->disk_count * sizeof(*m->disk));
    qsort(s->disk, (size_t)s->disk_count, sizeof(*s->disk), by_value);
}

/* What the agent says of itself; the body of an earlier Hello makes room. */
static void hello_take(struct core *core, struct session *s, const struct msg *m)
{
    body_free(core, s->body);
    s->body = m->body;
    s->slot = m->slot;
    s->incarnation = m->incarnation;
    s->shards = m->shards;
    held_clear(core, s);
    for (int32_t i = 0; i < m->held_count; i++)
        held_add(core, s, m->held[i], NEVER); /* not ours to vouch for until a renewal commits */
    residents_set(core, s, m->resident, m->resident_count);
    disk_set(s, m);
}

static void on_hello(struct core *core, struct session *s, const struct event *ev)
{
    const struct msg *m = ev->msg;
    bool spoken = m->version_min <= PROTOCOL_VERSION && m->version_max >= PROTOCOL_VERSION;
    if (!s && spoken)
        s = session_open(core, ev->route, ev->key);
    if (!s) {
        body_free(core, m->body);
        say_error(core, ev->route, spoken ? CODE_BUSY : CODE_VERSION);
        return;
    }
    heard(core, s);
    /* The same Hello again, before its Welcome arrived: one answer is enough.  The Welcome may be
     * lost, so a session that is up and hears Hello again just says it again. */
    if (s->busy || (s->state == SES_UP && m->seq <= s->seq_in)) {
        body_free(core, m->body);
        return;
    }
    s->seq_in = m->seq;
    s->state = SES_HELLO;
    hello_take(core, s, m);
    hello_go(core, s, true);
}

static void say_welcome(struct core *core, struct session *s)
{
    struct msg m = { .kind = MSG_WELCOME,
                     .version_max = PROTOCOL_VERSION,
                     .epoch = core->epoch,
                     .heartbeat_ms = core->conf.heartbeat_ms,
                     .lease_ms = core->conf.lease_ms,
                     .window_bytes = core->conf.window_bytes,
                     .batch_items = core->conf.batch_items,
                     .drain = s->drain };
    for (int32_t i = s->held_first; i != NONE; i = core->held[i].next)
        m.held[m.held_count++] = core->held[i].lease;
    s->welcome = false;
    s->drain_ms = core->now_ms;
    say(core, s, m);
}

void hello_done(struct core *core, struct session *s, const struct answer *a)
{
    struct session *old = session_by(core, BY_AGENT, (uint64_t)a->agent);
    if (old && old != s)
        session_end(core, old, old->incarnation == s->incarnation ? CODE_NONE : CODE_SUPERSEDED);
    if (s->agent && s->agent != a->agent)
        index_drop(core, BY_AGENT, s);
    if (s->agent != a->agent) {
        s->agent = a->agent;
        index_put(core, BY_AGENT, s);
    }
    s->state = SES_UP;
    s->class = a->class;
    s->drain = a->drain;
    reconcile(core, s, a);
    if (s->welcome)
        say_welcome(core, s);
    renew_one(core, s);
    session_queue(core, s);
}

/* ---- the rest of the conversation ---- */

static void say_drain(struct core *core, struct session *s)
{
    s->drain_ms = core->now_ms;
    say(core, s, (struct msg){ .kind = s->drain ? MSG_DRAIN : MSG_RESUME });
}

static void on_credit(struct core *core, struct session *s, const struct msg *m)
{
    s->shards = m->shards;
    /* It wants none, or wants some, and should not: our word was lost.  Seldom, because an agent
     * that is leaving wants none whatever we say. */
    if (s->drain == (m->shards > 0) && core->now_ms - s->drain_ms > core->conf.silent_ms)
        say_drain(core, s);
    disk_set(s, m);
    /* It may not have begun what it was granted: the first resident is what it will run next. */
    if (!s->held_count)
        residents_set(core, s, m->resident, m->resident_count);
    session_queue(core, s);
}

static void on_heartbeat(struct core *core, struct session *s, const struct msg *m)
{
    struct msg ack = { .kind = MSG_HEARTBEAT_ACK,
                       .number = m->number,
                       .degraded = core->role != ROLE_LEADING };
    s->beat = m->number;
    settle(core, s, m, &ack);
    say(core, s, ack);
}

static void on_shard_end(struct core *core, struct session *s, const struct msg *m)
{
    struct held *held = held_find(core, s, m->lease);
    if (!held)
        return;
    held_drop(core, s, held);
    give_back(core, s->agent, m->lease, m->reason, m->reason_num);
}

static void on_bye(struct core *core, struct session *s)
{
    for (int32_t i = s->held_first; i != NONE; i = core->held[i].next)
        give_back(core, s->agent, core->held[i].lease, REASON_RETURNED, 0);
    session_end(core, s, CODE_NONE);
}

static void on_session_msg(struct core *core, struct session *s, const struct msg *m)
{
    if (m->seq <= s->seq_in) { /* a copy, or overtaken */
        body_free(core, m->body);
        return;
    }
    s->seq_in = m->seq;
    heard(core, s);
    if (m->kind == MSG_RESULTS) {
        on_results(core, s, m);
        return;
    }
    body_free(core, m->body);
    if (m->kind == MSG_HEARTBEAT)
        on_heartbeat(core, s, m);
    else if (m->kind == MSG_CREDIT)
        on_credit(core, s, m);
    else if (m->kind == MSG_ITEM_REQUEST)
        on_item_request(core, s, m);
    else if (m->kind == MSG_SHARD_END)
        on_shard_end(core, s, m);
    else if (m->kind == MSG_BYE)
        on_bye(core, s);
}

void on_msg(struct core *core, const struct event *ev)
{
    const struct msg *m = ev->msg;
    struct session *s = session_by(core, BY_ROUTE, ev->route);
    if (core->role == ROLE_STANDBY) {
        body_free(core, m->body);
        say_error(core, ev->route, CODE_NOT_LEADER);
    } else if (m->kind == MSG_HELLO && (!s || s->key == ev->key)) {
        on_hello(core, s, ev);
    } else if (s && s->state == SES_UP && s->id == m->session && s->key == ev->key) {
        on_session_msg(core, s, m);
    } else {
        body_free(core, m->body);
        if (!s)
            say_error(core, ev->route, CODE_NO_SESSION);
    }
}

void on_gone(struct core *core, uint32_t route)
{
    struct session *s = session_by(core, BY_ROUTE, route);
    if (s)
        session_end(core, s, CODE_NONE);
}

void on_revoked(struct core *core, int32_t key)
{
    for (int32_t i = core->oldest, next; i != NONE; i = next) {
        next = core->sessions[i].newer;
        if (core->sessions[i].key == key)
            session_end(core, &core->sessions[i], CODE_UNAUTHORISED);
    }
}

static bool is_draining(const struct answer *a, int32_t agent)
{
    return a->draining_count &&
           bsearch(&agent, a->draining, (size_t)a->draining_count, sizeof(agent), by_value);
}

void drains_heard(struct core *core, const struct answer *a)
{
    for (int32_t i = core->oldest; i != NONE; i = core->sessions[i].newer) {
        struct session *s = &core->sessions[i];
        bool drain = s->state == SES_UP && is_draining(a, s->agent);
        if (s->state != SES_UP || drain == s->drain)
            continue;
        s->drain = drain;
        say_drain(core, s);
    }
}

void sessions_turn(struct core *core)
{
    int32_t last = core->queue_first == NONE ? NONE : core->queue_last;
    for (struct session *s = NULL; last != NONE && (s = queue_pop(core));) {
        bool end = s == &core->sessions[last];
        if (s->state == SES_UP && s->recheck && !s->busy)
            hello_go(core, s, false);
        claim_go(core, s);
        if (end)
            break;
    }
}
