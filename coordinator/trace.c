#include "coordinator/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#define VERSION   1
#define END       " ;\n" /* a line without it was cut off */
#define COUNT_MAX 65536  /* of one array; more is no trace of ours */
#define FNV_BASE  0xcbf29ce484222325u
#define FNV_PRIME 0x100000001b3u

/* ---- a tape: numbers that are written, read or only summed up ---- */

struct tape {
    enum { TAPE_WRITE, TAPE_READ, TAPE_SUM } mode;
    FILE *file;     /* WRITE */
    const char *at; /* READ: the rest of the line */
    bool broken;    /* READ: it ended early */
    uint64_t sum;
};

static void number(struct tape *t, int64_t *value)
{
    char *end = NULL;
    if (t->mode == TAPE_WRITE) {
        fprintf(t->file, " %lld", (long long)*value);
    } else if (t->mode == TAPE_SUM) {
        t->sum = (t->sum ^ (uint64_t)*value) * FNV_PRIME;
    } else {
        *value = strtoll(t->at, &end, 10);
        t->broken |= end == t->at;
        t->at = end;
    }
}

#define NUMBER(t, field)                          \
    do {                                          \
        int64_t number_ = (int64_t)(field);       \
        number(t, &number_);                      \
        if ((t)->mode == TAPE_READ)               \
            (field) = (__typeof__(field))number_; \
    } while (0)

static void count(struct tape *t, int32_t *n, int32_t most)
{
    NUMBER(t, *n);
    t->broken |= *n < 0 || *n > most;
    if (t->broken)
        *n = 0;
}

static void lease_walk(struct tape *t, struct lease *lease)
{
    NUMBER(t, lease->shard);
    NUMBER(t, lease->epoch);
}

/* ---- what a core is told ---- */

static void conf_walk(struct tape *t, struct core_conf *c)
{
    int32_t *const all[] = { &c->lease_ms,    &c->heartbeat_ms, &c->silent_ms,    &c->settle_ms,
                             &c->flush_ms,    &c->flush_items,  &c->flushes,      &c->window_bytes,
                             &c->batch_items, &c->recover_ms,   &c->work_ms,      &c->retry_ms,
                             &c->standby_ms,  &c->load_ms,      &c->sessions_max, &c->batches_max };
    for (size_t i = 0; i < COUNT(all); i++)
        NUMBER(t, *all[i]);
    NUMBER(t, c->bytes_max);
}

static void msg_lists_walk(struct tape *t, struct msg *m, int32_t *disk)
{
    count(t, &m->held_count, HELD_MAX);
    for (int32_t i = 0; i < m->held_count; i++) {
        lease_walk(t, &m->held[i]);
        NUMBER(t, m->progress[i]);
    }
    count(t, &m->resident_count, RESIDENT_MAX);
    for (int32_t i = 0; i < m->resident_count; i++)
        NUMBER(t, m->resident[i]);
    count(t, &m->disk_count, DISK_MAX);
    for (int32_t i = 0; i < m->disk_count; i++)
        NUMBER(t, disk[i]);
}

/* disk: where the list is, or goes to. */
static void msg_walk(struct tape *t, struct msg *m, int32_t *disk)
{
    int32_t *const all[] = { &m->version_min,  &m->version_max, &m->slot,     &m->shards,
                             &m->items,        &m->bytes,       &m->from,     &m->model,
                             &m->run,          &m->lo,          &m->hi,       &m->replica,
                             &m->missing,      &m->age_ms,      &m->lease_ms, &m->heartbeat_ms,
                             &m->window_bytes, &m->batch_items, &m->wait_ms,  &m->body };
    bool *const flags[] = { &m->done, &m->last, &m->drain, &m->degraded };
    NUMBER(t, m->kind);
    NUMBER(t, m->session);
    NUMBER(t, m->seq);
    NUMBER(t, m->incarnation);
    NUMBER(t, m->number);
    NUMBER(t, m->epoch);
    NUMBER(t, m->verdict);
    NUMBER(t, m->refusal);
    NUMBER(t, m->reason);
    NUMBER(t, m->reason_num);
    NUMBER(t, m->code);
    lease_walk(t, &m->lease);
    for (size_t i = 0; i < COUNT(all); i++)
        NUMBER(t, *all[i]);
    for (size_t i = 0; i < COUNT(flags); i++)
        NUMBER(t, *flags[i]);
    msg_lists_walk(t, m, disk);
}

static void work_walk(struct tape *t, struct work *w)
{
    NUMBER(t, w->model);
    NUMBER(t, w->class);
    NUMBER(t, w->ready);
    NUMBER(t, w->priority);
    NUMBER(t, w->load_ms);
    NUMBER(t, w->shard_ms);
}

