/* test_core.c - rules of the agent's core: its session, the units it computes, how long a lease is
 * good. */
#include "tests/unit/agent/core_rig.h"

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

TEST(a_connection_that_broke_sends_us_to_the_other_endpoint_at_once)
{
    up();
    grant(lease_a);
    step((struct agent_event){ .kind = AGENT_CUT });
    CHECK(agent.state == AGENT_DOWN && agent.endpoint == 1 && agent.connect_ms <= now + 750);
    CHECK(agent.jobs_count == 1); /* its lease runs on */
    tick(750);
    CHECK(did(AGENT_CONNECT)->endpoint == 1);
    step((struct agent_event){ .kind = AGENT_CUT }); /* nobody listens there */
    CHECK(agent.state == AGENT_DOWN && agent.endpoint == 0);
}

TEST(with_one_endpoint_a_broken_connection_is_left_to_mend)
{
    up();
    agent.conf.endpoints = 1;
    step((struct agent_event){ .kind = AGENT_CUT });
    CHECK(agent.state == AGENT_UP && !did(AGENT_CLOSE));
}
