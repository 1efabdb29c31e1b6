/* cmd_watch.c - a campaign while it runs: a bar per run, what is answered a second, time to go.
 *
 * The rate is over the last half minute of what this command saw itself; before it has seen two
 * moments it is unknown. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "coordinator/cli/campaign.h"
#include "coordinator/cli/list.h"

#define WINDOW_MS   30000
#define MOMENTS_MAX 256
#define BAR_MOST    28
#define BAR_LEAST   6
#define BESIDE_BAR  32 /* columns of what a line says after its bar */
#define BELOW_RUNS  3  /* lines under the runs */

/* Lines are cut at the edge of the screen, or moving up would miss what wrapped. */
#define CUT_LINES  "\033[?7l"
#define WRAP_LINES "\033[?7h"

const struct option watch_options[] = {
    { OPTION_F64, "interval", "S", "1", "seconds between two looks" },
    { OPTION_FLAG, "once", NULL, NULL, "look once and end" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

struct moment {
    int64_t at_ms, done;
};

struct watch {
    struct moment moments[MOMENTS_MAX]; /* the last so many, oldest first */
    int moments_count;
    int64_t done, total, errors, runs, runs_ended;
    bool bad;      /* a run erred or was cancelled */
    int lines;     /* drawn last time */
    int64_t shown; /* done + errors when a line was last printed */
    int64_t shown_ended;
};

static void remember(struct watch *w, int64_t at_ms)
{
    if (w->moments_count == MOMENTS_MAX ||
        (w->moments_count > 1 && at_ms - w->moments[1].at_ms > WINDOW_MS))
        memmove(w->moments, w->moments + 1, (size_t)--w->moments_count * sizeof(w->moments[0]));
    w->moments[w->moments_count++] = (struct moment){ at_ms, w->done };
}

/* Items a second; nan: unknown. */
static double rate_of(const struct watch *w)
{
    const struct moment *first = &w->moments[0], *last = &w->moments[w->moments_count - 1];
    int64_t ms = last->at_ms - first->at_ms;
    return ms > 0 && last->done > first->done
               ? 1000.0 * (double)(last->done - first->done) / (double)ms
               : NAN;
}

static void put_bar(struct buf *out, double share, int width, bool colour, enum cell_style style)
{
    AUTO(buf_free) struct buf full = { 0 }, rest = { 0 };
    int cells = (int)(share * width + 0.5);
    for (int i = 0; i < width; i++)
        buf_put_text(i < cells ? &full : &rest, i < cells ? "━" : "─");
    style_put(out, buf_text(&full), style == CELL_PLAIN ? CELL_GOOD : style, colour);
    style_put(out, buf_text(&rest), CELL_DIM, colour);
}

static void put_padded(struct buf *out, const char *text, int width)
{
    buf_put_fmt(out, "%s%*s", text, width - display_width(text), "");
}

/* widths: of the model's column, the task's, the bar. */
static void put_run(struct buf *out, const struct rows *rows, int r, const int *widths, bool colour)
{
    int64_t done = rows_i64(rows, r, "n_done"), of = rows_i64(rows, r, "n_item");
    int64_t errors = rows_i64(rows, r, "n_error");
    const char *state = rows_text(rows, r, "state"), *reason = rows_text(rows, r, "reason");
    put_padded(out, rows_text(rows, r, "model"), widths[0] + 2);
    put_padded(out, rows_text(rows, r, "task"), widths[1] + 2);
    put_bar(out, of ? (double)(done + errors) / (double)of : 0, widths[2], colour,
            state_style(state));
    buf_put_fmt(out, " %6lld/%-6lld ", (long long)done, (long long)of);
    style_put(out, state, state_style(state), colour);
    if (errors)
        buf_put_fmt(out, ", %lld errors", (long long)errors);
    if (reason)
        buf_put_fmt(out, " (%s)", reason);
    buf_put_char(out, '\n');
}

static void widths_of(int widths[3], const struct rows *rows, int screen)
{
    static const char *const columns[] = { "model", "task" };
    widths[0] = widths[1] = 0;
    for (int c = 0; c < 2; c++) {
        for (int r = 0; r < rows_count(rows); r++) {
            int width = display_width(rows_text(rows, r, columns[c]));
            widths[c] = width > widths[c] ? width : widths[c];
        }
    }
    int bar = screen - widths[0] - widths[1] - 4 - BESIDE_BAR;
    widths[2] = bar < BAR_LEAST ? BAR_LEAST : bar > BAR_MOST ? BAR_MOST : bar;
}

static void put_total(struct buf *out, const struct watch *w, const char *name)
{
    char age[16];
    double rate = rate_of(w);
    int64_t left = w->total - w->done - w->errors;
    buf_put_fmt(out, "%s: %lld of %lld runs, %lld of %lld items", name, (long long)w->runs_ended,
                (long long)w->runs, (long long)w->done, (long long)w->total);
    if (w->errors)
        buf_put_fmt(out, ", %lld errors", (long long)w->errors);
    if (left > 0 && isnan(rate))
        buf_put_text(out, ", rate unknown yet");
    else if (left > 0) {
        age_shown(age, (double)left / rate);
        buf_put_fmt(out, ", %.1f items/s, %s to go", rate, age);
    }
    buf_put_char(out, '\n');
}

static void count(struct watch *w, const struct rows *rows)
{
    w->done = w->total = w->errors = w->runs_ended = 0;
    w->bad = false;
    w->runs = rows_count(rows);
    for (int r = 0; r < rows_count(rows); r++) {
        const char *state = rows_text(rows, r, "state");
        bool open = !strcmp(state, "planned") || !strcmp(state, "running");
        w->done += rows_i64(rows, r, "n_done");
        w->total += rows_i64(rows, r, "n_item");
        w->errors += rows_i64(rows, r, "n_error");
        w->runs_ended += !open;
        w->bad |= !open && strcmp(state, "complete");
    }
}

static void draw(struct watch *w, const struct rows *rows, struct cli *cli)
{
    AUTO(buf_free) struct buf out = { 0 };
    int widths[3], all = rows_count(rows), most = cli_height(cli) - BELOW_RUNS;
    int shown = all < most ? all : most < 1 ? 1 : most;
    widths_of(widths, rows, cli_width(cli));
    buf_put_text(&out, CUT_LINES);
    if (w->lines)
        buf_put_fmt(&out, "\033[%dA\033[J", w->lines);
    for (int r = 0; r < shown; r++)
        put_run(&out, rows, r, widths, cli_colour(cli));
    w->lines = shown + 1;
    if (shown < all) {
        buf_put_fmt(&out, "and %d more\n", all - shown);
        w->lines++;
    }
    put_total(&out, w, cli_arg(cli, 0));
    buf_put_text(&out, WRAP_LINES);
    fputs(buf_text(&out), stdout);
    fflush(stdout);
}

static void print_line(struct watch *w, const char *name)
{
    AUTO(buf_free) struct buf out = { 0 };
    if (w->shown == w->done + w->errors + 1 && w->shown_ended == w->runs_ended + 1)
        return;
    w->shown = w->done + w->errors + 1;
    w->shown_ended = w->runs_ended + 1;
    put_total(&out, w, name);
    fputs(buf_text(&out), stdout);
    fflush(stdout);
}

static bool look(struct watch *w, struct cli *cli, struct db *db, int64_t id, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    /* Where the screen cannot hold all, what moves comes first.  A run that was restarted is its
     * successor. */
    bool crowded = w->runs > cli_height(cli) - BELOW_RUNS;
    if (!db_call(&rows, db,
                 "select * from run_list r where campaign_id = $1"
                 " and not (state = 'cancelled' and exists (select from run_list n where"
                 " n.campaign_id = r.campaign_id and n.model = r.model and n.task = r.task"
                 " and n.params = r.params and n.attempt > r.attempt))"
                 " order by $2 and state <> 'running', $2 and state <> 'planned', model, task",
                 ARGS(I64(id), BOOL(crowded)), err))
        return false;
    count(w, rows);
    remember(w, clock_monotonic_ms());
    if (cli_tty(cli))
        draw(w, rows, cli);
    else if (!cli_json(cli))
        print_line(w, cli_arg(cli, 0));
    return true;
}

static bool summary(struct cli *cli, const struct watch *w, struct err *err)
{
    if (cli_json(cli)) {
        cli_field_i64(cli, "runs", w->runs);
        cli_field_i64(cli, "runs_ended", w->runs_ended);
        cli_field_i64(cli, "items_done", w->done);
        cli_field_i64(cli, "items_error", w->errors);
        cli_field_i64(cli, "items", w->total);
    }
    if (w->bad)
        return err_set(err, ERR_INPUT,
                       "%s: not every run is complete; see `koeval run list "
                       "--campaign %s`",
                       cli_arg(cli, 0), cli_arg(cli, 0));
    return true;
}

bool campaign_watch(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id;
    struct watch w = { 0 };
    double interval = cli_f64(cli, "interval");
    if (!(interval >= 0.1 && interval <= 3600))
        return cli_usage(cli, err, "--interval is 0.1 to 3600 seconds");
    if (!cli_db(&db, cli, err) || !campaign_id(&id, cli, db, cli_arg(cli, 0), err))
        return false;
    if (!look(&w, cli, db, id, err))
        return false;
    while (w.runs_ended < w.runs && !cli_flag(cli, "once")) {
        bool woken;
        if (!db_wait(&woken, db, (int)(interval * 1000), err) || !look(&w, cli, db, id, err))
            return false;
    }
    return summary(cli, &w, err);
}
