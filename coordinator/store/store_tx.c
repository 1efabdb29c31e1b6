#include "coordinator/store/store_tx.h"

#include <string.h>

#include "common/buf.h"
#include "coordinator/params.h"
#include "coordinator/store/store_ingest.h"

#define MOST_MS      60000 /* the server's own statement timeout is half of this */
#define LEAD_MOST_MS 30000

void store_end(struct store *store)
{
    free(store->model_ids);
    store->model_ids = NULL;
}

int32_t store_model(const struct store *store, int32_t number)
{
    return number > 0 && number < store->model_ids_count ? store->model_ids[number] : 0;
}

/* Numbers grow with the table, so the array does. */
static int32_t model_learn(struct store *store, const uint8_t *digest, int32_t model_id)
{
    int32_t number = digest_add(store->models, digest);
    if (number >= store->model_ids_count) {
        int32_t old = store->model_ids_count, now = 2 * number + 16;
        store->model_ids = must_realloc(store->model_ids, (size_t)now, sizeof(*store->model_ids));
        memset(store->model_ids + old, 0, (size_t)(now - old) * sizeof(*store->model_ids));
        store->model_ids_count = now;
    }
    store->model_ids[number] = model_id;
    return number;
}

/* ---- sending ---- */

/* The lock first; only with it the new epoch.  Without it, whoever holds it and is silent is put
 * down, and the next try gets it. */
static void send_lead(const struct store *s, struct pg *pg, int64_t now_ms)
{
    pg_send(pg,
            "select case when l.ok then coordinator_lead($1) else "
            "-coordinator_depose($2::bigint * interval '1 ms')::bigint end as won, "
            "(select epoch from coordinator) as epoch "
            "from (select pg_try_advisory_lock(7411000) as ok offset 0) l",
            ARGS(TEXT(s->conf.holder), I64(s->conf.depose_ms)), now_ms, LEAD_MOST_MS);
}

static void put_gpus(struct buf *buf, const Koeval__Hello *h)
{
    buf_put_text(buf, ",\"gpu\":[");
    for (size_t i = 0; i < h->n_gpu; i++) {
        buf_put_text(buf, i ? ",{\"name\":" : "{\"name\":");
        buf_put_json_string(buf, h->gpu[i]->name, strlen(h->gpu[i]->name));
        buf_put_fmt(buf, ",\"mem_mib\":%u,\"sm_arch\":%u,\"sm_count\":%u,\"driver\":%u}",
                    h->gpu[i]->mem_mib, h->gpu[i]->sm_arch, h->gpu[i]->sm_count, h->gpu[i]->driver);
    }
    buf_put_char(buf, ']');
}

/* wire.h let only plain names through, so this is JSON whatever the agent said. */
static void put_facts(struct buf *buf, const Koeval__Hello *h)
{
    buf_put_text(buf, "{\"build\":");
    buf_put_json_string(buf, h->build, strlen(h->build));
    buf_put_text(buf, ",\"hostname\":");
    buf_put_json_string(buf, h->hostname, strlen(h->hostname));
    buf_put_fmt(buf, ",\"shards_max\":%u,\"launcher\":%u,\"launcher_job\":%llu", h->shards_max,
                h->launcher, (unsigned long long)h->launcher_job);
    put_gpus(buf, h);
    buf_put_char(buf, '}');
}

static void put_hex(struct buf *buf, ProtobufCBinaryData bytes)
{
    for (size_t i = 0; i < bytes.len; i++)
        buf_put_fmt(buf, "%02x", bytes.data[i]);
}

static const uint8_t *key_of(const struct store *s, int32_t key_id)
{
    int32_t lo = 0, hi = s->keys_count;
    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;
        if (s->keys[mid].key_id < key_id)
            lo = mid + 1;
        else
            hi = mid;
    }
    bool found = lo < s->keys_count && s->keys[lo].key_id == key_id;
    return found ? s->keys[lo].pubkey : NULL;
}

