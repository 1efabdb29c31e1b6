#include "coordinator/core_state.h"

const struct core_conf core_conf_default = {
    .lease_ms = 60000,
    .heartbeat_ms = 5000,
    .silent_ms = 15000,
    .settle_ms = 5000,
    .flush_ms = 20,
    .flush_items = 2000,
    .flushes = 4,
    .window_bytes = 1 << 20,
    .batch_items = 200,
    .recover_ms = 30000,
    .work_ms = 1000,
    .retry_ms = 500,
    .standby_ms = 1000,
    .load_ms = 10000,
    .sessions_max = 5000,
    .batches_max = 4096,
    .bytes_max = (int64_t)256 << 20,
};

/* ---- actions ---- */

struct action *core_act(struct core *core, enum action_kind kind)
{
    struct actions *acts = core->acts;
    if (acts->count == acts->capacity) {
        acts->capacity = acts->capacity ? 2 * acts->capacity : 64;
        acts->list = must_realloc(acts->list, (size_t)acts->capacity, sizeof(*acts->list));
    }
    struct action *a = &acts->list[acts->count++];
    *a = (struct action){ .kind = kind };
    return a;
}

void actions_free(struct actions *actions)
{
    free(actions->list);
    *actions = (struct actions){ 0 };
}

void body_free(struct core *core, int32_t body)
{
    if (body)
        core_act(core, ACT_FREE)->body = body;
}

void say(struct core *core, struct session *s, struct msg msg)
{
    struct action *a = core_act(core, ACT_SEND);
    msg.session = s->id;
    msg.seq = ++s->seq_out;
    a->route = s->route;
    a->msg = msg;
}

void say_error(struct core *core, uint32_t route, enum code code)
{
    struct action *a = core_act(core, ACT_SEND);
    a->route = route;
    a->msg = (struct msg){ .kind = MSG_ERROR, .seq = UINT64_MAX, .code = code };
}

/* ---- life ---- */

struct core *core_new(const struct core_conf *conf)
{
    assert(conf->sessions_max > 0 && conf->batches_max > 0 && conf->flushes > 0);
    struct core *core = must_calloc(1, sizeof(*core));
    core->conf = *conf;
    core->asked_ms = NEVER / 2; /* so that it asks at once */
    core->txs = must_calloc(TXS_MAX, sizeof(*core->txs));
    sessions_init(core);
    leases_init(core);
    batches_init(core);
    return core;
}

void core_free(struct core *core)
{
    if (!core)
        return;
    sessions_free(core);
    leases_free(core);
    batches_free(core);
    works_free(core);
    free(core->txs);
    free(core);
}

/* ---- what is due ---- */

static void singleton(struct core *core, enum tx_kind kind, int64_t *next_ms, int32_t every_ms)
{
    if (core->now_ms < *next_ms)
        return;
    *next_ms = core->now_ms + every_ms;
    struct tx *tx = tx_any(core, kind) ? NULL : tx_new(core, kind);
    if (tx)
        tx_go(core, tx);
}

static void lead_turn(struct core *core)
{
    for (int32_t i = 0; core->txs_waiting && i < TXS_MAX; i++)
        if (core->txs[i].state == TX_WAITING && core->now_ms >= core->txs[i].due_ms)
            tx_again(core, &core->txs[i]);
    singleton(core, TX_WORK, &core->work_ms, core->conf.work_ms);
    singleton(core, TX_EXPIRE, &core->expire_ms, core->conf.lease_ms / 12);
    singleton(core, TX_BEAT, &core->beat_ms, core->conf.heartbeat_ms);
    singleton(core, TX_LOAD, &core->load_ms, core->conf.load_ms);
    if (core->now_ms >= core->renew_ms)
        renew_begin(core);
    renew_go(core);
    while (flush_go(core))
        ;
    sessions_turn(core);
}

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

static int64_t lead_due_ms(const struct core *core)
{
    int32_t wait = core->role == ROLE_AWAY ? core->conf.retry_ms : core->conf.standby_ms;
    return core->asked_ms + wait;
}

