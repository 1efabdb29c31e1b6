#include "coordinator/store/db.h"

#include <libpq-fe.h>
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/store/array.h"

#define SQLSTATE_SIZE 6

struct db {
    PGconn *conn;
    char sqlstate[SQLSTATE_SIZE];
};

static void notice_drop(void *self, const PGresult *result)
{
    (void)self;
    (void)result;
}

/* The first line, without its end; libpq explains on the lines below. */
static bool connection_err(const PGconn *conn, struct err *err)
{
    const char *text = PQerrorMessage(conn);
    return err_set(err, ERR_RETRY, "postgres: %.*s", (int)strcspn(text, "\n"), text);
}

bool db_open_database(struct db **out, const char *conninfo, const char *role, const char *database,
                      struct err *err)
{
    /* What stands before dbname is overridden by what conninfo says, what stands behind is not; of
     * two dbnames only the first is taken apart. */
    const char *const words[] = { "user",   "options",         "fallback_application_name",
                                  "dbname", "client_encoding", database ? "dbname" : NULL,
                                  NULL };
    const char *const values[] = { role,     "-c search_path=koeval,ranking",
                                   "koeval", conninfo ? conninfo : "",
                                   "UTF8",   database,
                                   NULL };
    AUTO(db_close) struct db *db = must_calloc(1, sizeof(*db));
    db->conn = PQconnectdbParams(words, values, 1);
    if (PQstatus(db->conn) != CONNECTION_OK)
        return connection_err(db->conn, err);

    /* Notices are prose about schemas; a program's stderr is not the place. */
    PQsetNoticeReceiver(db->conn, notice_drop, NULL);
    *out = TAKE(db);
    return true;
}

bool db_open(struct db **out, const char *conninfo, const char *role, struct err *err)
{
    return db_open_database(out, conninfo, role, NULL, err);
}

static void conninfo_free(PQconninfoOption *options) { PQconninfoFree(options); }
AUTO_FREES(PQconninfoOption *, conninfo_free)

bool db_target(char *out, size_t size, const char *conninfo, struct err *err)
{
    const char *name = getenv("PGDATABASE");
    name = name ? name : "koeval";
    AUTO(conninfo_free) PQconninfoOption *options = NULL;
    if (conninfo && conninfo[0]) {
        options = PQconninfoParse(conninfo, NULL);
        if (!options)
            return err_set(err, ERR_INPUT, "connection string is none");
        for (const PQconninfoOption *o = options; o->keyword; o++)
            if (!strcmp(o->keyword, "dbname") && o->val)
                name = o->val;
    }
    snprintf(out, size, "%s", name);
    return true;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    PQfinish(db->conn);
    free(db);
}

const char *db_sqlstate(const struct db *db) { return db->sqlstate; }

/* Trying again may help: connection (08), resources (53), operator's intervention (57), a lock or
 * serialisation lost. */
static bool state_is_retry(const char *state)
{
    static const char *const prefixes[] = { "08", "53", "57", "40", "55P03" };
    for (size_t i = 0; i < COUNT(prefixes); i++)
        if (!strncmp(state, prefixes[i], strlen(prefixes[i])))
            return true;
    return !state[0];
}

bool db_result_ok(const PGresult *result, char *sqlstate, struct err *err)
{
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_SINGLE_TUPLE)
        return true;

    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *text = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    state = state ? state : "";
    text = text ? text : "the connection was lost";
    /* Class 22 quotes the value that it could not read, behind a colon or in quotes. */
    size_t size = strcspn(text, strncmp(state, "22", 2) ? "\n" : "\n:\"");
    if (sqlstate)
        snprintf(sqlstate, SQLSTATE_SIZE, "%s", state);
    return err_set(err, state_is_retry(state) ? ERR_RETRY : ERR_INPUT, "%.*s%s%s%s", (int)size,
                   text, state[0] ? " [" : "", state, state[0] ? "]" : "");
}

