/* test_wire.c - the bounds, each by a frame that breaks it. */
#include "common/version.h"
#include "proto/wire.h"

#include "common/version.h"
#include "tests/test.h"

#include <math.h>
#include <stdlib.h>

static uint8_t frame[WIRE_FRAME_MAX + 4096];

#define ENV(e, CASE, field, body)                \
    Koeval__Envelope e = KOEVAL__ENVELOPE__INIT; \
    e.version = 1;                               \
    e.seq = 1;                                   \
    e.body_case = KOEVAL__ENVELOPE__BODY_##CASE; \
    e.field = &(body)

struct batch {
    Koeval__ResultBatch m;
    Koeval__Lease lease;
    uint32_t item[4], nreq[4], ntok[8];
    uint64_t hash[4];
    double ll[8];
    protobuf_c_boolean greedy[8];
};

static void batch_init(struct batch *b)
{
    *b = (struct batch){ .item = { 5, 6, 7, 8 },
                         .nreq = { 2, 2, 2, 2 },
                         .ntok = { 1, 1, 1, 1, 1, 1, 1, 1 },
                         .ll = { -1, -2, -3, -4, -1, -2, -3, -0.0 } };
    koeval__lease__init(&b->lease);
    koeval__result_batch__init(&b->m);
    b->lease.shard = 9;
    b->lease.epoch = 1;
    b->m.batch = 1;
    b->m.lease = &b->lease;
    b->m.n_item_no = b->m.n_n_request = b->m.n_input_hash = 4;
    b->m.n_loglik = b->m.n_greedy = b->m.n_n_tokens = 8;
    b->m.item_no = b->item;
    b->m.n_request = b->nreq;
    b->m.input_hash = b->hash;
    b->m.loglik = b->ll;
    b->m.greedy = b->greedy;
    b->m.n_tokens = b->ntok;
}

static bool goes(Koeval__Envelope *e, enum wire_side side)
{
    struct err err = { 0 };
    size_t n;
    return wire_pack(&n, frame, side, e, &err);
}

/* Packed without wire_pack's check, so that the reader's check is what is tested. */
static bool comes(const Koeval__Envelope *e, enum wire_side side)
{
    struct err err = { 0 };
    struct arena arena = { 0 };
    const Koeval__Envelope *got;
    size_t n = koeval__envelope__pack(e, frame);
    bool ok = wire_unpack(&got, &arena, side, frame, n, &err);
    arena_reset(&arena);
    return ok;
}

TEST(a_good_batch_goes_and_comes)
{
    struct batch b;
    batch_init(&b);
    ENV(e, RESULT_BATCH, result_batch, b.m);
    CHECK(goes(&e, WIRE_FROM_AGENT) && comes(&e, WIRE_FROM_AGENT) &&
          !comes(&e, WIRE_FROM_COORDINATOR));
}

TEST(each_broken_batch_is_refused)
{
    struct batch b;
    batch_init(&b);
    ENV(e, RESULT_BATCH, result_batch, b.m);
    b.ll[3] = NAN;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    b.ll[3] = INFINITY;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    b.item[3] = 5;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    b.nreq[0] = 3;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    b.nreq[0] = 0;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    b.m.n_greedy = 7;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    b.lease.epoch = 0;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    b.item[0] = 1u << 31;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
    batch_init(&b);
    Koeval__Reason r[4] = { 0, 99, 0, 0 };
    b.m.n_reason = 4;
    b.m.reason = r;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
}

TEST(a_hello_of_this_build_is_heard_and_one_with_a_line_break_is_not)
{
    uint8_t bytes[32] = { 1 };
    Koeval__Hello m = KOEVAL__HELLO__INIT;
    m.proto_min = m.proto_max = m.shards_max = 1;
    m.build = "koeval-agent " KOEVAL_VERSION;
    m.hostname = "node-a";
    m.incarnation = (ProtobufCBinaryData){ 16, bytes };
    m.class_digest = (ProtobufCBinaryData){ 32, bytes };
    ENV(e, HELLO, hello, m);
    CHECK(goes(&e, WIRE_FROM_AGENT) && comes(&e, WIRE_FROM_AGENT));
    m.build = "koeval-agent 0.1.0+0123456789ab-dirty"; /* of a tree with changes */
    CHECK(goes(&e, WIRE_FROM_AGENT) && comes(&e, WIRE_FROM_AGENT));
    m.build = "a\nb";
    CHECK(!goes(&e, WIRE_FROM_AGENT) && !comes(&e, WIRE_FROM_AGENT));
}

TEST(utf8_is_strict)
{
    CHECK(wire_utf8("한국어 \xf0\x9f\x99\x82", 14) && wire_utf8("a\0b", 3));
    CHECK(!wire_utf8("\xc0\x80", 2) && !wire_utf8("\xed\xa0\x80", 3) &&
          !wire_utf8("\xf4\x90\x80\x80", 4));
    CHECK(!wire_utf8("\xed\x95", 2) && !wire_utf8("\x80", 1) && !wire_utf8("\xe0\x80\x80", 3));
}

