/* cmd_task.c - tasks: bring YAML and data in, list what is there. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/list.h"
#include "coordinator/cli/task_files.h"
#include "coordinator/store/store_task.h"
#include "coordinator/task/group.h"

static const struct option import_options[] = {
    TASK_FILES_OPTIONS,
    { OPTION_FLAG, "public", NULL, NULL, "the items are no secret (the default is private)" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

static const struct column import_columns[] = {
    { "task", NULL, COLUMN_LEFT },     { "items", NULL, COLUMN_RIGHT },
    { "shots", "pool", COLUMN_RIGHT }, { "private", NULL, COLUMN_LEFT },
    { "state", NULL, COLUMN_LEFT },    { "task_version_id", NULL, COLUMN_JSON },
};

static bool import_one(struct cli *cli, struct table *table, struct db *db, const char *path,
                       struct err *err)
{
    AUTO(task_files_close) struct task_files files = { 0 };
    struct store_task stored;
    bool private_items = !cli_flag(cli, "public");
    if (!task_files_open(&files, cli, path, err) ||
        !store_task_import(&stored, db, files.import, private_items, err))
        return false;
    table_text(table, task_name(files.import->task));
    table_i64(table, stored.items);
    table_i64(table, stored.shots);
    table_bool(table, private_items);
    table_text(table, stored.fresh ? "imported" : "was there");
    table_i64(table, stored.version);
    if (!stored.shots)
        cli_note(cli, "task %s has no few-shot pool: it can be run at 0 shots only",
                 task_name(files.import->task));
    return true;
}

static bool import_group(struct cli *cli, struct table *table, struct db *db, const char *path,
                         struct err *err)
{
    AUTO(group_free) struct group *group = NULL;
    if (!group_open(&group, path, err))
        return false;
    for (int32_t i = 0; i < group->tasks_count; i++)
        if (!import_one(cli, table, db, group->tasks[i].path, err))
            return false;
    for (int32_t i = 0; i < group->groups_count; i++) {
        AUTO(free) char *definition = json_dumps(group->definitions[i], JSON_COMPACT);
        if (!store_task_group_import(db, group->names[i], definition, err))
            return err_wrap(err, "group %s", group->names[i]);
    }
    return true;
}

/* One transaction: a group with one wrong row leaves nothing behind. */
static bool import_all(struct cli *cli, struct table *table, struct db *db, bool group,
                       struct err *err)
{
    const char *path = cli_arg(cli, 0);
    if (!db_exec(db, "begin", err))
        return false;
    bool ok =
        group ? import_group(cli, table, db, path, err) : import_one(cli, table, db, path, err);
    if (ok)
        return db_exec(db, "commit", err);
    struct err ignored = { 0 };
    (void)!db_exec(db, "rollback", &ignored); /* a broken connection rolls back by itself */
    return false;
}

static bool task_import(struct cli *cli, struct err *err)
{
    struct db *db;
    bool group;
    AUTO(table_free) struct table *table = table_new(import_columns, COUNT(import_columns));
    if (!group_is(&group, cli_arg(cli, 0), err) || !cli_db(&db, cli, err) ||
        !import_all(cli, table, db, group, err))
        return false;
    cli_table(cli, "tasks", table);
    return true;
}

static const struct column list_columns[] = {
    { "task", NULL, COLUMN_LEFT },      { "n_item", "items", COLUMN_RIGHT },
    { "n_shot", "pool", COLUMN_RIGHT }, { "split", NULL, COLUMN_LEFT },
    { "private", NULL, COLUMN_LEFT },   { "version", NULL, COLUMN_LEFT },
    { "groups", NULL, COLUMN_LEFT },    { "sealed_at", "imported", COLUMN_LEFT },
    { "is_newest", NULL, COLUMN_JSON }, { "task_version_id", NULL, COLUMN_JSON },
};

