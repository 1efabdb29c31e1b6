#include "proto/codec.h"

#include <string.h>

#define BODY(x) KOEVAL__ENVELOPE__BODY_##x

_Static_assert((int)REASON_INTERNAL == (int)KOEVAL__REASON__INTERNAL, "reasons");
_Static_assert((int)REASON_RETURNED == (int)KOEVAL__REASON__RETURNED, "reasons");
_Static_assert((int)CODE_BYE_DRAINED == (int)KOEVAL__CODE__BYE_DRAINED, "codes");
_Static_assert((int)CODE_SUPERSEDED == (int)KOEVAL__CODE__SUPERSEDED, "codes");
_Static_assert((int)REFUSAL_INVALID == (int)KOEVAL__REFUSAL__INVALID, "refusals");
_Static_assert((int)VERDICT_REJECTED == (int)KOEVAL__VERDICT__REJECTED, "verdicts");
_Static_assert(PROTOCOL_VERSION == WIRE_VERSION, "version");
_Static_assert(HELD_MAX == WIRE_HELD_MAX && DISK_MAX == WIRE_MODELS_MAX, "limits");

/* ---- reading ---- */

static struct lease lease_of(const Koeval__Lease *l)
{
    return (struct lease){ (int64_t)l->shard, (int32_t)l->epoch };
}

static void read_leases(struct msg *m, size_t n, Koeval__Lease **l)
{
    for (size_t i = 0; i < n; i++) /* wire_unpack let no more than HELD_MAX through */
        m->held[m->held_count++] = lease_of(l[i]);
}

static void read_models(struct msg *m, struct codec *codec, size_t n_resident,
                        const ProtobufCBinaryData *resident, size_t n_disk,
                        const ProtobufCBinaryData *disk)
{
    for (size_t i = 0; i < n_resident && m->resident_count < RESIDENT_MAX; i++)
        m->resident[m->resident_count++] = digest_heard(codec->models, resident[i].data);
    for (size_t i = 0; i < n_disk; i++)
        codec->disk[m->disk_count++] = digest_heard(codec->models, disk[i].data);
    m->disk = codec->disk;
}

static void read_hello(struct msg *m, struct codec *codec, const Koeval__Hello *h)
{
    m->kind = MSG_HELLO;
    m->version_min = (int32_t)(h->proto_min <= INT32_MAX ? h->proto_min : INT32_MAX);
    m->version_max = (int32_t)(h->proto_max <= INT32_MAX ? h->proto_max : INT32_MAX);
    m->slot = (int32_t)h->slot;
    m->shards = (int32_t)h->shards_max;
    memcpy(&m->incarnation, h->incarnation.data, sizeof(m->incarnation));
    read_leases(m, h->n_held, h->held);
    read_models(m, codec, h->n_models_resident, h->models_resident, h->n_models, h->models);
}

static void read_heartbeat(struct msg *m, const Koeval__Heartbeat *h)
{
    m->kind = MSG_HEARTBEAT;
    m->number = (int64_t)h->beat;
    m->bytes = (int32_t)(h->unacked_bytes <= INT32_MAX ? h->unacked_bytes : INT32_MAX);
    read_leases(m, h->n_held, h->held);
    for (size_t i = 0; i < h->n_next_plan_no; i++)
        m->progress[i] = (int32_t)h->next_plan_no[i];
}

/* What is not a batch's columns costs memory too, so it is charged for its packed size. */
static void read_results(struct msg *m, const Koeval__ResultBatch *b)
{
    m->kind = MSG_RESULTS;
    m->lease = lease_of(b->lease);
    m->number = (int64_t)b->batch;
    m->items = (int32_t)b->n_item_no;
    m->bytes = (int32_t)koeval__result_batch__get_packed_size(b);
}