static void grant_walk(struct tape *t, struct grant *g)
{
    lease_walk(t, &g->lease);
    NUMBER(t, g->run);
    NUMBER(t, g->replica);
    NUMBER(t, g->lo);
    NUMBER(t, g->hi);
    NUMBER(t, g->missing);
}

static void verdict_walk(struct tape *t, struct verdict_row *v)
{
    NUMBER(t, v->verdict);
    NUMBER(t, v->refusal);
    NUMBER(t, v->done);
}

/* Arrays of an answer while it is read. */
struct store_of_answer {
    struct lease leases[COUNT_MAX];
    struct work works[COUNT_MAX];
    struct grant grants[COUNT_MAX];
    struct verdict_row verdicts[COUNT_MAX];
    int32_t draining[COUNT_MAX], disk[DISK_MAX];
    struct answer answer;
    struct msg msg;
};

/* An answer has the arrays of its kind and no other.  The walk writes to none of them but when it
 * reads, and then they are the store's. */
static void arrays_walk(struct tape *t, struct answer *a, struct store_of_answer *s)
{
    bool reading = t->mode == TAPE_READ,
         there[5] = { a->leases, a->works, a->grants, a->verdicts, a->draining };
    for (size_t i = 0; i < COUNT(there); i++)
        NUMBER(t, there[i]);
    count(t, &a->count, COUNT_MAX);
    count(t, &a->draining_count, COUNT_MAX);
    if (reading)
        *a = (struct answer){ .epoch = a->epoch,
                              .count = a->count,
                              .draining_count = a->draining_count,
                              .leases = there[0] ? s->leases : NULL,
                              .works = there[1] ? s->works : NULL,
                              .grants = there[2] ? s->grants : NULL,
                              .verdicts = there[3] ? s->verdicts : NULL,
                              .draining = there[4] ? s->draining : NULL };
    for (int32_t i = 0; there[0] && i < a->count; i++)
        lease_walk(t, (struct lease *)&a->leases[i]);
    for (int32_t i = 0; there[1] && i < a->count; i++)
        work_walk(t, (struct work *)&a->works[i]);
    for (int32_t i = 0; there[2] && i < a->count; i++)
        grant_walk(t, (struct grant *)&a->grants[i]);
    for (int32_t i = 0; there[3] && i < a->count; i++)
        verdict_walk(t, (struct verdict_row *)&a->verdicts[i]);
    for (int32_t i = 0; there[4] && i < a->draining_count; i++)
        NUMBER(t, *(int32_t *)&a->draining[i]);
}

static void answer_walk(struct tape *t, struct answer *a, struct store_of_answer *s)
{
    arrays_walk(t, a, s);
    NUMBER(t, a->epoch);
    NUMBER(t, a->agent);
    NUMBER(t, a->class);
    NUMBER(t, a->drain);
    NUMBER(t, a->body);
    NUMBER(t, a->last);
}

/* The event is a copy of the caller's; s: NULL when writing. */
static void event_walk(struct tape *t, struct event *ev, struct store_of_answer *s)
{
    bool reading = t->mode == TAPE_READ, has_msg = ev->msg, has_answer = ev->answer;
    NUMBER(t, ev->kind);
    NUMBER(t, ev->now_ms);
    NUMBER(t, ev->route);
    NUMBER(t, ev->key);
    NUMBER(t, ev->tx);
    NUMBER(t, ev->outcome);
    NUMBER(t, has_msg);
    NUMBER(t, has_answer);
    if (has_msg) {
        struct msg copy = reading ? (struct msg){ 0 } : *ev->msg;
        msg_walk(t, &copy, reading ? s->disk : (int32_t *)copy.disk);
        if (reading) {
            s->msg = copy;
            s->msg.disk = s->disk;
            ev->msg = &s->msg;
        }
    }
    if (has_answer) {
        struct answer copy = reading ? (struct answer){ 0 } : *ev->answer;
        answer_walk(t, &copy, s);
        if (reading) {
            s->answer = copy;
            ev->answer = &s->answer;
        }
    }
}

/* ---- what it decided ---- */

static void tx_sum(struct tape *t, const struct tx *asked)
{
    struct tx tx = *asked;
    int32_t *const all[] = { &tx.id,    &tx.key,   &tx.slot,  &tx.body, &tx.agent,
                             &tx.class, &tx.model, &tx.count, &tx.from, &tx.bytes };
    NUMBER(t, tx.kind);
    NUMBER(t, tx.epoch);
    NUMBER(t, tx.sent_ms);
    NUMBER(t, tx.beat);
    NUMBER(t, tx.session);
    NUMBER(t, tx.reason);
    NUMBER(t, tx.reason_num);
    lease_walk(t, &tx.lease);
    for (size_t i = 0; i < COUNT(all); i++)
        NUMBER(t, *all[i]);
    for (int32_t i = 0; tx.kind == TX_INGEST && i < tx.count; i++)
        NUMBER(t, tx.batches[i]);
    for (int32_t i = 0; tx.kind == TX_RENEW && i < tx.count; i++) {
        lease_walk(t, &tx.leases[i]);
        NUMBER(t, tx.agents[i]);
    }
}

