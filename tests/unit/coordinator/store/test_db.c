/* Needs a database: tests/schema/run sets KOEVAL_TEST_DB (superuser) and runs this program. */
#include "coordinator/store/db.h"

#include <math.h>

#include "tests/test.h"

static struct db *test_db(void)
{
    struct err err = { 0 };
    struct db *db = NULL;
    const char *conninfo = getenv("KOEVAL_TEST_DB");
    if (!conninfo) {
        SKIP("KOEVAL_TEST_DB is not set: tests/schema/run sets it");
        return NULL;
    }
    if (!db_open(&db, conninfo, "postgres", &err))
        printf("%s\n", err.text);
    return db;
}

TEST(scalars_and_bytes_come_back_as_they_went)
{
    struct err err = { 0 };
    AUTO(db_close) struct db *db = test_db();
    if (!db)
        return;
    AUTO(rows_free) struct rows *rows = NULL;
    static const unsigned char bytes[] = { 0, 255, '\\', 0, 'x' };
    CHECK(db_call(&rows, db,
                  "select $1::int as i, $2::float8 as f, $3::boolean as b, $4::text as t, "
                  "$5::bytea as y, $6::text as z, $7::bytea as e",
                  ARGS(I64(-7), F64(0.1), BOOL(true), TEXT("한 \"글\""),
                       BYTES(bytes, sizeof(bytes)), NULLED, BYTES("", 0)),
                  &err));
    size_t size;
    CHECK(rows_count(rows) == 1 && rows_columns(rows) == 7 && !strcmp(rows_name(rows, 1), "f"));
    CHECK(rows_i64(rows, 0, "i") == -7 && rows_f64(rows, 0, "f") == 0.1 && rows_bool(rows, 0, "b"));
    CHECK(!strcmp(rows_text(rows, 0, "t"), "한 \"글\""));
    const void *back = rows_bytes(rows, 0, "y", &size);
    CHECK(size == sizeof(bytes) && !memcmp(back, bytes, size));
    CHECK(rows_null(rows, 0, "z") && !rows_text(rows, 0, "z") && isnan(rows_f64(rows, 0, "z")));
    CHECK(!rows_null(rows, 0, "e") && rows_bytes(rows, 0, "e", &size) && size == 0);
    CHECK(rows_has(rows, "i") && !rows_has(rows, "nothing"));
}

TEST(arrays_come_back_bit_by_bit)
{
    struct err err = { 0 };
    AUTO(db_close) struct db *db = test_db();
    if (!db)
        return;
    const double f[] = { -0.0, 1e-310, -INFINITY, 0.1 };
    const bool z[] = { false, false, false, true };
    const int32_t i[] = { INT32_MIN, 0, 7 };
    const int64_t l[] = { INT64_MIN, INT64_MAX };
    const bool b[] = { true, false };
    const char *const t[] = { "a,\"b\\", NULL, "", "NULL" };
    const void *const y[] = { "\0\1", NULL, "" };
    const size_t sizes[] = { 2, 0, 0 };
    AUTO(rows_free) struct rows *rows = NULL;
    CHECK(db_call(&rows, db,
                  "select $1::float8[] f, $2::int[] i, $3::bigint[] l, $4::bool[] b, $5::text[] t, "
                  "$6::bytea[] y, $7::int[] n, $8::\"char\"[] c",
                  ARGS(F64S_NULLS(f, 4, z), I32S(i, 3), I64S(l, 2), BOOLS(b, 2), TEXTS(t, 4),
                       BYTESS(y, sizes, 3), I32S(NULL, 0), CHARS("es", 2)),
                  &err));
    int32_t n;
    const double *fs = rows_f64s(rows, 0, "f", &n);
    CHECK(n == 4 && !memcmp(fs, f, 3 * sizeof(*f)) && isnan(fs[3]));
    CHECK(!memcmp(rows_i32s(rows, 0, "i", &n), i, sizeof(i)) && n == 3);
    CHECK(!memcmp(rows_i64s(rows, 0, "l", &n), l, sizeof(l)) && n == 2);
    CHECK(rows_bools(rows, 0, "b", &n)[0] && !rows_bools(rows, 0, "b", &n)[1] && n == 2);
    const char *const *ts = rows_texts(rows, 0, "t", &n);
    CHECK(n == 4 && !strcmp(ts[0], t[0]) && !ts[1] && !strcmp(ts[2], "") && !strcmp(ts[3], "NULL"));
    const size_t *back;
    const void *const *ys = rows_bytess(rows, 0, "y", &back, &n);
    CHECK(n == 3 && back[0] == 2 && !memcmp(ys[0], "\0\1", 2) && !ys[1] && ys[2] && back[2] == 0);
    CHECK(rows_i32s(rows, 0, "n", &n) && n == 0);
    CHECK(!strcmp(rows_texts(rows, 0, "c", &n)[1], "s") && n == 2);
}

