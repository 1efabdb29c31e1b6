/* cmd_board_show.c - the leaderboard: rank, what the rank may be, scores with their errors.
 *
 * Programs get every number of the edition; a terminal gets as much as it has room for, and a
 * picture of each score's 95 % interval on one common scale. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/board.h"
#include "coordinator/cli/list.h"

#define CATEGORIES_MAX 32
#define COLUMNS_MAX    (10 + 2 * CATEGORIES_MAX)
#define CHART_WIDTH    28
#define INTERVAL       1.96 /* standard errors on either side hold 95 % */

const struct option board_show_options[] = {
    { OPTION_FLAG, "csv", NULL, NULL, "comma-separated, for spreadsheets" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

/* All of one snapshot. */
struct show {
    struct rows *rows, *cells, *categories, *current, *coverage;
    double least, most; /* ends of the chart's scale */
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

static bool read_rows(struct show *s, struct db *db, const char *board, struct err *err)
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
           db_call(&s->coverage, db,
                   "select * from coverage_v1 where board = $1 and state <> 'ranked'"
                   " order by model",
                   name, err) &&
           db_exec(db, "commit", err);
}

static void find_scale(struct show *s)
{
    s->least = INFINITY;
    s->most = -INFINITY;
    for (int r = 0; r < rows_count(s->rows); r++) {
        double score = rows_f64(s->rows, r, "score"), error = rows_f64(s->rows, r, "stderr");
        double half = isnan(error) ? 0 : INTERVAL * error;
        s->least = fmin(s->least, score - half);
        s->most = fmax(s->most, score + half);
    }
}

/* ---- what a terminal has room for ---- */

struct layout {
    bool categories, errors, chart;
};

/* From the richest to the barest. */
static const struct layout layouts[] = {
    { true, true, true },   { true, true, false },  { true, false, true },
    { true, false, false }, { false, false, true }, { false, false, false },
};
static const struct layout for_programs = { true, true, false };

/* ---- cells ---- */

static void put_score(struct table *table, const struct rows *rows, int row, bool with_error)
{
    char shown[48];
    double score = rows_f64(rows, row, "score"), error = rows_f64(rows, row, "stderr");
    if (isnan(error) || !with_error)
        snprintf(shown, sizeof(shown), "%.1f", score);
    else
        snprintf(shown, sizeof(shown), "%.1f ± %.1f", score, error);
    table_cell(table, rows_text(rows, row, "score"), shown);
}

static void put_error(struct table *table, const struct rows *rows, int row)
{
    table_cell(table, rows_text(rows, row, "stderr"), "");
}

static int place_on(const struct show *s, double score)
{
    double range = s->most - s->least;
    double share = range > 0 ? (score - s->least) / range : 0.5;
    int place = (int)(share * (CHART_WIDTH - 1) + 0.5);
    return place < 0 ? 0 : place >= CHART_WIDTH ? CHART_WIDTH - 1 : place;
}

/* "      ├──●──┤" */
static void put_chart(struct table *table, const struct show *s, int r)
{
    AUTO(buf_free) struct buf out = { 0 };
    double score = rows_f64(s->rows, r, "score"), error = rows_f64(s->rows, r, "stderr");
    double half = isnan(error) ? 0 : INTERVAL * error;
    int at = place_on(s, score), lo = place_on(s, score - half), hi = place_on(s, score + half);
    for (int i = 0; i <= hi; i++)
        buf_put_text(&out, i == at ? "●" : i < lo ? " " : i == lo ? "├" : i == hi ? "┤" : "─");
    table_cell(table, NULL, buf_text(&out));
    table_style(table, CELL_GOOD);
}

static int cell_of(const struct rows *cells, const char *model, const char *category)
{
    for (int i = 0; i < rows_count(cells); i++)
        if (!strcmp(rows_text(cells, i, "model"), model) &&
            !strcmp(rows_text(cells, i, "category"), category))
            return i;
    return -1;
}

/* Withdrawn models share one name, by which their cells cannot be told apart. */
static void put_categories(struct table *table, const struct show *s, int r, bool with_errors)
{
    bool withdrawn = !rows_null(s->rows, r, "withdrawn_at");
    const char *model = rows_text(s->rows, r, "model");
    for (int c = 0; c < rows_count(s->categories); c++) {
        int cell = cell_of(s->cells, model, rows_text(s->categories, c, "category"));
        if (cell < 0 || withdrawn) {
            table_null(table);
            table_null(table);
            continue;
        }
        put_score(table, s->cells, cell, with_errors);
        put_error(table, s->cells, cell);
    }
}

static void put_row(struct table *table, const struct show *s, int r, const struct layout *layout)
{
    char range[32];
    long long lo = rows_i64(s->rows, r, "rank_lo"), hi = rows_i64(s->rows, r, "rank_hi");
    snprintf(range, sizeof(range), lo == hi ? "%lld" : "%lld–%lld", lo, hi);
    table_i64(table, rows_i64(s->rows, r, "rank"));
    table_style(table, CELL_BOLD);
    table_text(table, range);
    table_i64(table, lo);
    table_i64(table, hi);
    table_i64(table, rows_i64(s->rows, r, "tie_group"));
    table_text(table, rows_text(s->rows, r, "model"));
    table_style(table, rows_null(s->rows, r, "withdrawn_at") ? CELL_BOLD : CELL_DIM);
    put_score(table, s->rows, r, true);
    table_style(table, CELL_BOLD);
    put_error(table, s->rows, r);
    if (layout->chart)
        put_chart(table, s, r);
    put_categories(table, s, r, layout->errors);
    if (rows_null(s->rows, r, "n"))
        table_null(table);
    else
        table_i64(table, rows_i64(s->rows, r, "n"));
}

/* ---- the table ---- */

/* A table borrows its columns: they live beside it. */
struct board_table {
    struct column columns[COLUMNS_MAX];
    char names[CATEGORIES_MAX][80]; /* "X_stderr" */
    struct table *table;
};

static void board_table_free(struct board_table *b) { table_free(b->table); }
AUTO_ENDS(struct board_table, board_table_free)

static int fill_columns(struct board_table *b, const struct show *s, const struct layout *layout)
{
    static const struct column own[] = {
        { "rank", NULL, COLUMN_RIGHT },     { "range", NULL, COLUMN_LEFT },
        { "rank_lo", NULL, COLUMN_JSON },   { "rank_hi", NULL, COLUMN_JSON },
        { "tie_group", NULL, COLUMN_JSON }, { "model", NULL, COLUMN_LEFT },
        { "score", NULL, COLUMN_RIGHT },    { "stderr", NULL, COLUMN_JSON },
    };
    int n = 0;
    for (size_t i = 0; i < COUNT(own); i++)
        b->columns[n++] = own[i];
    if (layout->chart)
        b->columns[n++] = (struct column){ "interval", "95 % interval", COLUMN_SEEN };
    for (int c = 0; c < rows_count(s->categories); c++) {
        const char *category = rows_text(s->categories, c, "category");
        snprintf(b->names[c], sizeof(b->names[c]), "%.60s_stderr", category);
        b->columns[n++] =
            (struct column){ category, NULL, layout->categories ? COLUMN_RIGHT : COLUMN_JSON };
        b->columns[n++] = (struct column){ b->names[c], NULL, COLUMN_JSON };
    }
    b->columns[n++] = (struct column){ "n", "items", COLUMN_RIGHT };
    return n;
}

static void board_table_make(struct board_table *b, const struct show *s,
                             const struct layout *layout)
{
    table_free(b->table);
    b->table = table_new(b->columns, fill_columns(b, s, layout));
    for (int r = 0; r < rows_count(s->rows); r++)
        put_row(b->table, s, r, layout);
}

static void board_table_fit(struct board_table *b, const struct show *s, int width)
{
    for (size_t i = 0; i < COUNT(layouts); i++) {
        board_table_make(b, s, &layouts[i]);
        if (table_width(b->table) <= width)
            return;
    }
}

/* ---- the page ---- */

static const struct list_column coverage_columns[] = {
    { "model", NULL, LIST_TEXT },
    { "state", NULL, LIST_STATE },
    { "tasks_scored", "tasks", LIST_COUNT },
    { "tasks", "of", LIST_COUNT },
    { "percent", NULL, LIST_PERCENT },
    { "reason", NULL, LIST_TEXT },
};

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

static void footer(struct cli *cli, const struct show *s)
{
    char age[16], replicates[32];
    if (!rows_count(s->current)) {
        cli_line(cli, "nothing is published yet");
        return;
    }
    age_shown(age, rows_f64(s->current, 0, "age_s"));
    count_shown(replicates, rows_i64(s->current, 0, "boot_n"));
    cli_line(cli,
             "\n%s, edition %lld, made %s ago%s\n"
             "score ± standard error; range: the ranks that 95 %% of %s paired bootstrap "
             "replicates leave open",
             cli_arg(cli, 0), (long long)rows_i64(s->current, 0, "seq"), age,
             rows_bool(s->current, 0, "is_stale") ? ", STALE: a new one is due" : "", replicates);
}

static void print(struct cli *cli, const struct show *s)
{
    AUTO(board_table_free) struct board_table b = { 0 };
    bool to_people = cli_tty(cli) && !cli_json(cli) && !cli_flag(cli, "csv");
    if (to_people)
        board_table_fit(&b, s, cli_width(cli));
    else
        board_table_make(&b, s, &for_programs);
    if (cli_flag(cli, "csv")) {
        table_print_csv(b.table, stdout);
        return;
    }
    if (cli_json(cli))
        cli_field_text(cli, "board", cli_arg(cli, 0));
    if (cli_json(cli) && rows_count(s->current))
        list_print_one(cli, s->current, 0, current_columns, COUNT(current_columns));
    if (table_rows(b.table) || cli_json(cli))
        cli_table(cli, "rows", b.table);
    if (rows_count(s->coverage)) {
        cli_line(cli, "\nnot ranked yet");
        list_print(cli, "waiting", s->coverage, coverage_columns, COUNT(coverage_columns));
    }
    footer(cli, s);
}

bool board_show(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *known = NULL;
    AUTO(show_free) struct show s = { 0 };
    const char *board = cli_arg(cli, 0);
    if (!cli_db(&db, cli, err) ||
        !db_call(&known, db, "select publish from board_list where board = $1", ARGS(TEXT(board)),
                 err))
        return false;
    if (!rows_count(known))
        return no_such_board(cli, db, err);
    if (!rows_bool(known, 0, "publish"))
        return err_set(err, ERR_INPUT,
                       "board %s is not published: its definition says publish: "
                       "false",
                       board);
    if (!read_rows(&s, db, board, err))
        return false;
    if (rows_count(s.categories) > CATEGORIES_MAX)
        return err_set(err, ERR_INPUT,
                       "a board of %d categories is too wide to show: read "
                       "ranking.category_v1",
                       rows_count(s.categories));
    find_scale(&s);
    print(cli, &s);
    return true;
}
