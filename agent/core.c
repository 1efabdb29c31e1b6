#include "agent/core.h"

#define BACKOFF_MIN_MS     500
#define BACKOFF_MAX_MS     15000
#define BACKOFF_REFUSED_MS 60000
#define HELLO_MS           500 /* the first is always lost: sent before the handshake */
#define CREDIT_BEATS       4   /* a Credit with every so many Heartbeats */
#define LINGER_MS          5000
#define UNIT_BYTES_FIRST   65536

const struct agent_conf agent_conf_default = {
    .shards = 2,
    .endpoints = 1,
    .silent_ms = 15000,
    .resend_ms = 10000,
    .unit_ms = 20000,
    .drain_ms = 60000,
};

void agent_init(struct agent *agent, const struct agent_conf *conf)
{
    assert(conf->shards >= 1 && conf->shards <= HELD_MAX);
    assert(conf->endpoints >= 1);
    *agent = (struct agent){ .conf = *conf,
                             .backoff_ms = BACKOFF_MIN_MS,
                             .unit_bytes = UNIT_BYTES_FIRST,
                             .lease_ms = 60000,
                             .heartbeat_ms = 5000,
                             .window_bytes = 65536,
                             .batch_items = 1 };
    if (!agent->conf.refused_ms)
        agent->conf.refused_ms = BACKOFF_REFUSED_MS;
}

struct agent_action *agent_act(struct agent *agent, enum agent_action_kind kind)
{
    assert(agent->acts->count < AGENT_ACTIONS_MAX);
    struct agent_action *action = &agent->acts->list[agent->acts->count++];
    *action = (struct agent_action){ .kind = kind };
    return action;
}

void agent_say(struct agent *agent, struct msg msg)
{
    msg.session = msg.kind == MSG_HELLO ? 0 : agent->session;
    msg.seq = ++agent->seq_out;
    agent_act(agent, AGENT_SEND)->msg = msg;
}

void agent_free_body(struct agent *agent, int32_t body)
{
    if (body)
        agent_act(agent, AGENT_FREE)->body = body;
}

static void list_held(const struct agent *agent, struct msg *msg)
{
    for (int32_t i = 0; i < agent->jobs_count; i++) {
        msg->progress[msg->held_count] = agent->jobs[i].unit_from;
        msg->held[msg->held_count++] = agent->jobs[i].lease;
    }
}

static void list_resident(const struct agent *agent, struct msg *msg)
{
    if (agent->model)
        msg->resident[msg->resident_count++] = agent->model;
}

static void say_hello(struct agent *agent)
{
    struct msg msg = { .kind = MSG_HELLO,
                       .slot = agent->conf.slot,
                       .incarnation = agent->conf.incarnation,
                       .shards = agent->conf.shards };
    list_held(agent, &msg);
    list_resident(agent, &msg);
    agent->greeted_ms = agent->now_ms;
    agent_say(agent, msg);
}

/* Absolute and with what is held included, so that lost, doubled or late ones do no harm. */
static void say_credit(struct agent *agent)
{
    bool none = agent->drain || agent->stopping;
    struct msg msg = { .kind = MSG_CREDIT, .shards = none ? 0 : agent->conf.shards };
    list_resident(agent, &msg);
    agent_say(agent, msg);
}

static void say_heartbeat(struct agent *agent)
{
    struct msg msg = { .kind = MSG_HEARTBEAT,
                       .number = ++agent->beat,
                       .bytes = result_bytes(agent) };
    list_held(agent, &msg);
    agent->beats[agent->beat % BEATS_MAX] = agent->beat_ms = agent->now_ms;
    agent_say(agent, msg);
    if (agent->beat % CREDIT_BEATS == 0)
        say_credit(agent);
}

/* Full jitter.  A refusal waits long: two processes with one slot would else take it from each
 * other all day, and each Hello would blame the other for a lost shard. */
