/* test_codec.c - what a core says is what the other core hears. */
#include "common/version.h"
#include "proto/codec.h"
#include "tests/test.h"

static uint8_t frame[WIRE_FRAME_MAX];
static uint8_t digest[32] = { 1, 2, 3 }, id[16] = { 7, 7, 7, 7, 7, 7, 7, 7, 9 };
static struct digests models;
static struct codec ours = { .models = &models }, theirs = { .models = &models };

/* Through a frame and back; false when either side refuses. */
static bool carry(struct msg *out, struct body *body_out, struct arena *arena,
                  const struct msg *msg, const struct body *body)
{
    size_t size = 0;
    struct err err = { 0 };
    const Koeval__Envelope *env = NULL;
    enum wire_side from = msg->kind < MSG_WELCOME ? WIRE_FROM_AGENT : WIRE_FROM_COORDINATOR;
    if (!codec_write(&size, frame, &ours, msg, body, &err)) {
        printf("  %s\n", err.text);
        return false;
    }
    return wire_unpack(&env, arena, from, frame, size, &err) &&
           codec_read(out, body_out, &theirs, env);
}

/* What both sides of every field say, apart from what is borrowed. */
static bool same(const struct msg *a, const struct msg *b)
{
    struct msg x = *a, y = *b;
    x.disk = y.disk = NULL;
    x.disk_count = y.disk_count = x.version_min = y.version_min = 0;
    x.body = y.body = 0;
    return !memcmp(&x, &y, sizeof(x));
}

#define CARRIES(...)                                                        \
    do {                                                                    \
        AUTO(arena_reset) struct arena arena_ = { 0 };                      \
        struct msg m_, said_ = { __VA_ARGS__ };                             \
        struct body b_;                                                     \
        said_.session = 77;                                                 \
        said_.seq = 5;                                                      \
        CHECK(carry(&m_, &b_, &arena_, &said_, NULL) && same(&m_, &said_)); \
    } while (0)

TEST(small_messages_arrive_as_they_were_said)
{
    CARRIES(.kind = MSG_HEARTBEAT, .number = 9, .bytes = 1000, .held = { { 3, 1 }, { 4, 2 } },
            .progress = { 10, 0 }, .held_count = 2);
    CARRIES(.kind = MSG_ITEM_REQUEST, .lease = { 3, 1 }, .from = 12, .bytes = 65536);
    CARRIES(.kind = MSG_SHARD_END, .lease = { 3, 1 }, .reason = REASON_TOO_LONG, .reason_num = -5);
    CARRIES(.kind = MSG_BYE, .code = CODE_BYE_DRAINED);
    CARRIES(.kind = MSG_HEARTBEAT_ACK, .number = 9, .age_ms = 1234, .degraded = true,
            .held = { { 3, 1 } }, .held_count = 1);
    CARRIES(.kind = MSG_ACK, .number = 4, .verdict = VERDICT_REJECTED, .refusal = REFUSAL_INVALID,
            .window_bytes = 4096, .done = true);
    CARRIES(.kind = MSG_REVOKE, .lease = { 3, 1 }, .reason = REASON_LEASE_EXPIRED);
    CARRIES(.kind = MSG_DRAIN, .wait_ms = 500);
    CARRIES(.kind = MSG_RESUME);
    CARRIES(.kind = MSG_ERROR, .code = CODE_SUPERSEDED, .wait_ms = 9);
    CARRIES(.kind = MSG_WELCOME, .version_max = PROTOCOL_VERSION, .epoch = 6, .heartbeat_ms = 500,
            .lease_ms = 2000, .window_bytes = 4096, .batch_items = 8, .drain = true,
            .held = { { 9, 3 } }, .held_count = 1);
}

TEST(a_credit_names_models_by_digest)
{
    int32_t number = digest_add(&models, digest);
    CARRIES(.kind = MSG_CREDIT, .shards = 2, .resident = { number }, .resident_count = 1);
}

static Koeval__Hello hello_make(ProtobufCBinaryData *on_disk)
{
    Koeval__Hello h = KOEVAL__HELLO__INIT;
    *on_disk = (ProtobufCBinaryData){ sizeof(digest), digest };
    h.incarnation = (ProtobufCBinaryData){ sizeof(id), id };
    h.class_digest = *on_disk;
    h.n_models = 1;
    h.models = on_disk;
    return h;
}

