#include "coordinator/cli/command.h"
#include "coordinator/cli/table.h"
#include "coordinator/store/db.h"
#include "coordinator/store/migrate.h"

#include <stdio.h>
#include <string.h>

/* Who may make roles and databases, where the connection string names nobody. */
#define SUPERUSER "postgres"

/* What a DBA reads before it is run, or runs by hand; koeval db migrate does the rest. */
static bool init_print(struct cli *cli, struct err *err)
{
    char name[128];
    if (!db_target(name, sizeof(name), cli_conninfo(cli), err))
        return false;
    printf("-- koeval db init, as a superuser.  In database postgres:\n%s\n",
           schema_file("roles.sql"));
    printf(
        "create database \"%s\" owner koeval_owner encoding 'UTF8' template template0;\n"
        "revoke connect, temporary on database \"%s\" from public;\n"
        "grant connect on database \"%s\" to koeval_coordinator, koeval_ranker, koeval_operator,\n"
        "    koeval_admin, koeval_reader;\n",
        name, name, name);
    printf("\n-- In database \"%s\", then koeval db migrate:\n%s", name,
           schema_file("database.sql"));
    return true;
}

static bool db_init(struct cli *cli, struct err *err)
{
    if (cli_flag(cli, "print-sql"))
        return init_print(cli, err);
    if (!schema_init(cli_conninfo(cli), SUPERUSER, err))
        return false;
    cli_note(cli, "the database is ready; koeval db check says what the server still lacks");
    return true;
}

static bool db_migrate(struct cli *cli, struct err *err)
{
    struct db *db;
    struct schema_change change;
    if (!cli_db_as(&db, cli, SUPERUSER, err) || !schema_migrate(&change, db, err))
        return false;
    cli_field_i64(cli, "tables_applied", change.tables_applied);
    cli_field(cli, "changed", change.same ? "false" : "true", change.same ? "no" : "yes");
    return true;
}

static const struct column check_columns[] = {
    { "rule", NULL, COLUMN_LEFT },
    { "ok", NULL, COLUMN_LEFT },
    { "found", NULL, COLUMN_LEFT },
    { "todo", "what to do", COLUMN_LEFT },
};

static int check_table(struct cli *cli, const struct rows *rows)
{
    AUTO(table_free) struct table *table = table_new(check_columns, COUNT(check_columns));
    int bad = 0;
    for (int i = 0; i < rows_count(rows); i++) {
        bool ok = rows_bool(rows, i, "ok");
        bad += !ok;
        table_text(table, rows_text(rows, i, "rule"));
        table_cell(table, ok ? "true" : "false", ok ? "ok" : "NO");
        table_style(table, ok ? CELL_GOOD : CELL_BAD);
        table_text(table, rows_text(rows, i, "found"));
        table_text(table, rows_text(rows, i, "todo"));
    }
    cli_table(cli, "rules", table);
    return bad;
}

static bool db_check(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) || !schema_report(&rows, db, err))
        return false;
    int bad = check_table(cli, rows);
    if (!schema_check(db, err))
        return false;
    return bad ? err_set(err, ERR_INPUT, "%d rules are broken", bad) : true;
}

static const struct option init_options[] = {
    { OPTION_FLAG, "print-sql", NULL, NULL, "print what it would run, and run nothing" },
    { 0 },
};

const struct command db_commands[] = {
    { .words = "db init",
      .help = "make roles, database and schema, once, as a superuser",
      .more = "Safe to run again.  Connects as " SUPERUSER " where --db names no user.",
      .options = init_options,
      .run = db_init },
    { .words = "db migrate",
      .help = "bring the database to the schema of this program",
      .more =
          "One transaction.  Needs a superuser or a member of koeval_owner; connects as " SUPERUSER
          " where --db names no user.",
      .run = db_migrate },
    { .words = "db check",
      .role = SUPERUSER, /* the roles see their own log settings, not the server's */
      .help =
          "what the server lacks: version, roles, schema, and log settings that keep items secret",
      .run = db_check },
    { 0 },
};
