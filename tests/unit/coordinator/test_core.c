/* test_core.c - rules of the coordinator's core, one sentence each. */
#include "coordinator/core_state.h"
#include "tests/test.h"

static struct core *core;
static struct actions acts;
static int64_t now;
static uint64_t seq;
static int32_t bodies; /* given to the core and not come back */
static int32_t everywhere[] = { 1, 2, 3 };

static void step(struct event ev)
{
    ev.now_ms = now;
    core_step(core, &ev, &acts);
    for (int32_t i = 0; i < acts.count; i++) {
        const struct action *a = &acts.list[i];
        bodies -= a->kind == ACT_FREE || (a->kind == ACT_SEND && a->msg.body);
    }
}

static void tick(int32_t later_ms)
{
    now += later_ms;
    step((struct event){ .kind = EV_TICK });
}

static const struct tx *asked(enum tx_kind kind)
{
    for (int32_t i = 0; i < TXS_MAX; i++)
        if (core->txs[i].state == TX_SENT && core->txs[i].kind == kind)
            return &core->txs[i];
    return NULL;
}

static int32_t asked_count(enum tx_kind kind)
{
    int32_t n = 0;
    for (int32_t i = 0; i < TXS_MAX; i++)
        n += core->txs[i].state == TX_SENT && core->txs[i].kind == kind;
    return n;
}

static void answer(enum tx_kind kind, enum tx_outcome outcome, struct answer a)
{
    const struct tx *tx = asked(kind);
    assert(tx);
    bodies += outcome == TX_OK && a.body;
    step((struct event){ .kind = EV_TX, .tx = tx->id, .outcome = outcome, .answer = &a });
}

static int32_t said(enum msg_kind kind)
{
    int32_t n = 0;
    for (int32_t i = 0; i < acts.count; i++)
        n += acts.list[i].kind == ACT_SEND && acts.list[i].msg.kind == kind;
    return n;
}

static const struct msg *said_first(enum msg_kind kind)
{
    for (int32_t i = 0; i < acts.count; i++)
        if (acts.list[i].kind == ACT_SEND && acts.list[i].msg.kind == kind)
            return &acts.list[i].msg;
    return NULL;
}

static struct session *session(int32_t agent)
{
    return session_by(core, BY_AGENT, (uint64_t)agent);
}

/* Connection, key and agent have one number. */
static void hear(int32_t route, struct msg m)
{
    const struct session *s = session_by(core, BY_ROUTE, (uint64_t)route);
    m.seq = m.seq ? m.seq : ++seq;
    m.session = m.session || !s || m.kind == MSG_HELLO ? m.session : s->id;
    bodies += m.body != 0;
    step((struct event){ .kind = EV_MSG, .route = (uint32_t)route, .key = route, .msg = &m });
}

static void lead(void)
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

static struct msg hello(int32_t shards)
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

static void join(int32_t agent, int32_t model)
{
    struct msg m = hello(2);
    m.resident[0] = model;
    m.resident_count = model != 0;
    hear(agent, m);
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = agent, .class = 1 });
}

static void work(int32_t ready)
{
    struct work w = { .model = 1, .ready = ready, .load_ms = 100, .shard_ms = 100 };
    tick(core->conf.work_ms);
    answer(TX_WORK, TX_OK, (struct answer){ .count = 1, .works = &w });
}

static void granted(int32_t agent, int64_t shard, int32_t epoch)
{
    struct grant g = { .lease = { shard, epoch }, .run = 1, .lo = 0, .hi = 4 };
    if (!asked(TX_CLAIM))
        work(1);
    assert(asked(TX_CLAIM)->agent == agent);
    answer(TX_CLAIM, TX_OK, (struct answer){ .count = 1, .grants = &g });
}

static void beat(int32_t agent, int64_t number, struct lease held)
{
    hear(agent, (struct msg){ .kind = MSG_HEARTBEAT,
                              .number = number,
                              .held = { held },
                              .held_count = held.shard != 0 });
}

