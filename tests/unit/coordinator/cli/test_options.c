#include "coordinator/cli/options.h"
#include "tests/test.h"

static const struct option program[] = {
    { OPTION_FLAG, "json", NULL, NULL, "" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};
static const struct option command[] = {
    { OPTION_LIST, "model", "M", NULL, "" },
    { OPTION_I64, "shots", "N", "0", "" },
    { OPTION_TEXT, "mode", "hf|fp32", "hf", "" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

#define PARSE(out, err, ...)                                                            \
    options_parse(out, program, command, (int)COUNT(((const char *[]){ __VA_ARGS__ })), \
                  (const char *[]){ __VA_ARGS__ }, err)

TEST(arguments_and_options_may_be_mixed)
{
    AUTO(options_free) struct options o = { 0 };
    struct err err = { 0 };
    CHECK(PARSE(&o, &err, "spring", "--shots", "5", "--mode=fp32", "--json", "more"));
    CHECK(o.args_count == 2 && !strcmp(o.args[0], "spring") && !strcmp(o.args[1], "more"));
    const struct option_values *v;
    CHECK(options_find(&o, "shots", &v) && v->count == 1 && !strcmp(v->words[0], "5"));
    CHECK(options_find(&o, "mode", &v) && !strcmp(v->words[0], "fp32"));
    CHECK(options_find(&o, "json", &v) && v->count == 1);
}

TEST(a_list_takes_every_word_up_to_the_next_option_and_again)
{
    AUTO(options_free) struct options o = { 0 };
    struct err err = { 0 };
    const struct option_values *v;
    CHECK(PARSE(&o, &err, "--model", "a", "b", "--json", "--model=c", "rest"));
    CHECK(options_find(&o, "model", &v) && v->count == 3);
    CHECK(!strcmp(v->words[1], "b") && !strcmp(v->words[2], "c"));
    CHECK(o.args_count == 1);
}

TEST(after_two_dashes_everything_is_an_argument)
{
    AUTO(options_free) struct options o = { 0 };
    struct err err = { 0 };
    CHECK(PARSE(&o, &err, "--json", "--", "--shots", "x"));
    CHECK(o.args_count == 2 && !strcmp(o.args[0], "--shots"));
}

TEST(a_negative_number_is_a_value)
{
    AUTO(options_free) struct options o = { 0 };
    struct err err = { 0 };
    const struct option_values *v;
    CHECK(PARSE(&o, &err, "--shots", "-3"));
    CHECK(options_find(&o, "shots", &v) && !strcmp(v->words[0], "-3"));
}

TEST(an_unknown_option_is_told_what_there_is)
{
    AUTO(options_free) struct options o = { 0 };
    struct err err = { 0 };
    CHECK(!PARSE(&o, &err, "--shot", "5"));
    CHECK(strstr(err.text, "--shot ") && strstr(err.text, "--shots") && strstr(err.text, "--json"));
}

TEST(what_is_no_number_is_refused_here)
{
    struct err err = { 0 };
    AUTO(options_free) struct options o = { 0 };
    CHECK(!PARSE(&o, &err, "--shots", "five") && strstr(err.text, "five"));
    CHECK(!PARSE(&o, &err, "--shots", "5x"));
    CHECK(!PARSE(&o, &err, "--shots="));
    CHECK(!PARSE(&o, &err, "--shots", "99999999999999999999"));
}

TEST(a_missing_value_a_second_value_and_a_flag_with_one_are_refused)
{
    struct err err = { 0 };
    AUTO(options_free) struct options o = { 0 };
    CHECK(!PARSE(&o, &err, "--shots"));
    CHECK(!PARSE(&o, &err, "--model", "--json"));
    CHECK(!PARSE(&o, &err, "--shots", "1", "--shots", "2"));
    CHECK(!PARSE(&o, &err, "--json=yes"));
}
