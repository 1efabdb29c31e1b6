#include "coordinator/loop_state.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"

#define ROLE          "koeval_coordinator"
#define DEFINITION_MS 30000
#define SCRUB_MS      1000
#define ANSWER_BYTES  ((size_t)256 << 20) /* arrays of one answer; far more than any can need */

/* ---- lines ---- */

static void line_add(struct loop *loop, enum lane lane)
{
    assert(loop->lines_count < LINES_MAX);
    loop->lines[loop->lines_count++] =
        (struct line){ .lane = lane, .pg = pg_new(loop->conf.db, ROLE, NULL) };
}

void lines_open(struct loop *loop)
{
    line_add(loop, LANE_CONTROL);
    for (int32_t i = 0; i < loop->conf.ingest; i++)
        line_add(loop, LANE_INGEST);
    for (int32_t i = 0; i < loop->conf.work; i++)
        line_add(loop, LANE_WORK);
}

void lines_close(struct loop *loop)
{
    for (int32_t i = 0; i < loop->lines_count; i++) {
        rows_free(loop->lines[i].waiting);
        pg_free(loop->lines[i].pg);
    }
    for (int lane = 0; lane < LANE_COUNT; lane++)
        fifo_free(&loop->queues[lane]);
}

/* ---- out ---- */

static enum lane lane_of(enum tx_kind kind)
{
    if (kind == TX_LEAD || kind == TX_BEAT)
        return LANE_CONTROL;
    return kind == TX_INGEST ? LANE_INGEST : LANE_WORK;
}

void tx_queue(struct loop *loop, const struct tx *tx)
{
    fifo_put(&loop->queues[lane_of(tx->kind)], tx->id);
}

static struct line *line_idle(struct loop *loop, enum lane lane)
{
    for (int32_t i = 0; i < loop->lines_count; i++)
        if (loop->lines[i].lane == lane && pg_idle(loop->lines[i].pg))
            return &loop->lines[i];
    return NULL;
}

static void tx_start(struct loop *loop, struct line *line, int32_t id, int64_t now_ms)
{
    const struct tx *tx = core_tx(loop->core, id);
    /* Forgotten, or of an epoch that is ending: the next leader's turn sends it again. */
    if (!tx || (core_role(loop->core) != ROLE_LEADING && tx->kind != TX_LEAD))
        return;
    if (store_send(&loop->store, line->pg, tx, now_ms))
        line->tx = id;
    else
        loop_step(loop, (struct event){ .kind = EV_TX,
                                        .tx = id,
                                        .outcome = TX_RETRY,
                                        .answer = &(struct answer){ 0 } });
}

/* libpq keeps the buffer that it received items in, and fills it from its beginning.  So a line
 * that has rested fetches as many blanks; nobody waits for that answer. */
static void lines_scrub(struct loop *loop, int64_t now_ms)
{
    for (int32_t i = 0; i < loop->lines_count; i++) {
        struct line *line = &loop->lines[i];
        if (!line->scrub_bytes || now_ms < line->scrub_ms || !pg_idle(line->pg))
            continue;
        pg_send(line->pg, "select repeat(' ', $1)", ARGS(I64((int64_t)line->scrub_bytes)), now_ms,
                DEFINITION_MS);
        line->scrub_bytes = 0;
    }
}

static void scrub_later(struct line *line, const struct rows *rows, int64_t now_ms)
{
    /* Beside what libpq made of them: the heads of messages, and a read that went beyond. */
    size_t bytes = rows_memory(rows) + ((size_t)64 << 10);
    line->scrub_bytes = bytes > line->scrub_bytes ? bytes : line->scrub_bytes;
    line->scrub_ms = now_ms + SCRUB_MS;
}

void tx_dispatch(struct loop *loop, int64_t now_ms)
{
    for (int lane = 0; lane < LANE_COUNT; lane++) {
        struct line *line = NULL;
        int32_t id = 0;
        while ((line = line_idle(loop, (enum lane)lane)) && fifo_take(&loop->queues[lane], &id))
            tx_start(loop, line, id, now_ms);
    }
    lines_scrub(loop, now_ms);
}

/* ---- items ---- */

static bool definition_read(struct loop *loop, const struct line *line, struct pg_answer *a,
                            struct err *err)
{
    AUTO(rows_free) struct rows *rows = TAKE(a->rows);
    if (!rows) {
        *err = a->err;
        return false;
    }
    const char *text = rows_count(rows) ? rows_text(rows, 0, "definition") : NULL;
    if (!text)
        return err_set(err, ERR_INPUT, "task version %d is not there", line->task_version);
    return tasks_put(loop->tasks, line->task_version, text, strlen(text), err);
}

static void definition_ask(struct line *line, struct rows *rows, int32_t version, int64_t now_ms)
{
    line->waiting = rows;
    line->task_version = version;
    pg_send(line->pg, "select definition from task_version where task_version_id = $1",
            ARGS(I64(version)), now_ms, DEFINITION_MS);
}

/* Fewer rows than were asked for: these are the last.  A chunk that covers none of them cannot be.
 */
static void chunk_answer(struct loop *loop, struct store_answer *out, const struct tx *tx)
{
    struct arena arena = { 0 };
    struct chunk_made made = { 0 };
    const struct task *task = out->items_count ? tasks_get(loop->tasks, out->task_version) : NULL;
    chunk_make(&made, &arena, task, out->items, out->items_count, tx->bytes);
    if (made.chunk->unrendered_item)
        log_event(LOG_ERROR, "item.unrendered", "task_version=%d item=%d", out->task_version,
                  (int)made.chunk->unrendered_item - 1);
    out->answer.last = out->items_count < ITEMS_FETCH && made.taken == out->items_count;
    out->answer.body = cargo_put(loop->cargo, &arena, (struct body){ .chunk = made.chunk });
}

