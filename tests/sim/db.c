#include "tests/sim/db.h"

#include <string.h>

uint64_t db_truth(int32_t run, int32_t item, int32_t model)
{
    return (uint64_t)(run * 1000003 + item * 10007 + model * 101) * 0x9e3779b97f4a7c15u | 1;
}

void db_init(struct db *db)
{
    memset(db, 0, sizeof(*db));
    for (int32_t i = 0; i < RUNS; i++)
        db->runs[i].model = 1 + i % MODELS;
    for (int32_t i = 0; i < SHARDS; i++) {
        int32_t lo = i * SHARD_ITEMS % ITEMS;
        db->shards[i] =
            (struct db_shard){ .run = i * SHARD_ITEMS / ITEMS, .lo = lo, .hi = lo + SHARD_ITEMS };
    }
}

static bool revoked(const struct db *db, int32_t agent) { return db->keys[agent].revoked_ms != 0; }

static bool erred(const struct db *db, int32_t run, int32_t item)
{
    return db->errors[run][item] == db->runs[run].generation + 1;
}

/* ---- runs ---- */

struct moved { /* what one call changes in a run's counters */
    int32_t shards, given_up, ok, bad;
};

/* run_advance: when no shard is left the rows themselves are counted. */
static void run_advance(struct db *db, int32_t run, struct moved by)
{
    struct db_run *r = &db->runs[run];
    int32_t ok = 0, bad = 0;
    r->n_shard_done += by.shards;
    r->n_shard_error += by.given_up;
    r->n_done += by.ok;
    r->n_error += by.bad;
    if (r->state != RUN_RUNNING || r->n_shard_done + r->n_shard_error < ITEMS / SHARD_ITEMS)
        return;
    for (int32_t i = 0; i < ITEMS; i++) {
        ok += db->responses[run][i].there;
        bad += erred(db, run, i);
    }
    if (r->n_shard_error) {
        bad = ITEMS - ok; /* what a given-up shard lacks counts as erred */
    } else if (ok != r->n_done || ok + bad != ITEMS) {
        db->incidents++;
        bad = bad ? bad : 1;
    }
    r->n_done = ok;
    r->n_error = bad;
    r->state = bad ? RUN_ERRED : RUN_COMPLETE;
}

/* ---- leases ---- */

/* shard_release */
static void release(struct db *db, int64_t now, int32_t i, enum outcome outcome)
{
    struct db_shard *s = &db->shards[i];
    bool blame = outcome == OUT_EXPIRED || outcome == OUT_FAILED || outcome == OUT_LOST;
    if (s->state != SHARD_LEASED)
        return;
    db->leases[i][s->epoch].outcome = outcome;
    bool progress = s->n_done > s->done_at_grant;
    s->state = blame && !progress && s->attempts + 1 >= 3 ? SHARD_ERROR : SHARD_READY;
    s->attempts = progress ? 0 : s->attempts + blame;
    if (blame) {
        s->not_agent = s->agent;
        s->not_until_ms = now + NOT_AGENT_MS;
    }
    s->agent = 0;
    s->expires_ms = 0;
    if (s->state == SHARD_ERROR)
        run_advance(db, s->run, (struct moved){ .given_up = 1 });
}

bool db_hello(struct db *db, int64_t now, int32_t key, int32_t class, uint64_t incarnation,
              struct db_answer *out)
{
    struct db_agent *a = &db->agents[key];
    if (revoked(db, key))
        return false;
    uint64_t old = a->used ? a->incarnation : 0;
    *a = (struct db_agent){ true, a->drain, class, incarnation, now };
    for (int32_t i = 0; old != incarnation && i < SHARDS; i++)
        if (db->shards[i].agent == key)
            release(db, now, i, OUT_LOST);
    int32_t count = 0;
    for (int32_t i = 0; i < SHARDS; i++)
        if (db->shards[i].state == SHARD_LEASED && db->shards[i].agent == key)
            out->leases[count++] = (struct lease){ i + 1, db->shards[i].epoch };
    out->answer = (struct answer){
        .agent = key, .class = class, .drain = a->drain, .count = count, .leases = out->leases
    };
    return true;
}

