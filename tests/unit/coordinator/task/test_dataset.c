#include "common/buf.h"
#include "coordinator/task/columns.h"
#include "coordinator/task/dataset.h"
#include "tests/test.h"

struct read {
    struct dataset data;
    struct err err;
    bool ok;
};

static struct read read_as(const char *path, const char *text, size_t size, const char *map)
{
    struct read read = { 0 };
    struct columns *columns = NULL;
    if (map && !columns_parse(&columns, map, "map.yaml", &read.err))
        return read;
    read.ok = dataset_parse(&read.data, (struct text){ text, size }, path, columns, &read.err);
    columns_free(columns);
    return read;
}

/* The dataset as one JSON text, or the error. */
static bool gives_map(const char *path, const char *text, const char *map, const char *expected)
{
    struct read read = read_as(path, text, strlen(text), map);
    struct buf buf = { 0 };
    for (int32_t i = 0; read.ok && i < read.data.count; i++) {
        char *line = json_dumps(read.data.documents[i], JSON_COMPACT);
        buf_put_fmt(&buf, "%d%s", read.data.lines[i], line);
        free(line);
    }
    const char *got = read.ok ? buf_text(&buf) : read.err.text;
    bool same = read.ok ? !strcmp(got, expected) : strstr(got, expected) != NULL;
    if (!same)
        printf("got %s\n", got);
    buf_free(&buf);
    dataset_free(&read.data);
    return same;
}

static bool gives(const char *path, const char *text, const char *expected)
{
    return gives_map(path, text, NULL, expected);
}

TEST(csv_fields_may_hold_commas_quotes_and_newlines)
{
    CHECK(gives("a.csv", "q,a\n\"x, \"\"y\"\"\nz\",1\n,2\n",
                "2{\"q\":\"x, \\\"y\\\"\\nz\",\"a\":\"1\"}4{\"q\":\"\",\"a\":\"2\"}"));
    CHECK(gives("a.csv", "\"q\",a\r\nx y,\"1\"\r\n", "2{\"q\":\"x y\",\"a\":\"1\"}"));
    CHECK(gives("a.csv", "q,a\nx,1", "2{\"q\":\"x\",\"a\":\"1\"}"));
    CHECK(gives("a.csv", "q\n\nx\n\n", "3{\"q\":\"x\"}")); /* empty lines are no rows */
    CHECK(gives("a.csv", "q\na\"b\n", "2{\"q\":\"a\\\"b\"}"));
}

TEST(tsv_is_unquoted_and_may_begin_with_a_byte_order_mark)
{
    CHECK(gives("a.tsv", "\357\273\277q\ta\r\n\"x\t\"y\"\r\n",
                "2{\"q\":\"\\\"x\",\"a\":\"\\\"y\\\"\"}"));
    CHECK(gives("a.tsv", "q\ta\nx, y\t\n", "2{\"q\":\"x, y\",\"a\":\"\"}"));
    CHECK(gives("a.tsv", "q\nx\ry\n", "2{\"q\":\"x\\ry\"}"));
}

TEST(jsonl_fills_missing_keys_with_null)
{
    CHECK(gives("a.jsonl", "{\"a\":1}\n\n{\"b\":[1.5,true]}\n",
                "1{\"a\":1,\"b\":null}3{\"b\":[1.5,true],\"a\":null}"));
}

TEST(wrong_rows_are_named_by_file_and_line)
{
    CHECK(gives("a.csv", "q,a\nx,1\ny\n", "a.csv:3: fewer fields than columns"));
    CHECK(gives("a.csv", "q,a\nx,1,2\n", "a.csv:2: more fields than columns"));
    CHECK(gives("a.csv", "q,a\n\"x,1\n", "a.csv:2: a quoted field has no end"));
    CHECK(gives("a.csv", "q,a\n\"x\"y,1\n", "a.csv:2: text after a closing quote"));
    CHECK(gives("a.csv", "q,q\nx,1\n", "a.csv:1: two columns have one name"));
    CHECK(gives("a.csv", "q,a\nx,\377\n", "a.csv:2: a field is no UTF-8"));
    CHECK(gives("a.csv", "q,a\n", "a.csv: no rows"));
    CHECK(gives("a.csv", "", "a.csv:1: the file is empty"));
    CHECK(gives("a.jsonl", "{\"a\":1}\n[1]\n", "a.jsonl:2: no JSON object: another kind of value"));
    CHECK(gives("a.jsonl", "{\"a\":1}\n{\"a\"\n",
                "a.jsonl:2: no JSON object: it ends too early at byte 4"));
    CHECK(gives("a.jsonl", "{\"a\":99999999999999999999}\n",
                "a.jsonl:1: no JSON object: a number is too large"));
    CHECK(gives("a.jsonl", "{}\n\377\377", "a.jsonl:2: no JSON object: no UTF-8"));
    CHECK(gives("a.xlsx", "x", "a.xlsx: not .jsonl, .csv or .tsv"));
}