/* ---- answers ---- */

static const char *kind_name(enum tx_kind kind)
{
    static const char *const names[] = {
        [TX_LEAD] = "lead",   [TX_BEAT] = "beat",     [TX_HELLO] = "hello",   [TX_WORK] = "work",
        [TX_CLAIM] = "claim", [TX_RENEW] = "renew",   [TX_EXPIRE] = "expire", [TX_FAIL] = "fail",
        [TX_ITEMS] = "items", [TX_INGEST] = "ingest", [TX_LOAD] = "load",
    };
    return names[kind];
}

static void log_failed(const struct tx *tx, enum tx_outcome outcome, const struct pg_answer *a)
{
    bool never = outcome == TX_DATA || (outcome == TX_REFUSED && tx->kind == TX_HELLO);
    bool fenced = outcome == TX_FENCED;
    log_event(never    ? LOG_ERROR
              : fenced ? LOG_INFO
                       : LOG_WARN,
              "tx.failed", "kind=%s epoch=%lld state=%s why=\"%s\"", kind_name(tx->kind),
              (long long)tx->epoch, a->sqlstate, a->err.text);
}

static void finish(struct loop *loop, struct line *line, enum tx_outcome outcome,
                   const struct store_answer *out)
{
    int32_t id = line->tx;
    line->tx = 0;
    loop->answer = out;
    loop_step(loop, (struct event){
                        .kind = EV_TX, .tx = id, .outcome = outcome, .answer = &out->answer });
    loop->answer = NULL;
}

/* An agent was silent for a lease and its grace: the one way of losing work that nobody said. */
static void log_expired(struct rows *rows)
{
    int64_t shards = rows_count(rows) ? rows_i64(rows, 0, "shard_expire") : 0;
    if (shards)
        log_event(LOG_WARN, "lease.expired", "shards=%lld", (long long)shards);
}

/* rows are taken. */
static void rows_answer(struct loop *loop, struct line *line, const struct tx *tx,
                        struct rows *rows_taken, int64_t now_ms)
{
    AUTO(rows_free) struct rows *rows = rows_taken;
    AUTO(arena_reset) struct arena arena = { .limit = ANSWER_BYTES };
    struct store_answer out;
    struct err err = { 0 };
    enum tx_outcome outcome = TX_OK;
    if (tx->kind == TX_ITEMS)
        scrub_later(line, rows, now_ms);
    if (tx->kind == TX_EXPIRE)
        log_expired(rows);
    if (!store_read(&out, &outcome, &loop->store, &arena, tx, rows, &err)) {
        log_event(LOG_ERROR, "tx.unread", "kind=%s why=\"%s\"", kind_name(tx->kind), err.text);
        outcome = TX_DATA;
    } else if (tx->kind == TX_ITEMS && out.items_count &&
               !tasks_get(loop->tasks, out.task_version)) {
        definition_ask(line, TAKE(rows), out.task_version, now_ms);
        return;
    } else if (tx->kind == TX_ITEMS) {
        chunk_answer(loop, &out, tx);
    }
    finish(loop, line, outcome, &out);
}

static void answered(struct loop *loop, struct line *line, struct pg_answer *a, int64_t now_ms)
{
    static const struct store_answer nothing;
    AUTO(rows_free) struct rows *waiting = TAKE(line->waiting);
    const struct tx *tx = core_tx(loop->core, line->tx);
    struct err err = { 0 };
    if (!tx) { /* the core has forgotten it */
        rows_free(a->rows);
        line->tx = 0;
        return;
    }
    enum tx_outcome outcome = store_outcome(tx->kind, a->sqlstate);
    if (waiting && !definition_read(loop, line, a, &err)) {
        log_event(LOG_ERROR, "task.unread", "task_version=%d why=\"%s\"", line->task_version,
                  err.text);
        finish(loop, line, outcome == TX_OK ? TX_DATA : outcome, &nothing);
    } else if (waiting) {
        rows_answer(loop, line, tx, TAKE(waiting), now_ms);
    } else if (outcome == TX_OK) {
        rows_answer(loop, line, tx, a->rows, now_ms);
    } else {
        log_failed(tx, outcome, a);
        finish(loop, line, outcome, &nothing);
    }
}

static void lost(struct loop *loop, struct line *line, const struct pg_answer *a)
{
    static const struct store_answer nothing;
    log_event(LOG_WARN, "postgres.lost", "lane=%d busy=%d why=\"%s\"", (int)line->lane, a->busy,
              a->err.text);
    rows_free(line->waiting);
    line->waiting = NULL;
    if (line->tx)
        finish(loop, line, TX_UNKNOWN, &nothing);
    if (line->lane == LANE_CONTROL)
        loop_step(loop, (struct event){ .kind = EV_LOST });
}

void line_step(struct loop *loop, struct line *line, int64_t now_ms)
{
    struct pg_answer a;
    for (enum pg_event event; (event = pg_step(line->pg, now_ms, &a)) != PG_NOTHING;)
        if (event == PG_ANSWER)
            answered(loop, line, &a, now_ms);
        else if (event == PG_LOST)
            lost(loop, line, &a);
}
