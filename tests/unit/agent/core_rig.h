/* core_rig.h - the agent's core on a bench: events in, what it did and said out.
 *
 * Header only, for the test programs beside it; start() makes the one core anew. */
#ifndef CORE_RIG_H
#define CORE_RIG_H

#include "agent/core.h"
#include "tests/test.h"

static struct agent agent;
static struct agent_actions acts;
static int64_t now;
static uint64_t seq;
static int32_t freed[256], freed_count;

static inline void step(struct agent_event event)
{
    event.now_ms = now;
    agent_step(&agent, &event, &acts);
    for (int i = 0; i < acts.count; i++)
        if (acts.list[i].kind == AGENT_FREE)
            freed[freed_count++] = acts.list[i].body;
}

static inline void tick(int64_t after_ms)
{
    now += after_ms;
    step((struct agent_event){ .kind = AGENT_TICK });
}

static inline const struct agent_action *did(enum agent_action_kind kind)
{
    for (int i = 0; i < acts.count; i++)
        if (acts.list[i].kind == kind)
            return &acts.list[i];
    return NULL;
}

static inline const struct msg *said(enum msg_kind kind)
{
    for (int i = 0; i < acts.count; i++)
        if (acts.list[i].kind == AGENT_SEND && acts.list[i].msg.kind == kind)
            return &acts.list[i].msg;
    return NULL;
}

static inline int freed_times(int32_t body)
{
    int n = 0;
    for (int i = 0; i < freed_count; i++)
        n += freed[i] == body;
    return n;
}

static inline void hear_as(uint64_t number, struct msg msg, struct agent_event event)
{
    msg.seq = number;
    if (!msg.session)
        msg.session = 77;
    event.kind = AGENT_MSG;
    event.msg = &msg;
    step(event);
}

static inline void hear(struct msg msg) { hear_as(++seq, msg, (struct agent_event){ 0 }); }

static inline struct msg welcome(void)
{
    return (struct msg){ .kind = MSG_WELCOME,
                         .epoch = 5,
                         .lease_ms = 10000,
                         .heartbeat_ms = 1000,
                         .window_bytes = 1000,
                         .batch_items = 100 };
}

static inline void start_with(struct agent_conf conf)
{
    now = 100000;
    seq = 0;
    freed_count = 0;
    agent_init(&agent, &conf);
    tick(0);
    assert(did(AGENT_CONNECT) && said(MSG_HELLO));
}

static inline void start(void)
{
    struct agent_conf conf = agent_conf_default;
    conf.endpoints = 2;
    conf.silent_ms = 3000;
    conf.resend_ms = 2000;
    start_with(conf);
}

static inline void up(void)
{
    start();
    hear(welcome());
}

static const struct lease lease_a = { 11, 1 }, lease_b = { 12, 1 };

static inline void grant_of(struct lease lease, int32_t model, int32_t body)
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

static inline void grant(struct lease lease) { grant_of(lease, 1, 0); }

static inline void chunk(struct lease lease, int32_t from, int32_t items, bool last, int32_t body)
{
    hear_as(++seq,
            (struct msg){
                .kind = MSG_CHUNK, .lease = lease, .from = from, .last = last, .body = body },
            (struct agent_event){ .items = items, .bytes = 100 * items, .next = from + items });
}

static inline void result(struct lease lease, int32_t bytes, int32_t body)
{
    step((struct agent_event){
        .kind = AGENT_RESULT, .lease = lease, .items = 10, .bytes = bytes, .body = body });
}

static inline void done(struct lease lease, bool complete)
{
    step((struct agent_event){
        .kind = AGENT_DONE, .lease = lease, .complete = complete, .took_ms = 1000, .bytes = 1000 });
}

static inline void ack(int64_t number, enum verdict verdict, enum refusal refusal)
{
    hear((struct msg){ .kind = MSG_ACK, .number = number, .verdict = verdict, .refusal = refusal });
}

static inline void beat_acked(int32_t age_ms)
{
    hear((struct msg){ .kind = MSG_HEARTBEAT_ACK, .number = agent.beat, .age_ms = age_ms });
}

/* Ticks with an ack to each heartbeat, so that neither lease nor session ends. */
static inline void live(int64_t ms)
{
    for (int64_t end = now + ms; now < end;) {
        tick(500);
        if (said(MSG_HEARTBEAT))
            beat_acked(0);
    }
}

#endif
