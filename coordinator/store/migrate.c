#include "coordinator/store/migrate.h"

#include <openssl/evp.h>
#include <string.h>

#include "common/buf.h"
#include "coordinator/store/db.h"

static const struct sql_file {
    const char *name, *text;
} files[] = {
#include "coordinator/sql_files.inc"
};

/* One migration at a time, whoever runs it. */
#define MIGRATE_LOCK "select pg_advisory_xact_lock(7411003)"

static bool is_in(const struct sql_file *file, const char *folder)
{
    return !strncmp(file->name, folder, strlen(folder));
}

static void sha256(uint8_t digest[SCHEMA_DIGEST_SIZE], const void *bytes, size_t size)
{
    unsigned length = SCHEMA_DIGEST_SIZE;
    int rc = EVP_Digest(bytes, size, digest, &length, EVP_sha256(), NULL);
    assert(rc == 1);
}

void schema_digest(uint8_t digest[SCHEMA_DIGEST_SIZE])
{
    AUTO(buf_free) struct buf all = { 0 };
    for (size_t i = 0; i < COUNT(files); i++) {
        if (!is_in(&files[i], "tables/") && !is_in(&files[i], "api/"))
            continue;
        /* With their NULs: a line cannot move from one file's end to the next one's name. */
        buf_put(&all, files[i].name, strlen(files[i].name) + 1);
        buf_put(&all, files[i].text, strlen(files[i].text) + 1);
    }
    sha256(digest, buf_text(&all), all.size);
}

const char *schema_file(const char *name)
{
    for (size_t i = 0; i < COUNT(files); i++)
        if (!strcmp(files[i].name, name))
            return files[i].text;
    assert(!"no such file in coordinator/sql");
    return NULL;
}

static bool database_make(const char *conninfo, const char *user, struct err *err)
{
    char name[128];
    AUTO(db_close) struct db *db = NULL;
    if (!db_target(name, sizeof(name), conninfo, err) ||
        !db_open_database(&db, conninfo, user, "postgres", err))
        return false;
    if (!db_exec(db, schema_file("roles.sql"), err))
        return err_wrap(err, "roles.sql");

    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(
            &rows, db,
            "select format('create database %I owner koeval_owner encoding ''UTF8'' "
            "template template0', $1::text) as make, "
            "exists (select from pg_database where datname = $1) as there, "
            "format('revoke connect, temporary on database %1$I from public; grant connect on "
            "database %1$I to koeval_coordinator, koeval_ranker, koeval_operator, koeval_admin, "
            "koeval_reader', $1::text) as close",
            ARGS(TEXT(name)), err))
        return false;
    if (!rows_bool(rows, 0, "there") && !db_exec(db, rows_text(rows, 0, "make"), err))
        return err_wrap(err, "create database %s", name);
    return db_exec(db, rows_text(rows, 0, "close"), err);
}

bool schema_init(const char *conninfo, const char *user, struct err *err)
{
    if (!database_make(conninfo, user, err))
        return false;

    char name[128];
    AUTO(db_close) struct db *db = NULL;
    if (!db_target(name, sizeof(name), conninfo, err) ||
        !db_open_database(&db, conninfo, user, name, err))
        return false;
    if (!db_exec(db, schema_file("database.sql"), err))
        return err_wrap(err, "database.sql");
    struct schema_change change;
    return schema_migrate(&change, db, err);
}

/* The record of what was applied; schema_check() reads schema_current. */
static const char *const meta =
    "create schema if not exists meta;"
    "create table if not exists meta.schema_migration("
    "    version int primary key, sha256 bytea not null,"
    "    applied_at timestamptz not null default clock_timestamp());"
    "create table if not exists meta.schema_current("
    "    one boolean primary key default true check (one), digest bytea not null,"
    "    applied_at timestamptz not null default clock_timestamp());";