static bool send_hello(const struct store *s, struct pg *pg, const struct tx *tx, int64_t now_ms)
{
    const struct body *body = cargo_of(s->cargo, tx->body);
    const uint8_t *key = key_of(s, tx->key);
    if (!body || !body->hello || !key)
        return false;
    const Koeval__Hello *h = body->hello;
    AUTO(buf_free) struct buf facts = { 0 };
    AUTO(buf_free) struct buf class = { 0 };
    AUTO(buf_free) struct buf incarnation = { 0 };
    put_facts(&facts, h);
    put_hex(&incarnation, h->incarnation);
    buf_put(&class, h->class_facts.data, h->class_facts.len);
    if (!class.size)
        buf_put_text(&class, "{}");
    const void *models[WIRE_MODELS_MAX];
    size_t sizes[WIRE_MODELS_MAX];
    for (size_t i = 0; i < h->n_models; i++) {
        models[i] = h->models[i].data;
        sizes[i] = h->models[i].len;
    }
    pg_send(pg, "select * from agent_hello($1, $2, $3, $4::uuid, $5, $6::jsonb, $7::jsonb, $8)",
            ARGS(I64(tx->epoch), BYTES(key, 32), I64(tx->slot), TEXT(buf_text(&incarnation)),
                 BYTES(h->class_digest.data, h->class_digest.len), TEXT(buf_text(&class)),
                 TEXT(buf_text(&facts)), BYTESS(models, sizes, h->n_models)),
            now_ms, MOST_MS);
    return true;
}

static void send_work(struct pg *pg, int64_t now_ms)
{
    pg_send(pg,
            "select model_id, model_digest, class_id, n_ready, priority, 0 as draining "
            "from work_list() union all "
            "select null, null, null, null, null, agent_id from agent_intents() "
            "where intent <> 'active'",
            NO_ARGS, now_ms, MOST_MS);
}

static void send_claim(const struct store *s, struct pg *pg, const struct tx *tx, int64_t now_ms)
{
    pg_send(pg, "select * from shard_claim($1, $2, $3, $4, $5::bigint * interval '1 ms')",
            ARGS(I64(tx->epoch), I64(tx->agent), I64(store_model(s, tx->model)), I64(tx->count),
                 I64(s->conf.lease_ms)),
            now_ms, MOST_MS);
}

static void send_renew(const struct store *s, struct pg *pg, const struct tx *tx, int64_t now_ms)
{
    int64_t shards[RENEW_MAX];
    int32_t epochs[RENEW_MAX];
    for (int32_t i = 0; i < tx->count; i++) {
        shards[i] = tx->leases[i].shard;
        epochs[i] = tx->leases[i].epoch;
    }
    size_t n = (size_t)tx->count;
    pg_send(pg, "select * from lease_renew($1, $2, $3, $4, $5::bigint * interval '1 ms')",
            ARGS(I64(tx->epoch), I64S(shards, n), I32S(epochs, n), I32S(tx->agents, n),
                 I64(s->conf.lease_ms)),
            now_ms, MOST_MS);
}

static void send_fail(struct pg *pg, const struct tx *tx, int64_t now_ms)
{
    pg_send(pg, "select shard_fail($1, $2, $3, $4, $5::fail_reason, $6)",
            ARGS(I64(tx->epoch), I64(tx->lease.shard), I64(tx->lease.epoch), I64(tx->agent),
                 TEXT(reason_name(tx->reason)), I64(tx->reason_num)),
            now_ms, MOST_MS);
}

static void send_items(struct pg *pg, const struct tx *tx, int64_t now_ms)
{
    pg_send(pg, "select * from item_fetch($1, $2, $3, $4, $5, $6)",
            ARGS(I64(tx->epoch), I64(tx->lease.shard), I64(tx->lease.epoch), I64(tx->agent),
                 I64(tx->from), I64(ITEMS_FETCH)),
            now_ms, MOST_MS);
}

static void send_load(const struct store *s, struct pg *pg, const struct tx *tx, int64_t now_ms)
{
    struct load_columns c = load_take(s->load, now_ms);
    size_t n = (size_t)c.agents_count, k = (size_t)c.leases_count;
    pg_send(pg,
            "select agent_telemetry($1, $2, $3, $4, $5, $6, $7, $8), "
            "lease_measure($1, $9, $10, $11, $12, $13, $14)",
            ARGS(I64(tx->epoch), I32S(c.agent, n), I64S(c.silent_ms, n), I32S(c.model, n),
                 F64S(c.item_rate, n), F64S(c.token_rate, n), I64S(c.memory_used, n),
                 I64S(c.memory_total, n), I64S(c.shard, k), I32S(c.lease_epoch, k),
                 I32S(c.lease_agent, k), I64S(c.token_naive, k), I64S(c.token_unique, k),
                 I64S(c.engine_ms, k)),
            now_ms, MOST_MS);
}

