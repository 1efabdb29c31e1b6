/* test_core.c - the rules of the agent's core, one sentence each. */
#include "agent/core.h"
#include "tests/test.h"

static struct agent agent;
static struct agent_actions acts;
static int64_t now;
static uint64_t seq;
static int32_t freed[256], freed_count;

static void step(struct agent_event event)
{
    event.now_ms = now;
    agent_step(&agent, &event, &acts);
    for (int i = 0; i < acts.count; i++)
        if (acts.list[i].kind == AGENT_FREE)
            freed[freed_count++] = acts.list[i].body;
}

static void tick(int64_t after_ms)
{
    now += after_ms;
    step((struct agent_event){ .kind = AGENT_TICK });
}

static const struct agent_action *did(enum agent_action_kind kind)
{
    for (int i = 0; i < acts.count; i++)
        if (acts.list[i].kind == kind)
            return &acts.list[i];
    return NULL;
}

static const struct msg *said(enum msg_kind kind)
{
    for (int i = 0; i < acts.count; i++)
        if (acts.list[i].kind == AGENT_SEND && acts.list[i].msg.kind == kind)
            return &acts.list[i].msg;
    return NULL;
}

static int freed_times(int32_t body)
{
    int n = 0;
    for (int i = 0; i < freed_count; i++)
        n += freed[i] == body;
    return n;
}

static void hear_as(uint64_t number, struct msg msg, struct agent_event event)
{
    msg.seq = number;
    if (!msg.session)
        msg.session = 77;
    event.kind = AGENT_MSG;
    event.msg = &msg;
    step(event);
}

static void hear(struct msg msg) { hear_as(++seq, msg, (struct agent_event){ 0 }); }

static struct msg welcome(void)
{
    return (struct msg){ .kind = MSG_WELCOME,
                         .epoch = 5,
                         .lease_ms = 10000,
                         .heartbeat_ms = 1000,
                         .window_bytes = 1000,
                         .batch_items = 100 };
}

static void start_with(struct agent_conf conf)
{
    now = 100000;
    seq = 0;
    freed_count = 0;
    agent_init(&agent, &conf);
    tick(0);
    assert(did(AGENT_CONNECT) && said(MSG_HELLO));
}

static void start(void)
{
    struct agent_conf conf = agent_conf_default;
    conf.endpoints = 2;
    conf.silent_ms = 3000;
    conf.resend_ms = 2000;
    start_with(conf);
}

static void up(void)
{
    start();
    hear(welcome());
}

static const struct lease lease_a = { 11, 1 }, lease_b = { 12, 1 };

static void grant_of(struct lease lease, int32_t model, int32_t body)
{
    hear((struct msg){ .kind = MSG_GRANT,
                       .lease = lease,
                       .model = model,
                       .run = 3,
                       .number = agent.beat,
                       .lo = 0,
                       .hi = 100,
                       .body = body });
}

static void grant(struct lease lease) { grant_of(lease, 1, 0); }

static void chunk(struct lease lease, int32_t from, int32_t items, bool last, int32_t body)
{
    hear_as(++seq,
            (struct msg){
                .kind = MSG_CHUNK, .lease = lease, .from = from, .last = last, .body = body },
            (struct agent_event){ .items = items, .bytes = 100 * items, .next = from + items });
}

static void result(struct lease lease, int32_t bytes, int32_t body)
{
    step((struct agent_event){
        .kind = AGENT_RESULT, .lease = lease, .items = 10, .bytes = bytes, .body = body });
}

static void done(struct lease lease, bool complete)
{
    step((struct agent_event){
        .kind = AGENT_DONE, .lease = lease, .complete = complete, .took_ms = 1000, .bytes = 1000 });
}

static void ack(int64_t number, enum verdict verdict, enum refusal refusal)
{
    hear((struct msg){ .kind = MSG_ACK, .number = number, .verdict = verdict, .refusal = refusal });
}

static void beat_acked(int32_t age_ms)
{
    hear((struct msg){ .kind = MSG_HEARTBEAT_ACK, .number = agent.beat, .age_ms = age_ms });
}

/* Ticks with an ack to each heartbeat, so that neither lease nor session ends. */
static void live(int64_t ms)
{
    for (int64_t end = now + ms; now < end;) {
        tick(500);
        if (said(MSG_HEARTBEAT))
            beat_acked(0);
    }
}

TEST(hello_is_repeated_until_welcome_because_the_first_is_always_lost)
{
    start();
    tick(499);
    CHECK(!said(MSG_HELLO));
    tick(1);
    CHECK(said(MSG_HELLO));
    hear(welcome());
    CHECK(said(MSG_CREDIT) && said(MSG_HEARTBEAT));
    tick(500);
    CHECK(!said(MSG_HELLO));
}

TEST(credit_is_absolute_and_includes_what_is_held)
{
    up();
    CHECK(said(MSG_CREDIT)->shards == 2);
    grant(lease_a);
    for (int i = 0; i < 5 && !said(MSG_CREDIT); i++) {
        tick(1000);
        if (!said(MSG_CREDIT))
            beat_acked(0);
    }
    CHECK(said(MSG_CREDIT) && said(MSG_CREDIT)->shards == 2);
}