static bool read_from_agent(struct msg *m, struct body *body, struct codec *codec,
                            const Koeval__Envelope *e)
{
    switch (e->body_case) {
    case BODY(HELLO):
        read_hello(m, codec, body->hello = e->hello);
        return true;
    case BODY(HEARTBEAT):
        read_heartbeat(m, body->heartbeat = e->heartbeat);
        return true;
    case BODY(CREDIT):
        m->kind = MSG_CREDIT;
        m->shards = (int32_t)e->credit->shards;
        read_models(m, codec, e->credit->n_models_resident, e->credit->models_resident,
                    e->credit->n_models, e->credit->models);
        return true;
    case BODY(ITEM_REQUEST):
        m->kind = MSG_ITEM_REQUEST;
        m->lease = lease_of(e->item_request->lease);
        m->from = (int32_t)e->item_request->from_plan_no;
        m->bytes = (int32_t)e->item_request->max_bytes;
        return true;
    case BODY(RESULT_BATCH):
        read_results(m, body->results = e->result_batch);
        return true;
    case BODY(SHARD_END):
        m->kind = MSG_SHARD_END;
        m->lease = lease_of(e->shard_end->lease);
        m->reason = (enum reason)e->shard_end->reason;
        m->reason_num = e->shard_end->reason_num;
        return true;
    default:
        return false;
    }
}

static void read_welcome(struct msg *m, const Koeval__Welcome *w)
{
    m->kind = MSG_WELCOME;
    m->version_max = (int32_t)w->version;
    m->epoch = (int64_t)w->coordinator_epoch;
    m->heartbeat_ms = (int32_t)w->heartbeat_ms;
    m->lease_ms = (int32_t)w->lease_ms;
    m->window_bytes = (int32_t)w->window_bytes;
    m->batch_items = (int32_t)w->batch_items;
    m->drain = w->drain;
    read_leases(m, w->n_keep, w->keep);
}

static void read_heartbeat_ack(struct msg *m, const Koeval__HeartbeatAck *h)
{
    m->kind = MSG_HEARTBEAT_ACK;
    m->number = (int64_t)h->beat;
    m->age_ms = (int32_t)(h->renewed_age_ms <= INT32_MAX ? h->renewed_age_ms : INT32_MAX);
    m->degraded = h->degraded;
    read_leases(m, h->n_lost, h->lost);
}

static void read_grant(struct msg *m, struct codec *codec, const Koeval__Grant *g)
{
    m->kind = MSG_GRANT;
    m->lease = lease_of(g->lease);
    m->lease_ms = (int32_t)g->lease_ms;
    m->number = (int64_t)g->beat;
    m->run = (int32_t)g->run;
    m->replica = (int32_t)g->replica;
    m->lo = (int32_t)g->plan_lo;
    m->hi = (int32_t)g->plan_hi;
    m->missing = (int32_t)g->n_missing;
    m->model = digest_heard(codec->models, g->model.data);
}

static void read_chunk(struct msg *m, const Koeval__ItemChunk *c)
{
    m->kind = MSG_CHUNK;
    m->lease = lease_of(c->lease);
    m->from = (int32_t)c->from_plan_no;
    m->items = (int32_t)c->n_items;
    m->last = c->last;
}

static void read_ack(struct msg *m, const Koeval__Ack *a)
{
    m->kind = MSG_ACK;
    m->number = (int64_t)a->batch;
    m->verdict = (enum verdict)a->verdict;
    bool known = a->refusal > 0 && a->refusal <= KOEVAL__REFUSAL__INVALID;
    m->refusal = known ? (enum refusal)a->refusal : REFUSAL_NONE;
    m->window_bytes = (int32_t)(a->window_bytes <= INT32_MAX ? a->window_bytes : 0);
    m->done = a->shard_done;
}

/* Only told, never stored: a word of tomorrow is none. */
static enum reason reason_known(Koeval__Reason reason)
{
    return reason > 0 && reason <= KOEVAL__REASON__INTERNAL ? (enum reason)reason : REASON_NONE;
}

static bool read_from_coordinator(struct msg *m, struct body *body, struct codec *codec,
                                  const Koeval__Envelope *e)
{
    switch (e->body_case) {
    case BODY(WELCOME):
        read_welcome(m, e->welcome);
        return true;
    case BODY(HEARTBEAT_ACK):
        read_heartbeat_ack(m, e->heartbeat_ack);
        return true;
    case BODY(GRANT):
        body->params = e->grant->params;
        read_grant(m, codec, e->grant);
        return true;
    case BODY(ITEM_CHUNK):
        read_chunk(m, body->chunk = e->item_chunk);
        return true;
    case BODY(ACK):
        read_ack(m, e->ack);
        return true;
    case BODY(REVOKE):
        m->kind = MSG_REVOKE;
        m->lease = lease_of(e->revoke->lease);
        m->reason = reason_known(e->revoke->reason);
        return true;
    case BODY(DRAIN):
        m->kind = MSG_DRAIN;
        m->wait_ms = (int32_t)(e->drain->deadline_ms <= INT32_MAX ? e->drain->deadline_ms : 0);
        return true;
    case BODY(RESUME):
        m->kind = MSG_RESUME;
        return true;
    default:
        return false;
    }
}

