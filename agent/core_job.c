#include "agent/core.h"

#include <string.h>

#define ASK_MS          5000  /* an ItemRequest is repeated after this */
#define ASK_BYTES_MIN   65536 /* one item of most benchmarks fits */
#define ASK_BYTES_MAX   ((1 << 20) - 64)
#define UNIT_BYTES_MAX  (JOB_CHUNKS_MAX * ASK_BYTES_MAX)
#define UNIT_GROWTH_MAX 8

struct job *job_find(struct agent *agent, struct lease lease)
{
    for (int32_t i = 0; i < agent->jobs_count; i++)
        if (lease_same(agent->jobs[i].lease, lease))
            return &agent->jobs[i];
    return NULL;
}

static void chunks_drop(struct agent *agent, struct job *job)
{
    for (int32_t i = 0; i < job->chunks_count; i++)
        agent_free_body(agent, job->chunks[i].body);
    job->chunks_count = 0;
}

void job_drop(struct agent *agent, struct job *job)
{
    int32_t at = (int32_t)(job - agent->jobs);
    assert(at >= 0 && at < agent->jobs_count);
    chunks_drop(agent, job);
    agent_free_body(agent, job->params);
    memmove(job, job + 1, sizeof(*job) * (size_t)(--agent->jobs_count - at));
}

static int64_t lease_from(const struct agent *agent, int64_t renewed_ms)
{
    return renewed_ms + agent->lease_ms * 8LL / 10;
}

static bool beat_known(const struct agent *agent, int64_t beat)
{
    return beat > 0 && beat <= agent->beat && agent->beat - beat < BEATS_MAX;
}

/* The lease runs from a beat of ours, not from the Grant's arrival: a Grant may have lain in a
 * buffer while we were stopped.  Without a beat the next HeartbeatAck says how long it is good. */
void job_on_grant(struct agent *agent, const struct msg *msg)
{
    struct job *job = job_find(agent, msg->lease);
    if (job || agent->jobs_count == HELD_MAX) {
        agent_free_body(agent, msg->body);
    } else {
        job = &agent->jobs[agent->jobs_count++];
        *job = (struct job){ .lease = msg->lease,
                             .model = msg->model,
                             .run = msg->run,
                             .replica = msg->replica,
                             .params = msg->body,
                             .from = msg->lo,
                             .unit_from = msg->lo,
                             .end = agent->stopping ? REASON_RETURNED : REASON_NONE };
    }
    if (job && beat_known(agent, msg->number))
        job->until_ms = lease_from(agent, agent->beats[msg->number % BEATS_MAX]);
}

static int32_t bytes_at_hand(const struct job *job)
{
    int32_t bytes = 0;
    for (int32_t i = 0; i < job->chunks_count; i++)
        bytes += job->chunks[i].bytes;
    return bytes;
}

void job_on_chunk(struct agent *agent, const struct agent_event *event)
{
    const struct msg *msg = event->msg;
    struct job *job = job_find(agent, msg->lease);
    /* An answer to an older question, or to one asked twice. */
    bool wanted = job && msg->from == job->from && job->chunks_count < JOB_CHUNKS_MAX && !job->last;
    if (!wanted) {
        agent_free_body(agent, msg->body);
        return;
    }
    job->asked_ms = 0;
    job->last = msg->last;
    job->full = event->full;
    if (event->next > job->from)
        job->from = event->next;
    if (event->items)
        job->chunks[job->chunks_count++] =
            (struct chunk_ref){ msg->body, event->items, event->bytes };
    else
        agent_free_body(agent, msg->body);
}

/* What the coordinator says is lost is lost.  For the rest: the beat was sent then, and the renewal
 * was age_ms old when it was answered, so the lease was good at (sent - age) at the earliest. */
void job_on_renewal(struct agent *agent, const struct msg *msg)
{
    for (int32_t i = 0; i < msg->held_count; i++) {
        struct job *job = job_find(agent, msg->held[i]);
        if (job)
            job_drop(agent, job);
    }
    if (!beat_known(agent, msg->number))
        return;
    int64_t until = lease_from(agent, agent->beats[msg->number % BEATS_MAX] - msg->age_ms);
    for (int32_t i = 0; i < agent->jobs_count; i++)
        if (until > agent->jobs[i].until_ms)
            agent->jobs[i].until_ms = until;
}

void jobs_keep(struct agent *agent, const struct msg *welcome)
{
    for (int32_t i = agent->jobs_count - 1; i >= 0; i--) {
        bool keep = false;
        for (int32_t k = 0; k < welcome->held_count; k++)
            keep |= lease_same(welcome->held[k], agent->jobs[i].lease);
        if (keep)
            agent->jobs[i].asked_ms = 0; /* the question may have died with the connection */
        else
            job_drop(agent, &agent->jobs[i]);
    }
}

int64_t agent_until(const struct agent *agent, struct lease lease)
{
    for (int32_t i = 0; i < agent->jobs_count; i++)
        if (lease_same(agent->jobs[i].lease, lease))
            return agent->jobs[i].end ? 0 : agent->jobs[i].until_ms;
    return 0;
}

