/* cmd_board_past.c - what a board has shown: its editions, two of them side by side, the move to
 * another scorer with the ranks before and after, and the way back. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/cli/board.h"
#include "coordinator/cli/list.h"
#include "coordinator/job/scorer.h"

const struct option history_options[] = {
    { OPTION_I64, "limit", "N", "40", "the newest so many" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};
const struct option rescore_options[] = {
    { OPTION_FLAG, "wait", NULL, NULL,
      "until the board shows it; then the ranks before and after" },
    { OPTION_I64, "timeout", "S", "3600", "seconds before --wait gives up" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

static const struct list_column history_columns[] = {
    { "seq", "edition", LIST_ID },      { "at", "shown from", LIST_TIME },
    { "until", NULL, LIST_TIME },       { "models", NULL, LIST_COUNT },
    { "leader", NULL, LIST_TEXT },      { "scorer", NULL, LIST_TEXT },
    { "is_rollback", NULL, LIST_BOOL }, { "snapshot_id", NULL, LIST_NUMBER },
    { "made_at", NULL, LIST_HIDDEN },   { "code_version", NULL, LIST_HIDDEN },
    { "definition", NULL, LIST_JSON },
};

static bool board_known(int64_t *id, struct cli *cli, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select board_id from board_list where board = $1",
                 ARGS(TEXT(cli_arg(cli, 0))), err))
        return false;
    if (!rows_count(rows))
        return no_such_board(cli, db, err);
    *id = rows_i64(rows, 0, "board_id");
    return true;
}

bool board_history(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) || !board_known(&id, cli, db, err) ||
        !db_call(&rows, db,
                 "select * from edition_list where board = $1 order by seq desc limit $2",
                 ARGS(TEXT(cli_arg(cli, 0)), I64(cli_i64(cli, "limit"))), err))
        return false;
    list_print(cli, "editions", rows, history_columns, COUNT(history_columns));
    return list_age(cli, db, err);
}

/* ---- two editions ---- */

static const struct column diff_columns[] = {
    { "model", NULL, COLUMN_LEFT },
    { "rank_from", "rank", COLUMN_RIGHT },
    { "rank_to", "now", COLUMN_RIGHT },
    { "moved", NULL, COLUMN_LEFT },
    { "score_from", "score", COLUMN_RIGHT },
    { "score_to", "now", COLUMN_RIGHT },
    { "score_change", "change", COLUMN_RIGHT },
};

static void put_rank(struct table *table, const struct rows *rows, int r, const char *column)
{
    if (rows_null(rows, r, column))
        table_null(table);
    else
        table_i64(table, rows_i64(rows, r, column));
}

/* "up 2", "down 1", "=", "new", "gone": words, so that a screen reader and a grep find them. */
static void put_move(struct table *table, const struct rows *rows, int r)
{
    char shown[32], json[48];
    bool came = rows_null(rows, r, "rank_from"), went = rows_null(rows, r, "rank_to");
    int64_t up = rows_i64(rows, r, "rank_from") - rows_i64(rows, r, "rank_to");
    if (came || went || !up)
        snprintf(shown, sizeof(shown), "%s", came ? "new" : went ? "gone" : "=");
    else
        snprintf(shown, sizeof(shown), "%s %lld", up > 0 ? "up" : "down",
                 (long long)(up > 0 ? up : -up));
    snprintf(json, sizeof(json), "\"%s\"", shown);
    table_cell(table, json, shown);
    table_style(table, came || up > 0 ? CELL_GOOD : went || up < 0 ? CELL_WARN : CELL_DIM);
}

static void put_change(struct table *table, const struct rows *rows, int r)
{
    char json[32], shown[32];
    if (rows_null(rows, r, "change")) {
        table_null(table);
        return;
    }
    snprintf(json, sizeof(json), "%.2f", rows_f64(rows, r, "change"));
    snprintf(shown, sizeof(shown), "%+.2f", rows_f64(rows, r, "change"));
    table_cell(table, json, shown);
}

static void diff_row(struct table *table, const struct rows *rows, int r)
{
    table_text(table, rows_text(rows, r, "model"));
    put_rank(table, rows, r, "rank_from");
    put_rank(table, rows, r, "rank_to");
    put_move(table, rows, r);
    table_f64(table, rows_null(rows, r, "score_from") ? NAN : rows_f64(rows, r, "score_from"), 2);
    table_f64(table, rows_null(rows, r, "score_to") ? NAN : rows_f64(rows, r, "score_to"), 2);
    put_change(table, rows, r);
}

