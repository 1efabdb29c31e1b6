#include "coordinator/task/dataset.h"

#include <errno.h>
#include <stdio.h>

#include "common/buf.h"
#include "coordinator/task/columns.h"

struct reading {
    struct dataset *dataset;
    const struct columns *columns;
    const char *at, *end;
    int32_t line;
    json_t *names[DATASET_COLUMNS_MAX]; /* the header, as JSON strings */
    int32_t names_count;
    struct err *err;
};

static bool row_fail(const struct reading *r, int32_t line, const char *what)
{
    return err_set(r->err, ERR_INPUT, "%s:%d: %s", r->dataset->path, line, what);
}

void dataset_add(struct dataset *dataset, json_t *document, int32_t line)
{
    size_t count = (size_t)dataset->count;
    if ((count & (count - 1)) == 0) { /* a power of two: full */
        dataset->documents =
            must_realloc(dataset->documents, 2 * count + 1, sizeof *dataset->documents);
        dataset->lines = must_realloc(dataset->lines, 2 * count + 1, sizeof *dataset->lines);
    }
    dataset->documents[count] = document;
    dataset->lines[count] = line;
    dataset->count++;
}

/* Takes the row over. */
static bool add_row(struct reading *r, json_t *row, int32_t line)
{
    json_t *document = row;
    if (r->columns) {
        bool ok = columns_apply(&document, r->columns, row, r->err);
        json_decref(row);
        if (!ok)
            return err_wrap(r->err, "%s:%d", r->dataset->path, line);
    }
    if (r->dataset->count >= DATASET_ROWS_MAX) {
        json_decref(document);
        return row_fail(r, line, "too many rows");
    }
    dataset_add(r->dataset, document, line);
    return true;
}

/* JSONL -----------------------------------------------------------------------------------------
 */

/* The library's own message would quote the text: its code and place say enough. */
static const char *json_why(const json_error_t *error)
{
    switch (json_error_code(error)) {
    case json_error_premature_end_of_input:
        return "it ends too early";
    case json_error_end_of_input_expected:
        return "more follows it";
    case json_error_invalid_utf8:
        return "no UTF-8";
    case json_error_numeric_overflow:
        return "a number is too large";
    case json_error_stack_overflow:
        return "nested too deep";
    default:
        return "invalid syntax";
    }
}

static bool read_json_line(struct reading *r, struct text line)
{
    json_error_t error;
    json_t *row = json_loadb(line.bytes, line.size, JSON_ALLOW_NUL, &error);
    if (!row)
        return err_set(r->err, ERR_INPUT, "%s:%d: no JSON object: %s at byte %d", r->dataset->path,
                       r->line, json_why(&error), error.position);
    if (!json_is_object(row)) {
        json_decref(row);
        return row_fail(r, r->line, "no JSON object: another kind of value");
    }
    return add_row(r, row, r->line);
}

/* Every document gets every key, null where its line had none. */
static void fill_missing(struct dataset *dataset)
{
    json_t *all = json_object();
    const char *key;
    json_t *value;
    for (int32_t i = 0; i < dataset->count; i++)
        json_object_update_missing(all, dataset->documents[i]);
    for (int32_t i = 0; i < dataset->count; i++)
        if (json_object_size(dataset->documents[i]) < json_object_size(all))
            json_object_foreach(all, key, value) if (!json_object_get(dataset->documents[i], key))
                json_object_set_new(dataset->documents[i], key, json_null());
    json_decref(all);
}

/* Before the bytes are known to be UTF-8: spaces of ASCII only. */
static bool is_blank(struct text line)
{
    for (size_t i = 0; i < line.size; i++)
        if (line.bytes[i] != ' ' && line.bytes[i] != '\t' && line.bytes[i] != '\r')
            return false;
    return true;
}

static bool read_jsonl(struct reading *r)
{
    for (; r->at < r->end; r->line++) {
        const char *newline = memchr(r->at, '\n', (size_t)(r->end - r->at));
        const char *stop = newline ? newline : r->end;
        struct text line = { r->at, (size_t)(stop - r->at) };
        r->at = newline ? newline + 1 : r->end;
        if (!is_blank(line) && !read_json_line(r, line))
            return false;
    }
    fill_missing(r->dataset);
    return true;
}

/* CSV and TSV -----------------------------------------------------------------------------------
 */

/* A field ends at a separator or a newline; *last says which. */
static bool end_field(struct reading *r, char separator, bool *last)
{
    if (r->at < r->end && *r->at == separator) {
        r->at++;
        *last = false;
        return true;
    }
    *last = true;
    if (r->end - r->at >= 2 && r->at[0] == '\r' && r->at[1] == '\n')
        r->at++;
    if (r->at < r->end && *r->at != '\n')
        return row_fail(r, r->line, "text after a closing quote");
    r->line += r->at < r->end;
    r->at += r->at < r->end;
    return true;
}

static bool read_quoted(struct reading *r, struct buf *out)
{
    int32_t begin = r->line;
    for (r->at++; r->at < r->end; r->at++) {
        if (*r->at == '"' && (r->at + 1 == r->end || r->at[1] != '"')) {
            r->at++;
            return true;
        }
        r->at += *r->at == '"'; /* "" is a quote */
        r->line += *r->at == '\n';
        buf_put_char(out, *r->at);
    }
    return row_fail(r, begin, "a quoted field has no end");
}

static bool is_line_end(const struct reading *r)
{
    return *r->at == '\n' || (*r->at == '\r' && r->at + 1 < r->end && r->at[1] == '\n');
}