/* A file that was applied and has since been edited would leave two databases of one version. */
static bool table_apply(bool *applied, struct db *db, const struct sql_file *file, struct err *err)
{
    uint8_t digest[SCHEMA_DIGEST_SIZE];
    sha256(digest, file->text, strlen(file->text));
    int64_t version = strtoll(file->name + strlen("tables/"), NULL, 10);

    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select sha256 = $2 as same from meta.schema_migration where version = $1",
                 ARGS(I64(version), BYTES(digest, sizeof(digest))), err))
        return false;
    *applied = rows_count(rows) == 0;
    if (!*applied) {
        if (!rows_bool(rows, 0, "same"))
            return err_set(err, ERR_INPUT, "%s differs from what this database was made with",
                           file->name);
        return true;
    }
    if (!db_exec(db, file->text, err))
        return err_wrap(err, "%s", file->name);
    return db_call(NULL, db, "insert into meta.schema_migration (version, sha256) values ($1, $2)",
                   ARGS(I64(version), BYTES(digest, sizeof(digest))), err);
}

static bool tables_apply(struct schema_change *out, struct db *db, struct err *err)
{
    for (size_t i = 0; i < COUNT(files); i++) {
        bool applied = false;
        if (is_in(&files[i], "tables/") && !table_apply(&applied, db, &files[i], err))
            return false;
        out->tables_applied += applied;
    }
    return true;
}

/* A newer program has been here: its tables hold what this one knows nothing of. */
static bool newer_refuse(struct db *db, struct err *err)
{
    int64_t newest = 0;
    for (size_t i = 0; i < COUNT(files); i++)
        if (is_in(&files[i], "tables/"))
            newest = strtoll(files[i].name + strlen("tables/"), NULL, 10);
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select coalesce(max(version), 0) as n from meta.schema_migration",
                 NO_ARGS, err))
        return false;
    if (rows_i64(rows, 0, "n") > newest)
        return err_set(err, ERR_INPUT, "the database has schema %d, this program knows up to %d",
                       (int)rows_i64(rows, 0, "n"), (int)newest);
    return true;
}

static bool api_apply(struct schema_change *out, struct db *db, struct err *err)
{
    if (!db_exec(db, "set local search_path = koeval; set local check_function_bodies = off", err))
        return false;
    for (size_t i = 0; i < COUNT(files); i++)
        if (is_in(&files[i], "api/") && !db_exec(db, files[i].text, err))
            return err_wrap(err, "%s", files[i].name);

    uint8_t digest[SCHEMA_DIGEST_SIZE];
    schema_digest(digest);
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select digest = $1 as same from meta.schema_current",
                 ARGS(BYTES(digest, sizeof(digest))), err))
        return false;
    out->same = rows_count(rows) && rows_bool(rows, 0, "same");
    return db_call(
        NULL, db,
        "insert into meta.schema_current (digest) values ($1) on conflict (one) do update "
        "set digest = excluded.digest, applied_at = clock_timestamp()",
        ARGS(BYTES(digest, sizeof(digest))), err);
}

bool schema_migrate(struct schema_change *out, struct db *db, struct err *err)
{
    *out = (struct schema_change){ 0 };
    if (!db_exec(db, "begin; set local role koeval_owner; " MIGRATE_LOCK, err) ||
        !db_exec(db, meta, err) || !newer_refuse(db, err) || !tables_apply(out, db, err) ||
        !api_apply(out, db, err) || !db_exec(db, "commit", err)) {
        struct err ignored = { 0 };
        if (!db_exec(db, "rollback", &ignored))
            return false; /* the connection is gone, and the transaction with it */
        return false;
    }
    return true;
}

bool schema_check(struct db *db, struct err *err)
{
    uint8_t digest[SCHEMA_DIGEST_SIZE];
    schema_digest(digest);
    if (db_call(NULL, db, "select koeval.schema_check($1)", ARGS(BYTES(digest, sizeof(digest))),
                err))
        return true;
    /* Undefined schema, undefined function. */
    if (!strcmp(db_sqlstate(db), "3F000") || !strcmp(db_sqlstate(db), "42883"))
        return err_set(err, ERR_INPUT, "the database has no koeval schema: run koeval db init");
    return false;
}

bool schema_report(struct rows **out, struct db *db, struct err *err)
{
    return db_call(out, db, schema_file("check.sql"), NO_ARGS, err);
}
