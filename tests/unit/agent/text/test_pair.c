#include "agent/text/pair.h"
#include "tests/test.h"
#include "tests/unit/agent/text/toy.h"

/* Characters, and two tokens that can span the border of a pair. */
#define PAIRS                                                                                    \
    "'vocab': {'a': 0, 'b': 1, ' ': 2, ':': 3, '\\n': 4, ' b': 5, ': b': 6, '<s>': 7, 'c': 8}, " \
    "'merges': [[' ', 'b'], [':', ' b']]"
#define BOS                                                                                    \
    "{'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': '<s>'}}, {'Sequence': " \
    "{'id': 'A'}}], 'special_tokens': {'<s>': {'ids': [7]}}}"

static const struct toy toy = { .model = PAIRS,
                                .post_processor = BOS,
                                .config = "{'bos_token': '<s>'}" };
static const struct toy toy_plain = { .model = PAIRS };

struct encoded {
    enum pair_verdict verdict;
    bool truncated, ok;
    char ids[200]; /* "context | scored" */
};

static void describe(struct encoded *out, const struct pair *pair)
{
    size_t at = 0;
    for (int32_t i = 0; i < pair->n; i++)
        at += (size_t)snprintf(out->ids + at, sizeof(out->ids) - at, "%s%d",
                               i == pair->ctx ? " | "
                               : i            ? " "
                                              : "",
                               pair->tokens[i]);
    out->truncated = pair->truncated;
}

static struct encoded encode(const struct toy *of, const char *prompt, const char *continuation,
                             enum pair_bos bos, int32_t max_length)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(pair_free) struct pair pair = { 0 };
    struct encoded out = { 0 };
    struct err err = { 0 };
    out.ok = toy_open(&tokenizer, of, &err) &&
             pair_encode(&pair, &out.verdict, tokenizer, text_of(prompt), text_of(continuation),
                         bos, max_length, &err);
    if (out.ok && out.verdict == PAIR_ENCODED)
        describe(&out, &pair);
    return out;
}

static bool gives(const char *prompt, const char *continuation, const char *ids)
{
    struct encoded got = encode(&toy, prompt, continuation, PAIR_BOS_NO, 100);
    if (strcmp(got.ids, ids) != 0)
        printf("got %s\n", got.ids);
    return got.ok && got.verdict == PAIR_ENCODED && !strcmp(got.ids, ids);
}

TEST(the_continuation_is_what_the_whole_has_more_than_the_prompt)
{
    CHECK(gives("a", " b", "0 | 5"));
    CHECK(gives("aa", "ac", "0 0 | 0 8"));
}

TEST(white_space_at_the_end_of_the_prompt_is_scored)
{
    CHECK(gives("a ", "b", "0 | 5"));
    CHECK(gives("a ", " b", "0 | 2 5"));
    CHECK(gives("a\n", " b", "0 | 4 5"));
    CHECK(gives("a \n ", "b", "0 | 2 4 5"));
}

TEST(a_token_over_the_border_leaves_the_prompts_own_tokens_in_front)
{
    /* tokens(": b c") = [": b", c]; the model sees tokens(":") and then c. */
    CHECK(gives("a:", " bc", "0 3 | 8"));
}

TEST(a_continuation_without_a_token_of_its_own_is_a_verdict_not_a_crash)
{
    struct encoded got = encode(&toy, "a:", " b", PAIR_BOS_NO, 100);
    CHECK(got.ok && got.verdict == PAIR_EMPTY_CONTINUATION);
    got = encode(&toy, "a", "", PAIR_BOS_NO, 100);
    CHECK(got.ok && got.verdict == PAIR_EMPTY_CONTINUATION);
}

TEST(the_twentynine_white_spaces_of_python_move_and_no_others)
{
    static const char *const moves[] = {
        "\t",           "\n",           "\v",           "\f",           "\r",
        "\x1c",         "\x1d",         "\x1e",         "\x1f",         " ",
        "\xc2\x85",     "\xc2\xa0",     "\xe1\x9a\x80", "\xe2\x80\x80", "\xe2\x80\x81",
        "\xe2\x80\x82", "\xe2\x80\x83", "\xe2\x80\x84", "\xe2\x80\x85", "\xe2\x80\x86",
        "\xe2\x80\x87", "\xe2\x80\x88", "\xe2\x80\x89", "\xe2\x80\x8a", "\xe2\x80\xa8",
        "\xe2\x80\xa9", "\xe2\x80\xaf", "\xe2\x81\x9f", "\xe3\x80\x80",
    };
    static const char *const stays[] = { "\xe2\x80\x8b", "\xef\xbb\xbf", "\x01", "\xe3\x85\xa4" };
    struct toy marked = { .model = "'vocab': {'a': 0, 'b': 1, '?': 2}, 'merges': [], "
                                   "'unk_token': '?'" };
    CHECK(COUNT(moves) == 29);
    for (size_t i = 0; i < COUNT(moves) + COUNT(stays); i++) {
        bool moved = i < COUNT(moves);
        char prompt[8];
        snprintf(prompt, sizeof(prompt), "a%s", moved ? moves[i] : stays[i - COUNT(moves)]);
        struct encoded got = encode(&marked, prompt, "b", PAIR_BOS_NO, 100);
        /* Space and line end are unknown to this vocabulary too: one unk each. */
        CHECK(!strcmp(got.ids, moved ? "0 | 2 1" : "0 2 | 1"));
    }
}

