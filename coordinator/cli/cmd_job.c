/* cmd_job.c - planning, scoring and ranking: what waits, what failed, and the one door by which the
 * coordinator starts such work. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/list.h"
#include "coordinator/job/job.h"

static const struct list_column columns[] = {
    { "job_id", "job", LIST_ID },        { "kind", NULL, LIST_TEXT },
    { "about", NULL, LIST_TEXT },        { "state", NULL, LIST_STATE },
    { "attempts", "tries", LIST_COUNT }, { "seconds", "took", LIST_SECONDS },
    { "age_s", "asked", LIST_SECONDS },  { "error", NULL, LIST_TEXT },
    { "key", NULL, LIST_NUMBER },        { "max_attempts", NULL, LIST_NUMBER },
    { "holder", NULL, LIST_HIDDEN },     { "created_at", NULL, LIST_HIDDEN },
    { "started_at", NULL, LIST_HIDDEN }, { "ended_at", NULL, LIST_HIDDEN },
};

static const struct option list_options[] = {
    { OPTION_FLAG, "failed", NULL, NULL, "only those that were given up" },
    { OPTION_I64, "limit", "N", "40", "the newest so many" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

static bool job_list(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db,
                 "select *, extract(epoch from clock_timestamp() - created_at)::float8 as age_s,"
                 " extract(epoch from coalesce(ended_at, clock_timestamp()) - started_at)::float8"
                 " as seconds from job_list where state = 'failed' or not $1"
                 " order by job_id desc limit $2",
                 ARGS(BOOL(cli_flag(cli, "failed")), I64(cli_i64(cli, "limit"))), err))
        return false;
    list_print(cli, "jobs", rows, columns, COUNT(columns));
    return list_age(cli, db, err);
}

static bool job_retry(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(buf_free) struct buf there = { 0 };
    char *end;
    const char *word = cli_arg(cli, 0);
    long long job = strtoll(word, &end, 10);
    if (*end || end == word)
        return cli_usage(cli, err, "a job is a number, not '%s'", word);
    if (!cli_db(&db, cli, err))
        return false;
    if (db_call(NULL, db, "select job_retry($1)", ARGS(I64(job)), err)) {
        cli_field_i64(cli, "queued", job);
        return true;
    }
    if (strcmp(db_sqlstate(db), "KE009"))
        return false;
    if (!list_names(&there, db,
                    "select job_id from job_list where state = 'failed' order by 1 limit 20",
                    NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "failed job", word, buf_text(&there));
}

/* ---- what the coordinator starts ---- */

typedef bool job_fn(struct db *db, int64_t job, int32_t attempt, struct err *err);

static const struct {
    const char *word, *role;
    job_fn *run;
} kinds[] = {
    { "plan", ROLE_COORDINATOR, job_plan },
    { "score", ROLE_COORDINATOR, job_score },
    { "rank", ROLE_RANKER, job_rank },
};

/* A failure is a row before it is an exit code: whoever lists jobs reads why. */
static bool run_kind(struct db *db, job_fn *run, int64_t job, int32_t attempt, struct err *err)
{
    /* The role's timeouts are the loop's: it must never wait long.  A job may. */
    if (!db_exec(db,
                 "set statement_timeout = 0; set lock_timeout = 0; "
                 "set idle_in_transaction_session_timeout = 0",
                 err))
        return false;
    if (run(db, job, attempt, err))
        return true;
    struct err lost = { 0 };
    bool retry = err->code == ERR_RETRY;
    if (!db_call(NULL, db, "select job_fail($1, $2, $3, $4)",
                 ARGS(I64(job), I64(attempt), TEXT(err->text), BOOL(retry)), &lost))
        return err_wrap(err, "job %lld (and its failure is not stored: %.80s)", (long long)job,
                        lost.text);
    return err_wrap(err, "job %lld", (long long)job);
}

static bool job_run(struct cli *cli, struct err *err)
{
    struct db *db;
    const char *word = cli_arg(cli, 0);
    int64_t job = strtoll(cli_arg(cli, 1), NULL, 10);
    int32_t attempt = (int32_t)strtol(cli_arg(cli, 2), NULL, 10);
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (!strcmp(kinds[i].word, word))
            return cli_db_as(&db, cli, kinds[i].role, err) &&
                   run_kind(db, kinds[i].run, job, attempt, err);
    return cli_not_found(cli, err, "kind of job", word, "plan, score, rank");
}

const struct command job_commands[] = {
    { .words = "job list",
      .role = ROLE_OPERATOR,
      .usage = "[--failed] [--limit N]",
      .help = "planning, scoring, ranking: what waits, runs, failed",
      .options = list_options,
      .run = job_list },
    { .words = "job retry",
      .role = ROLE_OPERATOR,
      .usage = "JOB",
      .help = "try a failed job again, when its cause is mended",
      .args_min = 1,
      .args_max = 1,
      .run = job_retry },
    { .words = "job run",
      .role = ROLE_COORDINATOR,
      .usage = "plan|score|rank JOB ATTEMPT",
      .help = "carry out a job that was claimed (the coordinator does this)",
      .args_min = 3,
      .args_max = 3,
      .hidden = true,
      .run = job_run },
    { 0 },
};
