#include "coordinator/cli/manual.h"

#include "tests/test.h"

static const struct option options[] = {
    { OPTION_TEXT, "mode", "hf|fp32", "hf", "how it rounds" },
    { OPTION_LIST, "model", "MODEL", NULL, "which" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};
static const struct command ship[] = {
    { .words = "ship list", .help = ".dotted and 'quoted' back\\slash" },
    { .words = "ship sink",
      .usage = "NAME [--mode M]",
      .help = "down",
      .more = "First line.\n.Second line.",
      .options = options,
      .args_max = 1 },
    { .words = "ship raise", .help = "up", .hidden = true },
    { 0 },
};
static const struct command alone[] = {
    { .words = "alone", .usage = "one|two", .help = "by itself", .args_max = 1 },
    { 0 },
};
static const struct command *const all[] = { ship, alone, NULL };

static bool page_has(const char *noun, const char *text)
{
    AUTO(buf_free) struct buf out = { 0 };
    return manual_page(&out, all, noun) && strstr(buf_text(&out), text);
}

static bool script_has(const char *shell, const char *text)
{
    AUTO(buf_free) struct buf out = { 0 };
    return completion_script(&out, all, shell) && strstr(buf_text(&out), text);
}

TEST(a_noun_of_several_commands_has_a_page_and_one_word_has_none)
{
    char noun[64];
    CHECK(!strcmp(manual_noun(noun, all, 0), "ship"));
    CHECK(!manual_noun(noun, all, 1));
    AUTO(buf_free) struct buf out = { 0 };
    CHECK(!manual_page(&out, all, "alone") && !manual_page(&out, all, "shi"));
    CHECK(page_has(NULL, ".SS koeval alone") && page_has(NULL, "koeval\\-ship"));
}

TEST(hidden_commands_are_nowhere)
{
    CHECK(!page_has(NULL, "raise") && !page_has("ship", "raise"));
    CHECK(!script_has("bash", "raise") && !script_has("zsh", "raise"));
}

TEST(no_line_begins_with_a_dot_by_accident)
{
    CHECK(page_has("ship", "\n\\&.dotted and 'quoted' back\\eslash"));
    CHECK(page_has("ship", "First line.\n\\&.Second line."));
}

TEST(an_option_says_its_words_and_its_default)
{
    CHECK(page_has("ship", "\\fB\\-\\-mode\\fR \\fIhf|fp32\\fR\nhow it rounds (default hf)."));
    CHECK(page_has("ship", "which; any number of words, up to the next option."));
}

TEST(completion_knows_words_names_and_whether_there_are_several)
{
    CHECK(script_has("bash", "'ship') echo 'list sink'"));
    CHECK(script_has("bash", "'ship sink --mode') echo 'one hf fp32'"));
    CHECK(script_has("zsh", "'ship sink --model') echo 'many @model'"));
    CHECK(script_has("bash", "'alone') echo 'one two --db"));
    AUTO(buf_free) struct buf out = { 0 };
    CHECK(!completion_script(&out, all, "fish"));
}