static void results(int32_t agent, int64_t number, int32_t items)
{
    hear(agent, (struct msg){ .kind = MSG_RESULTS,
                              .lease = { 3, 1 },
                              .number = number,
                              .items = items,
                              .bytes = items * 40,
                              .body = 2 });
}

static void away_and_back(int64_t epoch)
{
    step((struct event){ .kind = EV_LOST });
    assert(core_role(core) == ROLE_AWAY);
    answer(TX_LEAD, TX_OK, (struct answer){ .epoch = epoch });
}

/* ---- which work ---- */

static void works(const struct work *list, int32_t count)
{
    works_heard(core, &(struct answer){ .works = list, .count = count });
}

TEST(an_agent_keeps_its_model_while_there_is_work_for_it)
{
    lead();
    join(1, 2);
    struct work w[] = { { .model = 1, .ready = 900, .load_ms = 60000, .shard_ms = 60000 },
                        { .model = 2, .ready = 1, .load_ms = 60000, .shard_ms = 60000 } };
    works(w, 2);
    CHECK(work_pick(core, session(1))->model == 2);
    w[1].ready = 0;
    works(w, 2);
    CHECK(work_pick(core, session(1))->model == 1);
    w[1].ready = 1;
    w[0].priority = 1;
    works(w, 2);
    CHECK(work_pick(core, session(1))->model == 1);
}

TEST(agents_without_a_model_spread_by_what_is_left_less_the_load)
{
    lead();
    for (int32_t a = 1; a <= 3; a++)
        join(a, a == 3 ? 0 : 1);
    struct work w[] = { { .model = 1, .ready = 12, .load_ms = 80000, .shard_ms = 60000 },
                        { .model = 2, .ready = 10, .load_ms = 80000, .shard_ms = 60000 } };
    works(w, 2);
    CHECK(work_pick(core, session(3))->model == 2); /* 720/3 against 600/1 */
    w[1].load_ms = 240000;
    works(w, 2);
    CHECK(work_pick(core, session(3))->model == 1); /* not worth 3 x 240 s of loading */
    w[0].class = w[1].class = 2;
    works(w, 2);
    CHECK(!work_pick(core, session(3)));
}

TEST(an_agent_gets_no_model_that_is_not_on_its_disks)
{
    lead();
    join(1, 0);
    struct work w = { .model = 4, .ready = 1 };
    works(&w, 1);
    CHECK(!work_pick(core, session(1)));
    int32_t now_there[] = { 4, 1 };
    hear(1, (struct msg){ .kind = MSG_CREDIT, .shards = 2, .disk = now_there, .disk_count = 2 });
    CHECK(asked(TX_CLAIM) && asked(TX_CLAIM)->model == 4);
}

TEST(a_simulated_campaign_switches_models_as_often_as_it_must)
{
    int32_t switches = 0, left[3] = { 0, 60, 60 };
    lead();
    for (int32_t a = 1; a <= 4; a++)
        join(a, 0);
    while (left[1] + left[2] > 0)
        for (int32_t a = 1; a <= 4; a++) {
            struct work w[2];
            for (int32_t m = 1; m <= 2; m++)
                w[m - 1] = (struct work){
                    .model = m, .ready = left[m], .load_ms = 30000, .shard_ms = 30000
                };
            works(w, 2);
            const struct work *pick = work_pick(core, session(a));
            if (!pick)
                continue;
            session_runs(core, session(a), pick->model);
            left[pick->model]--;
        }
    switches = (int32_t)core_count(core).switches;
    printf("  4 agents, 2 models x 60 shards: %d loads\n", switches);
    CHECK(switches == 4);
}

/* ---- results ---- */

TEST(batches_of_many_agents_are_one_ingest_after_20_ms)
{
    lead();
    for (int32_t a = 1; a <= 3; a++)
        join(a, 0);
    for (int32_t a = 1; a <= 3; a++)
        results(a, a, 10);
    CHECK(!asked(TX_INGEST));
    tick(20);
    CHECK(asked(TX_INGEST) && asked(TX_INGEST)->count == 3 && !said(MSG_ACK));
    struct verdict_row rows[] = { { .verdict = VERDICT_COMMITTED },
                                  { .verdict = VERDICT_ALREADY },
                                  { .verdict = VERDICT_COMMITTED } };
    answer(TX_INGEST, TX_OK, (struct answer){ .count = 3, .verdicts = rows });
    CHECK(said(MSG_ACK) == 3 && core_count(core).batches == 0);
    CHECK(bodies == 3); /* the three Hellos */
}

