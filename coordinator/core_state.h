/* core_state.h - what the files of the core share: its state, and what each does for the others.
 *
 *     core.c          the step, its actions, what is due when
 *     core_tx.c       transactions: sent, answered, sent again
 *     core_lead.c     leadership: won, lost, away
 *     core_session.c  sessions: Hello, heartbeat, silence, end
 *     core_lease.c    leases: held, claimed, renewed, given back
 *     core_pick.c     which work an agent should take next
 *     core_batch.c    results: received, flushed, acked
 *
 * Sessions are found by hash of connection, id and agent; they stand in one list by the time they
 * were last heard, so that silence is found at its head, and in one queue when they want something.
 * Held leases are found by session and by shard.  Nothing is allocated after core_new but the
 * actions and the copy of the work list. */
#ifndef CORE_STATE_H
#define CORE_STATE_H

#include "coordinator/core.h"

#define NONE  (-1)
#define NEVER INT64_MIN

#define DRY_MAX 4 /* dry models that a session remembers; with so many it asks for nothing */

enum by { BY_ROUTE, BY_ID, BY_AGENT, BY_COUNT };

struct held {
    struct lease lease;
    int32_t session;
    int64_t granted_ms,
        renewed_ms;          /* renewed: NEVER, or when the last committed renewal was sent */
    bool asking;             /* an ITEMS of it is in flight */
    int32_t next, next_same; /* of the session, or free; with the same hash of shard */
};

/* A model of which a claim got nothing for this agent: what is ready of it may be barred to it for
 * a minute, while another model's is not. */
struct dry {
    int32_t model;
    int64_t until_ms;
};

struct session {
    enum { SES_FREE, SES_HELLO, SES_UP } state;
    uint64_t id, seq_in, seq_out, incarnation;
    uint32_t route;
    int32_t key, slot, class, agent, shards, unacked_bytes;
    int32_t body;          /* of its Hello: facts, for each time it is said to the database */
    int64_t beat, seen_ms; /* newest heartbeat; when anything was heard */
    struct dry dry[DRY_MAX];
    bool drain;
    int64_t drain_ms; /* when it was last told so */
    bool busy;        /* a HELLO or CLAIM of it is in flight, and only one may be */
    bool recheck;     /* what it holds is to be read again */
    bool welcome;     /* the HELLO in flight is to be answered */
    bool queued;
    int32_t resident[RESIDENT_MAX], resident_count;
    int32_t disk[DISK_MAX], disk_count; /* ascending */
    int32_t held_first, held_count;
    int32_t next[BY_COUNT];           /* with the same hash */
    int32_t older, newer, next_queue; /* in the list by seen_ms; in the queue */
};

struct core {
    struct core_conf conf;
    enum role role;
    bool resigned;
    int64_t now_ms, epoch, sessions_made, asked_ms;
    int64_t work_ms, renew_ms, expire_ms, beat_ms, load_ms, timer_ms; /* when next */
    int32_t tx_serial, flushing;

    struct session *sessions;
    int32_t sessions_count, session_free; /* free ones hang on next[BY_ROUTE] */
    int32_t *heads[BY_COUNT], heads_mask;
    int32_t oldest, newest, queue_first, queue_last;

    struct held *held;
    int32_t held_free, held_count, *held_heads, held_mask;

    struct tx *txs;
    int32_t txs_of[TX_KINDS]; /* how many are used, */
    int32_t txs_waiting;      /* and how many wait: most turns need no walk */
    int32_t renew_at;         /* slot of the next session in the renewal under way, or NONE */

    struct batch *batches;
    int32_t batch_free, batches_count, *batch_heads, batch_mask;
    int32_t new_first, new_last, new_items;
    int64_t batches_bytes;

    struct work *works;
    int32_t works_count, works_capacity;
    int32_t *running, running_capacity; /* running[model]: sessions whose first model it is */
    int64_t switches;
    struct actions *acts;
};

/* core.c */
struct action *core_act(struct core *core, enum action_kind kind);
void body_free(struct core *core, int32_t body);
void say(struct core *core, struct session *s, struct msg msg);
void say_error(struct core *core, uint32_t route, enum code code);

