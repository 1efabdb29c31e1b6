#include "coordinator/loop_state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"

#define WAIT_MAX_MS 1000
#define LEAVE_MS    3000 /* for children to end and for the last words to go out */
#define LINGER_MS   500

/* ---- life ---- */

static bool signals_open(struct loop *loop, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    loop->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
    return loop->signals >= 0 || err_set(err, ERR_RETRY, "signalfd: %s", strerror(errno));
}

static void store_begin(struct loop *loop)
{
    loop->store = (struct store){
        .conf = { .holder = loop->conf.holder,
                  .lease_ms = loop->conf.core.lease_ms,
                  .grace_ms = loop->conf.grace_ms,
                  .depose_ms = loop->conf.depose_ms },
        .models = &loop->models,
        .core = loop->core,
        .cargo = loop->cargo,
        .load = loop->load,
    };
}

/* zsys installs handlers of its own and prints what it thinks; neither is wanted here.  Threads of
 * libzmq inherit the mask, so the signals are blocked before its first socket. */
bool loop_open(struct loop **out, const struct loop_conf *conf, struct err *err)
{
    AUTO(loop_close) struct loop *loop = must_calloc(1, sizeof(*loop));
    loop->conf = *conf;
    loop->signals = -1;
    if (!signals_open(loop, err))
        return false;
    zsys_handler_set(NULL);
    loop->core = core_new(&conf->core);
    loop->cargo = cargo_new();
    loop->tasks = tasks_new();
    loop->load = load_new();
    loop->codec.models = &loop->models;
    loop->frame = must_calloc(WIRE_FRAME_MAX, 1);
    loop->jobs = (struct jobs){ .program = conf->program, .most = conf->jobs };
    loop->aux = pg_new(conf->db, "koeval_coordinator", "listen koeval_work; listen koeval_key");
    store_begin(loop);
    lines_open(loop);
    if ((conf->trace && !trace_open(&loop->trace, conf->trace, &conf->core, err)) ||
        !zap_open(&loop->zap, err) ||
        !router_open(&loop->router, conf->listen, conf->secret_key, err) ||
        !net_monitor_open(loop, err))
        return false;
    log_event(LOG_INFO, "coordinator.listen", "at=%s", router_endpoint(loop->router));
    *out = TAKE(loop);
    return true;
}

void loop_close(struct loop *loop)
{
    if (!loop)
        return;
    if (loop->monitor)
        zmq_close(loop->monitor);
    router_close(loop->router, LINGER_MS);
    zactor_destroy(&loop->zap);
    lines_close(loop);
    pg_free(loop->aux);
    aux_free(loop);
    fifo_free(&loop->gone);
    store_end(&loop->store);
    load_free(loop->load);
    tasks_free(loop->tasks);
    trace_close(loop->trace);
    core_free(loop->core);
    actions_free(&loop->acts);
    cargo_free(loop->cargo);
    digests_free(&loop->models);
    free(loop->frame);
    if (loop->signals >= 0)
        close(loop->signals);
    free(loop);
}

/* ---- signals ---- */

static void leave(struct loop *loop, int64_t now_ms)
{
    if (loop->leaving)
        return;
    log_event(LOG_INFO, "coordinator.leave", "jobs=%d", jobs_running(&loop->jobs));
    loop->leaving = true;
    loop->leave_ms = now_ms + LEAVE_MS;
    jobs_signal(&loop->jobs, SIGTERM);
    loop_step(loop, (struct event){ .kind = EV_RESIGN });
}

static void signals_read(struct loop *loop, int64_t now_ms)
{
    struct signalfd_siginfo info;
    while (read(loop->signals, &info, sizeof(info)) == sizeof(info)) {
        if (info.ssi_signo == SIGCHLD)
            jobs_reap(loop);
        else if (info.ssi_signo == SIGHUP)
            loop->keys_ms = 0;
        else
            leave(loop, now_ms);
    }
}