TEST(two_thousand_items_do_not_wait)
{
    lead();
    join(1, 0);
    results(1, 1, 1999);
    CHECK(!asked(TX_INGEST));
    results(1, 2, 1);
    CHECK(asked(TX_INGEST) && asked(TX_INGEST)->count == 2);
}

TEST(an_agent_beyond_twice_its_window_is_not_heard)
{
    lead();
    join(1, 0);
    int32_t most = 2 * core->conf.window_bytes / 40 / 1000;
    for (int32_t i = 1; i <= most + 3; i++)
        results(1, i, 1000);
    CHECK(core_count(core).batches == most && bodies == 1 + most);
}

TEST(a_batch_sent_again_while_it_is_held_is_one_batch_and_one_ack)
{
    lead();
    join(1, 0);
    results(1, 7, 5);
    results(1, 7, 5);
    CHECK(core_count(core).batches == 1 && bodies == 2);
    tick(20);
    struct verdict_row row = { .verdict = VERDICT_COMMITTED };
    answer(TX_INGEST, TX_OK, (struct answer){ .count = 1, .verdicts = &row });
    CHECK(said(MSG_ACK) == 1 && bodies == 1);
}

TEST(a_flush_that_fails_on_data_is_halved_until_the_poison_stands_alone)
{
    lead();
    join(1, 0);
    for (int32_t i = 1; i <= 8; i++)
        results(1, i, 5);
    tick(20);
    int32_t refused = 0, acked = 0, statements = 0;
    while (asked(TX_INGEST)) {
        const struct tx *tx = asked(TX_INGEST);
        struct verdict_row rows[8];
        bool poison = false;
        for (int32_t i = 0; i < tx->count; i++) {
            rows[i] = (struct verdict_row){ .verdict = VERDICT_COMMITTED };
            poison |= core_batch(core, tx->batches[i])->number == 6;
        }
        answer(TX_INGEST, poison ? TX_DATA : TX_OK,
               (struct answer){ .count = tx->count, .verdicts = rows });
        statements++;
        for (int32_t i = 0; i < acts.count; i++)
            if (acts.list[i].kind == ACT_SEND && acts.list[i].msg.kind == MSG_ACK) {
                bool no = acts.list[i].msg.verdict == VERDICT_REJECTED;
                CHECK(!no || (acts.list[i].msg.number == 6 &&
                              acts.list[i].msg.refusal == REFUSAL_INVALID));
                refused += no;
                acked += !no;
            }
    }
    CHECK(refused == 1 && acked == 7 && statements == 7);
    CHECK(core_count(core).batches == 0 && core->flushing == 0);
}

TEST(at_most_so_many_flushes_at_once)
{
    lead();
    join(1, 0);
    for (int32_t i = 1; i <= 6; i++)
        results(1, i, 2000);
    CHECK(asked_count(TX_INGEST) == core->conf.flushes);
    struct verdict_row row = { .verdict = VERDICT_COMMITTED };
    answer(TX_INGEST, TX_OK, (struct answer){ .count = 1, .verdicts = &row });
    CHECK(asked_count(TX_INGEST) == core->conf.flushes);
}

/* ---- the database away, and who leads ---- */

