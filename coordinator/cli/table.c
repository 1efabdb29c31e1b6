#include "coordinator/cli/table.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <utf8proc.h>

struct cell {
    char *json, *shown;
    enum cell_style style;
};

struct table {
    const struct column *columns;
    int columns_count;
    struct cell *cells; /* row by row */
    int cells_count, cells_capacity;
};

struct table *table_new(const struct column *columns, int columns_count)
{
    struct table *t = must_calloc(1, sizeof(*t));
    assert(columns_count > 0);
    t->columns = columns;
    t->columns_count = columns_count;
    return t;
}

void table_free(struct table *table)
{
    if (!table)
        return;
    for (int i = 0; i < table->cells_count; i++) {
        free(table->cells[i].json);
        free(table->cells[i].shown);
    }
    free(table->cells);
    free(table);
}

static char *copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(must_calloc(size, 1), text, size);
}

void table_cell(struct table *table, const char *json, const char *shown)
{
    if (table->cells_count == table->cells_capacity) {
        table->cells_capacity = table->cells_capacity ? 2 * table->cells_capacity : 64;
        table->cells =
            must_realloc(table->cells, (size_t)table->cells_capacity, sizeof(*table->cells));
    }
    table->cells[table->cells_count++] =
        (struct cell){ copy(json ? json : "null"), copy(shown), CELL_PLAIN };
}

void table_null(struct table *table)
{
    table_cell(table, NULL, "-");
    table_style(table, CELL_DIM);
}

void table_text(struct table *table, const char *text)
{
    if (!text) {
        table_null(table);
        return;
    }
    AUTO(buf_free) struct buf json = { 0 };
    buf_put_json_string(&json, text, strlen(text));
    table_cell(table, buf_text(&json), text);
}

void table_i64(struct table *table, int64_t value)
{
    char json[32], shown[32];
    snprintf(json, sizeof(json), "%" PRId64, value);
    count_shown(shown, value);
    table_cell(table, json, shown);
}

void table_bool(struct table *table, bool value)
{
    table_cell(table, value ? "true" : "false", value ? "yes" : "no");
}

void table_f64(struct table *table, double value, int decimals)
{
    char text[64];
    snprintf(text, sizeof(text), "%.*f", decimals, value);
    if (isfinite(value))
        table_cell(table, text, text);
    else
        table_null(table);
}

void table_style(struct table *table, enum cell_style style)
{
    assert(table->cells_count > 0);
    table->cells[table->cells_count - 1].style = style;
}

int table_rows(const struct table *table)
{
    assert(table->cells_count % table->columns_count == 0);
    return table->cells_count / table->columns_count;
}

static const char *title(const struct column *column)
{
    return column->title ? column->title : column->name;
}

static void widths_of(int *widths, const struct table *table)
{
    for (int c = 0; c < table->columns_count; c++)
        widths[c] = display_width(title(&table->columns[c]));
    for (int i = 0; i < table->cells_count; i++) {
        int width = display_width(table->cells[i].shown);
        if (width > widths[i % table->columns_count])
            widths[i % table->columns_count] = width;
    }
}

static int last_seen_column(const struct table *table)
{
    int last = table->columns_count - 1;
    while (last > 0 && table->columns[last].side == COLUMN_JSON)
        last--;
    return last;
}

int table_width(const struct table *table)
{
    AUTO(free) int *widths = must_calloc((size_t)table->columns_count, sizeof(*widths));
    widths_of(widths, table);
    int width = -2;
    for (int c = 0; c < table->columns_count; c++)
        if (table->columns[c].side != COLUMN_JSON)
            width += widths[c] + 2;
    return width;
}

/* No spaces after the last column: lines can be compared and copied. */
static void cell_put(struct buf *line, const struct table *table, int column, const char *text,
                     enum cell_style style, int width, bool colour)
{
    int pad = width - display_width(text);
    bool right = table->columns[column].side == COLUMN_RIGHT;
    if (right)
        buf_put_fmt(line, "%*s", pad, "");
    style_put(line, text, style, colour);
    if (column == last_seen_column(table))
        return;
    buf_put_fmt(line, "%*s", (right ? 0 : pad) + 2, "");
}

