#include "coordinator/cli/list.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static const struct {
    const char *word;
    enum cell_style style;
} states[] = {
    { "complete", CELL_GOOD }, { "done", CELL_GOOD },       { "idle", CELL_GOOD },
    { "busy", CELL_GOOD },     { "running", CELL_GOOD },    { "ranked", CELL_GOOD },
    { "active", CELL_GOOD },   { "leased", CELL_GOOD },     { "planned", CELL_DIM },
    { "queued", CELL_DIM },    { "drained", CELL_WARN },    { "draining", CELL_WARN },
    { "paused", CELL_WARN },   { "suspect", CELL_WARN },    { "waiting", CELL_WARN },
    { "overdue", CELL_WARN },  { "incomplete", CELL_WARN }, { "erred", CELL_BAD },
    { "failed", CELL_BAD },    { "lost", CELL_BAD },        { "revoked", CELL_BAD },
    { "cancelled", CELL_DIM }, { "withdrawn", CELL_DIM },   { "quarantined", CELL_BAD },
    { "rotated", CELL_WARN },
};

enum cell_style state_style(const char *state)
{
    for (size_t i = 0; state && i < COUNT(states); i++)
        if (!strcmp(states[i].word, state))
            return states[i].style;
    return CELL_PLAIN;
}

void bytes_shown(char out[16], double bytes)
{
    static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
    size_t unit = 0;
    for (; bytes >= 1000 && unit + 1 < COUNT(units); unit++)
        bytes /= 1024;
    snprintf(out, 16, bytes < 10 && unit ? "%.1f %s" : "%.0f %s", bytes, units[unit]);
}

/* JSON text and what a person sees of one value. */
struct shown {
    struct buf json, text;
    enum cell_style style;
};

static void shown_free(struct shown *s)
{
    buf_free(&s->json);
    buf_free(&s->text);
}
AUTO_ENDS(struct shown, shown_free)

static void show_text(struct shown *s, const char *text, int most)
{
    buf_put_json_string(&s->json, text, strlen(text));
    buf_put_fmt(&s->text, "%.*s", most, text);
}

static void show_number(struct shown *s, double value, int decimals, const char *unit)
{
    buf_put_fmt(&s->json, "%.10g", value);
    buf_put_fmt(&s->text, "%.*f%s", decimals, value, unit);
}

static void show_count(struct shown *s, int64_t count)
{
    char text[32];
    count_shown(text, count);
    buf_put_fmt(&s->json, "%lld", (long long)count);
    buf_put_text(&s->text, text);
}

static void show_texts(struct shown *s, struct rows *rows, int row, const char *column)
{
    int32_t count;
    const char *const *texts = rows_texts(rows, row, column, &count);
    buf_put_char(&s->json, '[');
    for (int32_t i = 0; i < count; i++) {
        buf_put_text(&s->json, i ? ", " : "");
        buf_put_json_string(&s->json, texts[i], strlen(texts[i]));
        buf_put_fmt(&s->text, "%s%s", i ? "," : "", texts[i]);
    }
    buf_put_char(&s->json, ']');
    if (!count)
        buf_put_char(&s->text, '-');
}

static void show_written(struct shown *s, double value, void (*write)(char *, double))
{
    char text[16];
    write(text, value);
    buf_put_fmt(&s->json, "%.10g", value);
    buf_put_text(&s->text, text);
}

#define DIGEST_SHOWN 12
#define MINUTE_SHOWN 16 /* "2026-11-24 17:05" */

/* What has no number in it. */
static void show_words(struct shown *s, struct rows *rows, int row,
                       const struct list_column *column)
{
    const char *text = rows_text(rows, row, column->name);
    switch (column->kind) {
    case LIST_ID:
    case LIST_JSON:
        buf_put_text(&s->json, text);
        buf_put_text(&s->text, text);
        break;
    case LIST_SHORT:
        show_text(s, text, DIGEST_SHOWN);
        break;
    case LIST_TIME:
        show_text(s, text, MINUTE_SHOWN);
        break;
    case LIST_STATE:
        s->style = state_style(text);
        show_text(s, text, 256);
        break;
    default:
        show_text(s, text, 4096);
    }
}

