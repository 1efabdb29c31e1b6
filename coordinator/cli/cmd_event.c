/* cmd_event.c - what happened: orders, ends of runs, failures, incidents, editions, lost leases.
 *
 * Events are read from the rows that say so, by the time they carry.  A transaction commits after
 * the time that it wrote, so following looks back a while and leaves out what it has shown. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/list.h"

#define LOOK_BACK "interval '30 seconds'" /* longer than any transaction of ours stays open */
#define SEEN_MAX  4096                    /* events within LOOK_BACK that are told apart */
#define WAIT_MS   1000

static const struct list_column columns[] = {
    { "at", NULL, LIST_TEXT },    { "level", NULL, LIST_TEXT }, { "event", NULL, LIST_TEXT },
    { "about", NULL, LIST_TEXT }, { "actor", "by", LIST_TEXT }, { "detail", NULL, LIST_TEXT },
    { "key", NULL, LIST_HIDDEN },
};

static const struct option event_options[] = {
    { OPTION_I64, "last", "N", "20", "the newest so many" },
    { OPTION_TEXT, "level", "info|warn|error", "info", "nothing below it" },
    { OPTION_TEXT, "about", "TEXT", NULL, "only events whose subject holds the text" },
    { OPTION_FLAG, "follow", NULL, NULL, "go on with what happens, until it is stopped" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

/* Seconds are enough to read and to sort by; the server's time zone stands behind them. */
#define COLUMNS                                                                                \
    "select to_char(at, 'YYYY-MM-DD HH24:MI:SSOF') as at, level, event, about, actor, detail," \
    " key, extract(epoch from at)::float8 as at_s"
#define WANTED " level = any($1::text[]) and ($2::text is null or about ilike '%' || $2 || '%')"

static bool levels_of(const char **out, struct cli *cli, struct err *err)
{
    static const struct {
        const char *word, *levels;
    } known[] = { { "info", "{I,W,E}" }, { "warn", "{W,E}" }, { "error", "{E}" } };
    const char *word = cli_text(cli, "level");
    for (size_t i = 0; i < COUNT(known); i++)
        if (!strcmp(known[i].word, word)) {
            *out = known[i].levels;
            return true;
        }
    return cli_usage(cli, err, "--level is info, warn or error, not '%s'", word);
}

/* ---- following ---- */

/* The keys shown within the window, oldest first. */
struct seen {
    char *keys[SEEN_MAX];
    double at_s[SEEN_MAX];
    int count;
};

static void seen_free(struct seen *s)
{
    if (s)
        for (int i = 0; i < s->count; i++)
            free(s->keys[i]);
    free(s);
}
AUTO_FREES(struct seen *, seen_free)

static void seen_put(struct seen *s, const char *key, double at_s)
{
    if (s->count == SEEN_MAX) {
        free(s->keys[0]);
        s->count--;
        memmove(s->keys, s->keys + 1, (size_t)s->count * sizeof(s->keys[0]));
        memmove(s->at_s, s->at_s + 1, (size_t)s->count * sizeof(s->at_s[0]));
    }
    char *copy = strdup(key);
    assert(copy);
    s->keys[s->count] = copy;
    s->at_s[s->count++] = at_s;
}

/* For people a line in columns, for programs an object on a line of its own. */
static void print_line(struct cli *cli, struct rows *rows, int r)
{
    static const char *const names[] = { "at", "level", "event", "about", "actor", "detail" };
    static const int widths[] = { 22, 1, 20, 32, 20, 0 };
    AUTO(buf_free) struct buf out = { 0 };
    for (size_t c = 0; c < COUNT(names); c++) {
        const char *text = rows_text(rows, r, names[c]);
        if (cli_json(cli)) {
            buf_put_fmt(&out, "%s\"%s\": ", c ? ", " : "{", names[c]);
            if (text)
                buf_put_json_string(&out, text, strlen(text));
            else
                buf_put_text(&out, "null");
            continue;
        }
        int pad = widths[c] - display_width(text ? text : "-");
        buf_put_fmt(&out, "%s%s%*s", c ? "  " : "", text ? text : "-", pad > 0 ? pad : 0, "");
    }
    printf("%s%s\n", buf_text(&out), cli_json(cli) ? "}" : "");
}

/* What is in the window already is not new, whether it was shown or not. */
static bool seen_now(struct seen *seen, struct db *db, double from_s, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select key, extract(epoch from at)::float8 as at_s from event_list"
                 " where at > to_timestamp($1) - " LOOK_BACK " order by at_s",
                 ARGS(F64(from_s)), err))
        return false;
    for (int r = 0; r < rows_count(rows); r++)
        seen_put(seen, rows_text(rows, r, "key"), rows_f64(rows, r, "at_s"));
    return true;
}