TEST(without_the_database_heartbeats_are_answered_and_nothing_is_acked)
{
    lead();
    join(1, 0);
    results(1, 1, 5);
    tick(20);
    answer(TX_INGEST, TX_UNKNOWN, (struct answer){ 0 });
    CHECK(core_role(core) == ROLE_AWAY && !said(MSG_ACK));
    beat(1, 1, (struct lease){ 0 });
    CHECK(said(MSG_HEARTBEAT_ACK) == 1 && said_first(MSG_HEARTBEAT_ACK)->degraded);
    results(1, 1, 5); /* again: it is held already */
    tick(600);
    answer(TX_LEAD, TX_OK, (struct answer){ .epoch = 2 });
    CHECK(asked(TX_INGEST) && asked(TX_INGEST)->epoch == 2 && asked(TX_INGEST)->count == 1);
    struct verdict_row row = { .verdict = VERDICT_ALREADY };
    answer(TX_INGEST, TX_OK, (struct answer){ .count = 1, .verdicts = &row });
    CHECK(said(MSG_ACK) == 1);
}

TEST(what_is_unknown_is_asked_again_in_a_new_epoch_only)
{
    lead();
    join(1, 0);
    results(1, 1, 5);
    tick(20);
    answer(TX_INGEST, TX_UNKNOWN, (struct answer){ 0 });
    for (int32_t i = 0; i < 20; i++)
        tick(1000);
    CHECK(!asked(TX_INGEST) && asked(TX_LEAD));
}

TEST(after_a_new_epoch_each_agent_is_asked_what_it_holds_and_no_claim_is_repeated)
{
    lead();
    join(1, 0);
    work(5);
    CHECK(asked(TX_CLAIM));
    away_and_back(2);
    CHECK(!asked(TX_CLAIM) && asked(TX_HELLO));
    struct lease found[] = { { 9, 4 } }; /* the claim had committed, and nobody ever said so */
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1, .count = 1, .leases = found });
    CHECK(!said(MSG_WELCOME) && !said(MSG_GRANT));
    CHECK(asked(TX_FAIL) && lease_same(asked(TX_FAIL)->lease, found[0]));
    CHECK(asked(TX_FAIL)->reason == REASON_RETURNED);
}

TEST(no_lease_expires_in_the_first_30_s_of_an_epoch)
{
    lead();
    tick(29000);
    CHECK(!asked(TX_EXPIRE));
    tick(1000);
    CHECK(asked(TX_EXPIRE));
    away_and_back(2);
    answer(TX_EXPIRE, TX_OK, (struct answer){ 0 });
    tick(29000);
    CHECK(!asked(TX_EXPIRE));
}

TEST(a_fenced_leader_steps_down_and_drops_what_was_not_acked)
{
    lead();
    join(1, 0);
    results(1, 1, 5);
    tick(20);
    answer(TX_INGEST, TX_FENCED, (struct answer){ 0 });
    CHECK(core_role(core) == ROLE_STANDBY && !said(MSG_ACK) && core_count(core).sessions == 0);
    CHECK(said_first(MSG_ERROR)->code == CODE_NOT_LEADER && bodies == 0);
    CHECK(core_count(core).txs == 0 && core_count(core).batches == 0);
}

TEST(fenced_of_an_older_epoch_is_sent_again)
{
    lead();
    join(1, 0);
    results(1, 1, 5);
    tick(20);
    int32_t old = asked(TX_INGEST)->id;
    away_and_back(2);
    step((struct event){
        .kind = EV_TX, .tx = old, .outcome = TX_FENCED, .answer = &(struct answer){ 0 } });
    CHECK(core_role(core) == ROLE_LEADING && asked(TX_INGEST)->epoch == 2);
}

TEST(away_and_another_leads_means_stepping_down)
{
    lead();
    join(1, 0);
    step((struct event){ .kind = EV_LOST });
    answer(TX_LEAD, TX_REFUSED, (struct answer){ .epoch = 1 });
    CHECK(core_role(core) == ROLE_AWAY); /* our own dead session holds the lock still */
    tick(1000);
    answer(TX_LEAD, TX_REFUSED, (struct answer){ .epoch = 2 });
    CHECK(core_role(core) == ROLE_STANDBY);
}

TEST(the_lead_can_be_asked_for_when_every_other_transaction_waits)
{
    lead();
    join(1, 0);
    while (tx_new(core, TX_FAIL))
        ;
    step((struct event){ .kind = EV_LOST });
    CHECK(asked(TX_LEAD));
}