static void leave(struct agent *agent, uint32_t random, bool next_endpoint, bool refused)
{
    if (agent->state != AGENT_DOWN)
        agent_act(agent, AGENT_CLOSE);
    agent->state = AGENT_DOWN;
    if (next_endpoint)
        agent->endpoint = (agent->endpoint + 1) % agent->conf.endpoints;
    int64_t wait = refused ? agent->conf.refused_ms : agent->backoff_ms;
    agent->connect_ms = agent->now_ms + wait / 2 + random % wait;
    agent->backoff_ms *= 2;
    if (agent->backoff_ms > BACKOFF_MAX_MS)
        agent->backoff_ms = BACKOFF_MAX_MS;
}

static void leave_refused(struct agent *agent, uint32_t random)
{
    leave(agent, random, false, true);
    agent->refusals++;
    if (!agent->conf.refusals_max || agent->refusals < agent->conf.refusals_max || agent->exited)
        return;
    agent->exited = true;
    agent_act(agent, AGENT_EXIT)->code = AGENT_EXIT_REFUSED;
}

/* Where there is another coordinator it may lead already.  With one endpoint ZeroMQ connects again
 * by itself, and whoever answers there does not know the session. */
static void on_cut(struct agent *agent, uint32_t random)
{
    if (agent->state != AGENT_DOWN && agent->conf.endpoints > 1)
        leave(agent, random, true, false);
}

static void on_welcome(struct agent *agent, const struct msg *msg, uint32_t random)
{
    if (msg->epoch < agent->epoch) { /* a leader that was: its word is old */
        leave(agent, random, true, false);
        return;
    }
    agent->state = AGENT_UP;
    agent->session = msg->session;
    agent->epoch = msg->epoch;
    agent->drain = msg->drain;
    agent->backoff_ms = BACKOFF_MIN_MS;
    agent->refusals = 0;
    agent->lease_ms = msg->lease_ms;
    agent->heartbeat_ms = msg->heartbeat_ms;
    agent->window_bytes = msg->window_bytes;
    agent->batch_items = msg->batch_items;
    jobs_keep(agent, msg);
    results_new_session(agent);
    say_credit(agent);
    say_heartbeat(agent);
}

static void on_error(struct agent *agent, const struct msg *msg, uint32_t random)
{
    if (msg->code == CODE_UNAUTHORISED)
        leave_refused(agent, random);
    else
        leave(agent, random, msg->code == CODE_NOT_LEADER, msg->code == CODE_SUPERSEDED);
}

static void on_drain(struct agent *agent, const struct msg *msg)
{
    agent->drain = msg->kind == MSG_DRAIN;
    if (!agent->stopping)
        agent->return_ms = agent->drain && msg->wait_ms ? agent->now_ms + msg->wait_ms : 0;
    say_credit(agent);
}

static void on_revoke(struct agent *agent, const struct msg *msg)
{
    struct job *job = job_find(agent, msg->lease);
    if (job)
        job_drop(agent, job);
}

static void on_word(struct agent *agent, const struct agent_event *event)
{
    const struct msg *msg = event->msg;
    agent->seq_in = msg->seq;
    agent->seen_ms = agent->now_ms;
    switch (msg->kind) {
    case MSG_WELCOME:
        on_welcome(agent, msg, event->random);
        break;
    case MSG_GRANT:
        job_on_grant(agent, msg);
        break;
    case MSG_CHUNK:
        job_on_chunk(agent, event);
        break;
    case MSG_HEARTBEAT_ACK:
        job_on_renewal(agent, msg);
        break;
    case MSG_ACK:
        result_on_ack(agent, msg);
        break;
    case MSG_REVOKE:
        on_revoke(agent, msg);
        break;
    case MSG_DRAIN:
    case MSG_RESUME:
        on_drain(agent, msg);
        break;
    case MSG_BYE:
        leave(agent, event->random, true, false);
        break;
    default:
        break;
    }
}

/* Copies, what was overtaken, what another session said: not for us. */
static bool believed(const struct agent *agent, const struct msg *msg)
{
    if (msg->seq <= agent->seq_in)
        return false;
    return msg->kind == MSG_WELCOME || (agent->state == AGENT_UP && msg->session == agent->session);
}

