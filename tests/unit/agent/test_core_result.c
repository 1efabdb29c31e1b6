/* test_core_result.c - rules of the agent's core: results until they are acked, and how it ends. */
#include "tests/unit/agent/core_rig.h"

static void reconnect(struct msg word)
{
    tick(3001);
    tick(20000);
    seq = 0;
    hear(word);
}

TEST(results_are_kept_through_a_reconnect_and_sent_again)
{
    up();
    agent.conf.resend_ms = 1000000;
    grant(lease_a);
    result(lease_a, 10, 30);
    CHECK(said(MSG_RESULTS) && said(MSG_RESULTS)->number == 1);
    reconnect(welcome());
    CHECK(said(MSG_RESULTS) && said(MSG_RESULTS)->number == 1 && said(MSG_RESULTS)->body == 30);
    CHECK(!freed_times(30));
    ack(1, VERDICT_ALREADY, 0);
    CHECK(freed_times(30) == 1 && agent_room(&agent) == UNACKED_MAX);
}

TEST(what_welcome_does_not_keep_is_dropped_and_its_results_are_not)
{
    up();
    grant_of(lease_a, 1, 5);
    grant_of(lease_b, 1, 6);
    chunk(lease_a, 0, 1, true, 21);
    result(lease_a, 10, 30);
    struct msg word = welcome();
    word.held[word.held_count++] = lease_b;
    reconnect(word);
    CHECK(agent.jobs_count == 1 && lease_same(agent.jobs[0].lease, lease_b));
    CHECK(freed_times(5) == 1 && freed_times(21) == 1 && !freed_times(6));
    CHECK(said(MSG_RESULTS)->number == 1);
}

TEST(an_unacked_batch_goes_again_after_resend_ms)
{
    up();
    grant(lease_a);
    result(lease_a, 10, 30);
    tick(1000);
    CHECK(!said(MSG_RESULTS));
    beat_acked(0);
    tick(1000);
    CHECK(said(MSG_RESULTS) && said(MSG_RESULTS)->number == 1);
}

TEST(the_window_bounds_what_is_in_flight_and_one_may_always_go)
{
    up();
    result(lease_a, 5000, 30); /* greater than the window */
    CHECK(said(MSG_RESULTS));
    result(lease_a, 600, 31);
    CHECK(!said(MSG_RESULTS));
    ack(1, VERDICT_COMMITTED, 0);
    CHECK(said(MSG_RESULTS) && said(MSG_RESULTS)->body == 31);
    result(lease_a, 600, 32);
    CHECK(!said(MSG_RESULTS));
    hear((struct msg){
        .kind = MSG_ACK, .number = 2, .verdict = VERDICT_COMMITTED, .window_bytes = 4096 });
    CHECK(agent.window_bytes == 4096);
}

TEST(rows_that_the_database_refused_come_again_once_as_errors)
{
    up();
    result(lease_a, 10, 30);
    ack(1, VERDICT_REJECTED, REFUSAL_INVALID);
    const struct msg *again = said(MSG_RESULTS);
    CHECK(again && again->number == 2 && again->body == 30);
    CHECK(again->reason == REASON_INVALID_RESULT && !freed_times(30));
    ack(1, VERDICT_COMMITTED, 0); /* the old number means nothing now */
    CHECK(!freed_times(30));
    ack(2, VERDICT_REJECTED, REFUSAL_INVALID);
    CHECK(!said(MSG_RESULTS) && freed_times(30) == 1);
}

TEST(other_refusals_end_the_batch)
{
    up();
    result(lease_a, 10, 30);
    ack(1, VERDICT_REJECTED, REFUSAL_RUN_NOT_LIVE);
    CHECK(freed_times(30) == 1 && agent_room(&agent) == UNACKED_MAX);
}

TEST(a_shard_that_is_done_is_let_go)
{
    up();
    grant_of(lease_a, 1, 5);
    result(lease_a, 10, 30);
    hear((struct msg){ .kind = MSG_ACK,
                       .number = 1,
                       .verdict = VERDICT_COMMITTED,
                       .lease = lease_a,
                       .done = true });
    CHECK(agent.jobs_count == 0 && freed_times(5) == 1);
}

TEST(a_shard_that_is_computed_and_never_done_is_handed_back)
{
    struct unit unit;
    up();
    grant(lease_a);
    chunk(lease_a, 0, 1, true, 21);
    CHECK(agent_next(&agent, now, &unit));
    result(lease_a, 10, 30);
    done(lease_a, true);
    live(20000);
    CHECK(agent.jobs_count == 1); /* its batch may still be on the way */
    ack(1, VERDICT_COMMITTED, 0);
    live(9000);
    CHECK(agent.jobs_count == 1); /* the word that it is done may still come */
    bool back = false;
    for (int i = 0; i < 10 && !back; i++) {
        live(500);
        back = agent.jobs_count == 0;
    }
    CHECK(back);
}

