/* core.h - what the agent decides: how much it wants, what to compute next, what to send again,
 * when to stop, where to connect.
 *
 * Pure: agent_step(event) -> actions, and nothing else happens.  A result stays in `unacked` from
 * the moment it exists until its Ack, through every reconnect and every coordinator; losing a lease
 * drops the work that is left, never the results.
 *
 * Heavy parts (text of items, params of a run, rows of results) are bodies: numbers that the caller
 * gave out.  A body that comes in with an event belongs to the core, which names it once more:
 * in AGENT_FREE, or in the unit that agent_next hands out (whose chunks then belong to its taker).
 *
 * A unit is what one call of the engine computes: everything at hand of one shard, because requests
 * that begin alike cost only their differences.  How much text is fetched for a unit follows the
 * measured speed, so that a killed agent loses about unit_ms of work. */
#ifndef AGENT_CORE_H
#define AGENT_CORE_H

#include "proto/msg.h"

#define JOB_CHUNKS_MAX    16
#define UNACKED_MAX       64
#define BEATS_MAX         16
#define AGENT_ACTIONS_MAX 512

struct chunk_ref {
    int32_t body, items, bytes;
};

/* A shard it holds. */
struct job {
    struct lease lease;
    int32_t model, run, replica;
    int32_t params;    /* body of the Grant */
    int32_t from;      /* plan number to ask for next */
    int32_t unit_from; /* everything before is computed */
    int32_t unit_next; /* where the running unit ends */
    bool last;         /* nothing is missing after the chunks at hand */
    bool full;         /* a unit may go although it is small */
    bool running;      /* one of its units is being computed */
    enum reason end;   /* to be given up for this as soon as nothing of it is unacked */
    int64_t end_num;
    int64_t asked_ms; /* since when it waits for a chunk, or for the word that it is done */
    int64_t until_ms; /* 0.8 of the lease, from the last renewal known to be committed */
    int32_t chunks_count;
    struct chunk_ref chunks[JOB_CHUNKS_MAX];
};

struct unacked {
    bool used;
    bool invalid; /* the database could not take its rows: they go as INVALID_RESULT */
    struct lease lease;
    int64_t number, sent_ms; /* sent_ms 0: not in this session */
    int32_t items, bytes, body;
};

struct unit {
    struct lease lease;
    int32_t model, run, replica;
    int32_t params; /* body, borrowed until the next step */
    int32_t items, bytes;
    int32_t chunks_count;
    int32_t chunks[JOB_CHUNKS_MAX]; /* bodies, the taker's now */
};

enum agent_event_kind {
    AGENT_TICK,
    AGENT_MSG,     /* msg; CHUNK: also items, bytes and next */
    AGENT_RESULT,  /* lease, items, bytes, body: one batch; there must be agent_room() */
    AGENT_DONE,    /* lease, complete, took_ms, bytes: the unit is over, its results were told */
    AGENT_FAIL,    /* lease, reason, reason_num: the shard cannot be computed here */
    AGENT_MODELS,  /* what is on the shelf changed */
    AGENT_REFUSED, /* the handshake: our key is not known there */
    AGENT_CUT,     /* the connection broke, or there is nobody to connect to */
    AGENT_STOP,    /* finish what runs, hand back the rest, go */
};

struct agent_event {
    enum agent_event_kind kind;
    int64_t now_ms;
    uint32_t random;       /* for back-off */
    const struct msg *msg; /* msg->body: of GRANT and CHUNK, 0 for all others */
    struct lease lease;
    int32_t items, bytes; /* CHUNK: the one that fits no frame counts too */
    int32_t next;         /* CHUNK: plan number after its last item, 0: it has none */
    bool full;            /* CHUNK: compute now, asking on would bring the same again */
    int32_t body;
    bool complete;
    int64_t took_ms;
    enum reason reason;
    int64_t reason_num;
};

enum agent_action_kind {
    AGENT_SEND,    /* msg; RESULTS: msg.body stays the core's, msg.reason is set: rows go as that */
    AGENT_CONNECT, /* endpoint: a new socket, the old one is closed */
    AGENT_CLOSE,
    AGENT_FREE, /* body */
    AGENT_EXIT, /* code */
};