static void on_msg(struct agent *agent, const struct agent_event *event)
{
    if (agent->state != AGENT_DOWN && event->msg->kind == MSG_ERROR)
        on_error(agent, event->msg, event->random);
    else if (agent->state != AGENT_DOWN && believed(agent, event->msg))
        on_word(agent, event);
    else
        agent_free_body(agent, event->msg->body);
}

static void on_fail(struct agent *agent, const struct agent_event *event)
{
    struct job *job = job_find(agent, event->lease);
    if (!job || job->end)
        return;
    agent->model = 0; /* whatever was resident, it is not this model */
    job->end = event->reason;
    job->end_num = event->reason_num;
}

/* What runs may run on for drain_ms; what does not goes back at once. */
static void on_stop(struct agent *agent)
{
    if (agent->stopping)
        return;
    agent->stopping = true;
    agent->return_ms = agent->now_ms + agent->conf.drain_ms;
    for (int32_t i = 0; i < agent->jobs_count; i++)
        if (!agent->jobs[i].running && !agent->jobs[i].end)
            agent->jobs[i].end = REASON_RETURNED;
    if (agent->state == AGENT_UP)
        say_credit(agent);
}

static void up_turn(struct agent *agent, uint32_t random)
{
    if (agent->now_ms - agent->seen_ms > agent->conf.silent_ms) {
        leave(agent, random, true, false);
        return;
    }
    if (agent->return_ms && agent->now_ms >= agent->return_ms)
        jobs_hand_back(agent);
    if (agent->now_ms >= agent->beat_ms + agent->heartbeat_ms)
        say_heartbeat(agent);
    results_send(agent);
    jobs_ask(agent);
}

static void connect_turn(struct agent *agent)
{
    agent->state = AGENT_GREETING;
    agent->session = agent->seq_in = agent->seq_out = 0;
    agent->seen_ms = agent->now_ms;
    agent_act(agent, AGENT_CONNECT)->endpoint = agent->endpoint;
    say_hello(agent);
}

static void stop_turn(struct agent *agent)
{
    bool clear = agent_room(agent) == UNACKED_MAX && !agent->busy;
    bool held = agent->state == AGENT_UP && agent->jobs_count;
    bool late = agent->now_ms >= agent->return_ms + LINGER_MS;
    if (agent->exited || !(late || (clear && !held)))
        return;
    if (agent->state == AGENT_UP)
        agent_say(agent, (struct msg){ .kind = MSG_BYE, .code = CODE_BYE_DRAINED });
    agent->exited = true;
    agent_act(agent, AGENT_EXIT)->code = clear ? AGENT_EXIT_DRAINED : AGENT_EXIT_REQUEUE;
}

static void turn(struct agent *agent, uint32_t random)
{
    if (agent->state == AGENT_UP)
        up_turn(agent, random);
    else if (agent->state == AGENT_GREETING &&
             agent->now_ms - agent->seen_ms > agent->conf.silent_ms)
        leave(agent, random, true, false);
    else if (agent->state == AGENT_GREETING && agent->now_ms >= agent->greeted_ms + HELLO_MS)
        say_hello(agent);
    else if (agent->state == AGENT_DOWN && agent->now_ms >= agent->connect_ms)
        connect_turn(agent);
    if (agent->stopping)
        stop_turn(agent);
}

void agent_step(struct agent *agent, const struct agent_event *event, struct agent_actions *actions)
{
    agent->acts = actions;
    agent->now_ms = event->now_ms;
    actions->count = 0;
    switch (event->kind) {
    case AGENT_TICK:
        break;
    case AGENT_MSG:
        on_msg(agent, event);
        break;
    case AGENT_RESULT:
        result_on_made(agent, event);
        break;
    case AGENT_DONE:
        job_on_done(agent, event);
        break;
    case AGENT_FAIL:
        on_fail(agent, event);
        break;
    case AGENT_MODELS:
        if (agent->state == AGENT_UP)
            say_credit(agent);
        break;
    case AGENT_REFUSED:
        if (agent->state != AGENT_DOWN)
            leave_refused(agent, event->random);
        break;
    case AGENT_CUT:
        on_cut(agent, event->random);
        break;
    case AGENT_STOP:
        on_stop(agent);
        break;
    }
    turn(agent, event->random);
}