TEST(a_late_answer_finds_no_one_and_its_body_comes_back)
{
    lead();
    join(1, 0);
    granted(1, 3, 1);
    hear(1, (struct msg){ .kind = MSG_ITEM_REQUEST, .lease = { 3, 1 }, .bytes = 4096 });
    CHECK(asked(TX_ITEMS));
    int32_t old = asked(TX_ITEMS)->id;
    away_and_back(2);
    CHECK(asked(TX_ITEMS)->id != old);
    bodies++;
    step((struct event){
        .kind = EV_TX, .tx = old, .outcome = TX_OK, .answer = &(struct answer){ .body = 7 } });
    CHECK(!said(MSG_CHUNK) && bodies == 1);
    answer(TX_ITEMS, TX_OK, (struct answer){ .body = 8, .last = true });
    CHECK(said(MSG_CHUNK) == 1 && bodies == 1);
}

TEST(who_resigns_asks_for_the_lead_no_more)
{
    lead();
    join(1, 0);
    step((struct event){ .kind = EV_RESIGN });
    CHECK(said_first(MSG_ERROR)->code == CODE_NOT_LEADER && bodies == 0);
    for (int32_t i = 0; i < 5; i++)
        tick(5000);
    CHECK(core_role(core) == ROLE_STANDBY && !asked(TX_LEAD));
}

/* ---- leases ---- */

TEST(a_lease_that_only_the_database_has_is_given_back_and_one_only_the_agent_has_is_not_kept)
{
    lead();
    struct msg m = hello(2);
    m.held[0] = (struct lease){ 5, 1 };
    m.held[1] = (struct lease){ 6, 2 };
    m.held_count = 2;
    hear(1, m);
    struct lease there[] = { { 6, 2 }, { 7, 1 } };
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1, .count = 2, .leases = there });
    const struct msg *w = said_first(MSG_WELCOME);
    CHECK(w && w->held_count == 1 && lease_same(w->held[0], there[0]));
    CHECK(asked_count(TX_FAIL) == 1 && lease_same(asked(TX_FAIL)->lease, there[1]));
}

TEST(a_grant_for_a_session_that_is_gone_is_given_back)
{
    lead();
    join(1, 0);
    work(1);
    hear(1, (struct msg){ .kind = MSG_BYE });
    struct grant g = { .lease = { 4, 1 } };
    answer(TX_CLAIM, TX_OK, (struct answer){ .count = 1, .grants = &g });
    CHECK(!said(MSG_GRANT) && asked(TX_FAIL) && asked(TX_FAIL)->lease.shard == 4 && bodies == 0);
}

TEST(a_grant_that_no_heartbeat_names_is_given_back_after_a_while)
{
    lead();
    join(1, 0);
    granted(1, 3, 1);
    now += core->conf.settle_ms - 1;
    beat(1, 1, (struct lease){ 0 });
    CHECK(!asked(TX_FAIL));
    now += 1;
    beat(1, 2, (struct lease){ 0 });
    CHECK(asked(TX_FAIL) && core_count(core).held == 0);
}

TEST(a_lease_the_agent_names_and_does_not_hold_is_told_to_be_lost)
{
    lead();
    join(1, 0);
    beat(1, 1, (struct lease){ 3, 1 });
    const struct msg *ack = said_first(MSG_HEARTBEAT_ACK);
    CHECK(ack->held_count == 1 && ack->held[0].shard == 3);
}

TEST(a_heartbeat_ack_carries_the_age_of_the_last_committed_renewal)
{
    lead();
    struct msg m = hello(2);
    m.held[0] = (struct lease){ 3, 1 };
    m.held_count = 1;
    hear(1, m);
    answer(TX_HELLO, TX_OK,
           (struct answer){ .agent = 1, .class = 1, .count = 1, .leases = m.held });
    beat(1, 1, (struct lease){ 3, 1 }); /* nothing committed yet: as old as can be */
    CHECK(said_first(MSG_HEARTBEAT_ACK)->age_ms == 2 * core->conf.lease_ms);
    CHECK(asked(TX_RENEW) && asked(TX_RENEW)->count == 1);
    now += 300;
    answer(TX_RENEW, TX_OK, (struct answer){ 0 });
    now += 700;
    beat(1, 2, (struct lease){ 3, 1 });
    CHECK(said_first(MSG_HEARTBEAT_ACK)->age_ms == 1000); /* since it was sent, not answered */
}

