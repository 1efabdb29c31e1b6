#include "coordinator/load.h"
#include "tests/test.h"

static void hear(struct load *load, int32_t agent, uint64_t items, uint64_t tokens, int64_t now_ms)
{
    Koeval__NodeLoad node = KOEVAL__NODE_LOAD__INIT;
    Koeval__Heartbeat beat = KOEVAL__HEARTBEAT__INIT;
    node.items_done = items;
    node.tokens_done = tokens;
    node.rss_bytes = 1000;
    node.mem_free_bytes = 3000;
    beat.node = &node;
    load_heard(load, agent, 5, &beat, now_ms);
}

static void measure(struct load *load, int32_t agent, struct lease lease, uint64_t naive,
                    uint64_t unique, uint64_t ms)
{
    Koeval__ResultBatch batch = KOEVAL__RESULT_BATCH__INIT;
    batch.token_naive = naive;
    batch.token_unique = unique;
    batch.engine_ms = ms;
    load_measured(load, agent, lease, &batch);
}

TEST(a_rate_is_what_came_between_two_heartbeats)
{
    AUTO(load_free) struct load *load = load_new();
    hear(load, 3, 100, 5000, 10000);
    struct load_columns first = load_take(load, 10500);
    CHECK(first.agents_count == 1 && first.agent[0] == 3 && first.model[0] == 5);
    CHECK(first.silent_ms[0] == 500 && first.item_rate[0] == 0 && first.token_rate[0] == 0);
    CHECK(first.memory_used[0] == 1000 && first.memory_total[0] == 4000);
    hear(load, 3, 140, 9000, 14000);
    struct load_columns second = load_take(load, 14000);
    CHECK(second.item_rate[0] == 10 && second.token_rate[0] == 1000);
}

TEST(heartbeats_closer_than_a_second_are_one_measurement)
{
    AUTO(load_free) struct load *load = load_new();
    hear(load, 3, 0, 0, 10000);
    hear(load, 3, 10, 10, 12000);
    hear(load, 3, 1000, 1000, 12400);
    CHECK(load_take(load, 12400).item_rate[0] == 5);
    hear(load, 3, 1010, 1010, 14000);
    CHECK(load_take(load, 14000).item_rate[0] == 500);
}

TEST(counters_that_went_back_are_a_new_process_without_a_rate)
{
    AUTO(load_free) struct load *load = load_new();
    hear(load, 3, 100, 100, 10000);
    hear(load, 3, 200, 200, 12000);
    hear(load, 3, 5, 5, 14000);
    struct load_columns back = load_take(load, 14000);
    CHECK(back.item_rate[0] == 0 && back.token_rate[0] == 0);
    hear(load, 3, 15, 25, 16000);
    struct load_columns on = load_take(load, 16000);
    CHECK(on.item_rate[0] == 5 && on.token_rate[0] == 10);
}

TEST(who_was_not_heard_since_the_last_taking_is_not_written_again)
{
    AUTO(load_free) struct load *load = load_new();
    for (int32_t agent = 1; agent <= 200; agent++)
        hear(load, agent, 0, 0, 1000);
    CHECK(load_take(load, 1000).agents_count == 200);
    hear(load, 77, 1, 1, 2000);
    struct load_columns c = load_take(load, 2000);
    CHECK(c.agents_count == 1 && c.agent[0] == 77);
    CHECK(load_take(load, 3000).agents_count == 0);
}

TEST(memory_that_no_number_holds_is_clipped)
{
    AUTO(load_free) struct load *load = load_new();
    Koeval__NodeLoad node = KOEVAL__NODE_LOAD__INIT;
    Koeval__Heartbeat beat = KOEVAL__HEARTBEAT__INIT;
    node.rss_bytes = node.mem_free_bytes = UINT64_MAX;
    beat.node = &node;
    load_heard(load, 1, 0, &beat, 1);
    struct load_columns c = load_take(load, 1);
    CHECK(c.memory_used[0] == INT64_MAX && c.memory_total[0] > 0);
}

TEST(a_lease_has_the_newest_sums_of_its_batches)
{
    AUTO(load_free) struct load *load = load_new();
    struct lease one = { .shard = 1, .epoch = 1 }, two = { .shard = 2, .epoch = 1 };
    measure(load, 3, one, 100, 50, 7);
    measure(load, 3, two, 1, 1, 1);
    measure(load, 3, one, 200, 90, 14);
    measure(load, 3, one, 100, 50, 7); /* the first batch, sent again */
    struct load_columns c = load_take(load, 1);
    CHECK(c.leases_count == 2 && c.shard[0] == 1 && c.shard[1] == 2);
    CHECK(c.token_naive[0] == 200 && c.token_unique[0] == 90 && c.engine_ms[0] == 14);
    CHECK(c.lease_epoch[0] == 1 && c.lease_agent[0] == 3 && c.engine_ms[1] == 1);
    CHECK(load_take(load, 2).leases_count == 0);
}

TEST(the_next_lease_of_a_shard_and_another_agents_are_counted_apart)
{
    AUTO(load_free) struct load *load = load_new();
    measure(load, 3, (struct lease){ .shard = 1, .epoch = 1 }, 100, 50, 7);
    measure(load, 3, (struct lease){ .shard = 1, .epoch = 2 }, 10, 5, 1);
    measure(load, 4, (struct lease){ .shard = 1, .epoch = 1 }, 20, 6, 2);
    struct load_columns c = load_take(load, 1);
    CHECK(c.leases_count == 3 && c.token_naive[1] == 10 && c.token_naive[2] == 20);
}

TEST(a_batch_without_counters_measures_nothing)
{
    AUTO(load_free) struct load *load = load_new();
    measure(load, 3, (struct lease){ .shard = 1, .epoch = 1 }, 0, 0, 0);
    CHECK(load_take(load, 1).leases_count == 0);
}
