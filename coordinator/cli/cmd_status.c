/* cmd_status.c - the cluster on one screen. */
#include <string.h>

#include "coordinator/cli/list.h"

static const struct list_column status_columns[] = {
    { "coordinator", NULL, LIST_TEXT },   { "is_alive", NULL, LIST_BOOL },
    { "age_s", NULL, LIST_SECONDS },      { "epoch", NULL, LIST_COUNT },
    { "runs_open", NULL, LIST_COUNT },    { "runs_erred", NULL, LIST_COUNT },
    { "shards_ready", NULL, LIST_COUNT }, { "shards_leased", NULL, LIST_COUNT },
    { "jobs_open", NULL, LIST_COUNT },    { "jobs_failed", NULL, LIST_COUNT },
    { "incidents", NULL, LIST_COUNT },
};

static const struct list_column node_columns[] = {
    { "node", NULL, LIST_TEXT },        { "slot", NULL, LIST_ID },
    { "state", NULL, LIST_STATE },      { "model", NULL, LIST_TEXT },
    { "leases", NULL, LIST_COUNT },     { "item_rate", "items", LIST_RATE },
    { "seen_s", "seen", LIST_SECONDS }, { "reason", NULL, LIST_TEXT },
};

static const struct list_column campaign_columns[] = {
    { "campaign", NULL, LIST_TEXT },      { "state", NULL, LIST_STATE },
    { "items_done", "done", LIST_COUNT }, { "items", "of", LIST_COUNT },
    { "percent", NULL, LIST_PERCENT },    { "items_error", "errors", LIST_COUNT },
    { "reason", NULL, LIST_TEXT },
};

static const struct list_column board_columns[] = {
    { "board", NULL, LIST_TEXT },     { "models", NULL, LIST_COUNT },
    { "tasks", NULL, LIST_COUNT },    { "seq", "edition", LIST_ID },
    { "made_at", "made", LIST_TIME }, { "is_stale", "stale", LIST_BOOL },
};

/* The line that a person reads first. */
static void headline(struct cli *cli, struct rows *rows)
{
    char age[16];
    AUTO(buf_free) struct buf line = { 0 };
    if (rows_null(rows, 0, "age_s")) {
        cli_line(cli, "no coordinator has run yet");
        return;
    }
    age_shown(age, rows_f64(rows, 0, "age_s"));
    bool alive = rows_bool(rows, 0, "is_alive");
    style_put(&line, alive ? "up" : "down", alive ? CELL_GOOD : CELL_BAD, cli_colour(cli));
    printf("coordinator %s, %s, wrote %s ago, epoch %lld\n", rows_text(rows, 0, "coordinator"),
           buf_text(&line), age, (long long)rows_i64(rows, 0, "epoch"));
    printf("queue       %lld runs open, %lld shards ready, %lld leased, %lld jobs open\n",
           (long long)rows_i64(rows, 0, "runs_open"), (long long)rows_i64(rows, 0, "shards_ready"),
           (long long)rows_i64(rows, 0, "shards_leased"),
           (long long)rows_i64(rows, 0, "jobs_open"));
    buf_clear(&line);
    buf_put_fmt(&line, "%lld runs erred, %lld jobs failed, %lld incidents",
                (long long)rows_i64(rows, 0, "runs_erred"),
                (long long)rows_i64(rows, 0, "jobs_failed"),
                (long long)rows_i64(rows, 0, "incidents"));
    bool trouble = rows_i64(rows, 0, "runs_erred") + rows_i64(rows, 0, "jobs_failed") +
                   rows_i64(rows, 0, "incidents");
    AUTO(buf_free) struct buf styled = { 0 };
    style_put(&styled, buf_text(&line), trouble ? CELL_BAD : CELL_DIM, cli_colour(cli));
    printf("trouble     %s\n", buf_text(&styled));
}

static bool section(struct cli *cli, struct db *db, const char *name, const char *sql,
                    const struct list_column *columns, int count, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, sql, NO_ARGS, err))
        return false;
    if (!rows_count(rows) && !cli_json(cli))
        return true;
    cli_line(cli, "\n%s", name);
    list_print(cli, name, rows, columns, count);
    return true;
}

static bool status(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db,
                 "select *, holder as coordinator, extract(epoch from age)::float8 as age_s"
                 " from status_list",
                 NO_ARGS, err))
        return false;
    if (cli_json(cli))
        list_print_one(cli, rows, 0, status_columns, COUNT(status_columns));
    else
        headline(cli, rows);
    return section(cli, db, "agents",
                   "select *, extract(epoch from seen)::float8 as seen_s from node_list"
                   " where state not in ('revoked') order by node, slot limit 40",
                   node_columns, COUNT(node_columns), err) &&
           section(cli, db, "campaigns",
                   "select * from campaign_list order by state in ('done', 'cancelled'),"
                   " campaign_id desc limit 12",
                   campaign_columns, COUNT(campaign_columns), err) &&
           section(cli, db, "boards", "select * from board_list order by board limit 20",
                   board_columns, COUNT(board_columns), err);
}

const struct command status_commands[] = {
    { .words = "status",
      .role = ROLE_OPERATOR,
      .help = "the cluster on one screen",
      .run = status },
    { 0 },
};
