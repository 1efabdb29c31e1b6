#include "agent/core.h"

bool result_pending(const struct agent *agent, struct lease lease)
{
    for (int32_t i = 0; i < UNACKED_MAX; i++)
        if (agent->unacked[i].used && lease_same(agent->unacked[i].lease, lease))
            return true;
    return false;
}

int32_t agent_room(const struct agent *agent)
{
    int32_t room = 0;
    for (int32_t i = 0; i < UNACKED_MAX; i++)
        room += !agent->unacked[i].used;
    return room;
}

int32_t result_bytes(const struct agent *agent)
{
    int32_t bytes = 0;
    for (int32_t i = 0; i < UNACKED_MAX; i++)
        bytes += agent->unacked[i].used ? agent->unacked[i].bytes : 0;
    return bytes;
}

void result_on_made(struct agent *agent, const struct agent_event *event)
{
    struct unacked *at = NULL;
    for (int32_t i = 0; i < UNACKED_MAX && !at; i++)
        if (!agent->unacked[i].used)
            at = &agent->unacked[i];
    assert(at); /* the caller asked agent_room() */
    *at = (struct unacked){ .used = true,
                            .lease = event->lease,
                            .number = ++agent->batches,
                            .items = event->items,
                            .bytes = event->bytes,
                            .body = event->body };
}

static void result_end(struct agent *agent, struct unacked *unacked)
{
    agent_free_body(agent, unacked->body);
    *unacked = (struct unacked){ 0 };
}

/* Every verdict ends the batch.  Rows that the database could not take come again as errors, once,
 * under a new number: otherwise the shard would wait for them for ever. */
static void result_judged(struct agent *agent, struct unacked *unacked, const struct msg *msg)
{
    bool invalid = msg->verdict == VERDICT_REJECTED && msg->refusal == REFUSAL_INVALID;
    if (!invalid || unacked->invalid) {
        result_end(agent, unacked);
        return;
    }
    unacked->invalid = true;
    unacked->number = ++agent->batches;
    unacked->sent_ms = 0;
}

void result_on_ack(struct agent *agent, const struct msg *msg)
{
    if (msg->window_bytes > 0)
        agent->window_bytes = msg->window_bytes;
    int64_t shard = 0; /* an Ack names its batch only */
    for (int32_t i = 0; i < UNACKED_MAX; i++)
        if (agent->unacked[i].used && agent->unacked[i].number == msg->number) {
            shard = agent->unacked[i].lease.shard;
            result_judged(agent, &agent->unacked[i], msg);
            break;
        }
    for (int32_t i = agent->jobs_count - 1; msg->done && i >= 0; i--)
        if (agent->jobs[i].lease.shard == shard)
            job_drop(agent, &agent->jobs[i]);
}

void results_new_session(struct agent *agent)
{
    for (int32_t i = 0; i < UNACKED_MAX; i++)
        agent->unacked[i].sent_ms = 0;
}

static int32_t bytes_in_flight(const struct agent *agent)
{
    int32_t bytes = 0;
    for (int32_t i = 0; i < UNACKED_MAX; i++)
        if (agent->unacked[i].used && agent->unacked[i].sent_ms)
            bytes += agent->unacked[i].bytes;
    return bytes;
}

static void result_send(struct agent *agent, struct unacked *unacked)
{
    unacked->sent_ms = agent->now_ms;
    agent_say(agent, (struct msg){ .kind = MSG_RESULTS,
                                   .lease = unacked->lease,
                                   .number = unacked->number,
                                   .items = unacked->items,
                                   .bytes = unacked->bytes,
                                   .body = unacked->body,
                                   .reason = unacked->invalid ? REASON_INVALID_RESULT : 0 });
}

/* The window bounds what a coordinator must keep of us; one batch may always be on its way, or a
 * batch greater than the window would never go. */
void results_send(struct agent *agent)
{
    int32_t flying = bytes_in_flight(agent);
    for (int32_t i = 0; i < UNACKED_MAX; i++) {
        struct unacked *unacked = &agent->unacked[i];
        if (!unacked->used)
            continue;
        if (unacked->sent_ms) {
            if (agent->now_ms >= unacked->sent_ms + agent->conf.resend_ms)
                result_send(agent, unacked);
        } else if (!flying || flying + unacked->bytes <= agent->window_bytes) {
            flying += unacked->bytes;
            result_send(agent, unacked);
        }
    }
}
