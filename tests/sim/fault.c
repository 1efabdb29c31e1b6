#include "tests/sim/world.h"

/* ---- one fault each ---- */

static void agent_dies(struct world *w, int32_t a, int32_t c)
{
    (void)c;
    if (!w->agents[a].up)
        return;
    bool for_good = (a == 1 || a == 2) && !roll(w, 4);
    agent_ends(w, a, !for_good);
}

/* Up to two and a half leases. */
static void agent_stops(struct world *w, int32_t a, int32_t c)
{
    (void)c;
    w->agents[a].paused_ms = w->now_ms + 500 + roll(w, 25000);
}

static void coord_dies(struct world *w, int32_t a, int32_t c)
{
    (void)a;
    if (!w->coords[c].up)
        return;
    coord_ends(w, c);
}

/* Wakes as a leader that was. */
static void coord_stops(struct world *w, int32_t a, int32_t c)
{
    (void)a;
    w->coords[c].paused_ms = w->now_ms + 500 + roll(w, 12000);
}

static void link_cut(struct world *w, int32_t a, int32_t c)
{
    w->cut_ms[a][c] = w->now_ms + 500 + roll(w, 20000);
}

static void database_cut(struct world *w, int32_t a, int32_t c)
{
    (void)a;
    w->coords[c].cut_ms = w->now_ms + 300 + roll(w, 8000);
    if (w->coords[c].cut_ms > w->now_ms + 4000) /* keepalives end its backends */
        push(w, E_LOCK_FREE, w->now_ms + 4000, c)->db_gen = w->coords[c].db_gen;
}

/* The server dies: of the asynchronous commits only what had been flushed is left. */
static void database_dies(struct world *w, int32_t a, int32_t c)
{
    (void)a;
    w->total.crashes++;
    w->db = w->durable;
    w->lock = -1;
    for (c = 0; c < COORDS; c++)
        coord_disconnect(w, c);
    check_all(w);
}

static void key_revoked(struct world *w, int32_t a, int32_t c)
{
    if (a != 1 && a != 2)
        return;
    db_revoke(&w->db, w->now_ms, 1 + a);
    w->durable = w->db;
    check_all(w);
    for (c = 0; c < COORDS; c++)
        if (roll(w, 3)) /* or the notification is lost: then only the database knows */
            push(w, E_REVOKED, w->now_ms + roll(w, 2000), c)->key = 1 + a;
}

/* Notifications come, or they do not. */
static void hint(struct world *w)
{
    for (int32_t c = 0; c < COORDS; c++)
        if (roll(w, 3))
            push(w, E_HINT, w->now_ms + roll(w, 300), c);
}

static void agent_drained(struct world *w, int32_t a, int32_t c)
{
    (void)c;
    w->db.agents[1 + a].drain = !w->db.agents[1 + a].drain;
    w->durable.agents[1 + a].drain = w->db.agents[1 + a].drain;
    hint(w);
}

/* It finishes what runs, hands back the rest and says goodbye. */
static void agent_leaves(struct world *w, int32_t a, int32_t c)
{
    (void)c;
    push(w, E_AGENT_STOP, w->now_ms, a)->gen = w->agents[a].gen;
}

static void coord_leaves(struct world *w, int32_t a, int32_t c)
{
    (void)a;
    push(w, E_RESIGN, w->now_ms, c)->gen = w->coords[c].gen;
    push(w, E_COORD_END, w->now_ms + 1 + roll(w, 3000), c)->gen = w->coords[c].gen;
}

static void network_cut(struct world *w, int32_t a, int32_t c)
{
    for (a = 0; a < PROCS; a++)
        w->cut_ms[a][c] = w->now_ms + 500 + roll(w, 8000);
}

static void hinted(struct world *w, int32_t a, int32_t c)
{
    (void)a;
    (void)c;
    hint(w);
}

/* Somebody starts a second agent with the first one's key and slot: they take it from each other.
 */
static void agent_doubled(struct world *w, int32_t a, int32_t c)
{
    (void)a;
    (void)c;
    if (w->agents[AGENTS].up)
        agent_ends(w, AGENTS, false);
    else
        push(w, E_AGENT_UP, w->now_ms, AGENTS);
}

/* ---- which, and when ---- */

static void (*const faults[FAULTS])(struct world *, int32_t a, int32_t c) = {
    agent_dies,   agent_stops,   coord_dies,  coord_stops,   link_cut,
    database_cut, database_dies, key_revoked, agent_drained, network_cut,
    agent_leaves, coord_leaves,  hinted,      agent_doubled,
};

void fault(struct world *w)
{
    int32_t a = (int32_t)roll(w, AGENTS), c = (int32_t)roll(w, COORDS);
    uint32_t what = roll(w, FAULTS);
    push(w, E_FAULT, w->now_ms + 100 + roll(w, 2500), 0);
    if (!chance(w, w->p.fault[what]))
        return;
    w->total.faults++;
    faults[what](w, a, c);
}

/* Each seed has its own mix: some faults not at all, some often. */
void draw_faults(struct world *w)
{
    static const uint32_t levels[] = { 0, 0, 50, 300, 1500 };
    uint32_t *each[] = { &w->p.drop,  &w->p.dup,   &w->p.slow, &w->p.ambiguous,
                         &w->p.retry, &w->p.error, &w->p.fail };
    for (size_t i = 0; i < COUNT(each); i++)
        *each[i] = levels[roll(w, COUNT(levels))];
    for (size_t i = 0; i < FAULTS; i++)
        w->p.fault[i] = roll(w, 2) ? 0 : 1000 + roll(w, 6000);
    w->p.poison = roll(w, 4) ? 0 : 1 + roll(w, ITEMS - 1);
    w->p.delay_ms = roll(w, 2) ? 3 : roll(w, 2) ? 40 : 400;
    w->fault_end_ms = 10000 + roll(w, 40000);
}

static bool stuck(const struct world *w, int32_t run)
{
    return w->db.runs[run].state == RUN_ERRED || w->db.runs[run].n_shard_error;
}

/* After the faults: drains off, and what ended in errors is tried again. */
void operator_turn(struct world *w)
{
    push(w, E_OPERATOR, w->now_ms + 3000, 0);
    if (faulty(w))
        return;
    if (w->agents[AGENTS].up)
        agent_ends(w, AGENTS, false);
    for (int32_t a = 1; a <= AGENTS; a++)
        w->db.agents[a].drain = false;
    for (int32_t r = 0; r < RUNS; r++)
        if (stuck(w, r))
            db_retry(&w->db, r);
    hint(w);
    w->durable = w->db;
    check_all(w);
}
