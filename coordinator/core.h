/* core.h - what the coordinator decides: core_step(event) -> actions, and nothing else happens.
 *
 * No socket, SQL, clock or random number.  The database decides what is true; the core only
 * remembers what it may ask next.  Three rules carry the rest:
 *  - an Ack is sent when an INGEST came back OK, never before;
 *  - a transaction that came back UNKNOWN may still commit: the core takes a new epoch first (the
 *    gate ends all older ones) and only then asks again, so that what it reads then is final;
 *  - a Grant is sent only for a lease that a committed claim returned; a lease the database has and
 *    the agent does not is given back as RETURNED, which blames nobody.
 *
 * Bodies (see proto/msg.h): a message's body belongs to the core from the event on.  It comes back
 * exactly once: in ACT_FREE, or in an ACT_SEND, after which the loop frees it. */
#ifndef CORE_H
#define CORE_H

#include "proto/msg.h"

#define TXS_MAX   256 /* transactions in flight or waiting to be sent again */
#define FLUSH_MAX 128 /* batches of one INGEST */
#define RENEW_MAX 500 /* leases of one RENEW */

enum tx_kind {
    TX_LEAD,   /* take the lock and a new epoch */
    TX_BEAT,   /* heartbeat_at of the coordinator */
    TX_HELLO,  /* who is this agent, what does it hold */
    TX_WORK,   /* which models have ready shards; which agents are to drain */
    TX_CLAIM,  /* up to count shards of a model for an agent */
    TX_RENEW,  /* leases of many agents */
    TX_EXPIRE, /* take back what ran out */
    TX_FAIL,   /* one lease given up, with a reason */
    TX_ITEMS,  /* what a lease still lacks, rendered */
    TX_INGEST, /* batches of many agents */
    TX_LOAD,   /* telemetry of all agents */
};
#define TX_KINDS (TX_LOAD + 1)

enum tx_outcome {
    TX_OK,
    TX_RETRY,   /* rolled back, again may help: 40001, 40P01, too many connections */
    TX_DATA,    /* rolled back, again cannot help */
    TX_FENCED,  /* KE001: another epoch */
    TX_REFUSED, /* LEAD: the lock is taken (answer.epoch tells by whom); HELLO: KE002, the key */
    TX_UNKNOWN, /* the connection went: committed, or not, or not yet */
};

struct work {             /* ready shards of one model and class */
    int32_t model, class; /* class 0: not pinned yet */
    int32_t ready, priority;
    int32_t load_ms, shard_ms; /* what loading the model and one shard take, about */
};

struct grant {
    struct lease lease;
    int32_t run, replica, lo, hi, missing;
};

struct verdict_row {
    enum verdict verdict;
    enum refusal refusal;
    bool done; /* the shard is */
};

/* What came back; arrays are the loop's, read during the step only. */
struct answer {
    int64_t epoch;                      /* LEAD */
    int32_t agent, class;               /* HELLO */
    bool drain;                         /* HELLO */
    int32_t count;                      /* of whichever array the kind fills */
    const struct lease *leases;         /* HELLO: held; RENEW: gone */
    const struct work *works;           /* WORK */
    const struct grant *grants;         /* CLAIM */
    const struct verdict_row *verdicts; /* INGEST, one per batch */
    const int32_t *draining;            /* WORK: agents that get nothing more, ascending */
    int32_t draining_count;
    int32_t body; /* ITEMS */
    bool last;    /* ITEMS */
};

/* A transaction.  ACT_TX names one that is to be executed; its parameters may be read until it was
 * answered or the core forgot it, which core_tx tells. */
struct tx {
    enum tx_kind kind;
    enum { TX_FREE, TX_SENT, TX_WAITING } state;
    int32_t id;
    int64_t epoch, due_ms, sent_ms;
    int64_t beat;                       /* CLAIM: newest Heartbeat heard when it was asked for */
    uint64_t session;                   /* who it is for */
    int32_t key, slot, body;            /* HELLO: its body may be gone before the transaction is */
    int32_t agent, class, model, count; /* CLAIM: count shards of model; class as in its work */
    int32_t from, bytes;                /* ITEMS: from this plan number, at most so many bytes */
    enum reason reason;                 /* FAIL */
    int64_t reason_num;
    struct lease lease;             /* FAIL, ITEMS */
    int32_t batches[FLUSH_MAX];     /* INGEST: for core_batch */
    struct lease leases[RENEW_MAX]; /* RENEW */
    int32_t agents[RENEW_MAX];
};