bool store_send(struct store *s, struct pg *pg, const struct tx *tx, int64_t now_ms)
{
    switch (tx->kind) {
    case TX_LEAD:
        send_lead(s, pg, now_ms);
        return true;
    case TX_BEAT:
        pg_send(pg, "select coordinator_beat($1)", ARGS(I64(tx->epoch)), now_ms, MOST_MS);
        return true;
    case TX_HELLO:
        return send_hello(s, pg, tx, now_ms);
    case TX_WORK:
        send_work(pg, now_ms);
        return true;
    case TX_CLAIM:
        send_claim(s, pg, tx, now_ms);
        return true;
    case TX_RENEW:
        send_renew(s, pg, tx, now_ms);
        return true;
    case TX_EXPIRE:
        pg_send(pg, "select shard_expire($1, $2::bigint * interval '1 ms')",
                ARGS(I64(tx->epoch), I64(s->conf.grace_ms)), now_ms, MOST_MS);
        return true;
    case TX_FAIL:
        send_fail(pg, tx, now_ms);
        return true;
    case TX_ITEMS:
        send_items(pg, tx, now_ms);
        return true;
    case TX_INGEST:
        return ingest_send(s, pg, tx, now_ms, MOST_MS);
    case TX_LOAD:
        send_load(s, pg, tx, now_ms);
        return true;
    }
    return false;
}

/* ---- what PostgreSQL said ---- */

static bool begins(const char *state, const char *with)
{
    return !strncmp(state, with, strlen(with));
}

enum tx_outcome store_outcome(enum tx_kind kind, const char *state)
{
    if (!*state)
        return TX_OK;
    if (!strcmp(state, "KE001"))
        return kind == TX_LEAD ? TX_RETRY : TX_FENCED;
    if (!strcmp(state, "KE002"))
        return TX_REFUSED;
    /* A server that is ending may have committed before it said so. */
    if (begins(state, "57P") || begins(state, "08"))
        return TX_UNKNOWN;
    static const char *const again[] = { "40", "53", "55P03", "57014", "25006" };
    for (size_t i = 0; i < COUNT(again); i++)
        if (begins(state, again[i]))
            return TX_RETRY;
    return TX_DATA;
}

static void *keep(struct arena *arena, int32_t count, size_t size)
{
    size_t bytes = (size_t)(count ? count : 1) * size;
    void *p = arena_get(arena, bytes);
    if (!p)
        abort(); /* the arena of an answer has no limit that rows could reach */
    memset(p, 0, bytes);
    return p;
}

static void read_lead(struct store_answer *out, enum tx_outcome *outcome, const struct rows *rows)
{
    int64_t won = rows_i64(rows, 0, "won");
    out->answer.epoch = won > 0 ? won : rows_i64(rows, 0, "epoch");
    *outcome = won > 0 ? TX_OK : TX_REFUSED;
}

static void read_hello(struct store_answer *out, struct arena *arena, struct rows *rows)
{
    int32_t count = 0, epochs_count = 0;
    const int64_t *shards = rows_i64s(rows, 0, "held", &count);
    const int32_t *epochs = rows_i32s(rows, 0, "held_epoch", &epochs_count);
    struct lease *leases = keep(arena, count, sizeof(*leases));
    assert(count == epochs_count);
    for (int32_t i = 0; i < count; i++)
        leases[i] = (struct lease){ shards[i], epochs[i] };
    out->answer.agent = (int32_t)rows_i64(rows, 0, "agent_id");
    out->answer.class = (int32_t)rows_i64(rows, 0, "class_id");
    out->answer.drain = strcmp(rows_text(rows, 0, "intent"), "active") != 0;
    out->answer.leases = leases;
    out->answer.count = count;
}

/* About what a load and a shard cost: they only weigh switching models against staying. */
#define LOAD_MS_GUESS  20000
#define SHARD_MS_GUESS 20000

static int by_value(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    return (x > y) - (x < y);
}

static bool read_work_row(struct work *out, struct store *s, struct rows *rows, int row)
{
    size_t size = 0;
    const uint8_t *digest = rows_bytes(rows, row, "model_digest", &size);
    if (!digest || size != DIGEST_BYTES)
        return false;
    int64_t ready = rows_i64(rows, row, "n_ready");
    int32_t model_id = (int32_t)rows_i64(rows, row, "model_id");
    *out = (struct work){ .model = model_learn(s, digest, model_id),
                          .class = (int32_t)rows_i64(rows, row, "class_id"),
                          .ready = (int32_t)(ready < INT32_MAX ? ready : INT32_MAX),
                          .priority = (int32_t)rows_i64(rows, row, "priority"),
                          .load_ms = LOAD_MS_GUESS,
                          .shard_ms = SHARD_MS_GUESS };
    return true;
}

