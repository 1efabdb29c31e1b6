#include "tests/sim/world.h"

uint32_t roll(struct world *w, uint32_t below)
{
    w->random ^= w->random << 13;
    w->random ^= w->random >> 7;
    w->random ^= w->random << 17;
    return (uint32_t)((w->random * 0x2545f4914f6cdd1du) >> 33) % below;
}

int32_t key_of(int32_t process) { return process == AGENTS ? 1 : 1 + process; }

bool faulty(const struct world *w) { return w->now_ms < w->fault_end_ms; }

bool chance(struct world *w, uint32_t in_10000) { return faulty(w) && roll(w, 10000) < in_10000; }

void broke(struct world *w, const char *what)
{
    if (!w->broken)
        w->broken = what;
}

/* ---- what is to come: a binary heap by time, then by order of pushing ---- */

static bool before(const struct world *w, int32_t a, int32_t b)
{
    const struct sim_event *x = &w->pool[a], *y = &w->pool[b];
    return x->at_ms != y->at_ms ? x->at_ms < y->at_ms : x->order < y->order;
}

struct sim_event *push(struct world *w, enum kind kind, int64_t at_ms, int32_t who)
{
    assert(w->spare_count > 0);
    int32_t id = w->spare[--w->spare_count], i = w->heap_count++;
    w->pool[id] =
        (struct sim_event){ .at_ms = at_ms, .order = ++w->order, .kind = kind, .who = who };
    for (; i && before(w, id, w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = id;
    return &w->pool[id];
}

struct sim_event pop(struct world *w)
{
    int32_t top = w->heap[0], id = w->heap[--w->heap_count], i = 0, k;
    while ((k = 2 * i + 1) < w->heap_count) {
        k += k + 1 < w->heap_count && before(w, w->heap[k + 1], w->heap[k]);
        if (!before(w, w->heap[k], id))
            break;
        w->heap[i] = w->heap[k];
        i = k;
    }
    w->heap[i] = id;
    w->spare[w->spare_count++] = top;
    return w->pool[top];
}

/* ---- bodies ---- */

static int32_t *bodies_of(struct world *w, const struct body_slot *slots, int32_t owner)
{
    return slots == w->bodies ? &w->coords[owner].bodies : &w->agents[owner].bodies;
}

int32_t body_take(struct world *w, struct body_slot *slots, int32_t owner)
{
    for (int32_t i = 1; i < BODIES_MAX; i++)
        if (!slots[i].used) {
            slots[i] = (struct body_slot){ .used = true, .owner = owner };
            ++*bodies_of(w, slots, owner);
            return i;
        }
    broke(w, "I10 bodies leak");
    return 0;
}

void body_back(struct world *w, struct body_slot *slots, int32_t i)
{
    if (i && !slots[i].used)
        broke(w, "I10 a body is freed twice");
    else if (i)
        --*bodies_of(w, slots, slots[i].owner);
    slots[i].used = false;
}

/* ---- messages ---- */

/* An Ack names its batch only, as on the wire. */
static struct msg as_on_the_wire(const struct msg *msg)
{
    struct msg m = *msg;
    if (m.kind == MSG_ACK)
        m.lease = (struct lease){ 0 };
    m.body = 0;
    return m;
}

void deliver(struct world *w, enum kind kind, int32_t who, int32_t conn, const struct msg *msg,
             const struct heavy *heavy)
{
    const struct conn *c = &w->conns[conn];
    w->total.messages++;
    if (w->now_ms < w->cut_ms[c->agent][c->coord] || chance(w, w->p.drop)) {
        w->total.dropped++;
        return;
    }
    for (int32_t n = 1 + chance(w, w->p.dup); n > 0; n--) {
        uint32_t most = chance(w, w->p.slow) ? 4000 : (uint32_t)w->p.delay_ms;
        struct sim_event *e = push(w, kind, w->now_ms + 1 + roll(w, most), who);
        e->gen = kind == E_TO_AGENT ? w->agents[who].gen : 0;
        e->conn = conn;
        e->msg = as_on_the_wire(msg);
        if (heavy)
            e->heavy = *heavy;
    }
}
