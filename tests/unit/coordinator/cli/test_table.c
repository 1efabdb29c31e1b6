#include "coordinator/cli/table.h"
#include "tests/test.h"

static const struct column columns[] = {
    { "model", NULL, COLUMN_LEFT },
    { "n", "items", COLUMN_RIGHT },
    { "digest", NULL, COLUMN_JSON },
    { "state", NULL, COLUMN_LEFT },
};

static struct table *two_rows(void)
{
    struct table *t = table_new(columns, COUNT(columns));
    table_text(t, "한국어 모델");
    table_i64(t, 35030);
    table_text(t, "ab");
    table_text(t, "done");
    table_text(t, "x, \"y\"");
    table_null(t);
    table_null(t);
    table_text(t, "running");
    return t;
}

static void printed(char *out, size_t size, const struct table *table, bool colour, bool csv)
{
    FILE *f = fmemopen(out, size, "w");
    if (csv)
        table_print_csv(table, f);
    else
        table_print(table, f, colour);
    fclose(f);
}

TEST(a_hangul_syllable_is_two_columns_wide)
{
    CHECK(display_width("한국어 모델") == 11);
    CHECK(display_width("abc") == 3);
    CHECK(display_width("e\xcc\x81") == 1); /* a combining accent takes none */
    CHECK(display_width("\xff\xfe") == 2);  /* no UTF-8 at all */
}

TEST(columns_line_up_under_hangul)
{
    AUTO(table_free) struct table *t = two_rows();
    char out[512] = "";
    printed(out, sizeof(out), t, false, false);
    CHECK(!strcmp(out, "model         items  state\n"
                       "한국어 모델  35,030  done\n"
                       "x, \"y\"            -  running\n"));
}

TEST(json_keeps_every_column_and_plain_numbers)
{
    AUTO(table_free) struct table *t = two_rows();
    AUTO(buf_free) struct buf json = { 0 };
    table_put_json(t, &json);
    CHECK(strstr(buf_text(&json), "\"n\": 35030, \"digest\": \"ab\""));
    CHECK(strstr(buf_text(&json), "\"model\": \"x, \\\"y\\\"\", \"n\": null"));
}

TEST(csv_quotes_what_must_be_quoted)
{
    AUTO(table_free) struct table *t = two_rows();
    char out[512] = "";
    printed(out, sizeof(out), t, false, true);
    CHECK(!strcmp(out, "model,n,digest,state\r\n한국어 모델,35030,ab,done\r\n"
                       "\"x, \"\"y\"\"\",,,running\r\n"));
}

TEST(colour_changes_no_width)
{
    AUTO(table_free) struct table *t = two_rows();
    table_style(t, CELL_BAD);
    char out[1024] = "";
    printed(out, sizeof(out), t, true, false);
    CHECK(strstr(out, "  \033[31mrunning\033[0m\n"));
}

TEST(ages_and_counts_read_well)
{
    char age[16], count[32];
    age_shown(age, 3.2);
    CHECK(!strcmp(age, "3 s"));
    age_shown(age, 600);
    CHECK(!strcmp(age, "10 min"));
    age_shown(age, -1);
    CHECK(!strcmp(age, "never"));
    count_shown(count, -1234567);
    CHECK(!strcmp(count, "-1,234,567"));
    count_shown(count, 999);
    CHECK(!strcmp(count, "999"));
}
