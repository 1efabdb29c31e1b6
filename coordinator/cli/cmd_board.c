/* cmd_board.c - boards: what is averaged, and the leaderboard as it stands.
 *
 * A board is data: a YAML file that names tasks or groups, the metric of each, its category and
 * weight.  An average is tasks -> category -> board: a category is the weighted mean of its tasks,
 * the board the weighted mean of its categories. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
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

static bool no_such_board(struct cli *cli, struct db *db, struct err *err)
{
    AUTO(buf_free) struct buf there = { 0 };
    if (!list_names(&there, db, "select board from board_list order by 1", NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "board", cli_arg(cli, 0), buf_text(&there));
}

/* ---- the leaderboard ---- */

#define CATEGORY_COLUMNS_MAX 32

/* What board show reads, all of one snapshot. */
struct show {
    struct rows *rows, *cells, *categories, *current, *coverage;
};

static void show_free(struct show *s)
{
    rows_free(s->rows);
    rows_free(s->cells);
    rows_free(s->categories);
    rows_free(s->current);
    rows_free(s->coverage);
}
AUTO_ENDS(struct show, show_free)

static bool show_read(struct show *s, struct db *db, const char *board, struct err *err)
{
    const struct arg *name = ARGS(TEXT(board));
    return db_exec(db, "begin isolation level repeatable read read only", err) &&
           db_call(&s->current, db,
                   "select *, extract(epoch from clock_timestamp() - made_at)::float8 as age_s"
                   " from current_v1 where board = $1",
                   name, err) &&
           db_call(&s->rows, db,
                   "select * from board_v1 where board = $1 order by rank, score desc, model", name,
                   err) &&
           db_call(&s->categories, db,
                   "select coalesce(e ->> 'category', e ->> 'group', e ->> 'task') as category"
                   " from board_list, jsonb_array_elements(definition -> 'tasks')"
                   " with ordinality t(e, place) where board = $1 group by 1 order by min(place)",
                   name, err) &&
           db_call(&s->cells, db, "select * from category_v1 where board = $1", name, err) &&
           db_call(
               &s->coverage, db,
               "select * from coverage_v1 where board = $1 and state <> 'ranked' order by model",
               name, err) &&
           db_exec(db, "commit", err);
}

/* "76.6 ± 1.1" */
static void put_score(struct table *table, const struct rows *rows, int row, bool bold)
{
    char shown[48];
    double score = rows_f64(rows, row, "score"), error = rows_f64(rows, row, "stderr");
    if (isnan(error))
        snprintf(shown, sizeof(shown), "%.1f", score);
    else
        snprintf(shown, sizeof(shown), "%.1f ± %.1f", score, error);
    table_cell(table, rows_text(rows, row, "score"), shown);
    if (bold)
        table_style(table, CELL_BOLD);
}

static void put_error(struct table *table, const struct rows *rows, int row)
{
    table_cell(table, rows_text(rows, row, "stderr"), "");
}

static int cell_of(const struct rows *cells, const char *model, const char *category)
{
    for (int i = 0; i < rows_count(cells); i++)
        if (!strcmp(rows_text(cells, i, "model"), model) &&
            !strcmp(rows_text(cells, i, "category"), category))
            return i;
    return -1;
}

static void put_row(struct table *table, const struct show *s, int r)
{
    char range[32];
    const char *model = rows_text(s->rows, r, "model");
    long long lo = rows_i64(s->rows, r, "rank_lo"), hi = rows_i64(s->rows, r, "rank_hi");
    snprintf(range, sizeof(range), lo == hi ? "%lld" : "%lld–%lld", lo, hi);
    table_i64(table, rows_i64(s->rows, r, "rank"));
    table_style(table, CELL_BOLD);
    table_text(table, range);
    table_i64(table, lo);
    table_i64(table, hi);
    table_i64(table, rows_i64(s->rows, r, "tie_group"));
    table_text(table, model);
    put_score(table, s->rows, r, true);
    put_error(table, s->rows, r);
    for (int c = 0; c < rows_count(s->categories); c++) {
        int cell = cell_of(s->cells, model, rows_text(s->categories, c, "category"));
        if (cell < 0) {
            table_null(table);
            table_null(table);
            continue;
        }
        put_score(table, s->cells, cell, false);
        put_error(table, s->cells, cell);
    }
    if (rows_null(s->rows, r, "n"))
        table_null(table);
    else
        table_i64(table, rows_i64(s->rows, r, "n"));
}

/* Column heads of a board: eight of its own, two a category, n.  names holds "X_stderr". */
static int heads_fill(struct column *heads, char (*names)[80], const struct show *s)
{
    static const struct column own[] = {
        { "rank", NULL, COLUMN_RIGHT },      { "range", NULL, COLUMN_LEFT },
        { "rank_lo", NULL, COLUMN_JSON },    { "rank_hi", NULL, COLUMN_JSON },
        { "tie_group", "tie", COLUMN_JSON }, { "model", NULL, COLUMN_LEFT },
        { "score", NULL, COLUMN_RIGHT },     { "stderr", NULL, COLUMN_JSON },
    };
    int n = 0;
    for (size_t i = 0; i < COUNT(own); i++)
        heads[n++] = own[i];
    for (int c = 0; c < rows_count(s->categories); c++) {
        const char *category = rows_text(s->categories, c, "category");
        snprintf(names[c], sizeof(names[c]), "%.60s_stderr", category);
        heads[n++] = (struct column){ category, NULL, COLUMN_RIGHT };
        heads[n++] = (struct column){ names[c], NULL, COLUMN_JSON };
    }
    heads[n++] = (struct column){ "n", NULL, COLUMN_RIGHT };
    return n;
}

