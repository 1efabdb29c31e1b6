#include "coordinator/cli/cli.h"

#include <unistd.h>

#include "tests/test.h"

static bool ran_run(struct cli *cli, struct err *err)
{
    (void)err;
    (void)cli;
    return true;
}

static bool lost_run(struct cli *cli, struct err *err)
{
    return cli_not_found(cli, err, "model", cli_arg(cli, 0), "a, b");
}

static const struct command nouns[] = {
    { .words = "model list", .help = "", .run = ran_run },
    { .words = "model", .help = "", .args_max = 1, .run = lost_run },
    { .words = "model show deep", .help = "", .run = ran_run },
    { 0 },
};
static const struct command *const all[] = { nouns, NULL };

/* What it prints is for people: the tests look at the exit code. */
static int quietly(int argc, const char *const *argv)
{
    fflush(stdout);
    int out = dup(1), err = dup(2);
    if (!freopen("/dev/null", "w", stderr))
        return -1;
    int code = cli_run(all, argc, argv);
    fflush(stdout);
    dup2(out, 1);
    dup2(err, 2);
    close(out);
    close(err);
    return code;
}
#define RUN(...) \
    quietly((int)COUNT(((const char *[]){ __VA_ARGS__ })), (const char *[]){ __VA_ARGS__ })

TEST(the_longest_command_wins)
{
    int used;
    const char *words[] = { "model", "list", "x" };
    CHECK(command_find(all, 3, words, &used) == &nouns[0] && used == 2);
    const char *short_words[] = { "model", "lists" };
    CHECK(command_find(all, 2, short_words, &used) == &nouns[1] && used == 1);
}

TEST(next_words_are_listed_once)
{
    AUTO(buf_free) struct buf out = { 0 };
    const char *words[] = { "model" };
    help_next_words(&out, all, 0, words);
    CHECK(!strcmp(buf_text(&out), "model"));
    buf_clear(&out);
    help_next_words(&out, all, 1, words);
    CHECK(!strcmp(buf_text(&out), "list, show"));
}

static bool says(const char *there, const char *what)
{
    struct cli cli = { 0 };
    struct err err = { 0 };
    return !cli_not_found(&cli, &err, "model", "x", there) && cli.exit == CLI_NOT_FOUND &&
           strstr(err.text, what);
}

TEST(what_there_is_fits_into_the_message_or_is_counted)
{
    AUTO(buf_free) struct buf many = { 0 }, one = { 0 };
    for (int i = 0; i < 100; i++) {
        buf_put_fmt(&many, "%sname-%02d", i ? ", " : "", i);
        buf_put_text(&one, "long");
    }
    CHECK(says("", "no model x; there is none yet") && says(NULL, "none yet"));
    CHECK(says("a, b", "no model x; there is a, b"));
    CHECK(says(buf_text(&many), "name-00, ") && says(buf_text(&many), "name-25 and 74 more"));
    CHECK(!says(buf_text(&many), "name-26"));
    CHECK(says(buf_text(&one), "there is longlong"));
}

TEST(exit_codes_tell_usage_from_absence)
{
    CHECK(RUN("model", "list") == CLI_OK);
    CHECK(RUN("model", "list", "extra") == CLI_USAGE);
    CHECK(RUN("modle") == CLI_USAGE);
    CHECK(RUN("model", "list", "--nothing") == CLI_USAGE);
    CHECK(RUN("model", "c") == CLI_NOT_FOUND);
}
