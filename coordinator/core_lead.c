#include "coordinator/core_state.h"

void lead_ask(struct core *core)
{
    struct tx *tx = tx_any(core, TX_LEAD) ? NULL : tx_new(core, TX_LEAD);
    core->asked_ms = core->now_ms;
    if (tx)
        tx_go(core, tx);
}

/* Nothing here was acked, so forgetting all of it loses nothing: agents send it to whoever leads.
 */
void step_down(struct core *core)
{
    while (core->oldest != NONE)
        session_end(core, &core->sessions[core->oldest], CODE_NOT_LEADER);
    batches_forget(core);
    for (int32_t i = 0; i < TXS_MAX; i++)
        if (core->txs[i].state != TX_FREE)
            tx_end(core, &core->txs[i]);
    core->renew_at = NONE;
    core->role = ROLE_STANDBY;
    core->asked_ms = core->now_ms;
}

void go_away(struct core *core)
{
    if (core->role != ROLE_LEADING)
        return;
    core->role = ROLE_AWAY;
    core->asked_ms = core->now_ms - core->conf.retry_ms;
}

/* All transactions of older epochs are decided now.  What was asked and not answered is asked
 * again, except claims: what they may have left is found by asking what each agent holds. */
static void txs_again(struct core *core)
{
    for (int32_t i = 0; i < TXS_MAX; i++) {
        struct tx *tx = &core->txs[i];
        if (tx->state == TX_FREE)
            continue;
        if (tx->kind != TX_CLAIM) {
            tx_again(core, tx);
            continue;
        }
        struct session *s = session_by(core, BY_ID, tx->session);
        tx_end(core, tx);
        if (s)
            s->busy = false;
    }
}

static void lead_won(struct core *core, int64_t epoch)
{
    core->epoch = epoch;
    core->role = ROLE_LEADING;
    /* Leases ran on while nobody could renew them: they are not overdue by anybody's fault. */
    core->expire_ms = core->now_ms + core->conf.recover_ms;
    core->work_ms = core->renew_ms = core->beat_ms = core->load_ms = core->now_ms;
    core->renew_at = NONE;
    txs_again(core);
    for (int32_t i = core->oldest; i != NONE; i = core->sessions[i].newer)
        if (core->sessions[i].state == SES_UP)
            core->sessions[i].recheck = true; /* grants commit asynchronously: look again */
    session_wants(core);
}

void lead_done(struct core *core, enum tx_outcome outcome, const struct answer *a)
{
    if (core->resigned)
        return;
    if (outcome == TX_OK)
        lead_won(core, a->epoch);
    else if (outcome == TX_REFUSED && core->role == ROLE_AWAY && a->epoch > core->epoch)
        step_down(core); /* with our own epoch the lock is our dead session's: wait for it */
}
