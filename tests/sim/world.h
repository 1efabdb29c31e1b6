/* world.h - two coordinators, four agents and the model of the database, from one seed.
 *
 * Time is virtual and everything that happens is an event in one heap.  Each seed draws which
 * faults it has and how often; after fault_end_ms there are none, and all runs must complete.
 * Invariants are checked after every transaction and at every Ack.
 *
 *     net.c     the heap, chance, messages on their way
 *     coord.c   coordinators around the very core, and the database that executes for them
 *     agents.c  agents around the very core
 *     fault.c   what goes wrong, and the operator who mends it
 *     seed.c    a world from its first event to its last */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "agent/core.h"
#include "coordinator/trace.h"
#include "tests/sim/db.h"

enum {
    COORDS = 2,
    EVENTS_MAX = 8192,
    BODIES_MAX = 512,
    CALLS_MAX = 512,
    CONNS_MAX = 8192,
    UNIT_MAX = JOB_CHUNKS_MAX * FETCH_MAX,
    PROCS = AGENTS + 1, /* the last is a second process with the first's key and slot */
    NESTED_MAX = 8,     /* events of an agent inside one another */
    FAULTS = 14
};

enum kind {
    E_TO_COORD,
    E_TO_AGENT,
    E_TX_RUN,
    E_TX_DONE,
    E_TICK,
    E_AGENT_TICK,
    E_COMPUTED,
    E_GONE,
    E_REVOKED,
    E_LOST,
    E_FAULT,
    E_COORD_UP,
    E_AGENT_UP,
    E_LOCK_FREE,
    E_OPERATOR,
    E_HINT,       /* NOTIFY koeval_work */
    E_RESIGN,     /* SIGTERM for a coordinator */
    E_COORD_END,  /* its end, a while later */
    E_AGENT_STOP, /* SIGTERM for an agent */
    E_AGENT_CUT,  /* its connection broke, and it was told */
};

/* The heavy part of a message. */
struct heavy {
    int32_t count;
    struct row rows[ROWS_MAX];
    struct db_items items;
};

struct sim_event {
    int64_t at_ms, order;
    enum kind kind;
    int32_t who, gen, conn, key; /* coordinator or agent; its life; connection */
    struct msg msg;
    struct heavy heavy;
    bool zombie;
    int32_t call, db_gen; /* TX_RUN, TX_DONE */
    enum tx_outcome outcome;
};

/* A transaction between asking and answering; several events may be under way for it. */
struct call {
    bool used;
    int32_t uses, class;
    uint64_t incarnation;
    struct tx tx;
    struct db_batch batches[FLUSH_MAX];
    struct db_answer answer;
};

struct body_slot {
    bool used;
    int32_t owner;
    uint64_t incarnation; /* of a Hello */
    struct heavy heavy;
};

struct sim_coord {
    struct core *core;
    struct trace *trace; /* of a test that asks for one */
    bool up;
    int32_t bodies; /* that it owns */
    int32_t gen, db_gen;
    int64_t paused_ms, tick_ms, cut_ms; /* cut: from the database */
};

struct sim_agent {
    struct agent core;
    bool up, busy, exited;
    int32_t bodies; /* that it owns */
    int32_t gen, conn;
    int64_t paused_ms;
    uint64_t lives;
    struct unit unit; /* being computed: item `at` of `count` */
    int32_t count, at, items[UNIT_MAX], open_count;
    struct row open[ROWS_MAX];
};

struct chances { /* in 10,000 */
    uint32_t drop, dup, slow, ambiguous, retry, error, fail, poison;
    int32_t delay_ms;
    uint32_t fault[FAULTS];
};

struct conn {
    int32_t agent, coord;
    bool open;
};

struct totals {
    uint64_t seeds, events, messages, dropped, faults, ambiguous, late, already, rejected, fenced;
    uint64_t erred, computed, virtual_ms, crashes, grants, expired;
};

struct world {
    uint64_t random;
    uint64_t trail; /* of all that happened: the same seed leaves the same */
    int64_t now_ms, order, fault_end_ms;
    struct sim_event *pool;
    int32_t *heap, heap_count, *spare, spare_count;
    struct call *calls;
    struct agent_actions *agent_acts;
    int32_t nested;
    struct sim_coord coords[COORDS];
    struct sim_agent agents[PROCS];
    struct conn conns[CONNS_MAX];
    int32_t conns_count;
    int64_t cut_ms[PROCS][COORDS];
    struct body_slot bodies[BODIES_MAX];        /* of coordinators */
    struct body_slot theirs[PROCS][BODIES_MAX]; /* of agents */
    struct db db, durable;
    int32_t lock; /* who holds it, or -1 */
    bool acked[RUNS][ITEMS];
    int64_t promised_ms[SHARDS][EPOCHS][AGENTS + 1]; /* latest the database ever promised */
    struct chances p;
    const char *broken;
    const char *traces; /* a folder: each coordinator records there */
    struct totals total;
};

/* net.c */
uint32_t roll(struct world *w, uint32_t below);
bool faulty(const struct world *w);
int32_t key_of(int32_t process); /* its agent's number too */
bool chance(struct world *w, uint32_t in_10000);
void broke(struct world *w, const char *what); /* the first stays */
struct sim_event *push(struct world *w, enum kind kind, int64_t at_ms, int32_t who);
struct sim_event pop(struct world *w);
int32_t body_take(struct world *w, struct body_slot *slots, int32_t owner);
void body_back(struct world *w, struct body_slot *slots, int32_t i);
void deliver(struct world *w, enum kind kind, int32_t who, int32_t conn, const struct msg *msg,
             const struct heavy *heavy);

/* coord.c */
void coord_start(struct world *w, int32_t c);
void coord_stop(struct world *w, int32_t c);
void coord_disconnect(struct world *w, int32_t c);
void coord_ends(struct world *w, int32_t c); /* and comes up again */
void coord_event(struct world *w, const struct sim_event *e);
void tx_run(struct world *w, const struct sim_event *e);
void tx_done(struct world *w, const struct sim_event *e);
void check_all(struct world *w);

/* agents.c */
void agent_start(struct world *w, int32_t a);
void agent_ends(struct world *w, int32_t a, bool again);
void agent_event_in(struct world *w, const struct sim_event *e);

/* fault.c */
void draw_faults(struct world *w);
void fault(struct world *w);
void operator_turn(struct world *w);

/* seed.c */
struct world *world_new(void);
void world_free(struct world *w);
/* NULL, or which invariant the seed broke; prints what the world looked like when it got stuck. */
const char *seed_run(struct world *w, uint64_t seed);

#endif
