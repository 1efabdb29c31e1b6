#include "proto/wire.h"

#include <math.h>
#include <string.h>

static void *get(void *arena, size_t size) { return arena_get(arena, size); }
static void keep(void *arena, void *p) { (void)arena, (void)p; }

#define BODY(x)   KOEVAL__ENVELOPE__BODY_##x
#define BAD(what) err_set(err, ERR_INPUT, "wire: %s", what)
#define NEED(ok, what)        \
    do {                      \
        if (!(ok))            \
            return BAD(what); \
    } while (0)

/* Length of the UTF-8 character at s, 0 if it is none: no overlong form, no surrogate, nothing
 * above 10FFFF. */
static size_t char_bytes(const unsigned char *s, size_t left)
{
    if (s[0] < 0x80)
        return 1;
    size_t n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || left < n)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xc0) != 0x80)
            return 0;
    bool second_bad = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) ||
                      (s[0] == 0xf0 && s[1] < 0x90) || (s[0] == 0xf4 && s[1] > 0x8f);
    return second_bad ? 0 : n;
}

bool wire_utf8(const void *text, size_t size)
{
    const unsigned char *s = text;
    for (size_t i = 0, n; i < size; i += n)
        if (!(n = char_bytes(s + i, size - i)))
            return false;
    return true;
}

