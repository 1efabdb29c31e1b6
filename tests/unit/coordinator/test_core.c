/* test_core.c - rules of the coordinator's core: which work, results, the lead. */
#include "tests/unit/coordinator/core_rig.h"

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

TEST(a_restarted_agent_that_counts_its_batches_anew_is_not_taken_for_itself)
{
    lead();
    join(1, 0);
    results(1, 1, 5);
    hear(1, (struct msg){ .kind = MSG_RESULTS,
                          .number = 1,
                          .lease = { 99, 1 },
                          .items = 5,
                          .bytes = 500,
                          .body = 1 });
    CHECK(core_count(core).batches == 2);
}

/* A grant that the database lost in a crash is made again with its number, to the next life too. */
TEST(a_batch_of_another_life_under_the_same_lease_and_number_is_another_batch)
{
    lead();
    join(1, 0);
    results(1, 1, 5);
    struct msg m = hello(2);
    m.incarnation = 6;
    hear(2, m);
    answer(TX_HELLO, TX_OK, (struct answer){ .agent = 1, .class = 1 });
    results(2, 1, 3);
    CHECK(core_count(core).batches == 2);
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
