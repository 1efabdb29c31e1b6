#include "coordinator/task/pystr.h"
#include "coordinator/task/value.h"
#include "tests/test.h"

TEST(whitespace_is_pythons_29_code_points)
{
    static const uint32_t spaces[] = { 9,    10,   11,   12,   13,   28,   29,   30,   31,   32,
                                       133,  160,  5760, 8192, 8193, 8194, 8195, 8196, 8197, 8198,
                                       8199, 8200, 8201, 8202, 8232, 8233, 8239, 8287, 12288 };
    size_t next = 0;
    for (uint32_t c = 0; c < 0x11000; c++) {
        bool listed = next < COUNT(spaces) && spaces[next] == c;
        next += listed;
        CHECK(pystr_is_space(c) == listed);
    }
}

TEST(length_counts_code_points)
{
    CHECK(pystr_length(text_of("한글")) == 2);
    CHECK(pystr_length(text_of("\341\204\222\341\205\241\341\206\253")) == 3); /* decomposed */
    CHECK(pystr_length(text_of("\360\237\221\215\360\237\217\275")) == 2);     /* with a modifier */
    CHECK(pystr_length(text_of("")) == 0);
}

TEST(strip_takes_whitespace_and_nothing_else)
{
    struct text s = pystr_strip(text_of("\343\200\200 a\342\200\213 \n"), PYSTR_BOTH, NULL);
    CHECK(text_is(s, "a\342\200\213")); /* a zero-width space is none */
    CHECK(pystr_strip(text_of(" \n"), PYSTR_BOTH, NULL).size == 0);
}

static bool repr_is(double real, const char *text)
{
    struct buf buf = { 0 };
    pystr_put_real(&buf, real);
    bool same = !strcmp(buf_text(&buf), text);
    buf_free(&buf);
    return same;
}

TEST(floats_print_their_shortest_digits)
{
    CHECK(repr_is(1.0, "1.0"));
    CHECK(repr_is(0.1, "0.1"));
    CHECK(repr_is(-2.5, "-2.5"));
    CHECK(repr_is(1e22, "1e+22"));
    CHECK(repr_is(1e16, "1e+16"));
    CHECK(repr_is(123456789012345680.0, "1.2345678901234568e+17"));
    CHECK(repr_is(1e15, "1000000000000000.0"));
    CHECK(repr_is(0.0001, "0.0001"));
    CHECK(repr_is(0.00001, "1e-05"));
    CHECK(repr_is(1.5e-7, "1.5e-07"));
    CHECK(repr_is(5e-324, "5e-324"));
    CHECK(repr_is(-0.0, "-0.0"));
    CHECK(repr_is(0.30000000000000004, "0.30000000000000004"));
}

/* repr, then literal_eval, is the identity on every text. */
TEST(a_printed_text_reads_back_as_itself)
{
    struct heap heap = { .max = 1 << 20 };
    struct err err = { 0 };
    uint32_t state = 1;
    for (int round = 0; round < 2000; round++) {
        struct buf text = { 0 }, repr = { 0 };
        for (int i = 0; i < 12; i++) {
            state = state * 1664525u + 1013904223u;
            uint32_t c = state >> 8, kind = c % 5;
            c = kind == 0 ? c % 128 : kind == 1 ? 0xAC00 + c % 11172 : kind == 2 ? c % 0x3100 : 39;
            if (c >= 0xD800 && c < 0xE000)
                c = '"';
            pystr_put(&text, c);
        }
        struct value back;
        pystr_put_repr(&repr, (struct text){ text.bytes, text.size });
        CHECK(value_from_literal(&back, (struct text){ repr.bytes, repr.size }, &heap, &err));
        CHECK(back.type == VALUE_STR &&
              text_equal(back.text, (struct text){ text.bytes, text.size }));
        buf_free(&text);
        buf_free(&repr);
        heap_clear(&heap);
    }
    heap_free(&heap);
}

static bool is_literal(const char *text)
{
    struct heap heap = { .max = 1 << 20 };
    struct err err = { 0 };
    struct value v;
    bool ok = value_from_literal(&v, text_of(text), &heap, &err);
    heap_free(&heap);
    return ok;
}

TEST(only_literals_are_literals)
{
    CHECK(is_literal("['a', \"b\", 1, -2.5, None, True, (1,), {'k': [1]}]"));
    CHECK(is_literal(" [ ] "));
    CHECK(!is_literal("[a]"));
    CHECK(!is_literal("['a'"));
    CHECK(!is_literal("['a' 1]"));
    CHECK(!is_literal("007"));
    CHECK(!is_literal("['a']x"));
    CHECK(!is_literal("f()"));
    CHECK(!is_literal(""));
    CHECK(!is_literal("'a\nb'"));
    CHECK(!is_literal("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1"));
}

TEST(invalid_utf8_is_found)
{
    CHECK(pystr_valid(text_of("가")));
    CHECK(!pystr_valid(text_of("\377")));
    CHECK(!pystr_valid(text_of("\355\240\200"))); /* a surrogate */
    CHECK(!pystr_valid(text_of("\300\200")));     /* overlong */
    CHECK(!pystr_valid(text_of("\352\260")));     /* cut */
}