static void show(struct shown *s, struct rows *rows, int row, const struct list_column *column)
{
    const char *name = column->name;
    s->style = CELL_PLAIN;
    if (rows_null(rows, row, name)) {
        buf_put_text(&s->json, "null");
        buf_put_text(&s->text, "-");
        s->style = CELL_DIM;
        return;
    }
    switch (column->kind) {
    case LIST_COUNT:
    case LIST_NUMBER:
        show_count(s, rows_i64(rows, row, name));
        break;
    case LIST_PERCENT:
        show_number(s, rows_f64(rows, row, name), 1, " %");
        break;
    case LIST_SHARE:
        show_number(s, rows_f64(rows, row, name), 4, "");
        break;
    case LIST_SCORE:
        show_number(s, rows_f64(rows, row, name), 2, "");
        break;
    case LIST_RATE:
        show_number(s, rows_f64(rows, row, name), 1, "/s");
        break;
    case LIST_BYTES:
        show_written(s, rows_f64(rows, row, name), bytes_shown);
        break;
    case LIST_SECONDS:
        show_written(s, rows_f64(rows, row, name), age_shown);
        break;
    case LIST_BOOL:
        buf_put_text(&s->json, rows_bool(rows, row, name) ? "true" : "false");
        buf_put_text(&s->text, rows_bool(rows, row, name) ? "yes" : "no");
        break;
    case LIST_TEXTS:
        show_texts(s, rows, row, name);
        break;
    default:
        show_words(s, rows, row, column);
    }
}

static enum column_side side_of(enum list_kind kind)
{
    if (kind == LIST_JSON || kind == LIST_HIDDEN || kind == LIST_NUMBER)
        return COLUMN_JSON;
    return kind >= LIST_ID && kind <= LIST_SECONDS ? COLUMN_RIGHT : COLUMN_LEFT;
}

void list_print(struct cli *cli, const char *name, struct rows *rows,
                const struct list_column *columns, int count)
{
    AUTO(free) struct column *heads = must_calloc((size_t)count, sizeof(*heads));
    for (int c = 0; c < count; c++)
        heads[c] = (struct column){ columns[c].name, columns[c].title, side_of(columns[c].kind) };
    AUTO(table_free) struct table *table = table_new(heads, count);
    for (int r = 0; r < rows_count(rows); r++)
        for (int c = 0; c < count; c++) {
            AUTO(shown_free) struct shown s = { 0 };
            show(&s, rows, r, &columns[c]);
            table_cell(table, buf_text(&s.json), buf_text(&s.text));
            table_style(table, s.style);
        }
    cli_table(cli, name, table);
}

void list_print_one(struct cli *cli, struct rows *rows, int row, const struct list_column *columns,
                    int count)
{
    for (int c = 0; c < count; c++) {
        AUTO(shown_free) struct shown s = { 0 };
        AUTO(buf_free) struct buf styled = { 0 };
        if (side_of(columns[c].kind) == COLUMN_JSON && columns[c].kind != LIST_JSON &&
            !cli_json(cli))
            continue;
        show(&s, rows, row, &columns[c]);
        style_put(&styled, buf_text(&s.text), s.style, cli_colour(cli));
        cli_field(cli, columns[c].name, buf_text(&s.json), buf_text(&styled));
    }
}

bool list_age(struct cli *cli, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select extract(epoch from age)::float8 as age, is_alive from status_list",
                 NO_ARGS, err))
        return false;
    bool never = rows_null(rows, 0, "age"), alive = rows_bool(rows, 0, "is_alive");
    double seconds = never ? -1 : rows_f64(rows, 0, "age");
    char age[16], json[32];
    age_shown(age, seconds);
    if (!cli_json(cli)) {
        cli_line(cli,
                 never   ? "no coordinator has run yet"
                 : alive ? "as of %s ago"
                         : "as of %s ago: the coordinator is down",
                 age);
        return true;
    }
    snprintf(json, sizeof(json), "%.1f", seconds);
    cli_field(cli, "age_s", never ? NULL : json, NULL);
    return true;
}

bool list_names(struct buf *out, struct db *db, const char *sql, const struct arg *args,
                struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, sql, args, err))
        return false;
    for (int r = 0; r < rows_count(rows); r++)
        buf_put_fmt(out, "%s%s", r ? ", " : "", rows_text(rows, r, rows_name(rows, 0)));
    return true;
}
