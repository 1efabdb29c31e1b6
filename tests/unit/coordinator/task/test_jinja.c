#include "coordinator/task/jinja.h"
#include "tests/test.h"
#include "tests/unit/coordinator/task/jinja_vectors.inc"

struct made {
    struct buf text;
    struct err err;
    bool ok;
};

/* Renders a template over JSON. */
static void make(struct made *made, const char *template, const char *json)
{
    struct heap heap = { .max = 8 << 20 };
    struct template *compiled = NULL;
    struct value v;
    json_t *parsed = json_loads(json, 0, NULL);
    *made = (struct made){ .text = { .max = 1 << 20 } };
    made->ok = parsed && template_compile(&compiled, text_of(template), &made->err) &&
               value_from_json(&v, parsed, &heap, &made->err) &&
               template_render(&made->text, compiled, &v, &heap, &made->err);
    template_free(compiled);
    json_decref(parsed);
    heap_free(&heap);
}

static bool makes(const char *template, const char *json, const char *text)
{
    struct made made;
    make(&made, template, json);
    bool same = made.ok && !strcmp(buf_text(&made.text), text);
    if (!same)
        printf("%.200s -> %s %s\n", template, buf_text(&made.text), made.err.text);
    buf_free(&made.text);
    return same;
}

static bool fails(const char *template, const char *json, const char *why)
{
    struct made made;
    make(&made, template, json);
    bool right = !made.ok && strstr(made.err.text, why);
    if (!right)
        printf("%.200s -> %s\n", template, made.err.text);
    buf_free(&made.text);
    return right;
}

TEST(templates_give_what_jinja2_gives)
{
    for (size_t i = 0; i < COUNT(vectors); i++) {
        if (vectors[i].text)
            CHECK(makes(vectors[i].template, document, vectors[i].text));
        else
            CHECK(fails(vectors[i].template, document, "line 1: "));
    }
}

TEST(an_unknown_name_is_an_error_with_its_line)
{
    CHECK(fails("a\n\n{{ b }}", "{}", "line 3: 'b' is undefined"));
}

TEST(what_is_not_supported_is_refused_by_name_before_any_document)
{
    CHECK(fails("{{ a|tojson }}", "{}", "filter 'tojson' is not supported"));
    CHECK(fails("{{ a is callable }}", "{}", "test 'callable' is not supported"));
    CHECK(fails("x\n{% macro f() %}", "{}", "line 2: {% macro %} is not supported"));
    CHECK(fails("{{ namespace() }}", "{}", "function 'namespace' is not supported"));
    CHECK(fails("{{ ''.format(1) }}", "{}", "method 'format' of str is not supported"));
}

TEST(errors_never_quote_a_value)
{
    static const char secret[] = "{\"a\":\"canary\",\"l\":[\"canary\"],\"d\":{\"canary\":1}}";
    static const char *const templates[] = {
        "{{ a + 1 }}", "{{ l[5] }}",  "{{ d[a].x.y }}",          "{{ l.index('b') }}",
        "{{ a.b() }}", "{{ a < l }}", "{{ d[a]['canary2'[0]] }}"
    };
    for (size_t i = 0; i < COUNT(templates); i++) {
        struct made made;
        make(&made, templates[i], secret);
        CHECK(!made.ok && made.err.text[0]);
        CHECK(!strstr(made.err.text, "canary"));
        buf_free(&made.text);
    }
}

TEST(a_hostile_template_ends_in_an_error)
{
    static const char *const bombs[] = {
        "{{ 'a' * 99999999999 }}",
        "{{ range(99999999999)|list }}",
        "{% for a in range(100000) %}{% for b in range(100000) %}{% endfor %}{% endfor %}",
        "{{ 9223372036854775807 }}",
        "{{ 99999999 * 99999999 * 99999999 }}",
        "{{ 2 ** 100 }}",
        "{{ [1] * 999999999 }}",
        "{% set a = 'xxxxxxxxxxxxxxxx' %}{% for i in range(100) %}{% set a = a %}{{ a * 190000 "
        "}}{% endfor %}",
        "{{ 'a,'|replace('a', 'b' * 100000)|replace('b', 'c' * 100000) }}",
        "{{ 5 // 0 }}",
        "{{ 5 % 0 }}",
        "{{ l[9223372036854775806:] }}{{ x }}",
    };
    for (size_t i = 0; i < COUNT(bombs); i++)
        CHECK(fails(bombs[i], "{\"l\":[1]}", ""));
}

TEST(nesting_is_bounded)
{
    struct buf deep = { 0 };
    buf_put_text(&deep, "{{ ");
    for (int i = 0; i < 200; i++)
        buf_put_char(&deep, '(');
    buf_put_text(&deep, "1");
    for (int i = 0; i < 200; i++)
        buf_put_char(&deep, ')');
    buf_put_text(&deep, "}}");
    CHECK(fails(buf_text(&deep), "{}", "nested deeper"));
    buf_clear(&deep);
    for (int i = 0; i < 1000; i++)
        buf_put_text(&deep, "{% if 1 %}");
    CHECK(fails(buf_text(&deep), "{}", "nested deeper"));
    buf_clear(&deep);
    for (int i = 0; i < 1000; i++)
        buf_put_text(&deep, i ? "-" : "{{ ");
    buf_put_text(&deep, "1}}");
    CHECK(fails(buf_text(&deep), "{}", "nested deeper"));
    buf_free(&deep);
}

/* Any cut of a good template compiles or fails, and never reads past its end (run under asan). */
TEST(every_prefix_of_a_template_is_handled)
{
    for (size_t i = 0; i < COUNT(vectors); i++)
        for (size_t size = 0; size < strlen(vectors[i].template); size++) {
            char *cut = must_calloc(1, size ? size : 1);
            memcpy(cut, vectors[i].template, size);
            struct err err = { 0 };
            struct template *template = NULL;
            struct text text = { cut, size };
            bool ok = template_compile(&template, text, &err);
            template_free(template);
            free(cut);
            CHECK(ok || err.code == ERR_INPUT);
        }
}