static enum code code_of(Koeval__Code code)
{
    return code > 0 && code <= KOEVAL__CODE__BYE_DRAINED ? (enum code)code : CODE_NONE;
}

/* The two that either side says. */
static bool read_from_either(struct msg *m, const Koeval__Envelope *e)
{
    if (e->body_case == BODY(BYE)) {
        m->kind = MSG_BYE;
        m->code = code_of(e->bye->code);
        return true;
    }
    if (e->body_case == BODY(ERROR)) {
        m->kind = MSG_ERROR;
        m->code = code_of(e->error->code);
        m->wait_ms = (int32_t)(e->error->retry_ms <= INT32_MAX ? e->error->retry_ms : 0);
        return true;
    }
    return false;
}

bool codec_read(struct msg *msg, struct body *body, struct codec *codec,
                const Koeval__Envelope *env)
{
    struct body ignored;
    body = body ? body : &ignored;
    *body = (struct body){ 0 };
    *msg = (struct msg){ .session = env->session, .seq = env->seq };
    return read_from_either(msg, env) || read_from_agent(msg, body, codec, env) ||
           read_from_coordinator(msg, body, codec, env);
}

/* ---- writing ---- */

/* The Envelope on its way out; every body it may have, so that nothing is allocated. */
struct writing {
    Koeval__Envelope env;
    union {
        Koeval__Hello hello;
        Koeval__Heartbeat heartbeat;
        Koeval__Credit credit;
        Koeval__ItemRequest item_request;
        Koeval__ResultBatch result_batch;
        Koeval__ShardEnd shard_end;
        Koeval__Bye bye;
        Koeval__Welcome welcome;
        Koeval__HeartbeatAck heartbeat_ack;
        Koeval__Grant grant;
        Koeval__ItemChunk item_chunk;
        Koeval__Ack ack;
        Koeval__Revoke revoke;
        Koeval__Drain drain;
        Koeval__Resume resume;
        Koeval__Error error;
    } u;
};

/* Makes the body `field` of the Envelope, from `from` or empty, and gives its address. */
#define MAKE(w, CASE, field, from)                  \
    ({                                              \
        __auto_type from_ = (from);                 \
        if (from_)                                  \
            (w)->u.field = *from_;                  \
        else                                        \
            koeval__##field##__init(&(w)->u.field); \
        (w)->env.body_case = BODY(CASE);            \
        (w)->env.field = &(w)->u.field;             \
        &(w)->u.field;                              \
    })

static Koeval__Lease *lease_put(Koeval__Lease *at, struct lease lease)
{
    koeval__lease__init(at);
    at->shard = (uint64_t)lease.shard;
    at->epoch = (uint32_t)lease.epoch;
    return at;
}

static Koeval__Lease **leases_put(struct codec *codec, const struct msg *m)
{
    for (int32_t i = 0; i < m->held_count; i++)
        codec->leases_at[i] = lease_put(&codec->leases[i], m->held[i]);
    return codec->leases_at;
}

static Koeval__Lease *lease_one(struct codec *codec, const struct msg *m)
{
    return lease_put(&codec->leases[HELD_MAX], m->lease);
}

static ProtobufCBinaryData digest_put(const struct codec *codec, int32_t model)
{
    const uint8_t *digest = digest_of(codec->models, model);
    return (ProtobufCBinaryData){ digest ? DIGEST_BYTES : 0, (uint8_t *)(uintptr_t)digest };
}

static size_t resident_put(struct codec *codec, const struct msg *m)
{
    size_t n = 0;
    for (int32_t i = 0; i < m->resident_count; i++)
        if (digest_of(codec->models, m->resident[i]))
            codec->resident[n++] = digest_put(codec, m->resident[i]);
    return n;
}