static struct work *work_of(struct db_answer *out, int32_t *count, const struct db_run *r)
{
    for (int32_t i = 0; i < *count; i++)
        if (out->works[i].model == r->model && out->works[i].class == r->class)
            return &out->works[i];
    out->works[*count] = (struct work){ r->model, r->class, 0, 0, 5000, 2000 };
    return &out->works[(*count)++];
}

/* work_list and agent_intents */
void db_work(const struct db *db, struct db_answer *out)
{
    int32_t works = 0, draining = 0;
    for (int32_t r = 0; r < RUNS; r++) {
        int32_t ready = 0;
        for (int32_t i = 0; i < SHARDS; i++)
            ready += db->shards[i].run == r && db->shards[i].state == SHARD_READY;
        if (ready && db->runs[r].state == RUN_RUNNING)
            work_of(out, &works, &db->runs[r])->ready += ready;
    }
    for (int32_t a = 1; a <= AGENTS; a++)
        if (db->agents[a].drain)
            out->draining[draining++] = a;
    out->answer = (struct answer){
        .count = works, .works = out->works, .draining = out->draining, .draining_count = draining
    };
}

/* agent_alone */
static bool alone(const struct db *db, int64_t now, int32_t agent)
{
    for (int32_t a = 1; a <= AGENTS; a++)
        if (a != agent && db->agents[a].used && db->agents[a].class == db->agents[agent].class &&
            !db->agents[a].drain && !revoked(db, a) && db->agents[a].seen_ms > now - ALONE_MS)
            return false;
    return true;
}

static void lease_shard(struct db *db, int64_t until, int32_t i, int32_t agent)
{
    struct db_shard *s = &db->shards[i];
    s->state = SHARD_LEASED;
    s->epoch++;
    assert(s->epoch < EPOCHS && !db->leases[i][s->epoch].agent); /* lease's primary key */
    s->agent = agent;
    s->expires_ms = until;
    s->done_at_grant = s->n_done;
    db->leases[i][s->epoch] = (struct db_lease){ agent, OUT_NONE };
}

void db_claim(struct db *db, int64_t now, int32_t lease_ms, const struct tx *tx,
              struct db_answer *out)
{
    int32_t class = db->agents[tx->agent].class, count = 0;
    bool may = !revoked(db, tx->agent) && !db->agents[tx->agent].drain;
    bool only = alone(db, now, tx->agent);
    for (int32_t i = 0; may && i < SHARDS && count < tx->count; i++) {
        struct db_shard *s = &db->shards[i];
        struct db_run *r = &db->runs[s->run];
        bool barred = !only && s->not_agent == tx->agent && s->not_until_ms >= now;
        if (r->model != tx->model || r->state != RUN_RUNNING || (r->class && r->class != class) ||
            s->state != SHARD_READY || barred)
            continue;
        r->class = class;
        lease_shard(db, now + lease_ms, i, tx->agent);
        out->grants[count++] =
            (struct grant){ .lease = { i + 1, s->epoch }, .run = s->run, .lo = s->lo, .hi = s->hi };
    }
    out->answer = (struct answer){ .count = count, .grants = out->grants };
}

void db_renew(struct db *db, int64_t now, int32_t lease_ms, const struct tx *tx,
              struct db_answer *out)
{
    int32_t gone = 0;
    for (int32_t k = 0; k < tx->count; k++) {
        struct db_shard *s = &db->shards[tx->leases[k].shard - 1];
        if (s->state == SHARD_LEASED && s->epoch == tx->leases[k].epoch &&
            s->agent == tx->agents[k])
            s->expires_ms = now + lease_ms;
        else
            out->leases[gone++] = tx->leases[k];
    }
    out->answer = (struct answer){ .count = gone, .leases = out->leases };
}

int32_t db_expire(struct db *db, int64_t now, int32_t grace_ms)
{
    int32_t n = 0;
    for (int32_t i = 0; i < SHARDS; i++) {
        if (db->shards[i].state != SHARD_LEASED || db->shards[i].expires_ms >= now - grace_ms)
            continue;
        release(db, now, i, OUT_EXPIRED);
        n++;
    }
    return n;
}