void table_print(const struct table *table, FILE *out, bool colour)
{
    AUTO(free) int *widths = must_calloc((size_t)table->columns_count, sizeof(*widths));
    AUTO(buf_free) struct buf line = { 0 };
    widths_of(widths, table);
    int rows = table_rows(table);
    for (int r = -1; r < rows; r++) {
        buf_clear(&line);
        for (int c = 0; c < table->columns_count; c++) {
            if (table->columns[c].side == COLUMN_JSON)
                continue;
            const struct cell *cell = r < 0 ? NULL : &table->cells[r * table->columns_count + c];
            cell_put(&line, table, c, cell ? cell->shown : title(&table->columns[c]),
                     cell ? cell->style : CELL_DIM, widths[c], colour);
        }
        fprintf(out, "%s\n", buf_text(&line));
    }
}

/* RFC 4180: quoted when it must be, quotes doubled; the JSON value, a null being empty. */
static void csv_put(FILE *out, const char *text)
{
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, out);
        return;
    }
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"')
            fputc('"', out);
        fputc(*text, out);
    }
    fputc('"', out);
}

static bool is_data(const struct table *table, int column)
{
    return table->columns[column].side != COLUMN_SEEN;
}

void table_print_csv(const struct table *table, FILE *out)
{
    for (int c = 0, seen = 0; c < table->columns_count; c++)
        if (is_data(table, c))
            fprintf(out, "%s%s", seen++ ? "," : "", table->columns[c].name);
    fputs("\r\n", out);
    for (int r = 0; r < table_rows(table); r++) {
        for (int c = 0, seen = 0; c < table->columns_count; c++) {
            const struct cell *cell = &table->cells[r * table->columns_count + c];
            if (!is_data(table, c))
                continue;
            fputs(seen++ ? "," : "", out);
            if (strcmp(cell->json, "null"))
                csv_put(out, cell->json[0] == '"' ? cell->shown : cell->json);
        }
        fputs("\r\n", out);
    }
}

void table_put_json(const struct table *table, struct buf *out)
{
    int rows = table_rows(table);
    buf_put_char(out, '[');
    for (int r = 0; r < rows; r++) {
        buf_put_text(out, r ? ",\n  {" : "\n  {");
        for (int c = 0, seen = 0; c < table->columns_count; c++) {
            const char *name = table->columns[c].name;
            if (!is_data(table, c))
                continue;
            buf_put_text(out, seen++ ? ", " : "");
            buf_put_json_string(out, name, strlen(name));
            buf_put_fmt(out, ": %s", table->cells[r * table->columns_count + c].json);
        }
        buf_put_char(out, '}');
    }
    buf_put_text(out, rows ? "\n]" : "]");
}

int display_width(const char *text)
{
    int width = 0;
    for (const uint8_t *at = (const uint8_t *)text; *at;) {
        utf8proc_int32_t point;
        utf8proc_ssize_t size = utf8proc_iterate(at, -1, &point);
        width += size > 0 ? utf8proc_charwidth(point) : 1;
        at += size > 0 ? size : 1;
    }
    return width;
}

void age_shown(char out[16], double seconds)
{
    if (!(seconds >= 0))
        snprintf(out, 16, "never");
    else if (seconds < 90)
        snprintf(out, 16, "%.0f s", seconds);
    else if (seconds < 90 * 60)
        snprintf(out, 16, "%.0f min", seconds / 60);
    else if (seconds < 36 * 3600)
        snprintf(out, 16, "%.1f h", seconds / 3600);
    else
        snprintf(out, 16, "%.0f d", fmin(seconds / 86400, 99999));
}

void count_shown(char out[32], int64_t count)
{
    char digits[24];
    int n = snprintf(digits, sizeof(digits), "%" PRId64, count);
    int sign = digits[0] == '-', at = 0;
    for (int i = 0; i < n; i++) {
        if (i > sign && (n - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = 0;
}

void style_put(struct buf *out, const char *text, enum cell_style style, bool colour)
{
    static const char *const codes[] = { "",         "\033[2m",  "\033[1m",
                                         "\033[32m", "\033[33m", "\033[31m" };
    if (!colour || style == CELL_PLAIN || !*text) {
        buf_put_text(out, text);
        return;
    }
    buf_put_fmt(out, "%s%s\033[0m", codes[style], text);
}
