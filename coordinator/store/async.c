#include "coordinator/store/async.h"

#include <libpq-fe.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 2000
#define CONNECT_MS     10000
#define GREETING_MS    10000

struct pg {
    char *conninfo, *role, *greeting;
    PGconn *conn;
    enum { DOWN, CONNECTING, GREETING, IDLE, BUSY } state;
    PostgresPollingStatusType wants; /* while connecting */
    bool flushing;                   /* libpq holds bytes that the socket did not take */
    int64_t due_ms, backoff_ms;      /* due: reconnect when DOWN, give up otherwise */
    PGresult *result;                /* of the call under way */
    char channel[64];
};

/* ---- life ---- */

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(must_calloc(size, 1), text, size);
}

struct pg *pg_new(const char *conninfo, const char *role, const char *greeting)
{
    struct pg *pg = must_calloc(1, sizeof(*pg));
    pg->conninfo = copy(conninfo ? conninfo : "");
    pg->role = copy(role);
    pg->greeting = greeting ? copy(greeting) : NULL;
    pg->backoff_ms = BACKOFF_MIN_MS;
    return pg;
}

static void hang_up(struct pg *pg)
{
    PQclear(pg->result);
    PQfinish(pg->conn);
    pg->result = NULL;
    pg->conn = NULL;
    pg->state = DOWN;
    pg->flushing = false;
}

void pg_free(struct pg *pg)
{
    if (!pg)
        return;
    hang_up(pg);
    free(pg->conninfo);
    free(pg->role);
    free(pg->greeting);
    free(pg);
}

void pg_drop(struct pg *pg, int64_t now_ms)
{
    hang_up(pg);
    pg->due_ms = now_ms + pg->backoff_ms;
    pg->backoff_ms = 2 * pg->backoff_ms < BACKOFF_MAX_MS ? 2 * pg->backoff_ms : BACKOFF_MAX_MS;
}

/* ---- reading it ---- */

int pg_fd(const struct pg *pg) { return pg->conn ? PQsocket(pg->conn) : -1; }

short pg_events(const struct pg *pg)
{
    if (pg->state == CONNECTING)
        return pg->wants == PGRES_POLLING_WRITING ? POLLOUT : POLLIN;
    return (short)(pg->flushing ? POLLIN | POLLOUT : POLLIN);
}

int64_t pg_due_ms(const struct pg *pg) { return pg->state == IDLE ? INT64_MAX : pg->due_ms; }

const char *pg_channel(const struct pg *pg) { return pg->channel; }

bool pg_idle(const struct pg *pg) { return pg->state == IDLE; }

bool pg_is_up(const struct pg *pg) { return pg->state == IDLE || pg->state == BUSY; }

/* ---- connecting ---- */

static enum pg_event lost(struct pg *pg, int64_t now_ms, struct pg_answer *answer)
{
    bool was_up = pg_is_up(pg);
    answer->busy = pg->state == BUSY;
    const char *text = pg->conn ? PQerrorMessage(pg->conn) : "";
    err_set(&answer->err, ERR_RETRY, "postgres: %.*s", (int)strcspn(text, "\n"), text);
    pg_drop(pg, now_ms);
    return was_up ? PG_LOST : PG_FAILED;
}

static void notice_drop(void *self, const PGresult *result)
{
    (void)self;
    (void)result;
}

static void connect_start(struct pg *pg, int64_t now_ms)
{
    const char *const words[] = { "user",   "options",         "fallback_application_name",
                                  "dbname", "client_encoding", NULL };
    const char *const values[] = {
        pg->role, "-c search_path=koeval,ranking", "koeval-coordinator", pg->conninfo, "UTF8", NULL
    };
    pg->conn = PQconnectStartParams(words, values, 1);
    if (!pg->conn)
        abort(); /* out of memory */
    pg->state = CONNECTING;
    pg->wants = PGRES_POLLING_WRITING;
    pg->due_ms = now_ms + CONNECT_MS;
}

static void flush(struct pg *pg) { pg->flushing = PQflush(pg->conn) > 0; }

