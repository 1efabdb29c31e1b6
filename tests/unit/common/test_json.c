#include "common/json.h"
#include "tests/test.h"

/* Reads {"a": [1, 2.5, "text", null, true]} shaped documents; what each test needs is in its name.
 */
static bool skip_all(const char *text, struct err *err)
{
    struct json json;
    json_begin(&json, text, strlen(text));
    json_skip(&json);
    return json_end(&json, err);
}

TEST(members_and_items_come_in_order)
{
    static const char text[] =
        " {\"a\" : [1, -2.5e1, \"x\\u00e9\\ud55c\\n\", null, true], \"b\": {} } ";
    struct json json;
    struct err err;
    AUTO(buf_free) struct buf key = { 0 };
    AUTO(buf_free) struct buf value = { 0 };

    json_begin(&json, text, sizeof(text) - 1);
    json_object(&json);
    CHECK(json_member(&json, &key) && !strcmp(buf_text(&key), "a"));
    json_array(&json);
    CHECK(json_item(&json) && json_int(&json, 0, 9) == 1);
    CHECK(json_item(&json) && json_double(&json) == -25);
    CHECK(json_item(&json));
    json_string(&json, &value);
    CHECK(!strcmp(buf_text(&value), "xé한\n"));
    CHECK(json_item(&json) && json_null(&json));
    CHECK(json_item(&json) && json_bool(&json));
    CHECK(!json_item(&json));
    CHECK(json_member(&json, &key) && json_peek(&json) == JSON_OBJECT);
    json_skip(&json);
    CHECK(!json_member(&json, &key));
    CHECK(json_end(&json, &err));
}

TEST(what_is_no_json_is_refused)
{
    static const char *const bad[] = {
        "",
        "{",
        "[1,]",
        "[1 2]",
        "{\"a\" 1}",
        "{\"a\":1,}",
        "01",
        "1.",
        "-",
        "\"\\ud800\"",
        "\"\\udc00x\"",
        "\"\\x\"",
        "nul",
        "[}",
        "\"\xc0\x80\"",
        "\"\xed\xa0\x80\"",
        "\"\xf4\x90\x80\x80\"",
        "\"\x01\"",
        "1 2",
        "\"open",
        "{1:2}",
        "\"\xff\"",
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err = { 0 };
        CHECK(!skip_all(bad[i], &err));
        CHECK(err.code == ERR_INPUT);
    }
}

TEST(an_absent_value_reads_as_an_empty_text)
{
    struct json json;
    struct err err = { 0 };
    json_begin(&json, NULL, 0);
    CHECK(json.start && json.at == json.end);
    json_skip(&json);
    CHECK(!json_end(&json, &err) && strstr(err.text, "at byte 0"));
}

TEST(depth_is_bounded)
{
    char text[JSON_DEPTH_MAX * 2 + 8];
    struct err err = { 0 };

    for (int depth = JSON_DEPTH_MAX; depth <= JSON_DEPTH_MAX + 1; depth++) {
        memset(text, '[', (size_t)depth);
        memset(text + depth, ']', (size_t)depth);
        text[2 * depth] = 0;
        CHECK(skip_all(text, &err) == (depth <= JSON_DEPTH_MAX));
    }
}

TEST(an_integer_must_fit_what_was_asked_for)
{
    static const char *const bad[] = { "5", "-1", "1.0", "99999999999999999999" };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct json json;
        struct err err;
        json_begin(&json, bad[i], strlen(bad[i]));
        json_int(&json, 0, 4);
        CHECK(!json_end(&json, &err));
    }
}

TEST(a_written_string_reads_back)
{
    static const char text[] = "a\"b\\c\n\x01\x7f한";
    AUTO(buf_free) struct buf out = { 0 };
    AUTO(buf_free) struct buf back = { 0 };
    struct json json;
    struct err err;

    buf_put_json_string(&out, text, sizeof(text) - 1);
    json_begin(&json, out.bytes, out.size);
    json_string(&json, &back);
    CHECK(json_end(&json, &err));
    CHECK(back.size == sizeof(text) - 1 && !memcmp(back.bytes, text, back.size));
}