TEST(a_megabyte_of_empty_messages_is_refused_in_bounded_memory)
{
    /* Envelope{1, seq 1, item_chunk{items: "" * n}}: field 32, then field 3 with length 0. */
    size_t n = 500000, at = 0, body = 2 * n;
    memcpy(frame, "\x08\x01\x18\x01\x82\x02", 6), at = 6;
    for (size_t v = body;; v >>= 7) {
        frame[at++] = (uint8_t)((v & 127) | (v > 127 ? 128 : 0));
        if (v <= 127)
            break;
    }
    for (size_t i = 0; i < n; i++)
        frame[at++] = 0x1a, frame[at++] = 0;
    struct arena arena = { 0 };
    const Koeval__Envelope *got;
    struct err err = { 0 };
    CHECK(!wire_unpack(&got, &arena, WIRE_FROM_COORDINATOR, frame, at, &err));
    printf("  %zu bytes in, arena %zu\n", at, arena.total);
    CHECK(arena.total <= ARENA_MAX);
    arena_reset(&arena);
}

TEST(an_unknown_body_and_an_unknown_field_are_no_error)
{
    /* field 200 (a body of tomorrow), field 7 (a field of tomorrow) */
    const char bytes[] = "\x08\x02\x18\x01\xc2\x0c\x02\x08\x01\x38\x05";
    struct arena arena = { 0 };
    const Koeval__Envelope *got;
    struct err err = { 0 };
    CHECK(wire_unpack(&got, &arena, WIRE_FROM_AGENT, bytes, sizeof(bytes) - 1, &err));
    CHECK(got->body_case == KOEVAL__ENVELOPE__BODY__NOT_SET && got->version == 2 &&
          got->base.n_unknown_fields == 2);
    arena_reset(&arena);
}

TEST(what_is_too_large_is_not_sent)
{
    static uint8_t big[WIRE_FRAME_MAX];
    memset(big, 'x', sizeof(big));
    Koeval__Prompt p = KOEVAL__PROMPT__INIT;
    p.text = (ProtobufCBinaryData){ sizeof(big) - 10, big };
    Koeval__Request r = KOEVAL__REQUEST__INIT;
    Koeval__Item it = KOEVAL__ITEM__INIT, *items[] = { &it };
    Koeval__Prompt *ps[] = { &p };
    Koeval__Request *rs[] = { &r };
    it.n_prompts = it.n_requests = 1;
    it.prompts = ps;
    it.requests = rs;
    Koeval__Lease l = KOEVAL__LEASE__INIT;
    l.shard = l.epoch = 1;
    Koeval__ItemChunk c = KOEVAL__ITEM_CHUNK__INIT;
    c.lease = &l;
    c.n_items = 1;
    c.items = items;
    ENV(e, ITEM_CHUNK, item_chunk, c);
    CHECK(!goes(&e, WIRE_FROM_COORDINATOR));
    p.text.len = 1000;
    CHECK(goes(&e, WIRE_FROM_COORDINATOR) && comes(&e, WIRE_FROM_COORDINATOR));
    c.unrendered_item = 1;
    CHECK(comes(&e, WIRE_FROM_COORDINATOR));
    c.too_long_item = 1;
    CHECK(!comes(&e, WIRE_FROM_COORDINATOR));
    c.unrendered_item = c.too_long_item = 0;
    big[3] = 0xff;
    CHECK(!comes(&e, WIRE_FROM_COORDINATOR));
    big[3] = 'x';
    r.prompt = 1;
    CHECK(!comes(&e, WIRE_FROM_COORDINATOR));
}

TEST(a_generated_batch_carries_finish_and_output_instead_of_log_likelihoods)
{
    struct batch b;
    batch_init(&b);
    ENV(e, RESULT_BATCH, result_batch, b.m);
    Koeval__Finish finish[8] = { 1, 2, 3, 1, 1, 1, 1, 1 };
    ProtobufCBinaryData output[8] = { { 2, (uint8_t *)"\xff\n" } };
    b.m.n_loglik = b.m.n_greedy = 0;
    b.m.n_finish = b.m.n_output = 8;
    b.m.finish = finish;
    b.m.output = output;
    CHECK(goes(&e, WIRE_FROM_AGENT) && comes(&e, WIRE_FROM_AGENT));
    b.m.n_output = 7;
    CHECK(!comes(&e, WIRE_FROM_AGENT));
}

/* A version names its commit behind a plus. */
TEST(the_build_that_an_agent_of_this_version_says_of_itself_is_a_plain_name)
{
    uint8_t digest[32] = { 0 }, id[16] = { 0 };
    Koeval__Hello h = KOEVAL__HELLO__INIT;
    h.proto_min = h.proto_max = h.shards_max = 1;
    h.build = "koeval-agent " KOEVAL_VERSION;
    h.hostname = "n1";
    h.incarnation = (ProtobufCBinaryData){ sizeof(id), id };
    h.class_digest = (ProtobufCBinaryData){ sizeof(digest), digest };
    ENV(e, HELLO, hello, h);
    CHECK(goes(&e, WIRE_FROM_AGENT) && comes(&e, WIRE_FROM_AGENT));
    h.build = "koeval-agent 0.1.0+abc-dirty";
    CHECK(goes(&e, WIRE_FROM_AGENT) && comes(&e, WIRE_FROM_AGENT));
    h.build = "koeval-agent\n";
    CHECK(!comes(&e, WIRE_FROM_AGENT));
}
