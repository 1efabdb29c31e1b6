/* cmd_board.c - boards: what is averaged, waiting for an edition.  The leaderboard itself is
 * cmd_board_show.c, its past cmd_board_past.c.
 *
 * A board is data: a YAML file that names tasks or groups, the metric of each, its category and
 * weight.  An average is tasks -> category -> board: a category is the weighted mean of its tasks,
 * the board the weighted mean of its categories. */
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/cli/board.h"
#include "coordinator/cli/board_file.h"
#include "coordinator/cli/list.h"
#include "coordinator/job/scorer.h"
#include "coordinator/store/array.h"

static const struct list_column list_columns[] = {
    { "board", NULL, LIST_TEXT },       { "models", NULL, LIST_COUNT },
    { "tasks", NULL, LIST_COUNT },      { "categories", NULL, LIST_COUNT },
    { "seq", "edition", LIST_ID },      { "made_at", "made", LIST_TIME },
    { "is_stale", "stale", LIST_BOOL }, { "publish", "public", LIST_BOOL },
    { "scorer", NULL, LIST_TEXT },      { "next_scorer", "next scorer", LIST_TEXT },
    { "definition", NULL, LIST_JSON },
};

static bool board_list(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db, "select * from board_list order by board", NO_ARGS, err))
        return false;
    list_print(cli, "boards", rows, list_columns, COUNT(list_columns));
    return list_age(cli, db, err);
}

bool no_such_board(struct cli *cli, struct db *db, struct err *err)
{
    AUTO(buf_free) struct buf there = { 0 };
    if (!list_names(&there, db, "select board from board_list order by 1", NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "board", cli_arg(cli, 0), buf_text(&there));
}

/* ---- waiting for an edition ---- */

#define WAIT_POLL_MS 1000

bool board_pending(struct pending *out, struct db *db, const char *board, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select not is_stale as fresh, (select count(*) from coverage_v1 c where"
                 " c.board = b.board and c.state in ('scoring', 'ranking')) as due,"
                 " (select count(*) from job_list j where j.state = 'failed'"
                 " and not exists (select from job_list o where o.kind = j.kind and o.key = j.key"
                 " and o.job_id > j.job_id)) as failed from board_list b where board = $1",
                 ARGS(TEXT(board)), err))
        return false;
    if (!rows_count(rows)) {
        out->due = -1;
        return true;
    }
    out->due = rows_i64(rows, 0, "due");
    out->failed = rows_i64(rows, 0, "failed");
    out->fresh = rows_bool(rows, 0, "fresh");
    return true;
}

static bool board_wait(struct cli *cli, struct err *err)
{
    struct db *db;
    struct pending p;
    bool woken;
    const char *board = cli_arg(cli, 0);
    int64_t until = clock_monotonic_ms() + cli_i64(cli, "timeout") * 1000;
    if (!cli_db(&db, cli, err) || !db_listen(db, "koeval_board", err))
        return false;
    for (;;) {
        if (!board_pending(&p, db, board, err))
            return false;
        if (p.due < 0)
            return no_such_board(cli, db, err);
        if (p.fresh && !p.due)
            break;
        if (p.failed)
            return err_set(err, ERR_INPUT, "%lld jobs failed; see `koeval job list --failed`",
                           (long long)p.failed);
        if (clock_monotonic_ms() >= until)
            return err_set(err, ERR_RETRY, "no new edition within %lld s: is a coordinator up?",
                           (long long)cli_i64(cli, "timeout"));
        if (!db_wait(&woken, db, WAIT_POLL_MS, err))
            return false;
    }
    cli_field_text(cli, "board", board);
    cli_field_text(cli, "state", "current");
    return true;
}