static void write_hello(struct writing *w, struct codec *codec, const struct msg *m,
                        const struct body *body)
{
    Koeval__Hello *h = MAKE(w, HELLO, hello, body->hello);
    h->proto_min = h->proto_max = WIRE_VERSION;
    h->slot = (uint32_t)m->slot;
    h->shards_max = (uint32_t)m->shards;
    h->n_held = (size_t)m->held_count;
    h->held = leases_put(codec, m);
    h->n_models_resident = resident_put(codec, m);
    h->models_resident = codec->resident;
}

static void write_heartbeat(struct writing *w, struct codec *codec, const struct msg *m,
                            const struct body *body)
{
    Koeval__Heartbeat *h = MAKE(w, HEARTBEAT, heartbeat, body->heartbeat);
    h->beat = (uint64_t)m->number;
    h->unacked_bytes = (uint32_t)m->bytes;
    h->n_held = h->n_next_plan_no = (size_t)m->held_count;
    h->held = leases_put(codec, m);
    for (int32_t i = 0; i < m->held_count; i++)
        codec->progress[i] = (uint64_t)m->progress[i];
    h->next_plan_no = codec->progress;
}

static void write_credit(struct writing *w, struct codec *codec, const struct msg *m,
                         const struct body *body)
{
    Koeval__Credit *c = MAKE(w, CREDIT, credit, (Koeval__Credit *)NULL);
    c->shards = (uint32_t)m->shards;
    c->n_models_resident = resident_put(codec, m);
    c->models_resident = codec->resident;
    if (body->hello) {
        c->n_models = body->hello->n_models;
        c->models = body->hello->models;
    }
}

static void write_results(struct writing *w, struct codec *codec, const struct msg *m,
                          const struct body *body)
{
    Koeval__ResultBatch *b = MAKE(w, RESULT_BATCH, result_batch, body->results);
    b->batch = (uint64_t)m->number;
    b->lease = lease_one(codec, m);
}

static void write_from_agent(struct writing *w, struct codec *codec, const struct msg *m,
                             const struct body *body)
{
    switch (m->kind) {
    case MSG_HELLO:
        write_hello(w, codec, m, body);
        break;
    case MSG_HEARTBEAT:
        write_heartbeat(w, codec, m, body);
        break;
    case MSG_CREDIT:
        write_credit(w, codec, m, body);
        break;
    case MSG_RESULTS:
        write_results(w, codec, m, body);
        break;
    case MSG_ITEM_REQUEST: {
        Koeval__ItemRequest *r = MAKE(w, ITEM_REQUEST, item_request, (Koeval__ItemRequest *)NULL);
        r->lease = lease_one(codec, m);
        r->from_plan_no = (uint32_t)m->from;
        r->max_bytes = m->bytes ? (uint32_t)m->bytes : WIRE_FRAME_MAX;
        break;
    }
    default: {
        assert(m->kind == MSG_SHARD_END);
        Koeval__ShardEnd *e = MAKE(w, SHARD_END, shard_end, (Koeval__ShardEnd *)NULL);
        e->lease = lease_one(codec, m);
        e->reason = (Koeval__Reason)m->reason;
        e->reason_num = m->reason_num;
    }
    }
}

static void write_welcome(struct writing *w, struct codec *codec, const struct msg *m)
{
    Koeval__Welcome *x = MAKE(w, WELCOME, welcome, (Koeval__Welcome *)NULL);
    x->session = m->session;
    x->version = (uint32_t)m->version_max;
    x->coordinator_epoch = (uint64_t)m->epoch;
    x->heartbeat_ms = (uint32_t)m->heartbeat_ms;
    x->lease_ms = (uint32_t)m->lease_ms;
    x->window_bytes = (uint32_t)m->window_bytes;
    x->batch_items = (uint32_t)m->batch_items;
    x->drain = m->drain;
    x->n_keep = (size_t)m->held_count;
    x->keep = leases_put(codec, m);
}

static void write_heartbeat_ack(struct writing *w, struct codec *codec, const struct msg *m)
{
    Koeval__HeartbeatAck *a = MAKE(w, HEARTBEAT_ACK, heartbeat_ack, (Koeval__HeartbeatAck *)NULL);
    a->beat = (uint64_t)m->number;
    a->renewed_age_ms = (uint32_t)m->age_ms;
    a->degraded = m->degraded;
    a->n_lost = (size_t)m->held_count;
    a->lost = leases_put(codec, m);
}

