/* cmd_doctor.c - what is wrong with this installation, where, and what to do about it.
 *
 * Every check ends in ok, warning or failed.  What cannot be looked at from here (another user, a
 * database on another machine) is a warning that says who can. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/list.h"
#include "coordinator/store/migrate.h"

/* Sees settings that roles do not. */
#define SUPERUSER "postgres"

#define ANSWER_BYTES 250 /* of an answer, with its indexes: docs/operations.md */

static const struct option doctor_options[] = {
    { OPTION_LIST, "key", "FILE", NULL,
      "secret keys to look at, beside KOEVAL_KEY's and "
      "KOEVAL_SERVER_KEY's" },
    { OPTION_I64, "free", "MIB", "2048", "what the database's disk must have free" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

enum verdict { GOOD, WARNING, FAILED };

struct doctor {
    struct table *table;
    int count[3];
};

static void say(struct doctor *d, enum verdict verdict, const char *check, const char *place,
                const char *found, const char *todo)
{
    static const char *const words[] = { "ok", "warning", "failed" };
    static const enum cell_style styles[] = { CELL_GOOD, CELL_WARN, CELL_BAD };
    d->count[verdict]++;
    table_text(d->table, check);
    table_text(d->table, words[verdict]);
    table_style(d->table, styles[verdict]);
    table_text(d->table, place);
    table_text(d->table, found);
    table_text(d->table, verdict == GOOD ? NULL : todo);
}

/* ---- key files ---- */

static void look_at_key(struct doctor *d, const char *path)
{
    struct stat at;
    char found[128];
    if (stat(path, &at)) {
        say(d, FAILED, "key file", path, strerror(errno),
            "koeval key new makes a pair; name the secret half here");
        return;
    }
    snprintf(found, sizeof(found), "mode %04o", (unsigned)at.st_mode & 07777u);
    if (!S_ISREG(at.st_mode))
        say(d, FAILED, "key file", path, "no regular file", "name the file of the secret half");
    else if (at.st_mode & 077)
        say(d, FAILED, "key file", path, found,
            "chmod 600 it, and make a new key if others could have read it");
    else
        say(d, GOOD, "key file", path, found, NULL);
}

/* --key FILE, and what the daemons of this environment would read: FILE_secret where FILE is
 * public. */
static void look_at_keys(struct doctor *d, struct cli *cli)
{
    static const char *const named[] = { "KOEVAL_KEY", "KOEVAL_SERVER_KEY" };
    for (int i = 0; i < cli_list_count(cli, "key"); i++)
        look_at_key(d, cli_list(cli, "key", i));
    for (size_t i = 0; i < COUNT(named); i++) {
        char path[4096];
        struct stat at;
        const char *file = getenv(named[i]);
        if (!file || !*file)
            continue;
        snprintf(path, sizeof(path), "%s_secret", file);
        look_at_key(d, stat(path, &at) ? file : path);
    }
}

/* ---- the server, as far as a superuser's eyes are ours ---- */

static void look_at_rules(struct doctor *d, struct db *db)
{
    struct err err = { 0 };
    char found[32];
    int good = 0;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!schema_report(&rows, db, &err)) {
        say(d, FAILED, "server rules", "-", err.text, "run koeval db check");
        return;
    }
    for (int r = 0; r < rows_count(rows); r++)
        if (rows_bool(rows, r, "ok"))
            good++;
        else
            say(d, FAILED, "server rule", rows_text(rows, r, "rule"), rows_text(rows, r, "found"),
                rows_text(rows, r, "todo"));
    snprintf(found, sizeof(found), "%d kept", good);
    say(d, GOOD, "server rules", "-", found, NULL);
}

/* Whoever is trusted is every role, and reads the items. */
static void look_at_doors(struct doctor *d, struct db *db)
{
    struct err err = { 0 };
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select line_number, concat_ws(' ', type, array_to_string(database, ','),"
                 " array_to_string(user_name, ','), address) as line from pg_hba_file_rules"
                 " where auth_method = 'trust' order by line_number",
                 NO_ARGS, &err)) {
        say(d, WARNING, "pg_hba.conf", "-", err.text, "look for lines that end in trust");
        return;
    }
    for (int r = 0; r < rows_count(rows); r++) {
        char place[32];
        snprintf(place, sizeof(place), "line %lld", (long long)rows_i64(rows, r, "line_number"));
        say(d, FAILED, "pg_hba.conf", place, rows_text(rows, r, "line"),
            "trust lets anybody be any role: use peer, scram-sha-256 or cert");
    }
    if (!rows_count(rows))
        say(d, GOOD, "pg_hba.conf", "-", "nobody is trusted", NULL);
}