TEST(what_was_stopped_in_the_middle_is_asked_for_again)
{
    struct unit unit;
    up();
    grant(lease_a);
    chunk(lease_a, 0, 10, true, 21);
    CHECK(agent_next(&agent, now, &unit));
    done(lease_a, false);
    CHECK(said(MSG_ITEM_REQUEST) && said(MSG_ITEM_REQUEST)->from == 0);
    chunk(lease_a, 0, 10, true, 22);
    CHECK(agent_next(&agent, now, &unit) && unit.chunks[0] == 22);
}

TEST(lost_and_revoked_leases_stop_the_computing)
{
    up();
    grant_of(lease_a, 1, 5);
    grant_of(lease_b, 1, 6);
    tick(1000);
    hear((struct msg){
        .kind = MSG_HEARTBEAT_ACK, .number = agent.beat, .held = { lease_a }, .held_count = 1 });
    CHECK(!agent_may(&agent, lease_a, now) && agent_may(&agent, lease_b, now));
    hear((struct msg){ .kind = MSG_REVOKE, .lease = lease_b });
    CHECK(!agent_may(&agent, lease_b, now));
    CHECK(freed_times(5) == 1 && freed_times(6) == 1);
}

TEST(a_heartbeat_names_what_is_held)
{
    up();
    grant(lease_a);
    tick(1000);
    CHECK(said(MSG_HEARTBEAT)->held_count == 1);
    CHECK(lease_same(said(MSG_HEARTBEAT)->held[0], lease_a));
}

TEST(a_shard_that_cannot_be_computed_here_is_given_up_with_its_reason)
{
    struct unit unit;
    up();
    grant(lease_a);
    chunk(lease_a, 0, 1, true, 21);
    CHECK(agent_next(&agent, now, &unit));
    step((struct agent_event){
        .kind = AGENT_FAIL, .lease = lease_a, .reason = REASON_OOM, .reason_num = 99 });
    CHECK(!said(MSG_SHARD_END)); /* it still runs */
    done(lease_a, false);
    CHECK(said(MSG_SHARD_END) && said(MSG_SHARD_END)->reason == REASON_OOM);
    CHECK(said(MSG_SHARD_END)->reason_num == 99 && agent.jobs_count == 0);
}

TEST(two_processes_with_one_slot_do_not_fight)
{
    up();
    hear((struct msg){ .kind = MSG_ERROR, .code = CODE_SUPERSEDED });
    CHECK(agent.state == AGENT_DOWN && did(AGENT_CLOSE));
    CHECK(agent.connect_ms >= now + 30000);
}

TEST(a_standby_sends_us_to_the_other_endpoint_soon)
{
    up();
    hear((struct msg){ .kind = MSG_ERROR, .code = CODE_NOT_LEADER });
    CHECK(agent.endpoint == 1 && agent.connect_ms <= now + 750);
}

TEST(back_off_doubles_and_has_full_jitter)
{
    up();
    int64_t waits[6];
    for (int i = 0; i < 6; i++) {
        hear((struct msg){ .kind = MSG_ERROR, .code = CODE_NO_SESSION });
        waits[i] = agent.connect_ms - now;
        tick(waits[i]);
        CHECK(agent.state == AGENT_GREETING);
    }
    CHECK(waits[0] == 250 && waits[1] == 500 && waits[5] == 7500); /* half + random 0 */
}

TEST(an_unknown_key_waits_long_and_ends_the_process_after_some_times)
{
    struct agent_conf conf = agent_conf_default;
    conf.refusals_max = 2;
    start_with(conf);
    step((struct agent_event){ .kind = AGENT_REFUSED });
    CHECK(agent.state == AGENT_DOWN && agent.connect_ms >= now + 30000 && !did(AGENT_EXIT));
    tick(90000);
    step((struct agent_event){ .kind = AGENT_REFUSED });
    CHECK(did(AGENT_EXIT) && did(AGENT_EXIT)->code == AGENT_EXIT_REFUSED);
}

TEST(a_drained_agent_wants_nothing_and_finishes_what_it_holds)
{
    struct unit unit;
    up();
    grant(lease_a);
    chunk(lease_a, 0, 1, true, 21);
    hear((struct msg){ .kind = MSG_DRAIN });
    CHECK(said(MSG_CREDIT)->shards == 0);
    CHECK(agent_next(&agent, now, &unit));
    hear((struct msg){ .kind = MSG_RESUME });
    CHECK(said(MSG_CREDIT)->shards == 2);
}

TEST(a_drain_with_a_deadline_hands_back_what_is_left_then)
{
    up();
    grant(lease_a);
    hear((struct msg){ .kind = MSG_DRAIN, .wait_ms = 900 });
    tick(899);
    CHECK(!said(MSG_SHARD_END));
    tick(1);
    CHECK(said(MSG_SHARD_END) && said(MSG_SHARD_END)->reason == REASON_RETURNED);
}

