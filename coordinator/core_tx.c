#include "coordinator/core_state.h"

#include <string.h>

static void tx_wait(struct core *core, struct tx *tx, int64_t until_ms)
{
    core->txs_waiting += tx->state != TX_WAITING;
    tx->state = TX_WAITING;
    tx->due_ms = until_ms;
}

static void tx_send(struct core *core, struct tx *tx)
{
    core->txs_waiting -= tx->state == TX_WAITING;
    tx->state = TX_SENT;
    tx->epoch = core->epoch;
    tx->sent_ms = core->now_ms;
    /* Another number each time, so that a late answer to an earlier sending finds no one. */
    tx->id = (int32_t)(tx - core->txs) + TXS_MAX * (++core->tx_serial & 0x3fffff);
    core_act(core, ACT_TX)->tx = tx;
}

struct tx *tx_new(struct core *core, enum tx_kind kind)
{
    /* What waits for the lead must not keep it from being asked for: the last is LEAD's. */
    int32_t room = kind == TX_LEAD ? TXS_MAX : TXS_MAX - 1;
    for (int32_t i = 0; i < room; i++) {
        struct tx *tx = &core->txs[i];
        if (tx->state != TX_FREE)
            continue;
        memset(tx, 0, offsetof(struct tx, batches));
        tx->kind = kind;
        tx_wait(core, tx, 0);
        core->txs_of[kind]++;
        core->flushing += kind == TX_INGEST;
        return tx;
    }
    return NULL;
}

void tx_end(struct core *core, struct tx *tx)
{
    core->flushing -= tx->kind == TX_INGEST;
    core->txs_of[tx->kind]--;
    core->txs_waiting -= tx->state == TX_WAITING;
    tx->state = TX_FREE;
}

void tx_go(struct core *core, struct tx *tx)
{
    if (core->role == ROLE_LEADING || tx->kind == TX_LEAD)
        tx_send(core, tx);
}

static void asking_ends(struct core *core, struct session *s, const struct tx *tx)
{
    struct held *held = s && tx->kind == TX_ITEMS ? held_find(core, s, tx->lease) : NULL;
    if (held)
        held->asking = false;
}

/* What was rolled back or is unknown, once more; not for a session that is gone, whose facts are
 * gone with it. */
void tx_again(struct core *core, struct tx *tx)
{
    if (tx->session && !session_by(core, BY_ID, tx->session))
        tx_end(core, tx);
    else
        tx_send(core, tx);
}

bool tx_any(const struct core *core, enum tx_kind kind) { return core->txs_of[kind] > 0; }

/* ---- answers ---- */

static void work_done(struct core *core, const struct answer *a)
{
    works_heard(core, a);
    drains_heard(core, a);
    session_wants(core);
}

static void tx_done(struct core *core, const struct tx *tx, const struct answer *a)
{
    struct session *s = tx->session ? session_by(core, BY_ID, tx->session) : NULL;
    if (s && (tx->kind == TX_HELLO || tx->kind == TX_CLAIM))
        s->busy = false;
    asking_ends(core, s, tx);
    switch (tx->kind) {
    case TX_HELLO:
        if (s)
            hello_done(core, s, a);
        break;
    case TX_WORK:
        work_done(core, a);
        break;
    case TX_CLAIM:
        claim_done(core, tx, a);
        break;
    case TX_RENEW:
        renew_done(core, tx, a);
        break;
    case TX_ITEMS:
        items_done(core, tx, a);
        break;
    case TX_INGEST:
        ingest_done(core, tx, a);
        break;
    case TX_LEAD:
    case TX_BEAT:
    case TX_EXPIRE:
    case TX_FAIL:
    case TX_LOAD:
        break;
    }
}

/* Rolled back, for good: only these leave something behind to settle. */
static void tx_failed(struct core *core, const struct tx *tx)
{
    struct session *s = tx->session ? session_by(core, BY_ID, tx->session) : NULL;
    asking_ends(core, s, tx);
    if (tx->kind == TX_INGEST) {
        ingest_data(core, tx);
    } else if (s && tx->kind == TX_HELLO) {
        session_end(core, s, CODE_UNAUTHORISED);
    } else if (s && tx->kind == TX_CLAIM) {
        s->busy = false;
        work_dry(core, s, tx->model); /* as if it had got nothing */
        works_move(core, tx->model, tx->class, tx->count);
    }
}

static void tx_answered(struct core *core, struct tx *tx, const struct event *ev)
{
    /* RETRY, UNKNOWN, FENCED of an older epoch: sent again later */
    tx_wait(core, tx, core->now_ms + core->conf.retry_ms);
    if (tx->kind == TX_LEAD) {
        tx_end(core, tx);
        lead_done(core, ev->outcome, ev->answer);
    } else if (ev->outcome == TX_FENCED && tx->epoch == core->epoch && core->role == ROLE_LEADING) {
        step_down(core);
    } else if (ev->outcome == TX_UNKNOWN) {
        go_away(core);
    } else if (ev->outcome == TX_OK) {
        tx_done(core, tx, ev->answer);
        tx_end(core, tx);
    } else if (ev->outcome == TX_DATA || ev->outcome == TX_REFUSED) {
        tx_failed(core, tx);
        tx_end(core, tx);
    }
}

void on_tx(struct core *core, const struct event *ev)
{
    struct tx *tx = &core->txs[ev->tx % TXS_MAX];
    if (tx->state == TX_SENT && tx->id == ev->tx)
        tx_answered(core, tx, ev);
    else /* the core has forgotten it, but what came is there */
        body_free(core, ev->outcome == TX_OK && ev->answer ? ev->answer->body : 0);
}
