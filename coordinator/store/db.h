/* db.h - PostgreSQL as the CLI and the jobs use it: one connection, one call at a time, blocking.
 *
 * Logic lives in coordinator/sql; C makes one-line calls and is typed at the rim:
 *
 *     AUTO(rows_free) struct rows *rows = NULL;
 *     if (!db_call(&rows, db, "select * from run_cancel($1, $2)", ARGS(I64(run), TEXT(why)), err))
 *         return err_wrap(err, "run %d", run);
 *
 * Errors carry the server's primary message on one line and the SQLSTATE, never a row's text and no
 * value (law 4); ERR_RETRY: the connection is away or the server asks to try again.  search_path is
 * koeval, ranking: secret tables are named with their schema. */
#ifndef DB_H
#define DB_H

#include "common/err.h"
#include "coordinator/store/arg.h"

struct db;
struct rows;
struct pg_result; /* libpq's PGresult */

/* Connects as conninfo says; as user `role` where conninfo (or a service file) names none.
 * conninfo may be NULL: libpq's environment decides. */
bool db_open(struct db **out, const char *conninfo, const char *role, struct err *err) MUST;
/* The same server and user, another database of it: for making the one that conninfo names. */
bool db_open_database(struct db **out, const char *conninfo, const char *role, const char *database,
                      struct err *err) MUST;
/* The database that conninfo (or PGDATABASE) names, "koeval" where neither does. */
bool db_target(char *out, size_t size, const char *conninfo, struct err *err) MUST;
void db_close(struct db *db);
AUTO_FREES(struct db *, db_close)

/* out may be NULL where only success matters. */
bool db_call(struct rows **out, struct db *db, const char *sql, const struct arg *args,
             struct err *err) MUST;
/* Any number of statements, one round trip, no arguments, no rows: begin, commit, migrations. */
bool db_exec(struct db *db, const char *sql, struct err *err) MUST;
/* A result that should not stand in memory: each row is handed over alone (its number is 0).
 * each returns false with err set to stop; the rest is then thrown away. */
typedef bool db_each_fn(void *self, struct rows *row, struct err *err);
bool db_each(struct db *db, const char *sql, const struct arg *args, db_each_fn *each, void *self,
             struct err *err) MUST;

/* Five characters of the last failed call, "" when the connection itself failed.
 * Ours: KE000 isolation, KE001 epoch or attempt is over, KE002 key, KE003 append-only, KE004 input,
 * KE005 no such thing, KE009 conflict. */
const char *db_sqlstate(const struct db *db);

/* NOTIFY is a hint: ask the tables after every wake and at every timeout. */
bool db_listen(struct db *db, const char *channel, struct err *err) MUST;
/* Waits until something was notified or timeout_ms passed; *woken says which. */
bool db_wait(bool *woken, struct db *db, int timeout_ms, struct err *err) MUST;

/* Rows ------------------------------------------------------------------------------------------
 * Columns by name; asking for a column that is not there asserts.  Null reads as 0, NaN, false,
 * NULL; rows_null tells it apart.  What a pointer points to lives as long as the rows. */
int rows_count(const struct rows *rows);
int rows_columns(const struct rows *rows);
const char *rows_name(const struct rows *rows, int column);
/* Bytes that libpq took for them. */
size_t rows_memory(const struct rows *rows);
bool rows_has(const struct rows *rows, const char *column);
bool rows_null(const struct rows *rows, int row, const char *column);
int64_t rows_i64(const struct rows *rows, int row, const char *column);
double rows_f64(const struct rows *rows, int row, const char *column);
bool rows_bool(const struct rows *rows, int row, const char *column);
/* Any type, as psql prints it. */
const char *rows_text(const struct rows *rows, int row, const char *column);
const void *rows_bytes(struct rows *rows, int row, const char *column, size_t *size);

/* One-dimensional arrays; null elements read as 0, NaN, false, NULL. */
const int32_t *rows_i32s(struct rows *rows, int row, const char *column, int32_t *count);
const int64_t *rows_i64s(struct rows *rows, int row, const char *column, int32_t *count);
const double *rows_f64s(struct rows *rows, int row, const char *column, int32_t *count);
const bool *rows_bools(struct rows *rows, int row, const char *column, int32_t *count);
const char *const *rows_texts(struct rows *rows, int row, const char *column, int32_t *count);
const void *const *rows_bytess(struct rows *rows, int row, const char *column, const size_t **sizes,
                               int32_t *count);
void rows_free(struct rows *rows);
AUTO_FREES(struct rows *, rows_free)

/* For the asynchronous door (async.c) ------------------------------------------------------------
 * The same rows over a result that it received; the result is now the rows'. */
struct rows *rows_take(struct pg_result *result);
/* True for a result that carries no error; else err and, if sqlstate is not NULL, six bytes. */
bool db_result_ok(const struct pg_result *result, char *sqlstate, struct err *err) MUST;

#endif