static void put_groups(struct table *table, struct rows *rows, int row)
{
    int32_t count;
    const char *const *groups = rows_texts(rows, row, "groups", &count);
    AUTO(buf_free) struct buf json = { 0 };
    AUTO(buf_free) struct buf shown = { 0 };
    buf_put_char(&json, '[');
    for (int32_t i = 0; i < count; i++) {
        buf_put_text(&json, i ? "," : "");
        buf_put_json_string(&json, groups[i], strlen(groups[i]));
        buf_put_fmt(&shown, "%s%s", i ? " " : "", groups[i]);
    }
    buf_put_char(&json, ']');
    table_cell(table, buf_text(&json), buf_text(&shown));
}

static void print_tasks(struct cli *cli, struct rows *rows)
{
    AUTO(table_free) struct table *table = table_new(list_columns, COUNT(list_columns));
    for (int i = 0; i < rows_count(rows); i++) {
        table_text(table, rows_text(rows, i, "task"));
        table_i64(table, rows_i64(rows, i, "n_item"));
        table_i64(table, rows_i64(rows, i, "n_shot"));
        table_text(table, rows_text(rows, i, "split"));
        table_bool(table, rows_bool(rows, i, "private"));
        table_text(table, rows_text(rows, i, "version"));
        put_groups(table, rows, i);
        table_text(table, rows_text(rows, i, "sealed_at"));
        table_bool(table, rows_bool(rows, i, "is_newest"));
        table_i64(table, rows_i64(rows, i, "task_version_id"));
    }
    cli_table(cli, "tasks", table);
}

#define LIST_SQL                                                                                \
    "select task, task_version_id, version, split, private, n_item, n_shot, is_newest, groups," \
    " to_char(sealed_at, 'YYYY-MM-DD HH24:MI') as sealed_at from task_list "

static bool task_list(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db, LIST_SQL "where is_newest order by task", NO_ARGS, err))
        return false;
    print_tasks(cli, rows);
    return list_age(cli, db, err);
}

/* What there is, for a name that is not. */
static bool no_such_task(struct cli *cli, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select string_agg(task, ', ' order by task) as names from"
                 " (select distinct task from task_list order by task limit 60) t",
                 NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "task", cli_arg(cli, 0), rows_text(rows, 0, "names"));
}

static bool task_show(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(rows_free) struct rows *definition = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db, LIST_SQL "where task = $1 order by task_version_id desc",
                 ARGS(TEXT(cli_arg(cli, 0))), err))
        return false;
    if (!rows_count(rows))
        return no_such_task(cli, db, err);
    print_tasks(cli, rows);
    if (!db_call(&definition, db,
                 "select definition, jsonb_pretty(definition::jsonb) as pretty from task_list"
                 " where task = $1 and is_newest",
                 ARGS(TEXT(cli_arg(cli, 0))), err))
        return false;
    if (cli_json(cli))
        cli_field(cli, "definition", rows_text(definition, 0, "definition"), NULL);
    else
        cli_line(cli, "%s", rows_text(definition, 0, "pretty"));
    return list_age(cli, db, err);
}

/* cmd_render.c */
bool task_render(struct cli *cli, struct err *err);
extern const struct option task_render_options[];

const struct command task_commands[] = {
    {
        .words = "task import",
        .role = ROLE_OPERATOR,
        .usage = "FILE.yaml --data SPLIT=FILE...",
        .help = "a task or group of lm-evaluation-harness YAML, with its data files",
        .more =
            "In FILE and MAP, {dataset_name} and {task} stand for what each member's YAML says.\n"
            "Equal content imported again is the version that was there.",
        .options = import_options,
        .args_min = 1,
        .args_max = 1,
        .run = task_import,
    },
    {
        .words = "task list",
        .role = ROLE_OPERATOR,
        .help = "the newest version of every task",
        .run = task_list,
    },
    {
        .words = "task show",
        .role = ROLE_OPERATOR,
        .usage = "NAME",
        .help = "every version of a task, and the newest one's definition",
        .args_min = 1,
        .args_max = 1,
        .run = task_show,
    },
    {
        .words = "task render",
        .usage = "FILE.yaml --data SPLIT=FILE... --shots N",
        .help = "the requests that a task's own files give, without a database",
        .more = "One line of JSON a request: item_no, idx, context, continuation.",
        .options = task_render_options,
        .args_min = 1,
        .args_max = 1,
        .run = task_render,
    },
    { 0 },
};