/* Enough for what is still asked for, and for --free beside it. */
static void look_at_disk(struct doctor *d, struct cli *cli, struct db *db)
{
    struct err err = { 0 };
    struct statvfs disk;
    char found[96], left[16], wanted[16];
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select current_setting('data_directory') as dir, inet_server_addr() is null as"
                 " near, coalesce((select sum(n_item - n_done - n_error) from koeval.run_list where"
                 " state in ('planned', 'running')), 0)::bigint as items",
                 NO_ARGS, &err)) {
        say(d, WARNING, "disk", "-", err.text, "look at the server's disk yourself");
        return;
    }
    const char *dir = rows_text(rows, 0, "dir");
    if (!rows_bool(rows, 0, "near") || statvfs(dir, &disk)) {
        say(d, WARNING, "disk", dir, "not to be seen from here", "run this on the server");
        return;
    }
    double free_bytes = (double)disk.f_bavail * (double)disk.f_frsize;
    double need = (double)rows_i64(rows, 0, "items") * ANSWER_BYTES +
                  (double)cli_i64(cli, "free") * 1024 * 1024;
    bytes_shown(left, free_bytes);
    bytes_shown(wanted, need);
    snprintf(found, sizeof(found), "%s free, %s wanted", left, wanted);
    say(d, free_bytes < need ? FAILED : GOOD, "disk", dir, found,
        "free some or move the cluster: when it is full nothing is stored or acknowledged");
}

static void look_at_server(struct doctor *d, struct cli *cli)
{
    struct db *db;
    struct err err = { 0 };
    if (!cli_db_as(&db, cli, SUPERUSER, &err)) {
        say(d, WARNING, "server rules", "-", "not looked at: no connection as " SUPERUSER,
            "run this, or koeval db check, as a superuser of the database");
        return;
    }
    look_at_rules(d, db);
    look_at_doors(d, db);
    look_at_disk(d, cli, db);
}

/* ---- the cluster, as an operator lists it ---- */

static void look_at_cluster(struct doctor *d, struct db *db)
{
    struct err err = { 0 };
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, schema_file("doctor.sql"), NO_ARGS, &err)) {
        say(d, FAILED, "cluster", "-", err.text, "run koeval db migrate");
        return;
    }
    for (int r = 0; r < rows_count(rows); r++) {
        const char *state = rows_text(rows, r, "state");
        enum verdict v = !strcmp(state, "ok") ? GOOD : !strcmp(state, "failed") ? FAILED : WARNING;
        say(d, v, rows_text(rows, r, "check"), rows_text(rows, r, "place"),
            rows_text(rows, r, "found"), rows_text(rows, r, "todo"));
    }
}

/* False: no database, and nothing more to ask of it.  The connection string is not shown: it may
 * hold a password. */
static bool look_at_database(struct doctor *d, struct cli *cli)
{
    struct db *db;
    struct err err = { 0 };
    char name[128] = "-";
    if (!db_target(name, sizeof(name), cli_conninfo(cli), &err) || !cli_db(&db, cli, &err)) {
        say(d, FAILED, "database", name, err.text,
            "start PostgreSQL, or set KOEVAL_DB or --db to where it is");
        return false;
    }
    say(d, GOOD, "database", name, "answers as " ROLE_OPERATOR, NULL);
    if (schema_check(db, &err)) {
        say(d, GOOD, "schema", name, "the one that this program knows", NULL);
        look_at_cluster(d, db);
    } else {
        say(d, FAILED, "schema", name, err.text,
            "koeval db migrate, with the build that runs here");
    }
    look_at_server(d, cli);
    return true;
}

static const struct column columns[] = {
    { "check", NULL, COLUMN_LEFT },        { "state", NULL, COLUMN_LEFT },
    { "place", "where", COLUMN_LEFT },     { "found", NULL, COLUMN_LEFT },
    { "todo", "what to do", COLUMN_LEFT },
};

static bool doctor(struct cli *cli, struct err *err)
{
    AUTO(table_free) struct table *table = table_new(columns, COUNT(columns));
    struct doctor d = { .table = table };
    bool there = look_at_database(&d, cli);
    look_at_keys(&d, cli);
    cli_table(cli, "checks", table);
    cli->exit = there ? CLI_FAILED : CLI_NO_DATABASE;
    if (d.count[FAILED])
        return err_set(err, ERR_INPUT, "%d checks failed, %d warnings, %d ok", d.count[FAILED],
                       d.count[WARNING], d.count[GOOD]);
    return true;
}

const struct command doctor_commands[] = {
    { .words = "doctor",
      .role = ROLE_OPERATOR,
      .usage = "[--key FILE...] [--free MIB]",
      .help = "what is wrong with this installation, and what to do",
      .more = "Database, schema, server settings, coordinator, nodes, campaigns, jobs, disk, key\n"
              "files. Exits 0 when no check failed; warnings do not count.",
      .options = doctor_options,
      .run = doctor },
    { 0 },
};