TEST(a_hello_fills_the_cores_numbers_into_the_links_facts)
{
    AUTO(arena_reset) struct arena arena = { 0 };
    ProtobufCBinaryData on_disk;
    char build[] = "koeval-agent " KOEVAL_VERSION; /* as an agent says it: the commit is a part */
    Koeval__Hello h = hello_make(&on_disk);
    h.build = build;
    struct body body = { .hello = &h }, got;
    struct msg said = { .kind = MSG_HELLO,
                        .seq = 1,
                        .slot = 3,
                        .shards = 2,
                        .held = { { 8, 1 } },
                        .held_count = 1 },
               m;
    CHECK(carry(&m, &got, &arena, &said, &body));
    CHECK(m.slot == 3 && m.shards == 2 && m.held_count == 1 && m.held[0].shard == 8);
    CHECK(m.version_min == PROTOCOL_VERSION && m.version_max == PROTOCOL_VERSION);
    CHECK(m.disk_count == 1 && m.disk[0] == digest_find(&models, digest));
    CHECK(!memcmp(&m.incarnation, id, sizeof(m.incarnation)) && !strcmp(got.hello->build, build));
}

TEST(results_carry_their_columns_and_are_charged_for_them)
{
    AUTO(arena_reset) struct arena arena = { 0 };
    uint32_t item[] = { 5, 6 }, count[] = { 2, 0 }, tokens[] = { 1, 2 };
    uint64_t hash[] = { 11, 12 };
    Koeval__Reason reason[] = { KOEVAL__REASON__REASON_NONE, KOEVAL__REASON__NONFINITE };
    double loglik[] = { -1.5, -0.0 };
    protobuf_c_boolean greedy[] = { 1, 0 };
    Koeval__ResultBatch r = KOEVAL__RESULT_BATCH__INIT;
    r.n_item_no = r.n_input_hash = r.n_n_request = r.n_reason = 2;
    r.n_loglik = r.n_greedy = r.n_n_tokens = 2;
    r.item_no = item;
    r.input_hash = hash;
    r.n_request = count;
    r.reason = reason;
    r.loglik = loglik;
    r.greedy = greedy;
    r.n_tokens = tokens;
    r.token_naive = 100;
    struct body body = { .results = &r }, got;
    struct msg said = { .kind = MSG_RESULTS,
                        .session = 1,
                        .seq = 1,
                        .number = 4,
                        .lease = { 3, 1 } },
               m;
    CHECK(carry(&m, &got, &arena, &said, &body));
    CHECK(m.number == 4 && m.lease.shard == 3 && m.items == 2 && m.bytes > 40);
    CHECK(got.results->n_loglik == 2 && !memcmp(got.results->loglik, loglik, sizeof(loglik)));
    CHECK(got.results->reason[1] == KOEVAL__REASON__NONFINITE && got.results->token_naive == 100);
}

TEST(a_grant_without_params_is_not_sent)
{
    AUTO(arena_reset) struct arena arena = { 0 };
    Koeval__Params p = KOEVAL__PARAMS__INIT;
    p.dtype = KOEVAL__DTYPE__FP32;
    p.mode = KOEVAL__MODE__HF;
    p.kind = KOEVAL__REQUEST_KIND__LOGLIK;
    p.repeats = 1;
    struct body body = { .params = &p }, got;
    struct msg said = { .kind = MSG_GRANT,
                        .session = 1,
                        .seq = 1,
                        .lease = { 3, 1 },
                        .lease_ms = 2000,
                        .number = 9,
                        .run = 4,
                        .lo = 8,
                        .hi = 16,
                        .missing = 5,
                        .model = digest_add(&models, digest) },
               m;
    CHECK(carry(&m, &got, &arena, &said, &body) && same(&m, &said));
    CHECK(got.params->dtype == KOEVAL__DTYPE__FP32);
    size_t size;
    struct err err = { 0 };
    CHECK(!codec_write(&size, frame, &ours, &said, NULL, &err));
}

TEST(every_reason_has_its_word)
{
    for (int r = 0; r < REASONS_COUNT; r++)
        for (int k = 0; k < r; k++)
            CHECK(strcmp(reason_name((enum reason)r), reason_name((enum reason)k)));
    CHECK(!strcmp(reason_name(REASON_NONFINITE), "nonfinite"));
}