static struct table *board_table(struct column *heads, char (*names)[80], const struct show *s)
{
    struct table *table = table_new(heads, heads_fill(heads, names, s));
    for (int r = 0; r < rows_count(s->rows); r++)
        put_row(table, s, r);
    return table;
}

static const struct list_column coverage_columns[] = {
    { "model", NULL, LIST_TEXT },
    { "state", NULL, LIST_STATE },
    { "tasks_scored", "tasks", LIST_COUNT },
    { "tasks", "of", LIST_COUNT },
    { "percent", NULL, LIST_PERCENT },
    { "reason", NULL, LIST_TEXT },
};

static void footer(struct cli *cli, const struct show *s)
{
    char age[16];
    if (!rows_count(s->current)) {
        cli_line(cli, "nothing is published yet");
        return;
    }
    age_shown(age, rows_f64(s->current, 0, "age_s"));
    cli_line(
        cli,
        "\nedition %lld, made %s ago%s; score ± standard error, 0 to 100; range: 95 %% of %lld "
        "paired bootstrap replicates",
        (long long)rows_i64(s->current, 0, "seq"), age,
        rows_bool(s->current, 0, "is_stale") ? ", STALE: a new one is due" : "",
        (long long)rows_i64(s->current, 0, "boot_n"));
}

static const struct list_column current_columns[] = {
    { "seq", NULL, LIST_ID },
    { "snapshot_id", NULL, LIST_ID },
    { "made_at", NULL, LIST_HIDDEN },
    { "published_at", NULL, LIST_HIDDEN },
    { "input_sha256", NULL, LIST_HIDDEN },
    { "is_stale", NULL, LIST_BOOL },
    { "boot_seed", NULL, LIST_ID },
    { "boot_n", NULL, LIST_ID },
    { "scorer", NULL, LIST_TEXT },
    { "age_s", NULL, LIST_SECONDS },
};

static void show_print(struct cli *cli, const struct show *s)
{
    struct column heads[9 + 2 * CATEGORY_COLUMNS_MAX];
    char names[CATEGORY_COLUMNS_MAX][80];
    AUTO(table_free) struct table *table = board_table(heads, names, s);
    if (cli_flag(cli, "csv")) {
        table_print_csv(table, stdout);
        return;
    }
    if (cli_json(cli) && rows_count(s->current))
        list_print_one(cli, s->current, 0, current_columns, COUNT(current_columns));
    if (table_rows(table) || cli_json(cli))
        cli_table(cli, "rows", table);
    if (rows_count(s->coverage)) {
        cli_line(cli, "\nnot ranked yet");
        list_print(cli, "waiting", s->coverage, coverage_columns, COUNT(coverage_columns));
    }
    footer(cli, s);
}

static bool board_show(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *known = NULL;
    AUTO(show_free) struct show s = { 0 };
    const char *board = cli_arg(cli, 0);
    if (!cli_db(&db, cli, err) ||
        !db_call(&known, db, "select from board_list where board = $1", ARGS(TEXT(board)), err))
        return false;
    if (!rows_count(known))
        return no_such_board(cli, db, err);
    if (!show_read(&s, db, board, err))
        return false;
    if (rows_count(s.categories) > CATEGORY_COLUMNS_MAX)
        return err_set(err, ERR_INPUT,
                       "a board of %d categories is too wide to show: ask --json of "
                       "the views",
                       rows_count(s.categories));
    show_print(cli, &s);
    return true;
}

/* ---- waiting for an edition ---- */

#define WAIT_POLL_MS 1000

/* What stands between the board and an edition that shows everything measured so far. */
struct pending {
    int64_t due;    /* models whose runs are scored or ranked now */
    int64_t failed; /* jobs that were given up */
    bool fresh;     /* published and not stale */
};

static bool pending_read(struct pending *out, struct db *db, const char *board, struct err *err)
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
        if (!pending_read(&p, db, board, err))
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

static bool own_scorer(int64_t *out, struct db *db, struct err *err)
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

static bool board_define(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t scorer;
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(board_file_free) struct board_file file = { 0 };
    if (!board_file_read(&file, cli_arg(cli, 0), err) || !cli_db(&db, cli, err) ||
        !own_scorer(&scorer, db, err))
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

static bool board_rescore(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t scorer;
    AUTO(rows_free) struct rows *known = NULL, *rows = NULL;
    if (!cli_db(&db, cli, err) || !own_scorer(&scorer, db, err) ||
        !db_call(&known, db, "select board_id from board_list where board = $1",
                 ARGS(TEXT(cli_arg(cli, 0))), err))
        return false;
    if (!rows_count(known))
        return no_such_board(cli, db, err);
    if (!db_call(&rows, db, "select board_rescore($1, $2) as missing",
                 ARGS(I64(rows_i64(known, 0, "board_id")), I64(scorer)), err))
        return false;
    cli_field_text(cli, "scorer", SCORER_NAME);
    cli_field_i64(cli, "version", SCORER_VERSION);
    cli_field_i64(cli, "scores_missing", rows_i64(rows, 0, "missing"));
    return true;
}

static const struct option show_options[] = {
    { OPTION_FLAG, "csv", NULL, NULL, "comma-separated, for spreadsheets" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

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
      .options = show_options,
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
    { .words = "board rescore",
      .role = ROLE_ADMIN,
      .usage = "NAME",
      .help = "move a board to this program's scorer, when all its scores are there",
      .args_min = 1,
      .args_max = 1,
      .run = board_rescore },
    { 0 },
};