TEST(errors_never_quote_a_cell)
{
    static const char *const texts[] = { "q,a\ncanary\n", "q,a\n\"canary\"canary,1\n",
                                         "q,a\ncanary,canary,canary\n", "q,a\n\"canary" };
    for (size_t i = 0; i < COUNT(texts); i++) {
        struct read read = read_as("a.csv", texts[i], strlen(texts[i]), NULL);
        CHECK(!read.ok && !strstr(read.err.text, "canary"));
    }
    struct read json = read_as("a.jsonl", "{\"canary\" canary}", 17, NULL);
    CHECK(!json.ok && !strstr(json.err.text, "canary"));
}

TEST(a_map_renames_maps_types_and_shifts)
{
    static const char map[] = "columns:\n"
                              "  q: Text\n"
                              "  label: {from: Answer, map: {\"True\": 1, \"FALSE\": 0}}\n"
                              "  n: {from: No, type: int, shift: -1}\n";
    CHECK(gives_map("a.csv", "Text,Answer,No,rest\nx,True,2,z\ny,FALSE, 10 ,z\n", map,
                    "2{\"q\":\"x\",\"label\":1,\"n\":1}3{\"q\":\"y\",\"label\":0,\"n\":9}"));
    CHECK(gives_map("a.csv", "Text,Answer,No\nx,maybe,2\n", map,
                    "a.csv:2: column 'Answer': a value that its map does not list"));
    CHECK(gives_map("a.csv", "Text,Answer,No\nx,True,two\n", map,
                    "a.csv:2: column 'No': a value that is not of its type"));
    CHECK(gives_map("a.csv", "Text,Answer\nx,True\n", map,
                    "a.csv:2: column 'No' is not in the file"));
}

TEST(a_map_may_say_the_format)
{
    CHECK(gives_map("data", "a\tb\n1\t2\n", "format: tsv\ncolumns: {x: b}\n", "2{\"x\":\"2\"}"));
}

TEST(every_type_reads_its_cells)
{
    static const char map[] = "columns:\n"
                              "  r: {from: a, type: real}\n"
                              "  b: {from: b, type: bool}\n"
                              "  j: {from: c, type: json}\n"
                              "  t: {from: d, type: text}\n";
    CHECK(gives_map("a.tsv", "a\tb\tc\td\n1.5\tTRUE\t[\"x\", 1]\ty\n", map,
                    "2{\"r\":1.5,\"b\":true,\"j\":[\"x\",1],\"t\":\"y\"}"));
    CHECK(gives_map("a.tsv", "a\tb\tc\td\nx\tTRUE\t1\ty\n", map, "column 'a'"));
    CHECK(gives_map("a.tsv", "a\tb\tc\td\n1\tyes\t1\ty\n", map, "column 'b'"));
    CHECK(gives_map("a.tsv", "a\tb\tc\td\n1\tTrue\t[\ty\n", map, "column 'c'"));
}

static bool map_fails(const char *map, const char *why)
{
    struct columns *columns = NULL;
    struct err err = { 0 };
    bool failed = !columns_parse(&columns, map, "map.yaml", &err) && strstr(err.text, why);
    if (!failed)
        printf("%s\n", err.text);
    columns_free(columns);
    return failed;
}

TEST(a_wrong_map_is_refused_by_line_and_key)
{
    CHECK(map_fails("columns: {}\n", "map.yaml:1: columns"));
    CHECK(map_fails("a: 1\n", "map.yaml:1: a column map has the keys"));
    CHECK(map_fails("columns:\n  a: {type: date}\n", "map.yaml:2: type"));
    CHECK(map_fails("columns:\n  a:\n    frm: x\n", "map.yaml:3: key 'frm'"));
    CHECK(map_fails("format: xml\ncolumns: {a: b}\n", "map.yaml:1: format"));
    CHECK(map_fails("columns:\n  a: [1]\n", "map.yaml:2: a column's name"));
}

/* Every cut of a good file reads or fails, and never past its end (run under asan). */
TEST(every_prefix_of_a_file_is_handled)
{
    static const char text[] = "q,a\n\"x, \"\"y\"\"\r\nz\",1\r\n\r\n가,2\n";
    static const char *const paths[] = { "a.csv", "a.tsv", "a.jsonl" };
    for (size_t p = 0; p < COUNT(paths); p++)
        for (size_t size = 0; size < sizeof(text); size++) {
            char *cut = must_calloc(1, size ? size : 1);
            memcpy(cut, text, size);
            struct read read = read_as(paths[p], cut, size, NULL);
            dataset_free(&read.data);
            free(cut);
            CHECK(read.ok || read.err.text[0]);
        }
}