TEST(a_renewal_that_finds_the_lease_gone_revokes_it)
{
    lead();
    join(1, 0);
    granted(1, 3, 1);
    for (int64_t i = 1; i <= 4; i++) {
        now += core->conf.lease_ms / 12;
        beat(1, i, (struct lease){ 3, 1 });
    }
    CHECK(asked(TX_RENEW)->count == 1);
    struct lease gone[] = { { 3, 1 } };
    answer(TX_RENEW, TX_OK, (struct answer){ .count = 1, .leases = gone });
    CHECK(said(MSG_REVOKE) == 1 && core_count(core).held == 0);
}

TEST(a_grant_made_again_with_its_number_is_the_same_lease)
{
    lead();
    join(1, 0);
    granted(1, 3, 1);
    granted(1, 3, 1);
    CHECK(said(MSG_GRANT) == 1 && core_count(core).held == 1 && !asked(TX_FAIL));
}

TEST(a_grant_names_the_newest_heartbeat_heard_before_the_claim_was_asked)
{
    lead();
    join(1, 0);
    beat(1, 4, (struct lease){ 0 });
    work(1);
    beat(1, 5, (struct lease){ 0 });
    granted(1, 3, 1);
    CHECK(said_first(MSG_GRANT)->number == 4);
}

TEST(an_empty_claim_lets_others_try)
{
    lead();
    join(1, 0);
    join(2, 0);
    work(1);
    int32_t first = asked(TX_CLAIM)->agent;
    CHECK(asked_count(TX_CLAIM) == 1);
    answer(TX_CLAIM, TX_OK, (struct answer){ 0 });
    CHECK(asked(TX_CLAIM) && asked(TX_CLAIM)->agent == 3 - first);
    answer(TX_CLAIM, TX_OK, (struct answer){ 0 });
    work(1);
    CHECK(!asked(TX_CLAIM)); /* both had their turn */
    tick(4 * core->conf.work_ms);
    work(1);
    CHECK(asked(TX_CLAIM));
}

/* Two agents that each lost a shard of the model they run would else wait a minute, while each
 * could have what the other lost. */
TEST(an_agent_whose_claim_was_empty_tries_other_models_at_once)
{
    lead();
    join(1, 1);
    struct work w[] = { { .model = 1, .ready = 1 }, { .model = 2, .ready = 1 } };
    tick(core->conf.work_ms);
    answer(TX_WORK, TX_OK, (struct answer){ .works = w, .count = 2 });
    CHECK(asked(TX_CLAIM)->model == 1);
    answer(TX_CLAIM, TX_OK, (struct answer){ 0 });
    CHECK(asked(TX_CLAIM) && asked(TX_CLAIM)->model == 2);
    answer(TX_CLAIM, TX_OK, (struct answer){ 0 });
    CHECK(!asked(TX_CLAIM));
}

TEST(an_agent_that_found_four_models_dry_asks_for_nothing_for_a_while)
{
    static int32_t five[] = { 1, 2, 3, 4, 5 };
    struct work w[5];
    lead();
    struct msg m = hello(2);
    m.disk = five;
    m.disk_count = 5;
    hear(1, m);
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1 });
    for (int32_t i = 0; i < 5; i++)
        w[i] = (struct work){ .model = i + 1, .ready = 1 };
    tick(core->conf.work_ms);
    answer(TX_WORK, TX_OK, (struct answer){ .works = w, .count = 5 });
    for (int32_t i = 0; i < 4; i++)
        answer(TX_CLAIM, TX_OK, (struct answer){ 0 });
    CHECK(!asked(TX_CLAIM));
    tick(4 * core->conf.work_ms);
    answer(TX_WORK, TX_OK, (struct answer){ .works = w, .count = 5 });
    CHECK(asked(TX_CLAIM));
}