void db_fail(struct db *db, int64_t now, const struct tx *tx)
{
    struct db_shard *s = &db->shards[tx->lease.shard - 1];
    if (s->state == SHARD_LEASED && s->epoch == tx->lease.epoch && s->agent == tx->agent)
        release(db, now, (int32_t)tx->lease.shard - 1,
                tx->reason == REASON_RETURNED ? OUT_RETURNED : OUT_FAILED);
}

/* item_fetch: for the holder only */
void db_items(const struct db *db, const struct tx *tx, struct db_items *out)
{
    const struct db_shard *s = &db->shards[tx->lease.shard - 1];
    *out = (struct db_items){ .last = true };
    if (s->state != SHARD_LEASED || s->epoch != tx->lease.epoch || s->agent != tx->agent)
        return;
    for (int32_t i = tx->from > s->lo ? tx->from : s->lo; i < s->hi; i++) {
        if (db->responses[s->run][i].there || erred(db, s->run, i))
            continue;
        if (out->count == FETCH_MAX) {
            out->last = false;
            return;
        }
        out->no[out->count++] = i;
    }
}

/* ---- ingest ---- */

static enum refusal refusal(const struct db *db, const struct db_batch *b)
{
    const struct db_shard *s = &db->shards[b->lease.shard - 1];
    if (db->leases[b->lease.shard - 1][b->lease.epoch].agent != b->agent)
        return REFUSAL_NO_SUCH_LEASE;
    if (revoked(db, b->agent))
        return REFUSAL_KEY_REVOKED;
    if (db->runs[s->run].state != RUN_RUNNING)
        return REFUSAL_RUN_NOT_LIVE;
    return db->runs[s->run].class != b->class ? REFUSAL_CLASS : REFUSAL_NONE;
}

struct ingest {
    struct db *db;
    int64_t now;
    const struct db_batch *batches;
    int32_t count;
    enum refusal why[FLUSH_MAX];
    bool fresh[FLUSH_MAX][ROWS_MAX];
    int32_t ok[SHARDS], bad[SHARDS];
    bool ended[RUNS]; /* a shard of it did */
    struct moved runs[RUNS];
};

static int32_t shard_of(const struct db_batch *b) { return (int32_t)b->lease.shard - 1; }

/* An agent may answer only for the items of its lease. */
static bool mine(const struct db *db, const struct db_batch *b, const struct row *row)
{
    const struct db_shard *s = &db->shards[shard_of(b)];
    return row->item_no >= s->lo && row->item_no < s->hi;
}

/* Calls for each row of an admitted batch that belongs to its lease. */
static void rows_each(struct ingest *in,
                      bool (*row_in)(struct ingest *, const struct db_batch *, const struct row *))
{
    for (int32_t k = 0; k < in->count; k++)
        for (int32_t r = 0; !in->why[k] && r < in->batches[k].count; r++)
            if (mine(in->db, &in->batches[k], &in->batches[k].rows[r]))
                in->fresh[k][r] |= row_in(in, &in->batches[k], &in->batches[k].rows[r]);
}

/* The first answer stays; an answer takes the place of an error. */
static bool answer_in(struct ingest *in, const struct db_batch *b, const struct row *row)
{
    struct db *db = in->db;
    int32_t shard = shard_of(b), run = db->shards[shard].run, item = row->item_no;
    struct db_response *r = &db->responses[run][item];
    if (row->reason || r->there)
        return false;
    *r = (struct db_response){ true, b->agent, b->class, b->lease.epoch, row->value, in->now };
    if (erred(db, run, item)) {
        db->errors[run][item] = 0;
        in->bad[shard]--;
    }
    in->ok[shard]++;
    return true;
}

static bool error_in(struct ingest *in, const struct db_batch *b, const struct row *row)
{
    int32_t shard = shard_of(b), run = in->db->shards[shard].run, item = row->item_no;
    if (!row->reason || in->db->responses[run][item].there || erred(in->db, run, item))
        return false;
    in->db->errors[run][item] = in->db->runs[run].generation + 1;
    in->bad[shard]++;
    return true;
}

/* response_compare: what was there already must be equal, within a class. */
static void compare(struct ingest *in)
{
    struct db *db = in->db;
    for (int32_t k = 0; k < in->count; k++)
        for (int32_t r = 0; !in->why[k] && r < in->batches[k].count; r++) {
            const struct db_batch *b = &in->batches[k];
            const struct db_response *old =
                &db->responses[db->shards[shard_of(b)].run][b->rows[r].item_no];
            db->incidents += !in->fresh[k][r] && !b->rows[r].reason && old->there &&
                             old->class == b->class && old->value != b->rows[r].value;
        }
}