static void write_grant(struct writing *w, struct codec *codec, const struct msg *m,
                        const struct body *body)
{
    Koeval__Grant *g = MAKE(w, GRANT, grant, (Koeval__Grant *)NULL);
    g->lease = lease_one(codec, m);
    g->lease_ms = (uint32_t)m->lease_ms;
    g->beat = (uint64_t)m->number;
    g->run = (uint32_t)m->run;
    g->replica = (uint32_t)m->replica;
    g->plan_lo = (uint32_t)m->lo;
    g->plan_hi = (uint32_t)m->hi;
    g->n_missing = (uint32_t)m->missing;
    g->model = digest_put(codec, m->model);
    g->params = (Koeval__Params *)(uintptr_t)body->params;
}

static void write_chunk(struct writing *w, struct codec *codec, const struct msg *m,
                        const struct body *body)
{
    Koeval__ItemChunk *c = MAKE(w, ITEM_CHUNK, item_chunk, body->chunk);
    c->lease = lease_one(codec, m);
    c->from_plan_no = (uint32_t)m->from;
    c->last = m->last;
}

static void write_ack(struct writing *w, const struct msg *m)
{
    Koeval__Ack *a = MAKE(w, ACK, ack, (Koeval__Ack *)NULL);
    a->batch = (uint64_t)m->number;
    a->verdict = (Koeval__Verdict)m->verdict;
    a->refusal = (Koeval__Refusal)m->refusal;
    a->window_bytes = (uint32_t)m->window_bytes;
    a->shard_done = m->done;
}

static void write_from_coordinator(struct writing *w, struct codec *codec, const struct msg *m,
                                   const struct body *body)
{
    switch (m->kind) {
    case MSG_WELCOME:
        write_welcome(w, codec, m);
        break;
    case MSG_HEARTBEAT_ACK:
        write_heartbeat_ack(w, codec, m);
        break;
    case MSG_GRANT:
        write_grant(w, codec, m, body);
        break;
    case MSG_CHUNK:
        write_chunk(w, codec, m, body);
        break;
    case MSG_ACK:
        write_ack(w, m);
        break;
    case MSG_REVOKE:
        MAKE(w, REVOKE, revoke, (Koeval__Revoke *)NULL)->lease = lease_one(codec, m);
        w->u.revoke.reason = (Koeval__Reason)m->reason;
        break;
    case MSG_DRAIN:
        MAKE(w, DRAIN, drain, (Koeval__Drain *)NULL)->deadline_ms = (uint32_t)m->wait_ms;
        break;
    default:
        assert(m->kind == MSG_RESUME);
        MAKE(w, RESUME, resume, (Koeval__Resume *)NULL);
    }
}

static void write_body(struct writing *w, struct codec *codec, const struct msg *m,
                       const struct body *body)
{
    if (m->kind == MSG_BYE) {
        MAKE(w, BYE, bye, (Koeval__Bye *)NULL)->code = (Koeval__Code)m->code;
    } else if (m->kind == MSG_ERROR) {
        MAKE(w, ERROR, error, (Koeval__Error *)NULL)->code = (Koeval__Code)m->code;
        w->u.error.retry_ms = (uint32_t)m->wait_ms;
    } else if (m->kind < MSG_WELCOME) {
        write_from_agent(w, codec, m, body);
    } else {
        write_from_coordinator(w, codec, m, body);
    }
}

bool codec_write(size_t *size, void *frame, struct codec *codec, const struct msg *msg,
                 const struct body *body, struct err *err)
{
    static const struct body nothing;
    struct writing w = { .env = KOEVAL__ENVELOPE__INIT };
    w.env.version = WIRE_VERSION;
    w.env.session = msg->session;
    w.env.seq = msg->seq;
    write_body(&w, codec, msg, body ? body : &nothing);
    enum wire_side from = msg->kind < MSG_WELCOME ? WIRE_FROM_AGENT : WIRE_FROM_COORDINATOR;
    return wire_pack(size, frame, from, &w.env, err);
}