static uint64_t actions_sum(const struct actions *actions)
{
    struct tape t = { .mode = TAPE_SUM, .sum = FNV_BASE };
    for (int32_t i = 0; i < actions->count; i++) {
        struct action a = actions->list[i];
        NUMBER(&t, a.kind);
        NUMBER(&t, a.route);
        NUMBER(&t, a.body);
        NUMBER(&t, a.at_ms);
        if (a.kind == ACT_SEND)
            msg_walk(&t, &a.msg, (int32_t *)a.msg.disk);
        if (a.kind == ACT_TX)
            tx_sum(&t, a.tx);
    }
    return t.sum;
}

/* ---- recording ---- */

struct trace {
    FILE *file;
};

/* The line before may have been cut off by a death. */
bool trace_open(struct trace **out, const char *path, const struct core_conf *conf, struct err *err)
{
    struct core_conf copy = *conf;
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "a");
    if (!file)
        return err_set(err, ERR_INPUT, "%s: %s", path, strerror(errno));
    *out = must_calloc(1, sizeof(**out));
    (*out)->file = file;
    fprintf(file, "\nH %d", VERSION);
    conf_walk(&(struct tape){ .mode = TAPE_WRITE, .file = file }, &copy);
    fprintf(file, END);
    return true;
}

void trace_close(struct trace *trace)
{
    if (trace && trace->file)
        fclose(trace->file);
    free(trace);
}

void trace_step(struct trace *trace, const struct event *event, const struct actions *actions)
{
    if (!trace || !trace->file)
        return;
    struct event copy = *event;
    fprintf(trace->file, "E");
    event_walk(&(struct tape){ .mode = TAPE_WRITE, .file = trace->file }, &copy, NULL);
    fprintf(trace->file, END "A %d %llu" END, actions->count,
            (unsigned long long)actions_sum(actions));
    if (fflush(trace->file) == 0)
        return;
    fclose(trace->file);
    trace->file = NULL;
}

/* ---- playing ---- */

struct player {
    struct core *core;
    struct actions acts;
    struct store_of_answer *store;
    bool stepped; /* an event was played, its actions are to be compared */
};

static bool core_begin(struct player *p, const char *line)
{
    struct tape t = { .mode = TAPE_READ, .at = line };
    struct core_conf conf = { 0 };
    int32_t version = 0;
    NUMBER(&t, version);
    conf_walk(&t, &conf);
    core_free(p->core);
    p->core = NULL;
    if (t.broken || strcmp(t.at, END) || version != VERSION || conf.sessions_max < 1 ||
        conf.batches_max < 1 || conf.flushes < 1)
        return false;
    p->core = core_new(&conf);
    return true;
}

static bool event_play(struct player *p, const char *line)
{
    struct tape t = { .mode = TAPE_READ, .at = line };
    struct event event = { 0 };
    event_walk(&t, &event, p->store);
    if (t.broken || strcmp(t.at, END))
        return false;
    core_step(p->core, &event, &p->acts);
    return true;
}

static bool actions_same(const struct player *p, const char *line, bool *whole)
{
    int n = 0;
    unsigned long long sum = 0;
    char end = 0;
    *whole = sscanf(line, "%d %llu %c", &n, &sum, &end) == 3 && end == ';';
    return !*whole || (n == p->acts.count && sum == actions_sum(&p->acts));
}

static void line_play(struct replay *out, struct player *p, const char *line, int64_t number)
{
    bool whole = line[0] == '\n';
    if (line[0] == 'H')
        out->cores += whole = core_begin(p, line + 1);
    else if (line[0] == 'E' && p->core)
        whole = p->stepped = event_play(p, line + 1);
    else if (line[0] == 'A' && p->stepped) {
        bool same = actions_same(p, line + 1, &whole);
        p->stepped = false;
        out->steps += whole;
        out->differing += !same;
        if (!same && !out->first)
            out->first = number;
    }
    out->cut += !whole;
}

bool trace_replay(struct replay *out, const char *path, struct err *err)
{
    FILE *file = fopen(path, "re");
    if (!file)
        return err_set(err, ERR_INPUT, "%s: %s", path, strerror(errno));
    *out = (struct replay){ 0 };
    struct player p = { .store = must_calloc(1, sizeof(*p.store)) };
    char *line = NULL;
    size_t room = 0;
    for (int64_t number = 1; getline(&line, &room, file) > 0; number++)
        line_play(out, &p, line, number);
    free(line);
    free(p.store);
    core_free(p.core);
    actions_free(&p.acts);
    fclose(file);
    return out->cores > 0 || err_set(err, ERR_INPUT, "%s: no trace of version %d", path, VERSION);
}
