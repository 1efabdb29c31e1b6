#include "coordinator/loop_state.h"

#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/secret.h"

#define MESSAGES_TURN 256 /* so that PostgreSQL and timers have their turn too */
#define NOTE_MS       10000
#define MONITOR       "inproc://koeval.monitor"

/* ---- in ---- */

static void say_bad(struct loop *loop, uint32_t route, enum code code)
{
    struct msg m = { .kind = MSG_ERROR, .seq = UINT64_MAX, .code = code };
    net_send(loop, route, &m);
}

/* What telemetry wants of a message, before the core has it. */
static void note_message(struct loop *loop, uint32_t route, const struct msg *m,
                         const struct body *body, int64_t now_ms)
{
    int32_t agent = core_agent(loop->core, route);
    if (!agent)
        return;
    if (body->results)
        load_measured(loop->load, agent, m->lease, body->results);
    if (!body->heartbeat)
        return;
    const ProtobufCBinaryData *loading = &body->heartbeat->loading_model;
    int32_t number =
        loading->len ? digest_find(&loop->models, loading->data) : core_resident(loop->core, route);
    load_heard(loop->load, agent, store_model(&loop->store, number), body->heartbeat, now_ms);
}

/* A Credit that names other models on disk than before: the database is told for its listings. */
static void note_shelf(struct loop *loop, uint32_t route, const Koeval__Envelope *env)
{
    int32_t agent = core_agent(loop->core, route);
    const Koeval__Credit *c = env->credit;
    if (!agent || !core_shelf_differs(loop->core, route, loop->codec.disk, (int32_t)c->n_models))
        return;
    struct aux aux = { .kind = AUX_MODELS, .agent = agent, .digests_count = (int32_t)c->n_models };
    aux.digests = must_calloc(c->n_models, sizeof(*aux.digests));
    for (size_t i = 0; i < c->n_models; i++)
        memcpy(aux.digests[i], c->models[i].data, sizeof(*aux.digests));
    aux_put(loop, aux);
}

static bool is_heavy(enum msg_kind kind) { return kind == MSG_HELLO || kind == MSG_RESULTS; }

static void decoded(struct loop *loop, struct arena *arena, uint32_t route, int32_t key,
                    const Koeval__Envelope *env)
{
    struct msg msg;
    struct body body;
    bool generated = env->body_case == KOEVAL__ENVELOPE__BODY_RESULT_BATCH &&
                     env->result_batch->n_finish; /* no run asks for it yet */
    if (generated || !codec_read(&msg, &body, &loop->codec, env)) {
        say_bad(loop, route, CODE_UNKNOWN_BODY);
        return;
    }
    note_message(loop, route, &msg, &body, clock_monotonic_ms());
    if (msg.kind == MSG_CREDIT)
        note_shelf(loop, route, env);
    if (is_heavy(msg.kind))
        msg.body = cargo_put(loop->cargo, arena, body);
    loop_step(loop, (struct event){ .kind = EV_MSG, .route = route, .key = key, .msg = &msg });
}

static void frame_read(struct loop *loop, uint32_t route, int32_t key, zmq_msg_t *frame)
{
    AUTO(arena_reset) struct arena arena = { 0 };
    const Koeval__Envelope *env = NULL;
    struct err err = { 0 };
    if (!key_known(loop, key)) { /* revoked since its handshake */
        loop->dropped++;
        say_bad(loop, route, CODE_UNAUTHORISED);
    } else if (wire_unpack(&env, &arena, WIRE_FROM_AGENT, zmq_msg_data(frame), zmq_msg_size(frame),
                           &err)) {
        decoded(loop, &arena, route, key, env);
    } else {
        if (!loop->bad_frames++) /* the first since the last note; the note counts them all */
            log_event(LOG_WARN, "frame.bad", "key=%d bytes=%zu why=\"%s\"", key,
                      zmq_msg_size(frame), err.text);
        say_bad(loop, route, CODE_BAD_MESSAGE);
        loop_step(loop, (struct event){ .kind = EV_GONE, .route = route }); /* the session closes */
    }
}

void net_read(struct loop *loop)
{
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    uint32_t route = 0;
    int32_t key = 0;
    for (int32_t i = 0; i < MESSAGES_TURN; i++) {
        if (!router_recv(loop->router, &route, &key, &frame, &loop->dropped))
            break;
        frame_read(loop, route, key, &frame);
    }
    zmq_msg_close(&frame);
}

/* ---- out ---- */

static const Koeval__Params *params_of(const struct loop *loop, int32_t run)
{
    const struct store_answer *a = loop->answer;
    for (int32_t i = 0; a && i < a->answer.count; i++)
        if (a->answer.grants[i].run == run)
            return &a->params[i];
    return NULL;
}

