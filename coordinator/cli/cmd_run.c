/* cmd_run.c - runs: one model at one task, with its progress, its errors and its scores. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/campaign.h"
#include "coordinator/cli/list.h"
#include "coordinator/cli/reason.h"

static const struct list_column columns[] = {
    { "run_id", "run", LIST_ID },          { "campaign", NULL, LIST_TEXT },
    { "model", NULL, LIST_TEXT },          { "task", NULL, LIST_TEXT },
    { "state", NULL, LIST_STATE },         { "n_done", "done", LIST_COUNT },
    { "n_item", "of", LIST_COUNT },        { "n_error", "errors", LIST_COUNT },
    { "percent", NULL, LIST_PERCENT },     { "shards_leased", "leased", LIST_COUNT },
    { "reason", NULL, LIST_TEXT },         { "reason_num", NULL, LIST_NUMBER },
    { "task_version", NULL, LIST_HIDDEN }, { "params", NULL, LIST_JSON },
    { "attempt", NULL, LIST_NUMBER },      { "priority", NULL, LIST_NUMBER },
    { "n_shard_done", NULL, LIST_NUMBER }, { "n_shard", NULL, LIST_NUMBER },
    { "class", NULL, LIST_HIDDEN },        { "generation", NULL, LIST_NUMBER },
    { "created_at", NULL, LIST_HIDDEN },   { "complete_at", NULL, LIST_HIDDEN },
    { "voided_why", NULL, LIST_HIDDEN },
};

static const struct list_column one[] = {
    { "run_id", NULL, LIST_ID },
    { "campaign", NULL, LIST_TEXT },
    { "model", NULL, LIST_TEXT },
    { "task", NULL, LIST_TEXT },
    { "task_version", NULL, LIST_TEXT },
    { "params", NULL, LIST_JSON },
    { "state", NULL, LIST_STATE },
    { "reason", NULL, LIST_TEXT },
    { "reason_num", NULL, LIST_COUNT },
    { "n_done", NULL, LIST_COUNT },
    { "n_item", NULL, LIST_COUNT },
    { "n_error", NULL, LIST_COUNT },
    { "n_truncated", NULL, LIST_COUNT },
    { "percent", NULL, LIST_PERCENT },
    { "n_shard_done", NULL, LIST_COUNT },
    { "n_shard", NULL, LIST_COUNT },
    { "shards_leased", NULL, LIST_COUNT },
    { "class", NULL, LIST_TEXT },
    { "attempt", NULL, LIST_COUNT },
    { "generation", NULL, LIST_COUNT },
    { "priority", NULL, LIST_COUNT },
    { "created_at", NULL, LIST_TIME },
    { "complete_at", NULL, LIST_TIME },
    { "voided_at", NULL, LIST_TIME },
    { "voided_why", NULL, LIST_TEXT },
    { "token_naive", "tokens alone", LIST_COUNT },
    { "token_unique", "tokens as sharded", LIST_COUNT },
    { "token_share", "ratio", LIST_SCORE },
};

static const struct list_column error_columns[] = {
    { "reason", NULL, LIST_TEXT },
    { "items", NULL, LIST_COUNT },
    { "least", NULL, LIST_COUNT },
    { "most", NULL, LIST_COUNT },
    { "first_item_no", "first item", LIST_COUNT },
    { "at", "last", LIST_TIME },
};

static const struct list_column score_columns[] = {
    { "metric", NULL, LIST_TEXT },   { "value", NULL, LIST_SHARE },
    { "stderr", NULL, LIST_SHARE },  { "n", NULL, LIST_COUNT },
    { "filter", NULL, LIST_TEXT },   { "scorer", NULL, LIST_TEXT },
    { "version", NULL, LIST_COUNT }, { "made_at", "made", LIST_TIME },
};

static const char *const states[] = { "planned", "running", "complete", "erred", "cancelled" };
#define STATES "planned, running, complete, erred or cancelled"

static const struct option list_options[] = {
    { OPTION_TEXT, "campaign", "NAME", NULL, "only its runs" },
    { OPTION_TEXT, "state", "STATE", NULL, STATES },
    { OPTION_I64, "limit", "N", "200", "the newest so many" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

static bool state_known(struct cli *cli, struct err *err)
{
    const char *state = cli_text(cli, "state");
    for (size_t i = 0; i < COUNT(states); i++)
        if (!state || !strcmp(states[i], state))
            return true;
    return cli_usage(cli, err, "a run is never '%s': %s", state, STATES);
}

static bool run_list(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id;
    const char *campaign = cli_text(cli, "campaign");
    AUTO(rows_free) struct rows *rows = NULL;
    if (!state_known(cli, err) || !cli_db(&db, cli, err) ||
        (campaign && !campaign_id(&id, cli, db, campaign, err)) ||
        !db_call(&rows, db,
                 "select * from run_list where campaign = coalesce($1, campaign)"
                 " and state = coalesce($2, state) order by run_id desc limit $3",
                 ARGS(TEXT(campaign), TEXT(cli_text(cli, "state")), I64(cli_i64(cli, "limit"))),
                 err))
        return false;
    list_print(cli, "runs", rows, columns, COUNT(columns));
    reason_hints(cli, &rows, 1);
    return list_age(cli, db, err);
}

static bool run_number(int64_t *out, struct cli *cli, struct err *err)
{
    char *end;
    const char *word = cli_arg(cli, 0);
    *out = strtoll(word, &end, 10);
    return (!*end && end != word) || cli_usage(cli, err, "a run is a number, not '%s'", word);
}

static bool no_such_run(struct cli *cli, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    char there[64];
    if (!db_call(&rows, db, "select min(run_id) as lo, max(run_id) as hi from run_list", NO_ARGS,
                 err))
        return false;
    snprintf(there, sizeof(there), "%lld .. %lld", (long long)rows_i64(rows, 0, "lo"),
             (long long)rows_i64(rows, 0, "hi"));
    return cli_not_found(cli, err, "run", cli_arg(cli, 0), rows_null(rows, 0, "lo") ? NULL : there);
}

static void section(struct cli *cli, const char *name, struct rows *rows,
                    const struct list_column *what, int count)
{
    if (!rows_count(rows) && !cli_json(cli))
        return;
    cli_line(cli, "\n%s", name);
    list_print(cli, name, rows, what, count);
}

static bool run_show(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t run;
    AUTO(rows_free) struct rows *rows = NULL, *errors = NULL, *scores = NULL;
    if (!run_number(&run, cli, err) || !cli_db(&db, cli, err) ||
        !db_call(&rows, db,
                 "select r.*, coalesce(t.items, 0) as n_truncated, c.token_naive, c.token_unique,"
                 " c.token_naive::float8 / nullif(c.token_unique, 0) as token_share"
                 " from run_list r left join truncated_list t using (run_id)"
                 " left join cost_list c using (run_id) where run_id = $1",
                 ARGS(I64(run)), err))
        return false;
    if (!rows_count(rows))
        return no_such_run(cli, db, err);
    if (!db_call(&errors, db, "select * from error_list where run_id = $1 order by items desc",
                 ARGS(I64(run)), err) ||
        !db_call(&scores, db,
                 "select * from score_list where run_id = $1 order by scorer, version, metric",
                 ARGS(I64(run)), err))
        return false;
    list_print_one(cli, rows, 0, one, COUNT(one));
    section(cli, "errors", errors, error_columns, COUNT(error_columns));
    section(cli, "scores", scores, score_columns, COUNT(score_columns));
    reason_hints(cli, (struct rows *[]){ rows, errors }, 2);
    return list_age(cli, db, err);
}

static bool run_known(struct cli *cli, struct db *db, int64_t run, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select 1 as one from run_list where run_id = $1", ARGS(I64(run)), err))
        return false;
    return rows_count(rows) || no_such_run(cli, db, err);
}

static bool order(struct cli *cli, const char *sql, const char *why, const char *label,
                  struct err *err)
{
    struct db *db;
    int64_t run;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!run_number(&run, cli, err) || !cli_db(&db, cli, err) || !run_known(cli, db, run, err))
        return false;
    bool ok = why ? db_call(&rows, db, sql, ARGS(I64(run), TEXT(why)), err)
                  : db_call(&rows, db, sql, ARGS(I64(run)), err);
    if (!ok)
        return false;
    cli_field_i64(cli, label, rows_i64(rows, 0, "n"));
    return true;
}

static bool run_retry(struct cli *cli, struct err *err)
{
    return order(cli, "select run_retry($1) as n", NULL, "shards_opened", err);
}

static bool run_cancel(struct cli *cli, struct err *err)
{
    return order(cli, "select run_cancel($1, $2)::int as n", cli_text(cli, "reason"),
                 "runs_cancelled", err);
}

static bool run_restart(struct cli *cli, struct err *err)
{
    return order(cli, "select run_restart($1, $2) as n", cli_text(cli, "reason"), "new_run", err);
}

static bool run_void(struct cli *cli, struct err *err)
{
    return order(cli, "select 1 as n from (select run_void($1, $2)) v", cli_text(cli, "reason"),
                 "runs_voided", err);
}

static const struct option reason_options[] = {
    { OPTION_TEXT, "reason", "TEXT", "by order", "why; kept with the run" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

const struct command run_commands[] = {
    { .words = "run list",
      .role = ROLE_OPERATOR,
      .usage = "[--campaign NAME] [--state STATE]",
      .help = "campaign x model x task: progress and what holds it up",
      .options = list_options,
      .run = run_list },
    { .words = "run show",
      .role = ROLE_OPERATOR,
      .usage = "RUN",
      .help = "one run: parameters, errors by reason, scores",
      .args_min = 1,
      .args_max = 1,
      .run = run_show },
    { .words = "run retry",
      .role = ROLE_OPERATOR,
      .usage = "RUN",
      .help = "ask again for exactly the items that ended in errors",
      .args_min = 1,
      .args_max = 1,
      .run = run_retry },
    { .words = "run cancel",
      .role = ROLE_OPERATOR,
      .usage = "RUN [--reason TEXT]",
      .help = "stop it; what was measured stays, and does not count",
      .options = reason_options,
      .args_min = 1,
      .args_max = 1,
      .run = run_cancel },
    { .words = "run restart",
      .role = ROLE_OPERATOR,
      .usage = "RUN [--reason TEXT]",
      .help = "cancel it and start anew, on whatever numerics class comes first",
      .options = reason_options,
      .args_min = 1,
      .args_max = 1,
      .run = run_restart },
    { .words = "run void",
      .role = ROLE_OPERATOR,
      .usage = "RUN [--reason TEXT]",
      .help = "a complete run that must not count on any board",
      .options = reason_options,
      .args_min = 1,
      .args_max = 1,
      .run = run_void },
    { 0 },
};