TEST(a_unit_is_everything_at_hand_of_one_shard)
{
    struct unit unit;
    up();
    grant(lease_a);
    CHECK(said(MSG_ITEM_REQUEST)->from == 0);
    chunk(lease_a, 0, 10, false, 21);
    CHECK(!agent_next(&agent, now, &unit)); /* little, and more is to come */
    CHECK(said(MSG_ITEM_REQUEST) && said(MSG_ITEM_REQUEST)->from == 10);
    chunk(lease_a, 10, 7, true, 22);
    CHECK(agent_next(&agent, now, &unit));
    CHECK(unit.items == 17 && unit.chunks_count == 2 && unit.chunks[1] == 22);
    CHECK(!agent_next(&agent, now, &unit));      /* one at a time */
    CHECK(!freed_times(21) && !freed_times(22)); /* the taker's */
}

TEST(the_next_unit_is_fetched_while_one_runs)
{
    struct unit unit;
    up();
    agent.unit_bytes = 2000;
    grant(lease_a);
    chunk(lease_a, 0, 10, false, 21);
    CHECK(agent_next(&agent, now, &unit));
    tick(0);
    CHECK(said(MSG_ITEM_REQUEST) && said(MSG_ITEM_REQUEST)->from == 10);
    chunk(lease_a, 10, 10, true, 22);
    result(lease_a, 10, 30);
    done(lease_a, true);
    CHECK(agent_next(&agent, now, &unit) && unit.chunks[0] == 22);
}

TEST(the_resident_model_goes_first)
{
    struct unit unit;
    up();
    agent.model = 2;
    grant_of(lease_a, 1, 0);
    grant_of(lease_b, 2, 0);
    chunk(lease_a, 0, 1, true, 21);
    chunk(lease_b, 0, 1, true, 22);
    CHECK(agent_next(&agent, now, &unit) && unit.model == 2);
}

TEST(a_slow_model_gets_small_units_and_a_fast_one_large)
{
    up();
    step((struct agent_event){
        .kind = AGENT_DONE, .complete = true, .took_ms = 1000000, .bytes = 65536 });
    CHECK(agent.unit_bytes == 65536);
    step((struct agent_event){
        .kind = AGENT_DONE, .complete = true, .took_ms = 10, .bytes = 65536 });
    CHECK(agent.unit_bytes == 8 * 65536);
}

TEST(nothing_is_computed_past_eight_tenths_of_the_lease)
{
    struct unit unit;
    up();
    grant(lease_a);
    chunk(lease_a, 0, 1, true, 21);
    CHECK(agent_may(&agent, lease_a, now + 7999));
    CHECK(!agent_may(&agent, lease_a, now + 8000));
    CHECK(!agent_next(&agent, now + 8000, &unit));
    CHECK(agent_next(&agent, now + 7999, &unit));
}

TEST(a_lease_runs_from_the_committed_renewal_and_not_from_the_ack)
{
    up();
    grant(lease_a);
    tick(1000);
    beat_acked(600);
    CHECK(agent_may(&agent, lease_a, now - 600 + 7999));
    CHECK(!agent_may(&agent, lease_a, now - 600 + 8000));
    tick(1000);
    beat_acked(5000); /* older than what is known: it takes nothing back */
    CHECK(agent_may(&agent, lease_a, now - 1600 + 7999));
}

TEST(a_grant_that_names_no_beat_is_good_for_nothing_until_the_next_ack)
{
    struct unit unit;
    up();
    hear((struct msg){ .kind = MSG_GRANT, .lease = lease_a, .model = 1, .number = 0 });
    chunk(lease_a, 0, 1, true, 21);
    CHECK(!agent_next(&agent, now, &unit));
    tick(1000);
    beat_acked(0);
    CHECK(agent_next(&agent, now, &unit));
}

TEST(a_grant_that_lay_in_a_buffer_does_not_begin_anew)
{
    up();
    int64_t beat = agent.beat, sent = now;
    tick(1000);
    hear((struct msg){ .kind = MSG_GRANT, .lease = lease_a, .model = 1, .number = beat });
    CHECK(agent_may(&agent, lease_a, sent + 7999) && !agent_may(&agent, lease_a, sent + 8000));
    tick(1000 * BEATS_MAX);
    CHECK(agent.state == AGENT_DOWN);
}

TEST(the_same_grant_again_is_the_same_lease)
{
    up();
    grant_of(lease_a, 1, 5);
    grant_of(lease_a, 1, 6);
    CHECK(agent.jobs_count == 1 && freed_times(6) == 1 && !freed_times(5));
}

TEST(copies_and_overtaken_messages_are_dropped)
{
    up();
    hear_as(9, (struct msg){ .kind = MSG_GRANT, .lease = lease_a, .model = 1, .body = 5 },
            (struct agent_event){ 0 });
    CHECK(agent.jobs_count == 1);
    hear_as(9, (struct msg){ .kind = MSG_REVOKE, .lease = lease_a }, (struct agent_event){ 0 });
    hear_as(8, (struct msg){ .kind = MSG_GRANT, .lease = lease_b, .body = 6 },
            (struct agent_event){ 0 });
    CHECK(agent.jobs_count == 1 && freed_times(6) == 1);
}

TEST(what_another_session_says_is_not_for_us)
{
    up();
    hear((struct msg){ .kind = MSG_GRANT, .lease = lease_a, .session = 78, .body = 6 });
    CHECK(agent.jobs_count == 0 && freed_times(6) == 1);
}

TEST(an_older_leader_is_not_believed)
{
    up();
    tick(3001);
    CHECK(agent.state == AGENT_DOWN && did(AGENT_CLOSE));
    tick(2000);
    CHECK(did(AGENT_CONNECT)->endpoint == 1); /* silent there: the other one */
    seq = 0;
    struct msg old = welcome();
    old.epoch = 4;
    hear(old);
    CHECK(agent.state == AGENT_DOWN);
}

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