struct batch { /* results on their way to the database */
    enum { BATCH_FREE, BATCH_NEW, BATCH_SENT } state;
    uint64_t session, incarnation; /* whose numbers these are: each life counts anew */
    int32_t agent, class, items, bytes, body;
    int64_t number, came_ms;
    struct lease lease;
    int32_t next, next_same; /* in its queue; with the same hash */
};

enum event_kind {
    EV_MSG,
    EV_TX,      /* an answer */
    EV_TICK,    /* the timer, or any other moment */
    EV_GONE,    /* the connection does not exist any more */
    EV_LOST,    /* the control connection to the database went */
    EV_REVOKED, /* a key */
    EV_WORK,    /* a hint: there may be work */
    EV_RESIGN,  /* lead no more */
};

struct event {
    enum event_kind kind;
    int64_t now_ms;
    uint32_t route; /* MSG, GONE: the connection */
    int32_t key;    /* MSG: the key that CURVE proved; REVOKED */
    const struct msg *msg;
    int32_t tx; /* TX: as in the action */
    enum tx_outcome outcome;
    const struct answer *answer;
};

enum action_kind { ACT_SEND, ACT_TX, ACT_CLOSE, ACT_TIMER, ACT_FREE };

struct action {
    enum action_kind kind;
    uint32_t route; /* SEND, CLOSE */
    int32_t body;   /* FREE */
    struct msg msg; /* SEND */
    const struct tx *tx;
    int64_t at_ms; /* TIMER: call again then at the latest */
};

struct actions { /* grows as needed; zeroed before the first step, freed by its owner */
    int32_t count, capacity;
    struct action *list;
};

void actions_free(struct actions *actions);

struct core_conf {
    int32_t lease_ms, heartbeat_ms, silent_ms;
    int32_t settle_ms; /* a Grant not heard of in heartbeats after this was lost */
    int32_t flush_ms, flush_items, flushes; /* an INGEST: so old or so many; so many at once */
    int32_t window_bytes, batch_items;      /* an agent's credit of unacked results */
    int32_t recover_ms;                     /* no expiry so long after taking the lead */
    int32_t work_ms, retry_ms, standby_ms, load_ms;
    int32_t sessions_max, batches_max;
    int64_t bytes_max; /* of results received and not committed */
};
extern const struct core_conf core_conf_default;

enum role {
    ROLE_STANDBY, /* no sessions; asks for the lead */
    ROLE_LEADING,
    ROLE_AWAY, /* led, and cannot reach the database: heartbeats go on, grants and acks do not */
};

struct core;

struct core *core_new(const struct core_conf *conf);
void core_free(struct core *core);
AUTO_FREES(struct core *, core_free)

void core_step(struct core *core, const struct event *event, struct actions *actions);

/* Reading it, for the loop and for tests. */
enum role core_role(const struct core *core);
int64_t core_epoch(const struct core *core);
int64_t core_timer_ms(const struct core *core);
const struct batch *core_batch(const struct core *core, int32_t i);
/* The transaction of that number while it is under way; NULL: nobody waits for its answer. */
const struct tx *core_tx(const struct core *core, int32_t id);
/* The agent behind a connection whose session is up, or 0. */
int32_t core_agent(const struct core *core, uint32_t route);
/* The model it runs, or will run next; 0 none. */
int32_t core_resident(const struct core *core, uint32_t route);
/* Whether these models, in any order, are others than it last said to have on disk. */
bool core_shelf_differs(const struct core *core, uint32_t route, const int32_t *disk,
                        int32_t count);

struct core_counts {
    int32_t sessions, held, batches, bodies, txs;
    int64_t bytes;    /* of batches */
    int64_t switches; /* grants of another model than the agent had */
};
struct core_counts core_count(const struct core *core);

#endif
