#include "agent/text/pattern.h"
#include "common/buf.h"
#include "tests/test.h"

#define LLAMA3                                                                 \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| " \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define QWEN2                                                             \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| " \
    "?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"
#define GPT2  "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define UPPER "[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]"
#define LOWER "[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]"
#define CONTR "(?i:'s|'t|'re|'ve|'m|'ll|'d)?"
#define O200K                                                                                    \
    "[^\\r\\n\\p{L}\\p{N}]?" UPPER "*" LOWER "+" CONTR "|[^\\r\\n\\p{L}\\p{N}]?" UPPER "+" LOWER \
    "*" CONTR "|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* The words of text, with a bar between them. */
static bool cuts(const char *regex, const char *text, const char *expected)
{
    pattern_fn *pattern = pattern_find(text_of(regex));
    AUTO(buf_free) struct buf got = { 0 };
    struct text whole = text_of(text);
    for (size_t at = 0, size; pattern && at < whole.size; at += size) {
        size = pattern(whole, at);
        if (!size)
            return false;
        if (at)
            buf_put_char(&got, '|');
        buf_put(&got, text + at, size);
    }
    if (strcmp(buf_text(&got), expected) != 0)
        printf("got %s\n", buf_text(&got));
    return pattern && !strcmp(buf_text(&got), expected);
}

TEST(a_pattern_that_is_not_known_byte_for_byte_is_not_found)
{
    CHECK(pattern_find(text_of(GPT2)));
    CHECK(!pattern_find(text_of(GPT2 "|x")));
    CHECK(!pattern_find(text_of("\\d+")));
}

TEST(hangul_words_keep_their_particles_and_one_space)
{
    CHECK(cuts(GPT2, "학교에서는 공부를", "학교에서는| 공부를"));
    CHECK(cuts(LLAMA3, "학교에서는 공부를", "학교에서는| 공부를"));
    CHECK(cuts(O200K, "학교에서는 공부를", "학교에서는| 공부를"));
}

TEST(a_run_of_spaces_leaves_one_for_the_word)
{
    CHECK(cuts(GPT2, "a   b  ", "a|  | b|  "));
    CHECK(cuts(QWEN2, "a   b  ", "a|  | b|  "));
    CHECK(cuts(GPT2, "\xe3\x80\x80가", "\xe3\x80\x80|가"));
}

TEST(digits_go_in_threes_in_ones_or_all_together)
{
    CHECK(cuts(LLAMA3, "1234567", "123|456|7"));
    CHECK(cuts(QWEN2, "123", "1|2|3"));
    CHECK(cuts(GPT2, "x 1234567", "x| 1234567"));
    CHECK(cuts(GPT2, "½Ⅷ", "½Ⅷ"));
}

TEST(contractions_mind_their_case_only_in_gpt2)
{
    CHECK(cuts(GPT2, "I'LL we'll", "I|'|LL| we|'ll"));
    CHECK(cuts(LLAMA3, "I'LL we'll", "I|'LL| we|'ll"));
    CHECK(cuts(LLAMA3, "x'\xc5\xbf", "x|'\xc5\xbf")); /* the long s folds to s */
    CHECK(cuts(O200K, "we'll", "we'll"));
}

TEST(line_ends_close_the_white_space_before_them)
{
    CHECK(cuts(LLAMA3, "a \n\n  b", "a| \n\n| | b"));
    CHECK(cuts(LLAMA3, "a.\n\nb", "a|.\n\n|b"));
    CHECK(cuts(GPT2, "a.\n\nb", "a|.|\n|\n|b"));
    CHECK(cuts(O200K, "a:/\nb", "a|:/\n|b"));
}

TEST(a_mark_of_punctuation_leads_letters_but_not_digits)
{
    CHECK(cuts(LLAMA3, "(가)(1)", "(가|)(|1|)"));
    CHECK(cuts(GPT2, "(가)(1)", "(|가|)(|1|)"));
}

TEST(the_cased_pattern_cuts_before_a_capital)
{
    CHECK(cuts(O200K, "HelloWORLDfoo", "Hello|WORLDfoo"));
    CHECK(cuts(O200K, "한글ABC", "한글|ABC")); /* U gives back what W needs */
    CHECK(cuts(O200K, "ABC한글d", "ABC한글d"));
}