static bool result_ok(struct db *db, const PGresult *result, struct err *err)
{
    db->sqlstate[0] = 0;
    if (!result)
        return connection_err(db->conn, err);
    return db_result_ok(result, db->sqlstate, err);
}

bool db_call(struct rows **out, struct db *db, const char *sql, const struct arg *args,
             struct err *err)
{
    AUTO(args_end) struct args_bound bound;
    args_bind(&bound, args);
    PGresult *result = PQexecParams(db->conn, sql, bound.count, bound.types, bound.values,
                                    bound.lengths, bound.formats, 0);
    AUTO(rows_free) struct rows *rows = rows_take(result);
    if (!result_ok(db, result, err))
        return false;
    if (out)
        *out = TAKE(rows);
    return true;
}

bool db_exec(struct db *db, const char *sql, struct err *err)
{
    PGresult *result = PQexec(db->conn, sql);
    AUTO(rows_free) struct rows *rows = rows_take(result);
    return result_ok(db, result, err);
}

/* Reads to the end in any case: the connection must be idle again. */
static bool each_drain(struct db *db, db_each_fn *each, void *self, struct err *err)
{
    bool ok = true;
    for (PGresult *result; (result = PQgetResult(db->conn));) {
        AUTO(rows_free) struct rows *rows = rows_take(result);
        if (!ok)
            continue;
        if (!result_ok(db, result, err))
            ok = false;
        else if (PQresultStatus(result) == PGRES_SINGLE_TUPLE)
            ok = each(self, rows, err);
    }
    return ok;
}

bool db_each(struct db *db, const char *sql, const struct arg *args, db_each_fn *each, void *self,
             struct err *err)
{
    AUTO(args_end) struct args_bound bound;
    args_bind(&bound, args);
    if (!PQsendQueryParams(db->conn, sql, bound.count, bound.types, bound.values, bound.lengths,
                           bound.formats, 0)) {
        db->sqlstate[0] = 0;
        return connection_err(db->conn, err);
    }
    PQsetSingleRowMode(db->conn);
    return each_drain(db, each, self, err);
}

bool db_listen(struct db *db, const char *channel, struct err *err)
{
    char sql[80];
    snprintf(sql, sizeof(sql), "listen \"%s\"", channel);
    return db_exec(db, sql, err);
}

/* Several notifications are one wake. */
static bool notified(PGconn *conn)
{
    bool any = false;
    for (PGnotify *notify; (notify = PQnotifies(conn)); any = true)
        PQfreemem(notify);
    return any;
}

bool db_wait(bool *woken, struct db *db, int timeout_ms, struct err *err)
{
    int64_t until = clock_monotonic_ms() + timeout_ms;
    for (;;) {
        if (!PQconsumeInput(db->conn))
            return connection_err(db->conn, err);
        *woken = notified(db->conn);
        int64_t left = until - clock_monotonic_ms();
        if (*woken || left <= 0)
            return true;
        struct pollfd fd = { .fd = PQsocket(db->conn), .events = POLLIN };
        poll(&fd, 1, (int)left);
    }
}

/* Rows ---------------------------------------------------------------------------------------- */

struct rows {
    PGresult *result;
    void **owned; /* what the accessors made */
    int32_t owned_count;
};

struct rows *rows_take(PGresult *result)
{
    struct rows *rows = must_calloc(1, sizeof(*rows));
    rows->result = result;
    return rows;
}

size_t rows_memory(const struct rows *rows) { return PQresultMemorySize(rows->result); }

void rows_free(struct rows *rows)
{
    if (!rows)
        return;
    for (int32_t i = 0; i < rows->owned_count; i++)
        free(rows->owned[i]);
    free(rows->owned);
    PQclear(rows->result);
    free(rows);
}

static void *rows_own(struct rows *rows, void *memory)
{
    rows->owned = must_realloc(rows->owned, (size_t)rows->owned_count + 1, sizeof(*rows->owned));
    rows->owned[rows->owned_count++] = memory;
    return memory;
}

