/* test_batch.c - what a worker collects is what the wire takes. */
#include "agent/batch.h"
#include "tests/test.h"

static uint8_t frame[WIRE_FRAME_MAX];
static struct arena arena;

/* Through the wire and back; NULL when it is refused. */
static const Koeval__ResultBatch *sent(struct batch *batch)
{
    static Koeval__Lease lease;
    Koeval__Envelope env = KOEVAL__ENVELOPE__INIT;
    const Koeval__Envelope *back;
    struct err err = { 0 };
    size_t size;
    batch_columns(batch);
    koeval__lease__init(&lease);
    lease.shard = lease.epoch = 1;
    batch->columns.batch = 1;
    batch->columns.lease = &lease;
    env.version = WIRE_VERSION;
    env.session = env.seq = 1;
    env.body_case = KOEVAL__ENVELOPE__BODY_RESULT_BATCH;
    env.result_batch = &batch->columns;
    if (!wire_pack(&size, frame, WIRE_FROM_AGENT, &env, &err) ||
        !wire_unpack(&back, &arena, WIRE_FROM_AGENT, frame, size, &err)) {
        printf("%s\n", err.text);
        return NULL;
    }
    return back->result_batch;
}

static const struct batch_answer two[] = { { -1.5, true, false, 2 }, { -2.5, false, true, 3 } };

TEST(answers_and_refusals_travel_as_columns)
{
    AUTO(batch_free) struct batch *batch = batch_new();
    batch_answer(batch, 7, 99, two, 2);
    batch_refuse(batch, 8, 0, REASON_TOO_LONG, 5000);
    const Koeval__ResultBatch *got = sent(batch);
    CHECK(got && got->n_item_no == 2 && got->n_loglik == 2 && got->n_request[0] == 2);
    CHECK(got->n_request[1] == 0 && got->reason[1] == KOEVAL__REASON__TOO_LONG);
    CHECK(got->reason_num[1] == 5000 && got->loglik[1] == -2.5 && got->greedy[0]);
    CHECK(got->truncated[1] && !got->truncated[0] && got->n_tokens[1] == 3);
    arena_reset(&arena);
}

TEST(an_invalid_batch_is_one_reason_an_item_and_no_answer)
{
    AUTO(batch_free) struct batch *batch = batch_new();
    batch_answer(batch, 7, 99, two, 2);
    batch_refuse(batch, 8, 0, REASON_TOO_LONG, 5000);
    batch_invalidate(batch);
    const Koeval__ResultBatch *got = sent(batch);
    CHECK(got && got->n_item_no == 2 && got->n_loglik == 0);
    CHECK(got->reason[0] == KOEVAL__REASON__INVALID_RESULT);
    CHECK(got->reason[1] == KOEVAL__REASON__INVALID_RESULT);
    arena_reset(&arena);
}

TEST(a_batch_is_cut_by_items_and_by_bytes_and_takes_at_least_one)
{
    struct batch_answer many[WIRE_REQUESTS_ITEM_MAX] = { { 0 } };
    AUTO(batch_free) struct batch *batch = batch_new();
    CHECK(batch_takes(batch, 0, WIRE_REQUESTS_ITEM_MAX));
    batch_answer(batch, 0, 0, many, WIRE_REQUESTS_ITEM_MAX);
    CHECK(!batch_takes(batch, 1, 1));
    int32_t n = 1;
    for (; batch_takes(batch, WIRE_ITEMS_MAX, WIRE_REQUESTS_ITEM_MAX); n++)
        batch_answer(batch, n, 0, many, WIRE_REQUESTS_ITEM_MAX);
    CHECK(n > 40 && batch_bytes(batch) <= BATCH_BYTES_MAX);
}