static bool agent_sent(const struct ingest *in, int32_t agent)
{
    for (int32_t k = 0; k < in->count; k++)
        if (in->batches[k].agent == agent)
            return true;
    return false;
}

/* The shard's counts move; when all is there it ends, and so does its lease. */
static void shard_move(struct ingest *in, int32_t i)
{
    struct db_shard *s = &in->db->shards[i];
    struct db_lease *l = &in->db->leases[i][s->epoch];
    enum shard_state was = s->state;
    s->n_done += in->ok[i];
    s->n_error += in->bad[i];
    if (s->n_done + s->n_error != s->hi - s->lo)
        return;
    s->state = SHARD_DONE;
    s->agent = 0;
    if (l->outcome == OUT_NONE)
        l->outcome = agent_sent(in, l->agent) ? OUT_DONE : OUT_SUPERSEDED;
    bool again = was == SHARD_DONE; /* it is not counted twice */
    struct moved *by = &in->runs[s->run];
    in->ended[s->run] = true;
    by->shards += !again;
    by->given_up -= was == SHARD_ERROR;
    by->ok += again ? in->ok[i] : s->n_done;
    by->bad += again ? in->bad[i] : s->n_error;
}

static struct verdict_row verdict(const struct ingest *in, int32_t k)
{
    const struct db_batch *b = &in->batches[k];
    int32_t fresh = 0, bad = 0;
    for (int32_t r = 0; !in->why[k] && r < b->count; r++) {
        fresh += in->fresh[k][r];
        bad += !mine(in->db, b, &b->rows[r]);
    }
    enum verdict v = in->why[k] || (bad && bad == b->count) ? VERDICT_REJECTED
                     : fresh                                ? VERDICT_COMMITTED
                                                            : VERDICT_ALREADY;
    enum refusal why = in->why[k] ? in->why[k] : bad ? REFUSAL_NOT_IN_LEASE : REFUSAL_NONE;
    return (struct verdict_row){ v, why, in->db->shards[shard_of(b)].state == SHARD_DONE };
}

/* check (n_done + n_error <= plan_hi - plan_lo) */
static bool counts_fit(const struct ingest *in)
{
    for (int32_t i = 0; i < SHARDS; i++) {
        const struct db_shard *s = &in->db->shards[i];
        if (s->n_done + in->ok[i] + s->n_error + in->bad[i] > s->hi - s->lo)
            return false;
    }
    return true;
}

/* response_ingest: all answers, then the errors of what nobody answered. */
bool db_ingest(struct db *db, int64_t now, const struct db_batch *batches, int32_t count,
               struct db_answer *out)
{
    static struct db before;
    static struct ingest in;
    before = *db;
    in = (struct ingest){ .db = db, .now = now, .batches = batches, .count = count };
    for (int32_t k = 0; k < count; k++)
        in.why[k] = refusal(db, &batches[k]);
    rows_each(&in, answer_in);
    rows_each(&in, error_in);
    if (!counts_fit(&in)) {
        *db = before;
        return false;
    }
    for (int32_t i = 0; i < SHARDS; i++)
        if (in.ok[i] || in.bad[i])
            shard_move(&in, i);
    for (int32_t r = 0; r < RUNS; r++)
        if (in.ended[r])
            run_advance(db, r, in.runs[r]);
    compare(&in);
    for (int32_t k = 0; k < count; k++)
        out->verdicts[k] = verdict(&in, k);
    out->answer = (struct answer){ .count = count, .verdicts = out->verdicts };
    return true;
}

/* ---- operators ---- */

void db_revoke(struct db *db, int64_t now, int32_t key)
{
    if (!db->keys[key].revoked_ms)
        db->keys[key].revoked_ms = now;
    for (int32_t i = 0; i < SHARDS; i++)
        if (db->shards[i].agent == key)
            release(db, now, i, OUT_REVOKED);
}