static bool plain(const char *s)
{
    size_t n = strspn(s, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz._+ -");
    return n <= 64 && !s[n];
}

static bool text(ProtobufCBinaryData b, size_t most)
{
    return b.len <= most && wire_utf8(b.data, b.len);
}

static bool digests(size_t n, const ProtobufCBinaryData *d)
{
    for (size_t i = 0; i < n; i++)
        if (d[i].len != 32)
            return false;
    return n <= WIRE_MODELS_MAX;
}

static bool lease(const Koeval__Lease *l)
{
    return l && l->shard && l->shard <= INT64_MAX && l->epoch && l->epoch <= INT32_MAX;
}

static bool leases(size_t n, Koeval__Lease **l)
{
    for (size_t i = 0; i < n; i++)
        if (!lease(l[i]))
            return false;
    return n <= WIRE_HELD_MAX;
}

static bool check_hello(const Koeval__Hello *m, struct err *err)
{
    NEED(m->proto_min && m->proto_min <= m->proto_max, "Hello: versions");
    NEED(plain(m->build) && plain(m->hostname), "Hello: names");
    NEED(m->slot <= INT16_MAX && m->incarnation.len == 16 && m->class_digest.len == 32,
         "Hello: identity");
    NEED(text(m->class_facts, 16384) &&
             !memchr(m->class_facts.len ? m->class_facts.data : (uint8_t *)"", 0,
                     m->class_facts.len),
         "Hello: class_facts");
    NEED(m->n_gpu <= WIRE_GPUS_MAX, "Hello: gpus");
    for (size_t i = 0; i < m->n_gpu; i++)
        NEED(m->gpu[i]->uuid.len == 16 && plain(m->gpu[i]->name), "Hello: gpu");
    NEED(digests(m->n_models, m->models) && digests(m->n_models_resident, m->models_resident),
         "Hello: models");
    NEED(m->shards_max && m->shards_max <= WIRE_HELD_MAX && leases(m->n_held, m->held),
         "Hello: held");
    return true;
}

static bool check_heartbeat(const Koeval__Heartbeat *m, struct err *err)
{
    NEED(m->beat && m->beat <= INT64_MAX, "Heartbeat: beat");
    for (size_t i = 0; i < m->n_next_plan_no; i++)
        NEED(m->next_plan_no[i] <= INT32_MAX, "Heartbeat: progress");
    NEED(leases(m->n_held, m->held) && (!m->n_next_plan_no || m->n_next_plan_no == m->n_held),
         "Heartbeat: held");
    NEED(m->loading_model.len == 0 || m->loading_model.len == 32, "Heartbeat: model");
    NEED(m->n_gpu <= WIRE_GPUS_MAX, "Heartbeat: gpus");
    return true;
}

/* r requests in all; every column has n or r entries, or none where it may be absent. */
static bool check_columns(const Koeval__ResultBatch *m, size_t n, size_t r, struct err *err)
{
    bool generates = m->n_finish != 0;
    NEED(m->n_input_hash == n && m->n_n_request == n && m->n_n_tokens == r, "ResultBatch: columns");
    NEED((!m->n_reason || m->n_reason == n) && (!m->n_reason_num || m->n_reason_num == n),
         "ResultBatch: reasons");
    NEED(m->n_loglik == (generates ? 0 : r) && m->n_greedy == m->n_loglik, "ResultBatch: loglik");
    NEED(m->n_output == m->n_finish && (!generates || m->n_finish == r), "ResultBatch: output");
    NEED(!m->n_truncated || m->n_truncated == r, "ResultBatch: truncated");
    for (size_t i = 0; i < m->n_loglik; i++)
        NEED(isfinite(m->loglik[i]), "ResultBatch: loglik is not finite");
    for (size_t i = 0; i < m->n_finish; i++)
        NEED(m->finish[i] >= KOEVAL__FINISH__EOS && m->finish[i] <= KOEVAL__FINISH__LENGTH,
             "ResultBatch: finish");
    for (size_t i = 0; i < r; i++)
        NEED(m->n_tokens[i] <= INT32_MAX, "ResultBatch: n_tokens");
    return true;
}

static bool twice(const uint32_t *item, size_t n)
{
    uint64_t seen[64] = {
        0
    }; /* 4096 bits: most batches are dense ranges, so few reach the inner loop */
    for (size_t i = 0; i < n; i++) {
        uint64_t bit = 1ull << (item[i] & 63), *word = &seen[(item[i] >> 6) & 63];
        for (size_t k = 0; (*word & bit) && k < i; k++)
            if (item[k] == item[i])
                return true;
        *word |= bit;
    }
    return false;
}

static bool check_results(const Koeval__ResultBatch *m, struct err *err)
{
    size_t n = m->n_item_no, r = 0;
    NEED(m->batch && m->batch <= INT64_MAX && lease(m->lease), "ResultBatch: names");
    NEED(m->token_naive <= INT64_MAX && m->token_unique <= INT64_MAX && m->engine_ms <= INT64_MAX,
         "ResultBatch: counters");
    NEED(n && n <= WIRE_ITEMS_MAX && m->n_n_request == n, "ResultBatch: items");
    for (size_t i = 0; i < n; i++) {
        int reason = m->n_reason == n ? (int)m->reason[i] : 0;
        NEED(m->item_no[i] <= INT32_MAX && m->n_request[i] <= WIRE_REQUESTS_ITEM_MAX,
             "ResultBatch: item");
        NEED(reason >= 0 && reason <= KOEVAL__REASON__INTERNAL, "ResultBatch: reason");
        NEED((reason != 0) == (m->n_request[i] == 0),
             "ResultBatch: an item has answers or a reason");
        r += m->n_request[i];
    }
    NEED(r <= WIRE_REQUESTS_MAX && !twice(m->item_no, n), "ResultBatch: items");
    return check_columns(m, n, r, err);
}

static bool check_prompt(const Koeval__Prompt *p, struct err *err)
{
    NEED(text(p->text, WIRE_FRAME_MAX) && text(p->gen_prefix, WIRE_FRAME_MAX), "Prompt: text");
    NEED(p->n_turns <= 256 && !(p->n_turns && p->text.len), "Prompt: text or turns");
    for (size_t i = 0; i < p->n_turns; i++)
        NEED(p->turns[i]->role >= 1 && p->turns[i]->role <= 3 &&
                 text(p->turns[i]->text, WIRE_FRAME_MAX),
             "Turn");
    return true;
}

static bool check_item(const Koeval__Item *m, struct err *err)
{
    NEED(m->item_no <= INT32_MAX && m->plan_no <= INT32_MAX, "Item: numbers");
    NEED(m->n_prompts && m->n_prompts <= 64, "Item: prompts");
    NEED(m->n_requests && m->n_requests <= WIRE_REQUESTS_ITEM_MAX, "Item: requests");
    for (size_t i = 0; i < m->n_prompts; i++)
        if (!check_prompt(m->prompts[i], err))
            return false;
    for (size_t i = 0; i < m->n_requests; i++)
        NEED(m->requests[i]->prompt < m->n_prompts &&
                 text(m->requests[i]->continuation, WIRE_FRAME_MAX),
             "Item: request");
    return true;
}

static bool check_chunk(const Koeval__ItemChunk *m, struct err *err)
{
    NEED(lease(m->lease) && m->n_items <= WIRE_ITEMS_MAX && m->from_plan_no <= INT32_MAX &&
             m->too_long_item <= INT32_MAX && m->unrendered_item <= INT32_MAX,
         "ItemChunk");
    NEED(!m->too_long_item || !m->unrendered_item, "ItemChunk: two items that are not there");
    for (size_t i = 0; i < m->n_items; i++) {
        NEED(m->items[i]->plan_no >= (i ? m->items[i - 1]->plan_no + 1 : m->from_plan_no),
             "ItemChunk: order");
        if (!check_item(m->items[i], err))
            return false;
    }
    return true;
}

static bool check_params(const Koeval__Params *p, struct err *err)
{
    NEED(p && p->dtype >= 1 && p->dtype <= 3 && p->mode >= 1 && p->mode <= 2 && p->kind >= 1 &&
             p->kind <= 3,
         "Params");
    NEED(p->repeats >= 1 && p->repeats <= WIRE_REQUESTS_ITEM_MAX && p->add_bos <= 2,
         "Params: numbers");
    NEED(text(p->template_args, 4096) &&
             (p->kind == KOEVAL__REQUEST_KIND__GENERATE) == (p->generation != NULL),
         "Params: generation");
    if (!p->generation)
        return true;
    const Koeval__Generation *g = p->generation;
    NEED(g->n_until <= 32 && g->max_new_tokens && g->max_new_tokens <= 65536, "Generation");
    NEED(isfinite(g->temperature) && g->temperature >= 0, "Generation: temperature");
    for (size_t i = 0; i < g->n_until; i++)
        NEED(g->until[i].len && text(g->until[i], 256), "Generation: until");
    return true;
}

static bool check_grant(const Koeval__Grant *m, struct err *err)
{
    NEED(lease(m->lease) && m->lease_ms && m->model.len == 32, "Grant");
    NEED(m->plan_lo < m->plan_hi && m->plan_hi <= INT32_MAX && m->run && m->run <= INT32_MAX &&
             m->replica <= INT16_MAX && m->lease_ms <= INT32_MAX && m->beat <= INT64_MAX &&
             m->n_missing <= INT32_MAX,
         "Grant: range");
    return check_params(m->params, err);
}

static bool check_welcome(const Koeval__Welcome *m, struct err *err)
{
    NEED(m->session && m->version && m->coordinator_epoch && m->coordinator_epoch <= INT64_MAX,
         "Welcome: names");
    NEED(m->heartbeat_ms >= 100 && m->heartbeat_ms <= 60000 && m->lease_ms >= 2 * m->heartbeat_ms &&
             m->lease_ms <= INT32_MAX,
         "Welcome: times");
    NEED(m->window_bytes >= 4096 && m->window_bytes <= 8u << 20, "Welcome: window");
    NEED(m->batch_items && m->batch_items <= WIRE_ITEMS_MAX && leases(m->n_keep, m->keep),
         "Welcome: limits");
    return true;
}

static bool check_agent_body(const Koeval__Envelope *e, struct err *err)
{
    switch (e->body_case) {
    case BODY(HELLO):
        return check_hello(e->hello, err);
    case BODY(HEARTBEAT):
        return check_heartbeat(e->heartbeat, err);
    case BODY(RESULT_BATCH):
        return check_results(e->result_batch, err);
    case BODY(CREDIT):
        NEED(e->credit->shards <= WIRE_HELD_MAX &&
                 digests(e->credit->n_models, e->credit->models) &&
                 digests(e->credit->n_models_resident, e->credit->models_resident),
             "Credit");
        return true;
    case BODY(ITEM_REQUEST):
        NEED(lease(e->item_request->lease) && e->item_request->from_plan_no <= INT32_MAX &&
                 e->item_request->max_bytes >= 4096 && e->item_request->max_bytes <= WIRE_FRAME_MAX,
             "ItemRequest");
        return true;
    case BODY(SHARD_END):
        NEED(lease(e->shard_end->lease) && e->shard_end->reason >= 1 &&
                 e->shard_end->reason <= KOEVAL__REASON__INTERNAL,
             "ShardEnd");
        return true;
    case BODY(BYE):
    case BODY(ERROR):
    case BODY(_NOT_SET):
        return true;
    default:
        return BAD("a body that agents do not send");
    }
}

static bool check_coordinator_body(const Koeval__Envelope *e, struct err *err)
{
    switch (e->body_case) {
    case BODY(WELCOME):
        return check_welcome(e->welcome, err);
    case BODY(GRANT):
        return check_grant(e->grant, err);
    case BODY(ITEM_CHUNK):
        return check_chunk(e->item_chunk, err);
    case BODY(HEARTBEAT_ACK):
        NEED(leases(e->heartbeat_ack->n_lost, e->heartbeat_ack->lost), "HeartbeatAck");
        return true;
    case BODY(ACK):
        NEED(e->ack->batch && e->ack->batch <= INT64_MAX && e->ack->verdict >= 1 &&
                 e->ack->verdict <= 3,
             "Ack");
        return true;
    case BODY(TRIM):
        NEED(lease(e->trim->lease), "Trim");
        return true;
    case BODY(REVOKE):
        NEED(lease(e->revoke->lease), "Revoke");
        return true;
    case BODY(DRAIN):
    case BODY(RESUME):
    case BODY(BYE):
    case BODY(ERROR):
    case BODY(_NOT_SET):
        return true;
    default:
        return BAD("a body that coordinators do not send");
    }
}

static bool check(const Koeval__Envelope *env, enum wire_side from, struct err *err)
{
    bool hello = env->body_case == BODY(HELLO);
    NEED(env->version && env->seq, "Envelope");
    NEED(!hello || !env->session, "Hello inside a session");
    return from == WIRE_FROM_AGENT ? check_agent_body(env, err) : check_coordinator_body(env, err);
}

bool wire_unpack(const Koeval__Envelope **out, struct arena *arena, enum wire_side from,
                 const void *frame, size_t size, struct err *err)
{
    NEED(size <= WIRE_FRAME_MAX, "frame too large");
    ProtobufCAllocator allocator = { get, keep, arena };
    const Koeval__Envelope *env = koeval__envelope__unpack(&allocator, size, frame);
    NEED(env, "no Envelope, or more memory than a frame may take");
    if (!check(env, from, err))
        return false;
    *out = env;
    return true;
}

bool wire_pack(size_t *size, void *frame, enum wire_side from, const Koeval__Envelope *env,
               struct err *err)
{
    if (!check(env, from, err))
        return false;
    NEED(koeval__envelope__get_packed_size(env) <= WIRE_FRAME_MAX, "frame too large");
    *size = koeval__envelope__pack(env, frame);
    return true;
}