static void show_new(struct seen *seen, struct cli *cli, struct rows *rows)
{
    for (int r = 0; r < rows_count(rows); r++) {
        print_line(cli, rows, r);
        if (seen)
            seen_put(seen, rows_text(rows, r, "key"), rows_f64(rows, r, "at_s"));
    }
}

static bool look(struct seen *seen, struct cli *cli, struct db *db, const char *levels,
                 double *from_s, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 COLUMNS " from event_list where at > to_timestamp($3) - " LOOK_BACK
                         " and key <> all($4::text[]) and" WANTED " order by at_s, key",
                 ARGS(TEXT(levels), TEXT(cli_text(cli, "about")), F64(*from_s),
                      TEXTS((const char *const *)seen->keys, (size_t)seen->count)),
                 err))
        return false;
    show_new(seen, cli, rows);
    for (int r = 0; r < rows_count(rows); r++)
        *from_s = rows_f64(rows, r, "at_s") > *from_s ? rows_f64(rows, r, "at_s") : *from_s;
    /* Nobody reads any more: a closed pipe is an end, as of `tail -f`. */
    return fflush(stdout) == 0 || err_set(err, ERR_INPUT, "nobody reads");
}

static bool follow(struct cli *cli, struct db *db, const char *levels, struct rows *first,
                   double from_s, struct err *err)
{
    AUTO(seen_free) struct seen *seen = must_calloc(1, sizeof(*seen));
    bool woken;
    if (!db_listen(db, "koeval_work", err) || !db_listen(db, "koeval_board", err))
        return false;
    show_new(NULL, cli, first);
    fflush(stdout);
    if (!seen_now(seen, db, from_s, err))
        return false;
    while (look(seen, cli, db, levels, &from_s, err))
        if (!db_wait(&woken, db, WAIT_MS, err))
            return false;
    return false;
}

static bool events(struct cli *cli, struct err *err)
{
    struct db *db;
    const char *levels = NULL;
    AUTO(rows_free) struct rows *rows = NULL, *now = NULL;
    if (!levels_of(&levels, cli, err) || !cli_db(&db, cli, err) ||
        !db_call(&now, db, "select extract(epoch from clock_timestamp())::float8 as now", NO_ARGS,
                 err) ||
        !db_call(&rows, db,
                 "select * from (" COLUMNS " from event_list where" WANTED
                 " order by event_list.at desc, key desc limit $3) e order by at_s, key",
                 ARGS(TEXT(levels), TEXT(cli_text(cli, "about")), I64(cli_i64(cli, "last"))), err))
        return false;
    if (cli_flag(cli, "follow"))
        return follow(cli, db, levels, rows, rows_f64(now, 0, "now"), err);
    list_print(cli, "events", rows, columns, COUNT(columns));
    return true;
}

const struct command event_commands[] = {
    { .words = "events",
      .role = ROLE_OPERATOR,
      .usage = "[--follow] [--last N] [--level L] [--about TEXT]",
      .help = "what happened: orders, ends of runs, failures, incidents, editions",
      .more = "Levels as in logs: E someone must act, W koeval coped, I a noun changed its state.\n"
              "With --follow and --json each event is one JSON object on a line of its own.",
      .options = event_options,
      .run = events },
    { 0 },
};
