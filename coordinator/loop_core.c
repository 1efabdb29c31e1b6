#include "coordinator/loop_state.h"

#include "common/clock.h"
#include "common/log.h"

/* ---- queues of numbers ---- */

void fifo_put(struct fifo *f, int32_t number)
{
    if (f->count == f->capacity) {
        int32_t capacity = f->capacity ? 2 * f->capacity : 64;
        int32_t *list = must_calloc((size_t)capacity, sizeof(*list));
        for (int32_t i = 0; i < f->count; i++)
            list[i] = f->list[(f->first + i) & (f->capacity - 1)];
        free(f->list);
        *f = (struct fifo){ list, 0, f->count, capacity };
    }
    f->list[(f->first + f->count++) & (f->capacity - 1)] = number;
}

bool fifo_take(struct fifo *f, int32_t *number)
{
    if (!f->count)
        return false;
    *number = f->list[f->first];
    f->first = (f->first + 1) & (f->capacity - 1);
    f->count--;
    return true;
}

void fifo_free(struct fifo *f)
{
    free(f->list);
    *f = (struct fifo){ 0 };
}

/* ---- what the core says ---- */

static const char *role_name(enum role role)
{
    static const char *const names[] = { "standby", "leading", "away" };
    return names[role];
}

static void log_role(struct loop *loop)
{
    enum role now = core_role(loop->core);
    if (now == loop->role)
        return;
    loop->role = now;
    struct core_counts n = core_count(loop->core);
    log_event(now == ROLE_AWAY ? LOG_WARN : LOG_INFO, "coordinator.role",
              "role=%s epoch=%lld sessions=%d leases=%d batches=%d", role_name(now),
              (long long)core_epoch(loop->core), n.sessions, n.held, n.batches);
}

static void act(struct loop *loop, const struct action *a)
{
    if (a->kind == ACT_SEND) {
        net_send(loop, a->route, &a->msg);
        if (a->msg.body)
            cargo_end(loop->cargo, a->msg.body);
    } else if (a->kind == ACT_TX) {
        tx_queue(loop, a->tx);
    } else if (a->kind == ACT_FREE) {
        cargo_end(loop->cargo, a->body);
    }
    /* CLOSE: libzmq closes when the peer does; TIMER: read before each wait. */
}

static void step_once(struct loop *loop, struct event event)
{
    event.now_ms = clock_monotonic_ms();
    core_step(loop->core, &event, &loop->acts);
    trace_step(loop->trace, &event, &loop->acts);
    for (int32_t i = 0; i < loop->acts.count; i++)
        act(loop, &loop->acts.list[i]);
    log_role(loop);
}

/* A send that found no one is an event of its own, after the step that sent. */
void loop_step(struct loop *loop, struct event event)
{
    step_once(loop, event);
    for (int32_t route; fifo_take(&loop->gone, &route);)
        step_once(loop, (struct event){ .kind = EV_GONE, .route = (uint32_t)route });
}