TEST(a_finished_shard_is_done_for_everybody_who_holds_it)
{
    lead();
    join(1, 0);
    join(2, 0);
    granted(1, 3, 1);
    held_add(core, session(2), (struct lease){ 3, 2 }, now); /* it went on to another meanwhile */
    results(1, 1, 4);
    tick(20);
    struct verdict_row row = { .verdict = VERDICT_COMMITTED, .done = true };
    answer(TX_INGEST, TX_OK, (struct answer){ .count = 1, .verdicts = &row });
    CHECK(said_first(MSG_ACK)->done && core_count(core).held == 0);
}

TEST(items_of_a_lease_are_asked_for_once_at_a_time)
{
    lead();
    join(1, 0);
    granted(1, 3, 1);
    hear(1, (struct msg){ .kind = MSG_ITEM_REQUEST, .lease = { 3, 1 }, .bytes = 4096 });
    hear(1, (struct msg){ .kind = MSG_ITEM_REQUEST, .lease = { 3, 1 }, .bytes = 4096 });
    hear(1, (struct msg){ .kind = MSG_ITEM_REQUEST, .lease = { 8, 1 }, .bytes = 4096 });
    CHECK(asked_count(TX_ITEMS) == 1);
    answer(TX_ITEMS, TX_DATA, (struct answer){ 0 });
    hear(1, (struct msg){ .kind = MSG_ITEM_REQUEST, .lease = { 3, 1 }, .bytes = 4096 });
    CHECK(asked_count(TX_ITEMS) == 1);
}

/* ---- sessions ---- */

TEST(a_drained_agent_gets_nothing_and_a_revoked_one_is_shown_out)
{
    lead();
    join(1, 0);
    struct work w = { .model = 1, .ready = 5 };
    int32_t draining[] = { 1 };
    tick(core->conf.work_ms);
    answer(TX_WORK, TX_OK,
           (struct answer){ .count = 1, .works = &w, .draining = draining, .draining_count = 1 });
    CHECK(said(MSG_DRAIN) == 1 && !asked(TX_CLAIM));
    work(5);
    CHECK(asked(TX_CLAIM) && asked(TX_CLAIM)->count == 2);
    step((struct event){ .kind = EV_REVOKED, .key = 1 });
    CHECK(said_first(MSG_ERROR)->code == CODE_UNAUTHORISED);
    struct grant g = { .lease = { 4, 1 } };
    answer(TX_CLAIM, TX_OK, (struct answer){ .count = 1, .grants = &g });
    CHECK(!said(MSG_GRANT) && asked(TX_FAIL)); /* what it claimed is given back */
}

TEST(a_drain_or_resume_that_was_lost_is_said_again_but_not_all_the_time)
{
    lead();
    join(1, 0);
    now += core->conf.silent_ms;
    hear(1, (struct msg){ .kind = MSG_CREDIT, .shards = 0 }); /* as if it were draining */
    now += 1;
    hear(1, (struct msg){ .kind = MSG_CREDIT, .shards = 0 });
    CHECK(said(MSG_RESUME) == 1);
    hear(1, (struct msg){ .kind = MSG_CREDIT, .shards = 0 }); /* it is leaving, perhaps */
    CHECK(!said(MSG_RESUME));
    now += core->conf.silent_ms;
    hear(1, (struct msg){ .kind = MSG_CREDIT, .shards = 2 });
    CHECK(!said(MSG_RESUME) && !said(MSG_DRAIN));
}

TEST(a_message_of_another_session_or_key_is_not_heard)
{
    lead();
    join(1, 0);
    int32_t before = bodies;
    hear(1, (struct msg){ .kind = MSG_RESULTS,
                          .session = 77,
                          .lease = { 3, 1 },
                          .number = 1,
                          .items = 1,
                          .bytes = 40,
                          .body = 3 });
    CHECK(core_count(core).batches == 0 && bodies == before);
    struct msg m = { .kind = MSG_BYE, .session = session(1)->id, .seq = ++seq };
    step((struct event){ .kind = EV_MSG, .route = 1, .key = 2, .msg = &m });
    CHECK(session(1));
}