/* What stands above the table: which editions, and whether the board itself was another. */
static void diff_head(struct cli *cli, const struct rows *rows)
{
    const char *from = rows_text(rows, 0, "scorer_from"), *to = rows_text(rows, 0, "scorer_to");
    bool same = rows_bool(rows, 0, "same_definition");
    cli_field_i64(cli, "edition_from", rows_i64(rows, 0, "seq_from"));
    cli_field_i64(cli, "edition_to", rows_i64(rows, 0, "seq_to"));
    if (cli_json(cli) || strcmp(from, to)) {
        cli_field_text(cli, "scorer_from", from);
        cli_field_text(cli, "scorer_to", to);
    }
    if (cli_json(cli) || !same)
        cli_field(cli, "definition_changed", same ? "false" : "true",
                  same ? "no" : "yes: tasks or weights differ, so do the scores");
}

static bool diff_print(struct cli *cli, struct db *db, int64_t from, int64_t to, struct err *err)
{
    const struct arg *args = ARGS(TEXT(cli_arg(cli, 0)), I64(from), I64(to));
    AUTO(rows_free) struct rows *head = NULL, *rows = NULL;
    if (!db_call(&head, db,
                 "select f.seq as seq_from, t.seq as seq_to, f.scorer as scorer_from,"
                 " t.scorer as scorer_to, f.definition = t.definition as same_definition"
                 " from edition_list f join edition_list t using (board)"
                 " where board = $1 and f.seq = $2 and t.seq = $3",
                 args, err) ||
        !db_call(&rows, db,
                 "select coalesce(t.model, f.model) as model, f.rank as rank_from,"
                 " t.rank as rank_to, f.score as score_from, t.score as score_to,"
                 " t.score - f.score as change from"
                 " (select * from place_list where board = $1 and seq = $2) f full join"
                 " (select * from place_list where board = $1 and seq = $3) t using (model_id)"
                 " order by t.rank nulls last, f.rank, 1",
                 args, err))
        return false;
    diff_head(cli, head);
    AUTO(table_free) struct table *table = table_new(diff_columns, COUNT(diff_columns));
    for (int r = 0; r < rows_count(rows); r++)
        diff_row(table, rows, r);
    cli_table(cli, "models", table);
    return true;
}

/* The number of an edition that there is. */
static bool edition(int64_t *out, struct cli *cli, struct db *db, const char *word, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(buf_free) struct buf there = { 0 };
    if (!db_call(&rows, db, "select seq from edition_list where board = $1 and seq::text = $2",
                 ARGS(TEXT(cli_arg(cli, 0)), TEXT(word)), err))
        return false;
    if (rows_count(rows)) {
        *out = rows_i64(rows, 0, "seq");
        return true;
    }
    if (!list_names(&there, db,
                    "select seq from edition_list where board = $1 order by seq desc limit 20",
                    ARGS(TEXT(cli_arg(cli, 0))), err))
        return false;
    return cli_not_found(cli, err, "edition", word, buf_text(&there));
}

/* 0 where nothing was published yet. */
static bool edition_newest(int64_t *out, struct db *db, const char *board, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select coalesce(max(seq), 0) as seq from edition_list where board = $1",
                 ARGS(TEXT(board)), err))
        return false;
    *out = rows_i64(rows, 0, "seq");
    return true;
}

bool board_diff(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id, from, to;
    const char *board = cli_arg(cli, 0);
    if (!cli_db(&db, cli, err) || !board_known(&id, cli, db, err) ||
        !edition_newest(&to, db, board, err))
        return false;
    if (cli_arg(cli, 2) && !edition(&to, cli, db, cli_arg(cli, 2), err))
        return false;
    from = to - 1;
    if (cli_arg(cli, 1) && !edition(&from, cli, db, cli_arg(cli, 1), err))
        return false;
    if (from < 1)
        return err_set(err, ERR_INPUT, "board %s has shown %s: nothing to compare", board,
                       to ? "one edition" : "nothing yet");
    return diff_print(cli, db, from, to, err);
}

