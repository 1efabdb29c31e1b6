/* test_core_lease.c - rules of the coordinator's core: leases and sessions. */
#include "tests/unit/coordinator/core_rig.h"

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
