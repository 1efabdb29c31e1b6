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

void db_work(const struct db *db, struct db_answer *out)
{
    int32_t works = 0, draining = 0;
    for (int32_t r = 0; r < RUNS; r++) {
        struct work *w = &out->works[works];
        *w = (struct work){ db->runs[r].model, db->runs[r].class, 0, 0, 5000, 2000 };
        for (int32_t i = 0; i < SHARDS; i++)
            w->ready += db->shards[i].run == r && db->shards[i].state == SHARD_READY;
        works += w->ready && db->runs[r].state == RUN_RUNNING;
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
    db->leases[i][s->epoch] = (struct db_lease){ agent, s->lo, s->hi, OUT_NONE };
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

static bool erred(const struct db *db, int32_t run, int32_t item)
{
    return db->errors[run][item] == db->runs[run].generation + 1;
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

static int32_t shards_done(const struct db *db, int32_t run)
{
    int32_t n = 0;
    for (int32_t i = 0; i < SHARDS; i++)
        n += db->shards[i].run == run && db->shards[i].state == SHARD_DONE;
    return n;
}

/* At the last shard the rows themselves are counted. */
static void run_advance(struct db *db, int32_t run)
{
    struct db_run *r = &db->runs[run];
    int32_t ok = 0, bad = 0, counted = 0;
    r->n_shard_done = shards_done(db, run);
    if (r->n_shard_done < ITEMS / SHARD_ITEMS)
        return;
    for (int32_t i = 0; i < ITEMS; i++) {
        ok += db->responses[run][i].there;
        bad += erred(db, run, i);
    }
    for (int32_t i = 0; i < SHARDS; i++)
        counted += db->shards[i].run == run ? db->shards[i].n_done : 0;
    if (ok + bad != ITEMS || counted != ok) {
        db->incidents++;
        bad = bad ? bad : 1;
    }
    r->n_done = ok;
    r->n_error = bad;
    r->state = bad ? RUN_ERRED : RUN_COMPLETE;
}

struct ingest {
    struct db *db;
    int64_t now;
    int32_t ok[SHARDS], bad[SHARDS];
};

static bool error_in(struct ingest *in, int32_t shard, int32_t run, int32_t item)
{
    if (in->db->responses[run][item].there || erred(in->db, run, item))
        return false;
    in->db->errors[run][item] = in->db->runs[run].generation + 1;
    in->bad[shard]++;
    return true;
}

/* One row of one admitted batch.  The first answer stays; an answer takes the place of an error. */
static bool row_in(struct ingest *in, const struct db_batch *b, const struct row *row)
{
    struct db *db = in->db;
    int32_t shard = (int32_t)b->lease.shard - 1, run = db->shards[shard].run, item = row->item_no;
    struct db_response *r = &db->responses[run][item];
    if (row->reason)
        return error_in(in, shard, run, item);
    if (r->there) {
        db->incidents += r->class == b->class && r->value != row->value;
        return false;
    }
    *r = (struct db_response){ true, b->agent, b->class, b->lease.epoch, row->value, in->now };
    if (erred(db, run, item)) {
        db->errors[run][item] = 0;
        in->bad[shard]--;
    }
    in->ok[shard]++;
    return true;
}

static void shard_end(struct ingest *in, int32_t i, const struct db_batch *batches, int32_t count)
{
    struct db_shard *s = &in->db->shards[i];
    if (s->n_done + s->n_error != s->hi - s->lo || s->state == SHARD_DONE)
        return;
    s->state = SHARD_DONE;
    s->agent = 0;
    struct db_lease *l = &in->db->leases[i][s->epoch];
    bool ours = false;
    for (int32_t k = 0; k < count; k++)
        ours |= batches[k].agent == l->agent;
    if (l->outcome == OUT_NONE)
        l->outcome = ours ? OUT_DONE : OUT_SUPERSEDED;
    run_advance(in->db, s->run);
}

static struct verdict_row batch_in(struct ingest *in, const struct db *before,
                                   const struct db_batch *b)
{
    const struct db_lease *l = &before->leases[b->lease.shard - 1][b->lease.epoch];
    enum refusal why = refusal(before, b);
    int32_t fresh = 0, bad = 0;
    for (int32_t r = 0; !why && r < b->count; r++) {
        int32_t item = b->rows[r].item_no;
        if (item < l->lo || item >= l->hi)
            bad++;
        else
            fresh += row_in(in, b, &b->rows[r]);
    }
    enum verdict verdict = why || bad == b->count ? VERDICT_REJECTED
                           : fresh                ? VERDICT_COMMITTED
                                                  : VERDICT_ALREADY;
    return (struct verdict_row){ verdict, why ? why : bad ? REFUSAL_NOT_IN_LEASE : 0, false };
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

bool db_ingest(struct db *db, int64_t now, const struct db_batch *batches, int32_t count,
               struct db_answer *out)
{
    static struct db before;
    before = *db;
    struct ingest in = { .db = db, .now = now };
    for (int32_t k = 0; k < count; k++)
        out->verdicts[k] = batch_in(&in, &before, &batches[k]);
    if (!counts_fit(&in)) {
        *db = before;
        return false;
    }
    for (int32_t i = 0; i < SHARDS; i++) {
        db->shards[i].n_done += in.ok[i];
        db->shards[i].n_error += in.bad[i];
    }
    for (int32_t i = 0; i < SHARDS; i++)
        if (in.ok[i] || in.bad[i])
            shard_end(&in, i, batches, count);
    for (int32_t k = 0; k < count; k++)
        out->verdicts[k].done = db->shards[batches[k].lease.shard - 1].state == SHARD_DONE;
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

/* run_retry: a lease that it takes away is ended */
void db_retry(struct db *db, int32_t run)
{
    bool any = false;
    for (int32_t i = 0; i < SHARDS; i++) {
        struct db_shard *s = &db->shards[i];
        if (s->run != run || (s->state != SHARD_ERROR && !s->n_error))
            continue;
        any = true;
        if (s->state == SHARD_LEASED)
            db->leases[i][s->epoch].outcome = OUT_RETURNED;
        s->state = SHARD_READY;
        s->n_error = s->attempts = s->not_agent = s->agent = 0;
    }
    if (!any && db->runs[run].state != RUN_ERRED)
        return;
    db->runs[run].state = RUN_RUNNING;
    db->runs[run].generation++;
    db->runs[run].n_done = db->runs[run].n_error = 0;
    db->runs[run].n_shard_done = shards_done(db, run);
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

const char *db_check(const struct db *db)
{
    const char *bad = db->incidents ? "an incident" : NULL;
    for (int32_t i = 0; !bad && i < SHARDS; i++)
        bad = check_shard(db, i);
    for (int32_t i = 0; !bad && i < RUNS * ITEMS; i++)
        bad = check_response(db, i / ITEMS, i % ITEMS);
    return bad;
}