static bool ripe(const struct agent *agent, const struct job *job, int64_t now_ms)
{
    if (!job->chunks_count || job->end || now_ms >= job->until_ms)
        return false;
    return job->last || job->full || job->chunks_count == JOB_CHUNKS_MAX ||
           bytes_at_hand(job) >= agent->unit_bytes / 2;
}

/* Loading a model costs more than anything else: its shards go first. */
static struct job *job_pick(struct agent *agent, int64_t now_ms)
{
    struct job *first = NULL;
    for (int32_t i = 0; i < agent->jobs_count; i++) {
        struct job *job = &agent->jobs[i];
        if (!ripe(agent, job, now_ms))
            continue;
        if (job->model == agent->model)
            return job;
        if (!first)
            first = job;
    }
    return first;
}

static void unit_take(struct job *job, struct unit *out)
{
    *out = (struct unit){ .lease = job->lease,
                          .model = job->model,
                          .run = job->run,
                          .replica = job->replica,
                          .params = job->params,
                          .bytes = bytes_at_hand(job),
                          .chunks_count = job->chunks_count };
    for (int32_t i = 0; i < job->chunks_count; i++) {
        out->chunks[i] = job->chunks[i].body;
        out->items += job->chunks[i].items;
    }
    job->chunks_count = 0;
    job->unit_next = job->from;
    job->running = true;
    job->full = false;
}

bool agent_next(struct agent *agent, int64_t now_ms, struct unit *out)
{
    if (agent->busy || agent_room(agent) < UNACKED_MAX / 2)
        return false;
    struct job *job = job_pick(agent, now_ms);
    if (!job)
        return false;
    if (job->model != agent->model)
        agent->unit_bytes = ASK_BYTES_MIN; /* its speed is not known yet */
    agent->model = job->model;
    agent->busy = true;
    unit_take(job, out);
    return true;
}

static void measure(struct agent *agent, const struct agent_event *event)
{
    int64_t took = event->took_ms > 0 ? event->took_ms : 1;
    int64_t bytes = event->bytes * agent->conf.unit_ms / took;
    int64_t most = (int64_t)agent->unit_bytes * UNIT_GROWTH_MAX;
    bytes = bytes > most ? most : bytes;
    bytes = bytes > UNIT_BYTES_MAX ? UNIT_BYTES_MAX : bytes;
    agent->unit_bytes = bytes < ASK_BYTES_MIN ? ASK_BYTES_MIN : (int32_t)bytes;
}

/* A unit that was stopped left its items uncomputed: what is still missing is asked for again. */
void job_on_done(struct agent *agent, const struct agent_event *event)
{
    struct job *job = job_find(agent, event->lease);
    agent->busy = false;
    if (event->complete)
        measure(agent, event);
    if (!job)
        return;
    job->running = false;
    job->asked_ms = 0;
    if (agent->stopping && !job->end)
        job->end = REASON_RETURNED; /* what was computed is sent first */
    if (event->complete) {
        job->unit_from = job->unit_next;
        return;
    }
    chunks_drop(agent, job);
    job->from = job->unit_from;
    job->last = false;
}

void jobs_hand_back(struct agent *agent)
{
    for (int32_t i = 0; i < agent->jobs_count; i++)
        if (!agent->jobs[i].end)
            agent->jobs[i].end = REASON_RETURNED;
}

static void job_end(struct agent *agent, struct job *job)
{
    agent_say(agent, (struct msg){ .kind = MSG_SHARD_END,
                                   .lease = job->lease,
                                   .reason = job->end,
                                   .reason_num = job->end_num });
    job_drop(agent, job);
}

static void job_ask(struct agent *agent, struct job *job)
{
    int32_t want = agent->unit_bytes - bytes_at_hand(job);
    want = want > ASK_BYTES_MAX ? ASK_BYTES_MAX : want < ASK_BYTES_MIN ? ASK_BYTES_MIN : want;
    job->asked_ms = agent->now_ms;
    agent_say(agent, (struct msg){ .kind = MSG_ITEM_REQUEST,
                                   .lease = job->lease,
                                   .from = job->from,
                                   .bytes = want });
}

/* All sent and acked, and nobody says that the shard is done: somebody else may see why. */
static void job_wait(struct agent *agent, struct job *job)
{
    if (job->running || job->chunks_count || result_pending(agent, job->lease))
        job->asked_ms = agent->now_ms;
    else if (!job->asked_ms)
        job->asked_ms = agent->now_ms;
    else if (agent->now_ms >= job->asked_ms + 2 * ASK_MS)
        job->end = REASON_RETURNED;
}

static bool wants_more(const struct agent *agent, const struct job *job)
{
    return job->chunks_count < JOB_CHUNKS_MAX && !job->full &&
           (!job->chunks_count || bytes_at_hand(job) < agent->unit_bytes / 2);
}

void jobs_ask(struct agent *agent)
{
    for (int32_t i = agent->jobs_count - 1; i >= 0; i--) {
        struct job *job = &agent->jobs[i];
        bool asked = job->asked_ms && agent->now_ms < job->asked_ms + ASK_MS;
        if (job->end) {
            if (!job->running && !result_pending(agent, job->lease))
                job_end(agent, job);
        } else if (job->last) {
            job_wait(agent, job);
        } else if (!asked && wants_more(agent, job)) {
            job_ask(agent, job);
        }
    }
}