struct agent_action {
    enum agent_action_kind kind;
    int32_t endpoint, body, code;
    struct msg msg;
};

struct agent_actions {
    int32_t count;
    struct agent_action list[AGENT_ACTIONS_MAX];
};

/* What the process says when it leaves; sysexits.h and Slurm's RequeueExit agree on 75. */
enum agent_exit { AGENT_EXIT_DRAINED = 0, AGENT_EXIT_REFUSED = 6, AGENT_EXIT_REQUEUE = 75 };

struct agent_conf {
    int32_t slot, shards; /* how many shards it would hold in all */
    int32_t endpoints;
    uint64_t incarnation;
    int32_t refusals_max; /* exit 6 after so many; 0 never */
    int64_t silent_ms;    /* no word from the coordinator for so long: connect anew */
    int64_t resend_ms;    /* an unacked batch goes again */
    int64_t unit_ms;      /* how long a unit should take */
    int64_t drain_ms;     /* how long AGENT_STOP may take */
    int64_t refused_ms;   /* back-off after a refusal and after SUPERSEDED, 0: 60 s */
};

extern const struct agent_conf agent_conf_default;

enum agent_state { AGENT_DOWN, AGENT_GREETING, AGENT_UP };

struct agent {
    struct agent_conf conf;
    enum agent_state state;
    int32_t endpoint;
    uint64_t session, seq_in, seq_out;
    int64_t epoch; /* the greatest coordinator epoch it has seen */
    int64_t now_ms, connect_ms, backoff_ms, greeted_ms, seen_ms;
    int64_t beat, beat_ms, beats[BEATS_MAX]; /* when beat i % BEATS_MAX was sent */
    int64_t batches;
    int32_t lease_ms, heartbeat_ms, window_bytes, batch_items; /* as Welcome said */
    int32_t model;                                             /* resident, 0 none */
    int32_t unit_bytes;                                        /* of text, for the next unit */
    int32_t refusals;
    bool busy;  /* a unit is out */
    bool drain; /* no new shards */
    bool stopping, exited;
    int64_t return_ms; /* what is not done by then is handed back; 0: no such time */
    int32_t jobs_count;
    struct job jobs[HELD_MAX];
    struct unacked unacked[UNACKED_MAX];
    struct agent_actions *acts;
};

void agent_init(struct agent *agent, const struct agent_conf *conf);
void agent_step(struct agent *agent, const struct agent_event *event,
                struct agent_actions *actions);

/* The next unit, or false: one is out already, nothing is ripe, no room for its results, or past
 * 0.8 of the lease.  Counts as begun. */
bool agent_next(struct agent *agent, int64_t now_ms, struct unit *out);

/* Until when it may be computed: 0.8 of the lease after the last renewal known to be committed; 0
 * once it is lost, revoked or handed back. */
int64_t agent_until(const struct agent *agent, struct lease lease);
static inline bool agent_may(const struct agent *agent, struct lease lease, int64_t now_ms)
{
    return now_ms < agent_until(agent, lease);
}

/* How many more batches it can take. */
int32_t agent_room(const struct agent *agent);

/* ---- between core.c and the core_*.c ---- */

struct agent_action *agent_act(struct agent *agent, enum agent_action_kind kind);
void agent_say(struct agent *agent, struct msg msg);
void agent_free_body(struct agent *agent, int32_t body);

struct job *job_find(struct agent *agent, struct lease lease);
void job_drop(struct agent *agent, struct job *job);
void job_on_grant(struct agent *agent, const struct msg *msg);
void job_on_chunk(struct agent *agent, const struct agent_event *event);
void job_on_renewal(struct agent *agent, const struct msg *msg);
void job_on_done(struct agent *agent, const struct agent_event *event);
void jobs_keep(struct agent *agent, const struct msg *welcome);
void jobs_hand_back(struct agent *agent);
void jobs_ask(struct agent *agent);

bool result_pending(const struct agent *agent, struct lease lease);
int32_t result_bytes(const struct agent *agent);
void result_on_made(struct agent *agent, const struct agent_event *event);
void result_on_ack(struct agent *agent, const struct msg *msg);
void results_new_session(struct agent *agent);
void results_send(struct agent *agent);

#endif
