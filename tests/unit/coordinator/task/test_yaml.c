#include "common/buf.h"
#include "coordinator/task/yaml.h"
#include "tests/test.h"

#include <stdlib.h>
#include <unistd.h>

static struct yaml_file *parse(const char *text, struct err *err)
{
    struct yaml_file *file = NULL;
    *err = (struct err){ 0 };
    return yaml_parse(&file, text_of(text), "t.yaml", err) ? file : NULL;
}

static enum yaml_type type_of(const char *scalar)
{
    char text[128];
    struct err err;
    snprintf(text, sizeof(text), "a: %s\n", scalar);
    AUTO(yaml_close) struct yaml_file *file = parse(text, &err);
    return file ? yaml_get(yaml_root(file), "a")->type : YAML_MAP;
}

TEST(plain_scalars_resolve_as_in_yaml_1_1)
{
    static const struct {
        const char *text;
        enum yaml_type type;
    } cases[] = {
        { "yes", YAML_BOOL },
        { "No", YAML_BOOL },
        { "on", YAML_BOOL },
        { "y", YAML_TEXT },
        { "~", YAML_NULL },
        { "", YAML_NULL },
        { "null", YAML_NULL },
        { "1", YAML_INT },
        { "-17", YAML_INT },
        { "017", YAML_INT },
        { "0x1F", YAML_INT },
        { "1_000", YAML_INT },
        { "08", YAML_TEXT },
        { "1.0", YAML_REAL },
        { "1e3", YAML_TEXT },
        { "1.e+3", YAML_REAL },
        { ".5", YAML_REAL },
        { "1.2.3", YAML_TEXT },
        { "'1'", YAML_TEXT },
        { "\"no\"", YAML_TEXT },
        { "abc", YAML_TEXT },
        { "+", YAML_TEXT },
        { "a: b", YAML_MAP },
        { "!function u.f", YAML_FUNCTION },
        { "[1]", YAML_LIST },
        { "{b: 1}", YAML_MAP },
        { "2024-01-31", YAML_MAP /* refused */ },
        { "1:30", YAML_MAP },
        { "99999999999999999999", YAML_MAP },
        { "!other x", YAML_MAP },
        { ".inf", YAML_MAP },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        if (type_of(cases[i].text) != cases[i].type)
            printf("%s is %d\n", cases[i].text, type_of(cases[i].text));
        CHECK(type_of(cases[i].text) == cases[i].type);
    }
}

TEST(octal_and_hexadecimal_have_their_values)
{
    struct err err;
    AUTO(yaml_close) struct yaml_file *file = parse("a: 017\nb: -0x1F\nc: 1_000\n", &err);
    CHECK(file);
    CHECK(yaml_get(yaml_root(file), "a")->integer == 15);
    CHECK(yaml_get(yaml_root(file), "b")->integer == -31);
    CHECK(yaml_get(yaml_root(file), "c")->integer == 1000);
}

TEST(a_repeated_key_has_its_last_value)
{
    struct err err;
    AUTO(yaml_close) struct yaml_file *file = parse("a: 1\nb: 2\na: 3\n", &err);
    CHECK(file && yaml_get(yaml_root(file), "a")->integer == 3);
}

TEST(multi_line_scalars_fold)
{
    struct err err;
    AUTO(yaml_close)
    struct yaml_file *file = parse("a: \"x\\n\n  D. {{d}}\"\nb: 'x\\n'\nc: |-\n  l1\n  l2\n", &err);
    CHECK(file);
    CHECK(yaml_is_text(yaml_get(yaml_root(file), "a"), "x\n D. {{d}}"));
    CHECK(yaml_is_text(yaml_get(yaml_root(file), "b"), "x\\n"));
    CHECK(yaml_is_text(yaml_get(yaml_root(file), "c"), "l1\nl2"));
}

TEST(errors_name_file_and_line)
{
    struct err err;
    CHECK(!parse("a: 1\nb: [1,\n", &err));
    CHECK(!strncmp(err.text, "t.yaml:", 7));
    CHECK(!parse("- 1\n", &err));
    CHECK(strstr(err.text, "t.yaml:1: a map"));
    CHECK(!parse("a: 1\nb:\n  <<: {c: 1}\n", &err));
    CHECK(strstr(err.text, "t.yaml:3: merge keys"));
    CHECK(!parse("a: 1\nb: *x\n", &err));
    CHECK(!parse("", &err));
}

TEST(an_alias_bomb_ends_in_an_error)
{
    struct buf text = { 0 };
    struct err err;
    buf_put_text(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for (int i = 1; i < 12; i++) {
        buf_put_fmt(&text, "a%d: &a%d [", i, i);
        for (int j = 0; j < 10; j++)
            buf_put_fmt(&text, "%s*a%d", j ? ", " : "", i - 1);
        buf_put_text(&text, "]\n");
    }
    CHECK(!parse(buf_text(&text), &err));
    buf_free(&text);
}

static void write_file(const char *dir, const char *name, const char *text)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *out = fopen(path, "w");
    if (!out)
        abort();
    fputs(text, out);
    fclose(out);
}

static struct yaml_file *open_in(const char *dir, const char *name, struct err *err)
{
    char path[300];
    struct yaml_file *file = NULL;
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    *err = (struct err){ 0 };
    return yaml_open_with_includes(&file, path, err) ? file : NULL;
}

TEST(includes_merge_under_the_including_file)
{
    char dir[] = "/tmp/koeval-yaml-XXXXXX", command[64];
    struct err err;
    CHECK(mkdtemp(dir));
    write_file(dir, "base", "a: 1\nb: 1\nc: 1\n");
    write_file(dir, "more", "include: base\nb: 2\n");
    write_file(dir, "top.yaml", "include: more\nc: 3\n");
    write_file(dir, "two.yaml", "include: [base, more]\n");
    write_file(dir, "loop.yaml", "include: loop.yaml\n");
    write_file(dir, "none.yaml", "include: nowhere\n");
    AUTO(yaml_close) struct yaml_file *top = open_in(dir, "top.yaml", &err);
    AUTO(yaml_close) struct yaml_file *two = open_in(dir, "two.yaml", &err);
    CHECK(top && two);
    CHECK(yaml_get(yaml_root(top), "a")->integer == 1);
    CHECK(yaml_get(yaml_root(top), "b")->integer == 2);
    CHECK(yaml_get(yaml_root(top), "c")->integer == 3);
    CHECK(!yaml_get(yaml_root(top), "include"));
    CHECK(yaml_get(yaml_root(two), "b")->integer == 2);
    CHECK(!open_in(dir, "loop.yaml", &err));
    CHECK(strstr(err.text, "includes itself"));
    char where[256];
    snprintf(where, sizeof where, "%s/none.yaml:1: include: %s/nowhere: ", dir, dir);
    CHECK(!open_in(dir, "none.yaml", &err));
    CHECK(!strncmp(err.text, where, strlen(where)));
    snprintf(command, sizeof(command), "rm -r %s", dir);
    CHECK(system(command) == 0);
}