static const struct option wait_options[] = {
    { OPTION_I64, "timeout", "S", "300", "seconds before it gives up" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

/* ---- definition ---- */

static const struct list_column defined_columns[] = {
    { "board", NULL, LIST_TEXT },
    { "tasks", NULL, LIST_COUNT },
    { "categories", NULL, LIST_COUNT },
    { "scorer", NULL, LIST_TEXT },
};

bool board_scorer(int64_t *out, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    uint8_t digest[32];
    bytes_unhex(digest, "\\x" SCORER_SHA256);
    if (!db_call(&rows, db, "select scorer_add($1, $2, $3) as id",
                 ARGS(TEXT(SCORER_NAME), I64(SCORER_VERSION), BYTES(digest, sizeof(digest))), err))
        return false;
    *out = rows_i64(rows, 0, "id");
    return true;
}

/* A name that the file has and nobody imported: said with what there is, before anything is done.
 */
static bool members_known(struct cli *cli, struct db *db, const char *definition, struct err *err)
{
    AUTO(rows_free) struct rows *missing = NULL;
    AUTO(buf_free) struct buf there = { 0 };
    if (!db_call(&missing, db,
                 "select noun, name from (select case when e ? 'group' then 'group' else 'task' end"
                 " as noun, coalesce(e ->> 'group', e ->> 'task') as name"
                 " from jsonb_array_elements($1::jsonb -> 'tasks') e) x where name is not null"
                 " and not exists (select from task_list t where case noun when 'group'"
                 " then x.name = any (t.groups) else x.name = t.task end) limit 1",
                 ARGS(TEXT(definition)), err))
        return false;
    if (!rows_count(missing))
        return true;
    const char *noun = rows_text(missing, 0, "noun");
    if (!list_names(&there, db,
                    !strcmp(noun, "group")
                        ? "select distinct unnest(groups) from task_list order by 1 limit 60"
                        : "select distinct task from task_list order by 1 limit 60",
                    NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, noun, rows_text(missing, 0, "name"), buf_text(&there));
}

static bool board_define(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t scorer;
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(board_file_free) struct board_file file = { 0 };
    if (!board_file_read(&file, cli_arg(cli, 0), err) || !cli_db(&db, cli, err) ||
        !members_known(cli, db, file.definition, err) || !board_scorer(&scorer, db, err))
        return false;
    if (!db_call(NULL, db, "select board_define($1, $2::jsonb, $3)",
                 ARGS(TEXT(file.name), TEXT(file.definition), I64(scorer)), err))
        return err_wrap(err, "%s", cli_arg(cli, 0));
    if (!db_call(&rows, db, "select * from board_list where board = $1", ARGS(TEXT(file.name)),
                 err))
        return false;
    list_print_one(cli, rows, 0, defined_columns, COUNT(defined_columns));
    return true;
}

const struct command board_commands[] = {
    { .words = "board define",
      .role = ROLE_OPERATOR,
      .usage = "FILE.yaml",
      .help = "make a board, or give one a new definition; old editions keep theirs",
      .more =
          "The file: name, tasks (a list of task or group, metric, category, weight, filter, "
          "params,\n"
          "version), categories (name: weight), params (for all tasks), publish.\n"
          "An average is tasks -> category -> board. A group's members share its weight; weight:\n"
          "size weighs them by their items.",
      .args_min = 1,
      .args_max = 1,
      .run = board_define },
    { .words = "board list",
      .role = ROLE_OPERATOR,
      .help = "boards, their edition, whether it is stale",
      .run = board_list },
    { .words = "board show",
      .role = ROLE_OPERATOR,
      .usage = "NAME [--csv]",
      .help = "the leaderboard: rank, rank range, score ± standard error per category",
      .options = board_show_options,
      .args_min = 1,
      .args_max = 1,
      .run = board_show },
    { .words = "board wait",
      .role = ROLE_OPERATOR,
      .usage = "NAME [--timeout S]",
      .help = "until the edition shows every complete run",
      .options = wait_options,
      .args_min = 1,
      .args_max = 1,
      .run = board_wait },
    { .words = "board history",
      .role = ROLE_OPERATOR,
      .usage = "NAME [--limit N]",
      .help = "its editions: when each was shown, who led, which scorer",
      .options = history_options,
      .args_min = 1,
      .args_max = 1,
      .run = board_history },
    { .words = "board diff",
      .role = ROLE_OPERATOR,
      .usage = "NAME [FROM [TO]]",
      .help = "ranks and scores of two editions side by side",
      .more = "Editions are numbers of `koeval board history`; without them the last two.",
      .args_min = 1,
      .args_max = 3,
      .run = board_diff },
    { .words = "board rescore",
      .role = ROLE_ADMIN,
      .usage = "NAME [--wait] [--timeout S]",
      .help = "move a board to this program's scorer, when all its scores are there",
      .more = "No model runs again: answers are judged anew. Until every score is there the board\n"
              "stays as it is. --wait waits for scores and edition, then shows the ranks before\n"
              "and after; `koeval board rollback` goes back.",
      .options = rescore_options,
      .args_min = 1,
      .args_max = 1,
      .run = board_rescore },
    { .words = "board rollback",
      .role = ROLE_ADMIN,
      .usage = "NAME EDITION",
      .help = "show an older edition again, under a new number",
      .args_min = 2,
      .args_max = 2,
      .run = board_rollback },
    { 0 },
};
