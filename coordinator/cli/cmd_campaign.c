/* cmd_campaign.c - campaigns: what was ordered, how far it is, stopping it, going on.  Launching is
 * cmd_launch.c, watching cmd_watch.c. */
#include <string.h>

#include "coordinator/cli/campaign.h"
#include "coordinator/cli/list.h"
#include "coordinator/cli/reason.h"

static const struct list_column columns[] = {
    { "campaign", NULL, LIST_TEXT },         { "state", NULL, LIST_STATE },
    { "runs_complete", "runs", LIST_COUNT }, { "runs", "of", LIST_COUNT },
    { "items_done", "items", LIST_COUNT },   { "items", "of", LIST_COUNT },
    { "items_error", "errors", LIST_COUNT }, { "percent", NULL, LIST_PERCENT },
    { "purpose", NULL, LIST_TEXT },          { "priority", NULL, LIST_COUNT },
    { "reason", NULL, LIST_TEXT },           { "created_by", "by", LIST_TEXT },
    { "created_at", "launched", LIST_TIME }, { "campaign_id", NULL, LIST_NUMBER },
    { "runs_erred", NULL, LIST_NUMBER },
};

static const struct list_column run_columns[] = {
    { "run_id", "run", LIST_ID },
    { "model", NULL, LIST_TEXT },
    { "task", NULL, LIST_TEXT },
    { "state", NULL, LIST_STATE },
    { "n_done", "done", LIST_COUNT },
    { "n_item", "of", LIST_COUNT },
    { "n_error", "errors", LIST_COUNT },
    { "percent", NULL, LIST_PERCENT },
    { "shards_leased", "leased", LIST_COUNT },
    { "reason", NULL, LIST_TEXT },
    { "params", NULL, LIST_JSON },
    { "class", NULL, LIST_HIDDEN },
};

/* Groups as lm-evaluation-harness sums them up; a group with a member missing is shown as such. */
static const struct list_column group_columns[] = {
    { "group_name", "group", LIST_TEXT }, { "model", NULL, LIST_TEXT },
    { "metric", NULL, LIST_TEXT },        { "value", NULL, LIST_SHARE },
    { "stderr", NULL, LIST_SHARE },       { "n", "items", LIST_COUNT },
    { "tasks_scored", NULL, LIST_COUNT }, { "tasks", "of", LIST_COUNT },
    { "filter", NULL, LIST_HIDDEN },      { "params", NULL, LIST_JSON },
};

static bool campaign_list(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db, "select * from campaign_list order by campaign_id desc", NO_ARGS, err))
        return false;
    list_print(cli, "campaigns", rows, columns, COUNT(columns));
    reason_hints(cli, &rows, 1);
    return list_age(cli, db, err);
}

bool campaign_id(int64_t *out, struct cli *cli, struct db *db, const char *name, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(buf_free) struct buf there = { 0 };
    if (!db_call(&rows, db, "select campaign_id from campaign_list where campaign = $1",
                 ARGS(TEXT(name)), err))
        return false;
    if (rows_count(rows)) {
        *out = rows_i64(rows, 0, "campaign_id");
        return true;
    }
    if (!list_names(&there, db, "select campaign from campaign_list order by campaign_id desc",
                    NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "campaign", name, buf_text(&there));
}

static bool campaign_show(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id;
    AUTO(rows_free) struct rows *rows = NULL, *runs = NULL, *groups = NULL;
    if (!cli_db(&db, cli, err) || !campaign_id(&id, cli, db, cli_arg(cli, 0), err) ||
        !db_call(&rows, db, "select * from campaign_list where campaign_id = $1", ARGS(I64(id)),
                 err) ||
        !db_call(&runs, db, "select * from run_list where campaign_id = $1 order by model, task",
                 ARGS(I64(id)), err) ||
        !db_call(&groups, db,
                 "select * from group_list where campaign_id = $1"
                 " order by group_name, metric, filter, value desc",
                 ARGS(I64(id)), err))
        return false;
    list_print_one(cli, rows, 0, columns, COUNT(columns));
    cli_line(cli, "\nruns");
    list_print(cli, "run_list", runs, run_columns, COUNT(run_columns));
    if (rows_count(groups))
        cli_line(cli, "\ngroups");
    if (rows_count(groups) || cli_json(cli))
        list_print(cli, "groups", groups, group_columns, COUNT(group_columns));
    reason_hints(cli, &runs, 1);
    return list_age(cli, db, err);
}

static bool campaign_cancel(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) || !campaign_id(&id, cli, db, cli_arg(cli, 0), err) ||
        !db_call(&rows, db, "select campaign_cancel($1, $2) as n",
                 ARGS(I64(id), TEXT(cli_text(cli, "reason"))), err))
        return false;
    cli_field_i64(cli, "runs_cancelled", rows_i64(rows, 0, "n"));
    return true;
}