TEST(stopping_finishes_what_runs_and_hands_back_the_rest)
{
    struct unit unit;
    up();
    grant(lease_a);
    grant(lease_b);
    chunk(lease_a, 0, 1, true, 21);
    chunk(lease_b, 0, 1, true, 22);
    CHECK(agent_next(&agent, now, &unit));
    step((struct agent_event){ .kind = AGENT_STOP });
    CHECK(said(MSG_SHARD_END)->lease.shard == (lease_same(unit.lease, lease_a) ? 12 : 11));
    CHECK(!did(AGENT_EXIT) && agent_may(&agent, unit.lease, now));
    result(unit.lease, 10, 30);
    done(unit.lease, true);
    CHECK(!did(AGENT_EXIT)); /* its results are not safe yet */
    hear((struct msg){ .kind = MSG_ACK,
                       .number = 1,
                       .verdict = VERDICT_COMMITTED,
                       .lease = unit.lease,
                       .done = true });
    CHECK(did(AGENT_EXIT) && did(AGENT_EXIT)->code == AGENT_EXIT_DRAINED && said(MSG_BYE));
}

TEST(stopping_with_results_that_nobody_takes_ends_at_last_and_asks_to_be_run_again)
{
    struct agent_conf conf = agent_conf_default;
    conf.drain_ms = 1000;
    start_with(conf);
    hear(welcome());
    result(lease_a, 10, 30);
    step((struct agent_event){ .kind = AGENT_STOP });
    CHECK(!did(AGENT_EXIT));
    tick(7000);
    CHECK(did(AGENT_EXIT) && did(AGENT_EXIT)->code == AGENT_EXIT_REQUEUE);
}

TEST(stopping_without_work_or_coordinator_ends_at_once)
{
    start();
    step((struct agent_event){ .kind = AGENT_STOP });
    CHECK(did(AGENT_EXIT) && did(AGENT_EXIT)->code == AGENT_EXIT_DRAINED);
}

TEST(every_body_is_named_exactly_once)
{
    struct unit unit;
    up();
    grant_of(lease_a, 1, 5);
    chunk(lease_a, 0, 1, false, 21);
    chunk(lease_a, 0, 1, false, 22); /* an answer to a question asked twice */
    CHECK(freed_times(22) == 1);
    chunk(lease_a, 1, 0, true, 23); /* none left: nothing to keep */
    CHECK(freed_times(23) == 1 && !freed_times(21));
    CHECK(agent_next(&agent, now, &unit) && unit.chunks[0] == 21);
    hear((struct msg){ .kind = MSG_REVOKE, .lease = lease_a });
    CHECK(freed_times(5) == 1 && !freed_times(21));
    chunk(lease_a, 0, 1, true, 24); /* of a lease that is gone */
    CHECK(freed_times(24) == 1);
}

TEST(a_beat_that_is_too_old_to_be_remembered_is_not_another_beat)
{
    up();
    live(20000);
    CHECK(agent.beat > BEATS_MAX);
    hear((struct msg){
        .kind = MSG_GRANT, .lease = lease_a, .model = 1, .number = agent.beat - BEATS_MAX });
    CHECK(!agent_may(&agent, lease_a, now));
}

TEST(what_is_computed_is_not_asked_for_again_after_a_stop)
{
    struct unit unit;
    up();
    agent.unit_bytes = 2000;
    grant(lease_a);
    chunk(lease_a, 0, 10, false, 21);
    CHECK(agent_next(&agent, now, &unit));
    tick(0);
    chunk(lease_a, 10, 10, true, 22);
    done(lease_a, true);
    CHECK(agent_next(&agent, now, &unit));
    done(lease_a, false);
    CHECK(said(MSG_ITEM_REQUEST) && said(MSG_ITEM_REQUEST)->from == 10);
}

TEST(a_shard_is_given_up_only_when_nothing_of_it_is_unacked)
{
    up();
    grant(lease_a);
    result(lease_a, 10, 30);
    step((struct agent_event){ .kind = AGENT_FAIL, .lease = lease_a, .reason = REASON_OOM });
    CHECK(!said(MSG_SHARD_END) && agent.jobs_count == 1);
    ack(1, VERDICT_COMMITTED, 0);
    CHECK(said(MSG_SHARD_END) && agent.jobs_count == 0);
}

TEST(stopping_asks_for_no_more_items)
{
    struct unit unit;
    up();
    agent.unit_bytes = 2000;
    grant(lease_a);
    chunk(lease_a, 0, 10, false, 21);
    CHECK(agent_next(&agent, now, &unit));
    step((struct agent_event){ .kind = AGENT_STOP });
    done(lease_a, true);
    CHECK(!said(MSG_ITEM_REQUEST) && said(MSG_SHARD_END) && did(AGENT_EXIT));
}

TEST(one_unit_is_out_at_a_time)
{
    struct unit unit;
    up();
    grant(lease_a);
    grant(lease_b);
    chunk(lease_a, 0, 1, true, 21);
    chunk(lease_b, 0, 1, true, 22);
    CHECK(agent_next(&agent, now, &unit));
    CHECK(!agent_next(&agent, now, &unit));
    done(unit.lease, true);
    CHECK(agent_next(&agent, now, &unit));
}