TEST(an_empty_prompt_is_the_prefix_token)
{
    struct encoded got = encode(&toy, "", "ab", PAIR_BOS_NO, 100);
    CHECK(!strcmp(got.ids, "7 | 0 1"));
    got = encode(&toy, "", "<s>ab", PAIR_BOS_YES, 100);
    CHECK(!strcmp(got.ids, "7 | 0 1"));
    got = encode(&toy_plain, "", "ab", PAIR_BOS_NO, 100);
    CHECK(got.ok && got.verdict == PAIR_NO_PREFIX);
}

TEST(a_prompt_of_white_space_alone_needs_a_bos)
{
    struct encoded got = encode(&toy, " ", "b", PAIR_BOS_NO, 100);
    CHECK(got.ok && got.verdict == PAIR_EMPTY_CONTEXT);
    got = encode(&toy, " ", "b", PAIR_BOS_YES, 100);
    CHECK(!strcmp(got.ids, "7 | 5"));
}

TEST(bos_comes_from_the_template_once)
{
    CHECK(!strcmp(encode(&toy, "a", "b", PAIR_BOS_TOKENIZER, 100).ids, "7 0 | 1"));
    CHECK(!strcmp(encode(&toy, "a", "b", PAIR_BOS_YES, 100).ids, "7 0 | 1"));
    CHECK(!strcmp(encode(&toy, "a", "b", PAIR_BOS_NO, 100).ids, "0 | 1"));
    CHECK(!strcmp(encode(&toy, "<s>a", "b", PAIR_BOS_YES, 100).ids, "7 0 | 1"));
    CHECK(!strcmp(encode(&toy_plain, "a", "b", PAIR_BOS_YES, 100).ids, "0 | 1"));
}

TEST(too_long_a_row_loses_its_left_end_and_says_so)
{
    /* The last token is never fed, so one more than max_length loses nothing. */
    struct encoded got = encode(&toy, "abab", "cba", PAIR_BOS_NO, 6);
    CHECK(!strcmp(got.ids, "0 1 0 1 | 8 1 0") && !got.truncated);
    got = encode(&toy, "abab", "cba", PAIR_BOS_NO, 5);
    CHECK(!strcmp(got.ids, "1 0 1 | 8 1 0") && got.truncated);
    got = encode(&toy, "abab", "cba", PAIR_BOS_NO, 3);
    CHECK(!strcmp(got.ids, "1 | 8 1 0") && got.truncated);
    got = encode(&toy, "abab", "cba", PAIR_BOS_NO, 2);
    CHECK(got.ok && got.verdict == PAIR_CONTINUATION_TOO_LONG);
}

TEST(one_pair_struct_encodes_many_pairs)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(pair_free) struct pair pair = { 0 };
    struct err err = { 0 };
    enum pair_verdict verdict;
    CHECK(toy_open(&tokenizer, &toy, &err));
    for (int32_t i = 0; i < 3; i++) {
        CHECK(pair_encode(&pair, &verdict, tokenizer, text_of(i == 1 ? "" : "a"), text_of("b"),
                          PAIR_BOS_NO, 100, &err));
        CHECK(verdict == PAIR_ENCODED && pair.n == 2 && pair.ctx == 1);
        CHECK(pair.tokens[0] == (i == 1 ? 7 : 0) && pair.tokens[1] == 1);
    }
}

TEST(a_prompt_that_ends_in_half_a_character_is_refused_whatever_follows)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(pair_free) struct pair pair = { 0 };
    struct err err = { 0 };
    enum pair_verdict verdict;
    static const char *const prompts[] = { "a\xea\xb0", "\xff", "a\x80" };
    CHECK(toy_open(&tokenizer, &toy, &err));
    for (size_t i = 0; i < COUNT(prompts); i++) {
        CHECK(!pair_encode(&pair, &verdict, tokenizer, text_of(prompts[i]), text_of("\x80"),
                           PAIR_BOS_NO, 100, &err));
        CHECK(err.code == ERR_INPUT && strstr(err.text, "UTF-8"));
    }
}