/* One line for what changes a noun's state; never one for an item. */
static void log_sent(struct loop *loop, uint32_t route, const struct msg *m)
{
    int32_t agent = core_agent(loop->core, route);
    if (m->kind == MSG_WELCOME)
        log_event(LOG_INFO, "agent.up", "agent=%d kept=%d", agent, m->held_count);
    else if (m->kind == MSG_GRANT)
        log_event(LOG_INFO, "shard.leased", "shard=%lld lease=%d run=%d agent=%d missing=%d",
                  (long long)m->lease.shard, m->lease.epoch, m->run, agent, m->missing);
    else if (m->kind == MSG_REVOKE)
        log_event(LOG_INFO, "shard.revoked", "shard=%lld lease=%d agent=%d reason=%s",
                  (long long)m->lease.shard, m->lease.epoch, agent, reason_name(m->reason));
    else if (m->kind == MSG_DRAIN || m->kind == MSG_RESUME)
        log_event(LOG_INFO, m->kind == MSG_DRAIN ? "agent.drain" : "agent.resume", "agent=%d",
                  agent);
    else if (m->kind == MSG_ACK && m->verdict == VERDICT_REJECTED)
        log_event(LOG_WARN, "batch.rejected", "shard=%lld lease=%d agent=%d refusal=%s",
                  (long long)m->lease.shard, m->lease.epoch, agent, refusal_name(m->refusal));
    else if (m->kind == MSG_ACK && m->done && m->lease.shard != loop->done_shard)
        log_event(LOG_INFO, "shard.done", "shard=%lld lease=%d agent=%d", (long long)m->lease.shard,
                  m->lease.epoch, agent);
    else if (m->kind == MSG_ERROR && m->code != CODE_NO_SESSION)
        log_event(LOG_INFO, "agent.error", "agent=%d route=%u code=%s", agent, route,
                  code_name(m->code));
}

void net_send(struct loop *loop, uint32_t route, const struct msg *msg)
{
    struct body body = { 0 };
    const struct body *heavy = msg->body ? cargo_of(loop->cargo, msg->body) : NULL;
    if (heavy)
        body = *heavy;
    if (msg->kind == MSG_GRANT)
        body.params = params_of(loop, msg->run);
    size_t size = 0;
    struct err err = { 0 };
    if (!codec_write(&size, loop->frame, &loop->codec, msg, &body, &err)) {
        log_event(LOG_ERROR, "frame.unsent", "kind=%d why=\"%s\"", (int)msg->kind, err.text);
        return;
    }
    log_sent(loop, route, msg);
    if (msg->kind == MSG_ACK && msg->done)
        loop->done_shard = msg->lease.shard; /* its last batches end it together */
    enum router_sent sent = router_send(loop->router, route, loop->frame, size);
    wipe(loop->frame, size); /* prompts, as the next message may be a short one */
    loop->lost_sends += sent == ROUTER_FULL;
    if (sent == ROUTER_GONE)
        fifo_put(&loop->gone, (int32_t)route);
}

/* ---- what libzmq saw at the sockets ---- */

#define HANDSHAKES (ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL)

bool net_monitor_open(struct loop *loop, struct err *err)
{
    void *socket = router_socket(loop->router);
    int events = HANDSHAKES | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED;
    if (zmq_socket_monitor(socket, MONITOR, events))
        return err_set(err, ERR_INPUT, "monitor: %s", zmq_strerror(zmq_errno()));
    loop->monitor = zmq_socket(zsys_init(), ZMQ_PAIR);
    if (!loop->monitor || zmq_connect(loop->monitor, MONITOR))
        return err_set(err, ERR_INPUT, "monitor: %s", zmq_strerror(zmq_errno()));
    return true;
}

void net_monitor(struct loop *loop)
{
    char bytes[256];
    for (int n; (n = zmq_recv(loop->monitor, bytes, sizeof(bytes), ZMQ_DONTWAIT)) >= 0;) {
        uint16_t event = 0;
        if (n != 6) /* the peer's address is the frame behind */
            continue;
        memcpy(&event, bytes, sizeof(event));
        loop->refused_handshakes += (event & HANDSHAKES) != 0;
        loop->unfinished_handshakes += event == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL;
        loop->closed += event == ZMQ_EVENT_DISCONNECTED;
    }
}

/* Counts of what has no session to be named by.  A connection that closes is an agent that went, or
 * one that libzmq threw out for a frame above MAXMSGSIZE; a handshake that does not end is a peer
 * that gave up, or a ZAP handler that does not answer. */
void net_note(struct loop *loop, int64_t now_ms)
{
    int64_t bad = loop->dropped + loop->bad_frames + loop->lost_sends + loop->refused_handshakes +
                  loop->unfinished_handshakes;
    if (!(bad + loop->closed) || now_ms < loop->noted_ms + NOTE_MS)
        return;
    loop->noted_ms = now_ms;
    log_event(bad ? LOG_WARN : LOG_INFO, "network.note",
              "dropped=%lld bad=%lld unread=%lld refused=%lld unfinished=%lld closed=%lld",
              (long long)loop->dropped, (long long)loop->bad_frames, (long long)loop->lost_sends,
              (long long)loop->refused_handshakes, (long long)loop->unfinished_handshakes,
              (long long)loop->closed);
    loop->dropped = loop->bad_frames = loop->lost_sends = loop->refused_handshakes = 0;
    loop->unfinished_handshakes = loop->closed = 0;
}