static void greet(struct pg *pg, int64_t now_ms)
{
    PQsetnonblocking(pg->conn, 1);
    PQsetNoticeReceiver(pg->conn, notice_drop, NULL);
    pg->state = GREETING;
    pg->due_ms = now_ms + GREETING_MS;
    PQsendQuery(pg->conn, pg->greeting ? pg->greeting : "select 1");
    flush(pg);
}

static enum pg_event connect_step(struct pg *pg, int64_t now_ms, struct pg_answer *answer)
{
    pg->wants = PQconnectPoll(pg->conn);
    if (pg->wants == PGRES_POLLING_FAILED)
        return lost(pg, now_ms, answer);
    if (pg->wants == PGRES_POLLING_OK)
        greet(pg, now_ms);
    return PG_NOTHING;
}

/* ---- calls ---- */

void pg_send(struct pg *pg, const char *sql, const struct arg *args, int64_t now_ms,
             int64_t most_ms)
{
    assert(pg->state == IDLE);
    AUTO(args_end) struct args_bound bound;
    args_bind(&bound, args);
    /* What cannot be sent is found by the next step: the connection is bad then. */
    PQsendQueryParams(pg->conn, sql, bound.count, bound.types, bound.values, bound.lengths,
                      bound.formats, 0);
    pg->state = BUSY;
    pg->due_ms = now_ms + most_ms;
    flush(pg);
}

static enum pg_event greeted(struct pg *pg, int64_t now_ms, struct pg_answer *answer)
{
    bool ok = pg->result && db_result_ok(pg->result, answer->sqlstate, &answer->err);
    PQclear(pg->result);
    pg->result = NULL;
    if (!ok)
        return lost(pg, now_ms, answer);
    pg->state = IDLE;
    pg->backoff_ms = BACKOFF_MIN_MS;
    return PG_UP;
}

static enum pg_event answered(struct pg *pg, struct pg_answer *answer)
{
    AUTO(rows_free) struct rows *rows = rows_take(pg->result);
    bool ok = db_result_ok(pg->result, answer->sqlstate, &answer->err);
    pg->result = NULL;
    pg->state = IDLE;
    answer->rows = ok ? TAKE(rows) : NULL;
    return PG_ANSWER;
}

/* The last of a call's results is its answer; libpq says NULL when there are no more. */
static enum pg_event results_read(struct pg *pg, int64_t now_ms, struct pg_answer *answer)
{
    while (!PQisBusy(pg->conn)) {
        PGresult *result = PQgetResult(pg->conn);
        if (result) {
            PQclear(pg->result);
            pg->result = result;
            continue;
        }
        if (PQstatus(pg->conn) == CONNECTION_BAD || !pg->result)
            return lost(pg, now_ms, answer);
        return pg->state == GREETING ? greeted(pg, now_ms, answer) : answered(pg, answer);
    }
    return PG_NOTHING;
}

static bool notified(struct pg *pg)
{
    PGnotify *notify = PQnotifies(pg->conn);
    if (!notify)
        return false;
    snprintf(pg->channel, sizeof(pg->channel), "%s", notify->relname);
    PQfreemem(notify);
    return true;
}

static enum pg_event talk_step(struct pg *pg, int64_t now_ms, struct pg_answer *answer)
{
    if (pg->flushing)
        flush(pg);
    if (!PQconsumeInput(pg->conn) || PQstatus(pg->conn) == CONNECTION_BAD)
        return lost(pg, now_ms, answer);
    if (notified(pg))
        return PG_NOTICE;
    return pg->state == IDLE ? PG_NOTHING : results_read(pg, now_ms, answer);
}

enum pg_event pg_step(struct pg *pg, int64_t now_ms, struct pg_answer *answer)
{
    *answer = (struct pg_answer){ 0 };
    if (pg->state == DOWN) {
        if (now_ms >= pg->due_ms)
            connect_start(pg, now_ms);
        return PG_NOTHING;
    }
    if (pg->state != IDLE && now_ms >= pg->due_ms)
        return lost(pg, now_ms, answer);
    return pg->state == CONNECTING ? connect_step(pg, now_ms, answer)
                                   : talk_step(pg, now_ms, answer);
}