static bool has_left(const struct loop *loop, int64_t now_ms)
{
    bool quiet = !jobs_running(&loop->jobs) && !loop->aux_count;
    return loop->leaving && (quiet || now_ms >= loop->leave_ms);
}

/* ---- waiting ---- */

static int64_t sooner(int64_t a, int64_t b) { return a < b ? a : b; }

static long wait_ms(const struct loop *loop, int64_t now_ms)
{
    int64_t at = sooner(now_ms + WAIT_MAX_MS, sooner(aux_due_ms(loop), pg_due_ms(loop->aux)));
    if (loop->schema_known)
        at = sooner(at, core_timer_ms(loop->core));
    for (int32_t i = 0; i < loop->lines_count; i++)
        at = sooner(at, pg_due_ms(loop->lines[i].pg));
    return at > now_ms ? (long)(at - now_ms) : 0;
}

enum { AT_SIGNALS, AT_AUX, AT_MONITOR, AT_LINES };

static void put_pg(zmq_pollitem_t *item, const struct pg *pg)
{
    short events = pg_events(pg);
    int fd = pg_fd(pg);
    *item = (zmq_pollitem_t){ .fd = fd, .events = ZMQ_POLLERR };
    if (events & POLLIN)
        item->events |= ZMQ_POLLIN;
    if (events & POLLOUT)
        item->events |= ZMQ_POLLOUT;
}

/* Before the schema is known to be ours nobody is heard: the core must not ask for the lead. */
static int items_fill(struct loop *loop, zmq_pollitem_t *items)
{
    int n = AT_LINES;
    items[AT_SIGNALS] = (zmq_pollitem_t){ .fd = loop->signals, .events = ZMQ_POLLIN };
    items[AT_MONITOR] = (zmq_pollitem_t){ .socket = loop->monitor, .events = ZMQ_POLLIN };
    put_pg(&items[AT_AUX], loop->aux);
    for (int32_t i = 0; i < loop->lines_count; i++)
        put_pg(&items[n++], loop->lines[i].pg);
    for (int32_t i = 0; i < loop->jobs.most; i++)
        items[n++] = (zmq_pollitem_t){ .fd = loop->jobs.list[i].pid ? loop->jobs.list[i].said : -1,
                                       .events = ZMQ_POLLIN };
    if (loop->schema_known)
        items[n++] =
            (zmq_pollitem_t){ .socket = router_socket(loop->router), .events = ZMQ_POLLIN };
    return n;
}

/* zmq_poll takes a bad fd for an error of its own, so lines without one are left out. */
static int items_pack(zmq_pollitem_t *items, int n)
{
    int kept = 0;
    for (int i = 0; i < n; i++)
        if (items[i].socket || items[i].fd >= 0)
            items[kept++] = items[i];
    return kept;
}

static void turn(struct loop *loop)
{
    zmq_pollitem_t items[AT_LINES + LINES_MAX + JOBS_MAX + 1];
    int n = items_pack(items, items_fill(loop, items));
    zmq_poll(items, n, wait_ms(loop, clock_monotonic_ms()));

    int64_t now_ms = clock_monotonic_ms();
    jobs_hear(&loop->jobs);
    signals_read(loop, now_ms);
    aux_step(loop, now_ms);
    for (int32_t i = 0; i < loop->lines_count; i++)
        line_step(loop, &loop->lines[i], now_ms);
    net_monitor(loop);
    if (loop->schema_known) {
        net_read(loop);
        now_ms = clock_monotonic_ms();
        if (now_ms >= core_timer_ms(loop->core))
            loop_step(loop, (struct event){ .kind = EV_TICK });
    }
    tx_dispatch(loop, now_ms);
    aux_turn(loop, now_ms);
    net_note(loop, now_ms);
}

bool loop_run(struct loop *loop, struct err *err)
{
    while (!loop->refused && !has_left(loop, clock_monotonic_ms()))
        turn(loop);
    if (!loop->refused)
        return true;
    *err = loop->refusal;
    return false;
}