static int64_t silence_ms(const struct core *core)
{
    return core->oldest == NONE ? INT64_MAX
                                : core->sessions[core->oldest].seen_ms + core->conf.silent_ms + 1;
}

static int64_t due_ms(const struct core *core)
{
    int64_t at = silence_ms(core);
    if (core->role != ROLE_LEADING)
        return sooner(at, lead_due_ms(core));
    at = sooner(at, sooner(core->work_ms, core->expire_ms));
    at = sooner(at, sooner(core->beat_ms, sooner(core->renew_ms, core->load_ms)));
    for (int32_t i = 0; core->txs_waiting && i < TXS_MAX; i++)
        if (core->txs[i].state == TX_WAITING)
            at = sooner(at, core->txs[i].due_ms);
    return sooner(at, flush_due_ms(core));
}

static void turn(struct core *core)
{
    sessions_silent(core);
    if (core->role == ROLE_LEADING)
        lead_turn(core);
    else if (!core->resigned && core->now_ms >= lead_due_ms(core))
        lead_ask(core);
    int64_t at = core->resigned ? core->now_ms + core->conf.standby_ms : due_ms(core);
    if (at != core->timer_ms)
        core_act(core, ACT_TIMER)->at_ms = core->timer_ms = at;
}

static void on_resign(struct core *core)
{
    core->resigned = true;
    step_down(core);
}

void core_step(struct core *core, const struct event *event, struct actions *actions)
{
    core->acts = actions;
    core->now_ms = event->now_ms;
    actions->count = 0;
    switch (event->kind) {
    case EV_MSG:
        on_msg(core, event);
        break;
    case EV_TX:
        on_tx(core, event);
        break;
    case EV_LOST:
        go_away(core);
        break;
    case EV_GONE:
        on_gone(core, event->route);
        break;
    case EV_REVOKED:
        on_revoked(core, event->key);
        break;
    case EV_WORK:
        core->work_ms = core->now_ms;
        break;
    case EV_RESIGN:
        on_resign(core);
        break;
    case EV_TICK:
        break;
    }
    turn(core);
}

/* ---- reading it ---- */

enum role core_role(const struct core *core) { return core->role; }

int64_t core_epoch(const struct core *core) { return core->epoch; }

int64_t core_timer_ms(const struct core *core) { return core->timer_ms; }

const struct batch *core_batch(const struct core *core, int32_t i) { return &core->batches[i]; }

const struct tx *core_tx(const struct core *core, int32_t id)
{
    const struct tx *tx = &core->txs[id % TXS_MAX];
    return tx->state == TX_SENT && tx->id == id ? tx : NULL;
}

int32_t core_agent(const struct core *core, uint32_t route)
{
    const struct session *s = session_by(core, BY_ROUTE, route);
    return s && s->state == SES_UP ? s->agent : 0;
}

int32_t core_resident(const struct core *core, uint32_t route)
{
    const struct session *s = session_by(core, BY_ROUTE, route);
    return s && s->resident_count ? s->resident[0] : 0;
}

bool core_shelf_differs(const struct core *core, uint32_t route, const int32_t *disk, int32_t count)
{
    const struct session *s = session_by(core, BY_ROUTE, route);
    bool differs = s && count != s->disk_count;
    for (int32_t i = 0; s && !differs && i < count; i++)
        differs = !session_has(s, disk[i]);
    return differs;
}

struct core_counts core_count(const struct core *core)
{
    struct core_counts n = { .sessions = core->sessions_count,
                             .held = core->held_count,
                             .batches = core->batches_count,
                             .bytes = core->batches_bytes,
                             .switches = core->switches };
    for (int kind = 0; kind < TX_KINDS; kind++)
        n.txs += core->txs_of[kind];
    for (int32_t i = core->oldest; i != NONE; i = core->sessions[i].newer)
        n.bodies += core->sessions[i].body != 0;
    n.bodies += core->batches_count;
    return n;
}