bool board_rollback(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id, seq;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) || !board_known(&id, cli, db, err) ||
        !edition(&seq, cli, db, cli_arg(cli, 1), err) ||
        !db_call(&rows, db,
                 "select rank_rollback($1, (select snapshot_id from edition_list"
                 " where board = $2 and seq = $3)) as seq",
                 ARGS(I64(id), TEXT(cli_arg(cli, 0)), I64(seq)), err))
        return false;
    cli_field_text(cli, "board", cli_arg(cli, 0));
    cli_field_i64(cli, "shows_again", seq);
    cli_field_i64(cli, "edition", rows_i64(rows, 0, "seq"));
    return true;
}

/* ---- another scorer ---- */

#define POLL_MS 1000

/* Asks for what is missing, or makes the switch. */
static bool rescore(int64_t *missing, struct db *db, int64_t board, int64_t scorer, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select board_rescore($1, $2) as missing",
                 ARGS(I64(board), I64(scorer)), err))
        return false;
    *missing = rows_i64(rows, 0, "missing");
    return true;
}

/* True where the board is on the scorer already and prepares no other. */
static bool is_on(bool *out, struct db *db, int64_t board, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    char own[64];
    snprintf(own, sizeof(own), "%s %d", SCORER_NAME, SCORER_VERSION);
    if (!db_call(&rows, db,
                 "select scorer = $2 and next_scorer is null as on_it from board_list"
                 " where board_id = $1",
                 ARGS(I64(board), TEXT(own)), err))
        return false;
    *out = rows_bool(rows, 0, "on_it");
    return true;
}

struct switching {
    int64_t board, scorer, missing;
    int64_t before, now; /* editions: the last one seen before the switch, the newest */
};

/* One look: scores that came, the switch, the edition that shows it.  *done when it is there. */
static bool rescore_step(bool *done, struct switching *s, struct cli *cli, struct db *db,
                         struct err *err)
{
    struct pending p;
    if (!board_pending(&p, db, cli_arg(cli, 0), err))
        return false;
    /* Before asking again: that would queue what failed. */
    if (p.failed)
        return err_set(err, ERR_INPUT, "%lld jobs failed; see `koeval job list --failed`",
                       (long long)p.failed);
    if (!edition_newest(&s->now, db, cli_arg(cli, 0), err))
        return false;
    *done = !s->missing && p.fresh && s->now > s->before;
    if (!s->missing)
        return true;
    s->before = s->now; /* models that end meanwhile are no change of the scorer's */
    return rescore(&s->missing, db, s->board, s->scorer, err);
}

static bool rescore_wait(struct switching *s, struct cli *cli, struct db *db, struct err *err)
{
    bool done = false, woken;
    int64_t until = clock_monotonic_ms() + cli_i64(cli, "timeout") * 1000;
    if (!db_listen(db, "koeval_board", err))
        return false;
    while (!done) {
        if (!rescore_step(&done, s, cli, db, err))
            return false;
        if (!done && clock_monotonic_ms() >= until)
            return err_set(err, ERR_RETRY,
                           "%lld scores are missing, or the edition, after %lld s: is a "
                           "coordinator up?",
                           (long long)s->missing, (long long)cli_i64(cli, "timeout"));
        if (!done && !db_wait(&woken, db, POLL_MS, err))
            return false;
    }
    return true;
}

bool board_rescore(struct cli *cli, struct err *err)
{
    struct db *db;
    bool on_it;
    struct switching s = { 0 };
    if (!cli_db(&db, cli, err) || !board_known(&s.board, cli, db, err) ||
        !board_scorer(&s.scorer, db, err) || !is_on(&on_it, db, s.board, err) ||
        !edition_newest(&s.before, db, cli_arg(cli, 0), err))
        return false;
    cli_field_text(cli, "scorer", SCORER_NAME);
    cli_field_i64(cli, "version", SCORER_VERSION);
    if (on_it) {
        cli_field_i64(cli, "scores_missing", 0);
        cli_note(cli, "the board is on this scorer already: nothing to do");
        return true;
    }
    if (!rescore(&s.missing, db, s.board, s.scorer, err))
        return false;
    cli_field_i64(cli, "scores_missing", s.missing);
    if (!cli_flag(cli, "wait")) {
        cli_note(cli, s.missing ? "the scores are being made; the same command again switches "
                                  "when they are there"
                                : "switched: `koeval board wait` waits for the edition, `koeval "
                                  "board diff` compares it");
        return true;
    }
    return rescore_wait(&s, cli, db, err) &&
           (!s.before || diff_print(cli, db, s.before, s.now, err));
}