TEST(an_error_is_one_line_with_its_state_and_quotes_no_value)
{
    struct err err = { 0 };
    AUTO(db_close) struct db *db = test_db();
    if (!db)
        return;
    CHECK(!db_call(NULL, db, "select $1::text::int", ARGS(TEXT("CANARY")), &err));
    CHECK(!strcmp(db_sqlstate(db), "22P02") && err.code == ERR_INPUT);
    CHECK(!strstr(err.text, "CANARY") && !strchr(err.text, '\n') && strstr(err.text, "[22P02]"));
    CHECK(!db_call(NULL, db, "select $1::text::jsonb", ARGS(TEXT("{CANARY")), &err));
    CHECK(!strstr(err.text, "CANARY"));
    CHECK(db_exec(db, "select 1; select 2", &err)); /* and the connection works on */
}

static bool add(void *self, struct rows *row, struct err *err)
{
    int64_t *sum = self;
    *sum += rows_i64(row, 0, "g");
    return *sum < 100 || err_set(err, ERR_INPUT, "enough");
}

TEST(rows_are_handed_over_one_by_one_and_a_stop_leaves_the_connection_idle)
{
    struct err err = { 0 };
    AUTO(db_close) struct db *db = test_db();
    if (!db)
        return;
    int64_t sum = 0;
    CHECK(db_each(db, "select g from generate_series(1, $1) g", ARGS(I64(10)), add, &sum, &err));
    CHECK(sum == 55);
    CHECK(
        !db_each(db, "select g from generate_series(1, $1) g", ARGS(I64(100000)), add, &sum, &err));
    CHECK(!strcmp(err.text, "enough"));
    CHECK(db_exec(db, "select 1", &err));
}

TEST(a_lost_connection_is_worth_a_retry_and_a_notification_wakes)
{
    struct err err = { 0 };
    AUTO(db_close) struct db *db = test_db();
    AUTO(db_close) struct db *other = test_db();
    if (!db || !other)
        return;
    bool woken;
    CHECK(db_listen(db, "koeval_test", &err));
    CHECK(db_wait(&woken, db, 10, &err) && !woken);
    CHECK(db_exec(other, "notify koeval_test", &err));
    CHECK(db_wait(&woken, db, 5000, &err) && woken);

    AUTO(rows_free) struct rows *rows = NULL;
    CHECK(db_call(&rows, db, "select pg_backend_pid() as pid", NO_ARGS, &err));
    CHECK(db_call(NULL, other, "select pg_terminate_backend($1, 5000)",
                  ARGS(I64(rows_i64(rows, 0, "pid"))), &err));
    CHECK(!db_exec(db, "select 1", &err) && err.code == ERR_RETRY);
}

TEST(a_server_that_is_not_there_is_worth_a_retry)
{
    struct err err = { 0 };
    struct db *db = NULL;
    CHECK(!db_open(&db, "host=/nowhere dbname=koeval", "koeval_reader", &err));
    CHECK(!db && err.code == ERR_RETRY && !strchr(err.text, '\n'));
}

TEST(the_database_that_a_connection_string_names_is_known)
{
    struct err err = { 0 };
    char name[64];
    unsetenv("PGDATABASE");
    CHECK(db_target(name, sizeof(name), "host=x dbname=other", &err) && !strcmp(name, "other"));
    CHECK(db_target(name, sizeof(name), "postgresql://h/third?user=u", &err));
    CHECK(!strcmp(name, "third"));
    CHECK(db_target(name, sizeof(name), NULL, &err) && !strcmp(name, "koeval"));
    CHECK(!db_target(name, sizeof(name), "host", &err) && err.code == ERR_INPUT);
}