static void read_work(struct store_answer *out, struct store *s, struct arena *arena,
                      struct rows *rows)
{
    int32_t count = rows_count(rows), draining_count = 0, works_count = 0;
    struct work *works = keep(arena, count, sizeof(*works));
    int32_t *draining = keep(arena, count, sizeof(*draining));
    for (int32_t i = 0; i < count; i++) {
        int32_t agent = (int32_t)rows_i64(rows, i, "draining");
        if (agent)
            draining[draining_count++] = agent;
        else
            works_count += read_work_row(&works[works_count], s, rows, i);
    }
    qsort(draining, (size_t)draining_count, sizeof(*draining), by_value);
    out->answer.works = works;
    out->answer.count = works_count;
    out->answer.draining = draining;
    out->answer.draining_count = draining_count;
}

static bool read_claim(struct store_answer *out, struct arena *arena, const struct rows *rows,
                       struct err *err)
{
    int32_t count = rows_count(rows);
    struct grant *grants = keep(arena, count, sizeof(*grants));
    Koeval__Params *params = keep(arena, count, sizeof(*params));
    for (int32_t i = 0; i < count; i++) {
        struct grant *g = &grants[i];
        g->lease.shard = rows_i64(rows, i, "shard_id");
        g->lease.epoch = (int32_t)rows_i64(rows, i, "lease_epoch");
        g->run = (int32_t)rows_i64(rows, i, "run_id");
        g->replica = (int32_t)rows_i64(rows, i, "replica");
        g->lo = (int32_t)rows_i64(rows, i, "plan_lo");
        g->hi = (int32_t)rows_i64(rows, i, "plan_hi");
        g->missing = g->hi - g->lo - (int32_t)rows_i64(rows, i, "n_done");
        const char *text = rows_text(rows, i, "params");
        if (!params_read(&params[i], text ? text : "", text ? strlen(text) : 0, err))
            return err_wrap(err, "run %d", g->run);
    }
    out->answer.grants = grants;
    out->answer.count = count;
    out->params = params;
    return true;
}

static void read_renew(struct store_answer *out, struct arena *arena, const struct rows *rows)
{
    int32_t count = rows_count(rows);
    struct lease *gone = keep(arena, count, sizeof(*gone));
    for (int32_t i = 0; i < count; i++)
        gone[i] = (struct lease){ rows_i64(rows, i, "shard_id"),
                                  (int32_t)rows_i64(rows, i, "lease_epoch") };
    out->answer.leases = gone;
    out->answer.count = count;
}

static struct text *read_shots(struct arena *arena, struct rows *rows, int row, int32_t *count)
{
    const size_t *sizes = NULL;
    const void *const *bytes = rows_bytess(rows, row, "shots", &sizes, count);
    struct text *shots = keep(arena, *count, sizeof(*shots));
    for (int32_t i = 0; i < *count; i++)
        shots[i] = (struct text){ bytes[i], sizes[i] };
    return shots;
}

static void read_items(struct store_answer *out, struct arena *arena, struct rows *rows)
{
    int32_t count = rows_count(rows);
    out->items = keep(arena, count, sizeof(*out->items));
    out->items_count = count;
    out->task_version = count ? (int32_t)rows_i64(rows, 0, "task_version_id") : 0;
    for (int32_t i = 0; i < count; i++) {
        struct chunk_item *item = &out->items[i];
        item->item_no = (int32_t)rows_i64(rows, i, "item_no");
        item->plan_no = (int32_t)rows_i64(rows, i, "plan_no");
        item->payload.bytes = rows_bytes(rows, i, "payload", &item->payload.size);
        item->shots = read_shots(arena, rows, i, &item->shots_count);
    }
}

bool store_read(struct store_answer *out, enum tx_outcome *outcome, struct store *store,
                struct arena *arena, const struct tx *tx, struct rows *rows, struct err *err)
{
    *out = (struct store_answer){ 0 };
    *outcome = TX_OK;
    if (tx->kind == TX_LEAD)
        read_lead(out, outcome, rows);
    else if (tx->kind == TX_HELLO)
        read_hello(out, arena, rows);
    else if (tx->kind == TX_WORK)
        read_work(out, store, arena, rows);
    else if (tx->kind == TX_CLAIM)
        return read_claim(out, arena, rows, err);
    else if (tx->kind == TX_RENEW)
        read_renew(out, arena, rows);
    else if (tx->kind == TX_ITEMS)
        read_items(out, arena, rows);
    else if (tx->kind == TX_INGEST)
        return ingest_read(&out->answer, arena, tx, rows, err);
    return true;
}