/* run_retry: a lease that it takes away is ended.  False: nothing to retry. */
bool db_retry(struct db *db, int32_t run)
{
    struct db_run *r = &db->runs[run];
    if (r->state == RUN_COMPLETE)
        return false;
    r->n_shard_done = r->n_shard_error = r->n_done = r->n_error = 0;
    for (int32_t i = 0; i < SHARDS; i++) {
        struct db_shard *s = &db->shards[i];
        if (s->run != run)
            continue;
        if (s->state == SHARD_LEASED && s->n_error)
            db->leases[i][s->epoch].outcome = OUT_RETURNED;
        if (s->state == SHARD_ERROR || s->n_error) {
            s->state = SHARD_READY;
            s->n_error = s->attempts = s->not_agent = s->agent = 0;
        }
        r->n_shard_done += s->state == SHARD_DONE;
        r->n_done += s->state == SHARD_DONE ? s->n_done : 0;
    }
    r->state = RUN_RUNNING;
    r->generation++;
    return true;
}

/* ---- what must hold after every transaction ---- */

static const char *check_shard(const struct db *db, int32_t i)
{
    const struct db_shard *s = &db->shards[i];
    int32_t ok = 0, bad = 0, either = 0;
    for (int32_t k = s->lo; k < s->hi; k++) {
        bool there = db->responses[s->run][k].there, error = erred(db, s->run, k);
        ok += there;
        bad += error;
        either += there || error;
    }
    if (ok != s->n_done || bad != s->n_error)
        return "I1 the shard's counts are its rows";
    if ((s->state == SHARD_DONE) != (either == s->hi - s->lo))
        return "I3 done means every item is there";
    const struct db_lease *now = &db->leases[i][s->epoch];
    bool live = s->epoch && now->outcome == OUT_NONE;
    if ((s->state == SHARD_LEASED) != live || (live && now->agent != s->agent))
        return "I4 one live lease, its newest, of its holder";
    for (int32_t e = 1; e < s->epoch; e++)
        if (!db->leases[i][e].agent || db->leases[i][e].outcome == OUT_NONE)
            return "I4 older leases are ended";
    return NULL;
}

static const char *check_response(const struct db *db, int32_t run, int32_t item)
{
    const struct db_response *r = &db->responses[run][item];
    int32_t shard = (run * ITEMS + item) / SHARD_ITEMS;
    if (!r->there)
        return NULL;
    int64_t off = db->keys[r->agent].revoked_ms;
    if (r->value != db_truth(run, item, db->runs[run].model))
        return "I6 the value of an item is the item's and the model's";
    if (db->leases[shard][r->epoch].agent != r->agent)
        return "a row names a lease that was granted to its agent";
    if (off && r->at_ms > off)
        return "I7 nothing of a revoked key after the revocation";
    if (r->class != db->runs[run].class)
        return "law 2: one class a run";
    return NULL;
}

static const char *check_run(const struct db *db, int32_t run)
{
    const struct db_run *r = &db->runs[run];
    int32_t done = 0, given_up = 0, ok = 0, bad = 0;
    for (int32_t i = 0; i < SHARDS; i++) {
        const struct db_shard *s = &db->shards[i];
        if (s->run != run)
            continue;
        done += s->state == SHARD_DONE;
        given_up += s->state == SHARD_ERROR;
        ok += s->state == SHARD_DONE ? s->n_done : 0;
        bad += s->state == SHARD_DONE ? s->n_error : 0;
    }
    bool same = r->n_shard_done == done && r->n_shard_error == given_up;
    if (!same || (r->state == RUN_RUNNING && (r->n_done != ok || r->n_error != bad)))
        return "I9 the run's counts are its shards'";
    if (r->state == RUN_COMPLETE && (r->n_done != ITEMS || r->n_error))
        return "I9 complete means every item is answered";
    return NULL;
}

const char *db_check(const struct db *db)
{
    const char *bad = db->incidents ? "an incident" : NULL;
    for (int32_t i = 0; !bad && i < RUNS; i++)
        bad = check_run(db, i);
    for (int32_t i = 0; !bad && i < SHARDS; i++)
        bad = check_shard(db, i);
    for (int32_t i = 0; !bad && i < RUNS * ITEMS; i++)
        bad = check_response(db, i / ITEMS, i % ITEMS);
    return bad;
}