/* core_tx.c */
struct tx *tx_new(struct core *core, enum tx_kind kind); /* NULL: none is free, ask again later */
void tx_go(struct core *core, struct tx *tx);            /* now while leading, else when leading */
void tx_again(struct core *core, struct tx *tx);
void tx_end(struct core *core, struct tx *tx);
bool tx_any(const struct core *core, enum tx_kind kind);
void on_tx(struct core *core, const struct event *event);

/* core_lead.c */
void lead_ask(struct core *core);
void lead_done(struct core *core, enum tx_outcome outcome, const struct answer *answer);
void step_down(struct core *core);
void go_away(struct core *core);

/* core_session.c */
void sessions_init(struct core *core);
void sessions_free(struct core *core);
struct session *session_by(const struct core *core, enum by by, uint64_t key);
void session_end(struct core *core, struct session *s, enum code code);
void session_queue(struct core *core, struct session *s);
void session_wants(struct core *core); /* everybody may want something now */
void sessions_silent(struct core *core);
void sessions_turn(struct core *core); /* the queue: look again, or claim */
void on_msg(struct core *core, const struct event *event);
void on_gone(struct core *core, uint32_t route);
void on_revoked(struct core *core, int32_t key);
void hello_done(struct core *core, struct session *s, const struct answer *answer);
void drains_heard(struct core *core, const struct answer *answer);
void session_runs(struct core *core, struct session *s, int32_t model); /* its first resident */

/* core_lease.c */
void leases_init(struct core *core);
void leases_free(struct core *core);
struct held *held_find(const struct core *core, const struct session *s, struct lease lease);
struct held *held_add(struct core *core, struct session *s, struct lease lease, int64_t renewed_ms);
void held_drop(struct core *core, struct session *s, struct held *held);
void held_clear(struct core *core, struct session *s);
bool lease_among(const struct lease *list, int32_t count, struct lease lease);
void give_back(struct core *core, int32_t agent, struct lease lease, enum reason reason,
               int64_t reason_num);
void reconcile(struct core *core, struct session *s, const struct answer *answer);
void settle(struct core *core, struct session *s, const struct msg *beat, struct msg *ack);
void shard_done(struct core *core, int64_t shard);
void on_item_request(struct core *core, struct session *s, const struct msg *msg);
void items_done(struct core *core, const struct tx *tx, const struct answer *answer);
void claim_go(struct core *core, struct session *s);
void claim_done(struct core *core, const struct tx *tx, const struct answer *answer);
void renew_one(struct core *core, const struct session *s);
void renew_begin(struct core *core);
void renew_go(struct core *core);
void renew_done(struct core *core, const struct tx *tx, const struct answer *answer);

/* core_pick.c */
bool session_has(const struct session *s, int32_t model); /* on its disks */
void works_heard(struct core *core, const struct answer *answer);
void works_free(struct core *core);
void works_move(struct core *core, int32_t model, int32_t class, int32_t ready);
/* Which work this session should take next, or NULL: highest priority; then the model it has; then
 * what is left per agent less what loading costs. */
struct work *work_pick(const struct core *core, const struct session *s);
/* A claim of the model got nothing: others may try it, this session other models, for a while. */
void work_dry(const struct core *core, struct session *s, int32_t model);

/* core_batch.c */
void batches_init(struct core *core);
void batches_free(struct core *core);
void on_results(struct core *core, struct session *s, const struct msg *msg);
void batches_forget(struct core *core);
bool flush_go(struct core *core);
int64_t flush_due_ms(const struct core *core);
void ingest_done(struct core *core, const struct tx *tx, const struct answer *answer);
void ingest_data(struct core *core, const struct tx *tx);

/* Mixes a key for the chained hash tables. */
static inline uint32_t hash_mix(uint64_t key)
{
    key *= 0x9e3779b97f4a7c15u;
    return (uint32_t)(key >> 32);
}

/* The smallest power of two that is at least twice count. */
static inline int32_t hash_size(int32_t count)
{
    int32_t size = 64;
    while (size < 2 * count)
        size *= 2;
    return size;
}

static inline void heads_init(int32_t **heads, int32_t count)
{
    *heads = must_calloc((size_t)count, sizeof(**heads));
    for (int32_t i = 0; i < count; i++)
        (*heads)[i] = NONE;
}

#endif