int rows_count(const struct rows *rows) { return PQntuples(rows->result); }

int rows_columns(const struct rows *rows) { return PQnfields(rows->result); }

const char *rows_name(const struct rows *rows, int column) { return PQfname(rows->result, column); }

bool rows_has(const struct rows *rows, const char *column)
{
    return PQfnumber(rows->result, column) >= 0;
}

/* NULL for null. */
static const char *cell(const struct rows *rows, int row, const char *column)
{
    int at = PQfnumber(rows->result, column);
    assert(at >= 0);
    assert(row >= 0 && row < PQntuples(rows->result));
    return PQgetisnull(rows->result, row, at) ? NULL : PQgetvalue(rows->result, row, at);
}

bool rows_null(const struct rows *rows, int row, const char *column)
{
    return !cell(rows, row, column);
}

static int64_t text_i64(const char *text) { return text ? strtoll(text, NULL, 10) : 0; }

static double text_f64(const char *text) { return text ? strtod(text, NULL) : (double)NAN; }

static bool text_bool(const char *text) { return text && text[0] == 't'; }

int64_t rows_i64(const struct rows *rows, int row, const char *column)
{
    return text_i64(cell(rows, row, column));
}

double rows_f64(const struct rows *rows, int row, const char *column)
{
    return text_f64(cell(rows, row, column));
}

bool rows_bool(const struct rows *rows, int row, const char *column)
{
    return text_bool(cell(rows, row, column));
}

const char *rows_text(const struct rows *rows, int row, const char *column)
{
    return cell(rows, row, column);
}

const void *rows_bytes(struct rows *rows, int row, const char *column, size_t *size)
{
    *size = 0;
    const char *text = cell(rows, row, column);
    if (!text)
        return NULL;
    void *bytes = rows_own(rows, must_calloc(strlen(text) / 2, 1));
    *size = bytes_unhex(bytes, text);
    return bytes;
}

const char *const *rows_texts(struct rows *rows, int row, const char *column, int32_t *count)
{
    *count = 0;
    const char *text = cell(rows, row, column);
    if (!text)
        return NULL;
    char **items, *storage;
    array_split(&items, &storage, count, text);
    rows_own(rows, storage);
    return rows_own(rows, items);
}

/* Defines the accessor of an array whose elements are one C type each. */
#define ARRAY_OF(name, type, read)                                                   \
    const type *name(struct rows *rows, int row, const char *column, int32_t *count) \
    {                                                                                \
        const char *const *items = rows_texts(rows, row, column, count);             \
        if (!items)                                                                  \
            return NULL;                                                             \
        type *out = rows_own(rows, must_calloc((size_t)*count, sizeof(*out)));       \
        for (int32_t i = 0; i < *count; i++)                                         \
            out[i] = (type)read(items[i]);                                           \
        return out;                                                                  \
    }
ARRAY_OF(rows_i32s, int32_t, text_i64)
ARRAY_OF(rows_i64s, int64_t, text_i64)
ARRAY_OF(rows_f64s, double, text_f64)
ARRAY_OF(rows_bools, bool, text_bool)

const void *const *rows_bytess(struct rows *rows, int row, const char *column, const size_t **sizes,
                               int32_t *count)
{
    const char *const *items = rows_texts(rows, row, column, count);
    if (!items)
        return NULL;
    void **bytes = rows_own(rows, must_calloc((size_t)*count, sizeof(*bytes)));
    size_t *size = rows_own(rows, must_calloc((size_t)*count, sizeof(*size)));
    for (int32_t i = 0; i < *count; i++) {
        if (!items[i])
            continue;
        bytes[i] = rows_own(rows, must_calloc(strlen(items[i]) / 2, 1));
        size[i] = bytes_unhex(bytes[i], items[i]);
    }
    *sizes = size;
    return (const void *const *)bytes;
}