static bool order(struct cli *cli, const char *sql, const char *now, struct err *err)
{
    struct db *db;
    int64_t id;
    if (!cli_db(&db, cli, err) || !campaign_id(&id, cli, db, cli_arg(cli, 0), err) ||
        !db_call(NULL, db, sql, ARGS(I64(id)), err))
        return false;
    cli_field_text(cli, "campaign", cli_arg(cli, 0));
    cli_field_text(cli, "state", now);
    return true;
}

static bool campaign_pause(struct cli *cli, struct err *err)
{
    return order(cli, "select campaign_pause($1)", "paused", err);
}

static bool campaign_resume(struct cli *cli, struct err *err)
{
    return order(cli, "select campaign_resume($1)", "running", err);
}

static bool campaign_retry(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) || !campaign_id(&id, cli, db, cli_arg(cli, 0), err) ||
        !db_call(&rows, db, "select * from campaign_retry($1)", ARGS(I64(id)), err))
        return false;
    cli_field_i64(cli, "runs_opened", rows_i64(rows, 0, "runs"));
    cli_field_i64(cli, "shards_opened", rows_i64(rows, 0, "shards"));
    cli_field_i64(cli, "jobs_queued", rows_i64(rows, 0, "jobs"));
    return true;
}

static const struct option cancel_options[] = {
    { OPTION_TEXT, "reason", "TEXT", "by order", "why; kept with the runs" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

const struct command campaign_commands[] = {
    { .words = "campaign launch",
      .role = ROLE_OPERATOR,
      .usage = "NAME --model M... --task T...",
      .help = "every model at every task; the same command again changes nothing",
      .more =
          "A task is a name or a group's name, which stands for its members. --dry-run says what\n"
          "it would ask for and stores nothing. Numbers that nobody measured yet are `unknown`.",
      .options = launch_options,
      .args_min = 1,
      .args_max = 1,
      .run = campaign_launch },
    { .words = "campaign list",
      .role = ROLE_OPERATOR,
      .help = "what was ordered and how far it is",
      .run = campaign_list },
    { .words = "campaign show",
      .role = ROLE_OPERATOR,
      .usage = "NAME",
      .help = "one campaign, its runs, and groups of tasks summed up",
      .args_min = 1,
      .args_max = 1,
      .run = campaign_show },
    { .words = "campaign watch",
      .role = ROLE_OPERATOR,
      .usage = "NAME [--interval S]",
      .help = "a bar per run, rate and time to go, until it ends",
      .more =
          "On a terminal the screen is redrawn; elsewhere a line is printed when something moved.\n"
          "Exits 0 when all runs are complete, 1 when one erred or was cancelled.",
      .options = watch_options,
      .args_min = 1,
      .args_max = 1,
      .run = campaign_watch },
    { .words = "campaign cancel",
      .role = ROLE_OPERATOR,
      .usage = "NAME [--reason TEXT]",
      .help = "end every run that has not ended; complete ones stay",
      .options = cancel_options,
      .args_min = 1,
      .args_max = 1,
      .run = campaign_cancel },
    { .words = "campaign pause",
      .role = ROLE_OPERATOR,
      .usage = "NAME",
      .help = "grant nothing new; what agents hold ends",
      .args_min = 1,
      .args_max = 1,
      .run = campaign_pause },
    { .words = "campaign resume",
      .role = ROLE_OPERATOR,
      .usage = "NAME",
      .help = "go on",
      .args_min = 1,
      .args_max = 1,
      .run = campaign_resume },
    { .words = "campaign retry",
      .role = ROLE_OPERATOR,
      .usage = "NAME",
      .help = "ask again for everything that was given up: items, shards, jobs",
      .more = "When the cause is mended. Nothing to retry is no error: the counts are 0.",
      .args_min = 1,
      .args_max = 1,
      .run = campaign_retry },
    { 0 },
};