static bool read_field(struct buf *out, bool *last, struct reading *r, bool quotes)
{
    char separator = quotes ? ',' : '\t';
    buf_clear(out);
    if (quotes && r->at < r->end && *r->at == '"') {
        if (!read_quoted(r, out))
            return false;
    } else {
        const char *begin = r->at;
        while (r->at < r->end && *r->at != separator && !is_line_end(r))
            r->at++;
        buf_put(out, begin, (size_t)(r->at - begin));
    }
    return end_field(r, separator, last);
}

static bool read_header(struct reading *r, bool quotes)
{
    AUTO(buf_free) struct buf field = { 0 };
    for (bool last = false; !last;) {
        if (!read_field(&field, &last, r, quotes))
            return false;
        if (r->names_count == DATASET_COLUMNS_MAX)
            return row_fail(r, 1, "too many columns");
        json_t *name = json_stringn(buf_text(&field), field.size);
        if (!name || memchr(buf_text(&field), 0, field.size)) {
            json_decref(name);
            return row_fail(r, 1, "a column's name is no UTF-8");
        }
        for (int32_t i = 0; i < r->names_count; i++)
            if (json_equal(r->names[i], name)) {
                json_decref(name);
                return row_fail(r, 1, "two columns have one name");
            }
        r->names[r->names_count++] = name;
    }
    return true;
}

static bool read_cell(json_t *row, struct reading *r, const struct buf *field, int32_t column,
                      int32_t line)
{
    if (column >= r->names_count)
        return row_fail(r, line, "more fields than columns");
    json_t *cell = json_stringn(buf_text(field), field->size);
    if (!cell)
        return row_fail(r, line, "a field is no UTF-8");
    json_object_set_new(row, json_string_value(r->names[column]), cell);
    return true;
}

static bool read_record(json_t *row, struct reading *r, struct buf *field, bool quotes)
{
    int32_t line = r->line, column = 0;
    for (bool last = false; !last;)
        if (!read_field(field, &last, r, quotes) || !read_cell(row, r, field, column++, line))
            return false;
    return column == r->names_count ? true : row_fail(r, line, "fewer fields than columns");
}

static bool read_separated(struct reading *r, bool quotes)
{
    AUTO(buf_free) struct buf field = { 0 };
    if (r->at == r->end)
        return row_fail(r, 1, "the file is empty");
    bool ok = read_header(r, quotes);
    while (ok && r->at < r->end) {
        if (is_line_end(r)) { /* an empty line is no row */
            r->at += *r->at == '\r' ? 2 : 1;
            r->line++;
            continue;
        }
        int32_t line = r->line;
        json_t *row = json_object();
        ok = read_record(row, r, &field, quotes);
        if (ok)
            ok = add_row(r, row, line);
        else
            json_decref(row);
    }
    for (int32_t i = 0; i < r->names_count; i++)
        json_decref(r->names[i]);
    return ok;
}

/* Files -----------------------------------------------------------------------------------------
 */

static const char *format_of(const char *path, const struct columns *columns)
{
    if (columns && columns_format(columns))
        return columns_format(columns);
    const char *dot = strrchr(path, '.');
    return dot ? dot + 1 : "";
}

bool dataset_parse(struct dataset *out, struct text text, const char *path,
                   const struct columns *columns, struct err *err)
{
    AUTO(dataset_free) struct dataset dataset = { .path = path };
    struct reading r = { .dataset = &dataset, .columns = columns, .line = 1, .err = err };
    const char *format = format_of(path, columns);
    bool bom = text.size >= 3 && !memcmp(text.bytes, "\xEF\xBB\xBF", 3), ok;
    r.at = text.bytes + (bom ? 3 : 0);
    r.end = text.bytes + text.size;
    if (!strcmp(format, "jsonl") || !strcmp(format, "json") || !strcmp(format, "ndjson"))
        ok = read_jsonl(&r);
    else if (!strcmp(format, "csv") || !strcmp(format, "tsv"))
        ok = read_separated(&r, format[0] == 'c');
    else
        return err_set(err, ERR_INPUT, "%s: not .jsonl, .csv or .tsv", path);
    if (!ok)
        return false;
    if (!dataset.count)
        return err_set(err, ERR_INPUT, "%s: no rows", path);
    *out = dataset;
    dataset = (struct dataset){ 0 };
    return true;
}

/* The whole file; the caller frees. */
static bool read_file(char **out, size_t *size, const char *path, struct err *err)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return err_set(err, ERR_INPUT, "%s: %s", path, strerror(errno));
    size_t capacity = 1 << 16, count = 0;
    AUTO(free) char *bytes = must_calloc(1, capacity);
    for (size_t got; (got = fread(bytes + count, 1, capacity - count, in)) > 0;) {
        count += got;
        if (count == capacity && capacity < DATASET_BYTES_MAX)
            bytes = must_realloc(bytes, capacity *= 2, 1);
    }
    bool failed = ferror(in) || count >= DATASET_BYTES_MAX;
    fclose(in);
    if (failed)
        return err_set(err, ERR_INPUT, "%s: cannot be read, or 1 GiB and more", path);
    *out = TAKE(bytes);
    *size = count;
    return true;
}

bool dataset_read(struct dataset *out, const char *path, const struct columns *columns,
                  struct err *err)
{
    AUTO(free) char *bytes = NULL;
    size_t size = 0;
    return read_file(&bytes, &size, path, err) &&
           dataset_parse(out, (struct text){ bytes, size }, path, columns, err);
}

void dataset_free(struct dataset *dataset)
{
    for (int32_t i = 0; i < dataset->count; i++)
        json_decref(dataset->documents[i]);
    free(dataset->documents);
    free(dataset->lines);
    *dataset = (struct dataset){ 0 };
}