TEST(copies_and_overtaken_messages_are_not_heard)
{
    lead();
    join(1, 0);
    results(1, 1, 5);
    uint64_t old = seq;
    results(1, 2, 5);
    int32_t before = bodies;
    hear(1, (struct msg){ .kind = MSG_RESULTS,
                          .seq = old,
                          .lease = { 3, 1 },
                          .number = 3,
                          .items = 1,
                          .bytes = 40,
                          .body = 3 });
    CHECK(core_count(core).batches == 2 && bodies == before);
}

TEST(of_two_processes_in_one_slot_the_older_is_superseded)
{
    lead();
    join(1, 0);
    struct msg m = hello(2);
    m.incarnation = 6;
    hear(9, m);
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1 });
    CHECK(said_first(MSG_ERROR)->code == CODE_SUPERSEDED && core_count(core).sessions == 1);
    hear(8, m); /* the same process on a new connection: no word to the old one */
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1 });
    CHECK(!said(MSG_ERROR) && core_count(core).sessions == 1 && bodies == 1);
}

TEST(a_silent_session_ends_and_its_leases_run_on)
{
    lead();
    join(1, 0);
    join(2, 0);
    now += core->conf.silent_ms;
    beat(2, 1, (struct lease){ 0 });
    tick(1);
    CHECK(core_count(core).sessions == 1 && session(2) && !asked(TX_FAIL));
}

TEST(a_hello_that_is_said_again_gets_one_answer)
{
    lead();
    hear(1, hello(2));
    hear(1, hello(2));
    CHECK(asked_count(TX_HELLO) == 1 && bodies == 1);
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1 });
    CHECK(said(MSG_WELCOME) == 1);
    hear(1, hello(2)); /* the Welcome was lost */
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1 });
    CHECK(said(MSG_WELCOME) == 1 && bodies == 1);
}

TEST(versions_without_a_common_one_are_told_so)
{
    lead();
    struct msg m = hello(2);
    m.version_min = m.version_max = 2;
    hear(1, m);
    CHECK(said_first(MSG_ERROR)->code == CODE_VERSION && !core_count(core).sessions && !bodies);
}

TEST(beyond_the_last_session_an_agent_is_told_to_come_again)
{
    lead();
    struct core_conf small = core_conf_default;
    small.sessions_max = 2;
    core_free(core);
    core = core_new(&small);
    tick(0);
    answer(TX_LEAD, TX_OK, (struct answer){ .epoch = 1 });
    join(1, 0);
    join(2, 0);
    hear(3, hello(2));
    CHECK(said_first(MSG_ERROR)->code == CODE_BUSY);
    hear(1, (struct msg){ .kind = MSG_BYE });
    join(3, 0);
    CHECK(session(3) && core_count(core).sessions == 2);
}

TEST(five_thousand_sessions_come_renew_and_go)
{
    lead();
    for (int32_t a = 1; a <= 5000; a++) {
        join(a, 0);
        held_add(core, session(a), (struct lease){ a, 1 }, now);
        held_add(core, session(a), (struct lease){ 10000 + a, 1 }, now);
    }
    int32_t renewed = 0;
    for (int64_t i = 1; i <= 4; i++) { /* whoever is heard moves in the list by silence */
        now += core->conf.lease_ms / 12;
        for (int32_t a = 1; a <= 5000; a++)
            hear(a, (struct msg){ .kind = MSG_HEARTBEAT,
                                  .number = i,
                                  .held_count = 2,
                                  .held = { { a, 1 }, { 10000 + a, 1 } } });
    }
    while (asked(TX_RENEW)) {
        renewed += asked(TX_RENEW)->count;
        answer(TX_RENEW, TX_OK, (struct answer){ 0 });
    }
    CHECK(renewed == 10000 && core_count(core).sessions == 5000);
    tick(core->conf.silent_ms + 1);
    CHECK(core_count(core).sessions == 0 && core_count(core).held == 0 && bodies == 0);
}
