#include "tests/test.h"
#include "tests/unit/agent/text/toy.h"

/* a b c space 가's three bytes and what they merge to; ids in the order of the list. */
#define BYTES "{'type': 'ByteLevel', 'add_prefix_space': false, 'use_regex': true}"
#define ABC   "'vocab': {'a': 0, 'b': 1, 'c': 2, 'Ġ': 3, 'ab': 4, 'bc': 5, 'abc': 6, 'Ġa': 7}, "
#define MODEL ABC "'merges': ['b c', 'a b', 'a bc', 'Ġ a']"

static bool encodes_as(const struct toy *toy, const char *text, bool special, const char *ids)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(buf_free) struct buf got = { 0 };
    struct err err = { 0 };
    if (!toy_open(&tokenizer, toy, &err)) {
        printf("%s\n", err.text);
        return false;
    }
    if (strcmp(toy_ids(&got, tokenizer, text, special), ids) != 0)
        printf("got %s\n", buf_text(&got));
    return !strcmp(buf_text(&got), ids);
}

static bool refused_with(const struct toy *toy, const char *why)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    struct err err = { 0 };
    if (toy_open(&tokenizer, toy, &err))
        return false;
    if (!strstr(err.text, why))
        printf("said %s\n", err.text);
    return strstr(err.text, why);
}

TEST(the_lowest_rank_merges_first_and_the_leftmost_of_equals)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    CHECK(encodes_as(&toy, "abc", false, "6"));
    CHECK(encodes_as(&toy, "ab", false, "4"));
    CHECK(encodes_as(&toy, "abab", false, "4 4"));
    toy.model = "'vocab': {'a': 0, 'aa': 1}, 'merges': ['a a']";
    CHECK(encodes_as(&toy, "aaa", false, "1 0"));
}

TEST(merges_may_be_strings_or_pairs_and_of_duplicates_the_last_counts)
{
    struct toy toy = { .model = ABC "'merges': [['a','b'], ['b','c']]", .pre_tokenizer = BYTES };
    CHECK(encodes_as(&toy, "abc", false, "4 2"));
    toy.model = ABC "'merges': ['a b', 'b c', 'a b']";
    CHECK(encodes_as(&toy, "abc", false, "0 5"));
}

TEST(a_long_word_merges_like_its_short_parts)
{
    struct toy toy = { .model = "'vocab': {'a': 0, 'b': 1, 'ab': 2, 'abab': 3}, "
                                "'merges': ['a b', 'ab ab']" };
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(tokens_free) struct tokens tokens = { 0 };
    AUTO(buf_free) struct buf text = { 0 };
    struct err err = { 0 };
    for (int32_t i = 0; i < 5000; i++)
        buf_put_text(&text, "ab");
    CHECK(toy_open(&tokenizer, &toy, &err));
    struct text whole = { buf_text(&text), text.size };
    CHECK(tokenizer_encode(tokenizer, whole, false, &tokens, &err));
    CHECK(tokens.count == 2500);
    for (int32_t i = 0; i < tokens.count; i++)
        CHECK(tokens.ids[i] == 3);
}

TEST(words_do_not_merge_across_their_border)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    CHECK(encodes_as(&toy, "a abc", false, "0 3 6"));
    CHECK(encodes_as(&toy, "a  a", false, "0 3 7"));
}

TEST(a_whole_word_wins_where_merges_are_ignored)
{
    struct toy toy = { .model = ABC "'merges': [], 'ignore_merges': true", .pre_tokenizer = BYTES };
    CHECK(encodes_as(&toy, "abc", false, "6"));
    CHECK(encodes_as(&toy, "abca", false, "0 1 2 0"));
}

TEST(an_unknown_character_becomes_bytes_else_unk_else_nothing)
{
    struct toy toy = { .model = "'vocab': {'a': 0, '<unk>': 1, '<0xEA>': 2, '<0xB0>': 3, "
                                "'<0x80>': 4}, 'merges': [], 'byte_fallback': true, "
                                "'unk_token': '<unk>', 'fuse_unk': true" };
    CHECK(encodes_as(&toy, "a가a", false, "0 2 3 4 0"));
    CHECK(encodes_as(&toy, "axya", false, "0 1 0"));
    toy.model = "'vocab': {'a': 0, '<unk>': 1}, 'merges': [], 'unk_token': '<unk>'";
    CHECK(encodes_as(&toy, "axya", false, "0 1 1 0"));
    toy.model = "'vocab': {'a': 0}, 'merges': []";
    CHECK(encodes_as(&toy, "axya", false, "0 0"));
}

TEST(cutting_at_the_marks_of_spaces_changes_no_id)
{
    const char *normalizer = "{'type': 'Sequence', 'normalizers': [{'type': 'Prepend', 'prepend': "
                             "'▁'}, {'type': 'Replace', 'pattern': {'String': ' '}, 'content': "
                             "'▁'}]}";
    struct toy cut = { .model = "'vocab': {'a': 0, '▁': 1, '▁a': 2, '▁▁': 3}, "
                                "'merges': ['▁ a', '▁ ▁']",
                       .normalizer = normalizer };
    CHECK(encodes_as(&cut, "a a  aa", false, "2 2 1 2 0"));
    struct toy across = { .model = "'vocab': {'a': 0, '▁': 1, 'a▁': 2, '▁a': 3, 'a▁a': 4}, "
                                   "'merges': ['a ▁', 'a▁ a']",
                          .normalizer = normalizer };
    CHECK(encodes_as(&across, "a a", false, "1 4"));
}

TEST(metaspace_marks_the_first_piece_only_where_it_says_so)
{
    struct toy toy = { .model = "'vocab': {'a': 0, '▁': 1, '▁a': 2}, 'merges': ['▁ a']",
                       .added_tokens = "[{'id': 3, 'content': '<s>', 'special': true}]" };
    toy.pre_tokenizer = "{'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'first', "
                        "'split': false}";
    CHECK(encodes_as(&toy, "a a<s>a", false, "2 2 3 0"));
    toy.pre_tokenizer = "{'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'always'}";
    CHECK(encodes_as(&toy, "a a<s>a", false, "2 2 3 2"));
    toy.pre_tokenizer = "{'type': 'Metaspace', 'replacement': '▁', 'prepend_scheme': 'never'}";
    CHECK(encodes_as(&toy, "a a<s>a", false, "0 2 3 0"));
}

TEST(split_behaviours_differ_in_where_the_match_goes)
{
    static const struct {
        const char *behavior, *invert, *ids;
    } cases[] = {
        { "Isolated", "false", "0 1 1 0" },     { "Removed", "false", "0 0" },
        { "Removed", "true", "1 1" },           { "MergedWithPrevious", "false", "2 1 0" },
        { "MergedWithNext", "false", "0 1 3" }, { "Contiguous", "false", "0 4 0" },
    };
    for (size_t i = 0; i < COUNT(cases); i++) {
        char split[200];
        snprintf(split, sizeof(split),
                 "{'type': 'Split', 'pattern': {'String': '-'}, 'behavior': '%s', 'invert': %s}",
                 cases[i].behavior, cases[i].invert);
        struct toy toy = { .model = "'vocab': {'a': 0, '-': 1, 'a-': 2, '-a': 3, '--': 4}, "
                                    "'merges': ['- -', 'a -', '- a']",
                           .pre_tokenizer = split };
        CHECK(encodes_as(&toy, "a--a", false, cases[i].ids));
    }
}

TEST(digits_stand_alone_or_in_runs)
{
    struct toy toy = { .model = "'vocab': {'1': 0, '11': 1, 'a': 2, 'a1': 3}, "
                                "'merges': ['a 1', '1 1']" };
    toy.pre_tokenizer = "{'type': 'Digits', 'individual_digits': true}";
    CHECK(encodes_as(&toy, "a11", false, "2 0 0"));
    toy.pre_tokenizer = "{'type': 'Digits', 'individual_digits': false}";
    CHECK(encodes_as(&toy, "a11", false, "2 1"));
}

#define JAMO "\xe1\x84\x80\xe1\x85\xa1\xe1\x86\xa8" /* U+1100 U+1161 U+11A8: U+AC01 */

TEST(jamo_compose_only_where_the_file_says_nfc)
{
    struct toy toy = { .model = "'vocab': {'각': 0, 'ᄀ': 1, 'ᅡ': 2, 'ᆨ': 3}, 'merges': []" };
    CHECK(encodes_as(&toy, JAMO, false, "1 2 3"));
    toy.normalizer = "{'type': 'NFC'}";
    CHECK(encodes_as(&toy, JAMO, false, "0"));
    toy.normalizer = "{'type': 'NFD'}";
    CHECK(encodes_as(&toy, "각", false, "1 2 3"));
}

TEST(normalizers_run_in_their_order)
{
    struct toy toy = { .model = "'vocab': {'a': 0, 'b': 1, 'i': 2, 'İ': 3}, 'merges': []" };
    toy.normalizer = "{'type': 'Sequence', 'normalizers': [{'type': 'Lowercase'}, {'type': "
                     "'Replace', 'pattern': {'String': 'a'}, 'content': 'bb'}, {'type': 'Strip'}]}";
    CHECK(encodes_as(&toy, " AB ", false, "1 1 1"));
    toy.normalizer = "{'type': 'Sequence', 'normalizers': [{'type': 'NFD'}, {'type': "
                     "'StripAccents'}]}";
    CHECK(encodes_as(&toy, "á", false, "0"));
}

TEST(an_added_token_is_the_longest_at_its_place)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    toy.added_tokens = "[{'id': 8, 'content': '<b', 'normalized': false, 'special': false}, "
                       "{'id': 9, 'content': '<b>', 'normalized': false, 'special': false}]";
    CHECK(encodes_as(&toy, "a<b>a<ba", false, "0 9 0 8 0"));
}

TEST(an_added_tokens_id_is_the_models_or_the_next_free_one_whatever_the_file_says)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    toy.added_tokens = "[{'id': 77, 'content': 'bc'}, {'id': 99, 'content': 'zz'}]";
    CHECK(encodes_as(&toy, "abczz", false, "0 5 8"));
}

TEST(an_added_token_may_want_a_word_of_its_own_and_the_space_around)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    toy.added_tokens = "[{'id': 8, 'content': '<x>', 'single_word': true}]";
    CHECK(encodes_as(&toy, "<x> <x>a", false, "8 3 0"));
    toy.added_tokens = "[{'id': 8, 'content': '<x>', 'lstrip': true, 'rstrip': true}]";
    CHECK(encodes_as(&toy, "a  <x> a", false, "0 8 0"));
}

TEST(a_normalized_added_token_is_sought_in_its_normalized_form)
{
    struct toy toy = { .model = "'vocab': {'a': 0, '▁': 1, '▁a': 2}, 'merges': ['▁ a']" };
    toy.normalizer = "{'type': 'Sequence', 'normalizers': [{'type': 'Prepend', 'prepend': '▁'}, "
                     "{'type': 'Replace', 'pattern': {'String': ' '}, 'content': '▁'}]}";
    toy.added_tokens = "[{'id': 3, 'content': 'X', 'normalized': true, 'special': true}]";
    CHECK(encodes_as(&toy, "Xa X", false, "3 0 3"));
    CHECK(encodes_as(&toy, "aX", false, "2"));
}

#define TEMPLATE                                                                               \
    "{'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': 'S', 'type_id': 0}}, "  \
    "{'Sequence': {'id': 'A', 'type_id': 0}}, {'SpecialToken': {'id': 'E', 'type_id': 0}}], "  \
    "'pair': [], 'special_tokens': {'S': {'id': 'S', 'ids': [1, 2]}, 'E': {'id': 'E', 'ids': " \
    "[0]}}}"

TEST(the_template_stands_around_a_text_when_asked)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES, .post_processor = TEMPLATE };
    CHECK(encodes_as(&toy, "a", true, "1 2 0 0"));
    CHECK(encodes_as(&toy, "a", false, "0"));
    toy.post_processor =
        "{'type': 'Sequence', 'processors': [{'type': 'ByteLevel'}, " TEMPLATE "]}";
    CHECK(encodes_as(&toy, "a", true, "1 2 0 0"));
}

TEST(a_llama_class_builds_its_own_template)
{
    struct toy toy = { .model = "'vocab': {'a': 0, '<s>': 1, '</s>': 2, '<unk>': 3}, 'merges': []",
                       .post_processor = TEMPLATE };
    toy.config = "{'tokenizer_class': 'LlamaTokenizer'}";
    CHECK(encodes_as(&toy, "a", true, "1 0"));
    toy.config = "{'tokenizer_class': 'LlamaTokenizerFast', 'add_bos_token': false, "
                 "'add_eos_token': true}";
    CHECK(encodes_as(&toy, "a", true, "0 2"));
    toy.config = "{'tokenizer_class': 'PreTrainedTokenizerFast'}";
    CHECK(encodes_as(&toy, "a", true, "1 2 0 0"));
}

TEST(special_tokens_come_from_the_configuration_and_null_takes_them_away)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    AUTO(tokenizer_free) struct tokenizer *t = NULL;
    AUTO(tokenizer_free) struct tokenizer *u = NULL;
    struct err err = { 0 };
    toy.config = "{'tokenizer_class': 'GPT2Tokenizer', 'unk_token': null, 'eos_token': {'content': "
                 "'<e>'}, 'model_max_length': 1024}";
    CHECK(toy_open(&t, &toy, &err));
    CHECK(tokenizer_bos(t) == 8 && tokenizer_eos(t) == 9 && tokenizer_unk(t) == -1);
    CHECK(tokenizer_prefix(t) == 8 && text_is(tokenizer_prefix_text(t), "<|endoftext|>"));
    CHECK(tokenizer_vocabulary(t) == 10 && tokenizer_max_length(t) == 1024);
    toy.config = "{'eos_token': 'bc', 'model_max_length': 1000000000000000019884624838656}";
    CHECK(toy_open(&u, &toy, &err));
    CHECK(tokenizer_bos(u) == -1 && tokenizer_prefix(u) == 5 && tokenizer_max_length(u) == 0);
}

TEST(the_text_of_no_prefix_is_empty_and_can_be_encoded)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    AUTO(tokenizer_free) struct tokenizer *t = NULL;
    AUTO(tokens_free) struct tokens tokens = { 0 };
    struct err err = { 0 };
    CHECK(toy_open(&t, &toy, &err) && tokenizer_prefix(t) == -1);
    struct text none = tokenizer_prefix_text(t);
    CHECK(none.bytes && none.size == 0);
    CHECK(tokenizer_encode(t, none, false, &tokens, &err) && tokens.count == 0);
}

TEST(text_that_is_not_utf8_is_refused_and_not_quoted)
{
    struct toy toy = { .model = MODEL, .pre_tokenizer = BYTES };
    AUTO(tokenizer_free) struct tokenizer *t = NULL;
    AUTO(tokens_free) struct tokens tokens = { 0 };
    struct err err = { 0 };
    CHECK(toy_open(&t, &toy, &err));
    static const char *const bad[] = { "\x80", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80",
                                       "secret\xea\xb0" };
    for (size_t i = 0; i < COUNT(bad); i++)
        CHECK(!tokenizer_encode(t, text_of(bad[i]), false, &tokens, &err));
    CHECK(!strstr(err.text, "secret"));
}

TEST(what_is_not_supported_is_refused_by_its_name)
{
    struct toy toy = { .model = MODEL };
    toy.normalizer = "{'type': 'Precompiled', 'precompiled_charsmap': ''}";
    CHECK(refused_with(&toy, "normalizer Precompiled"));
    toy = (struct toy){ .model = MODEL, .pre_tokenizer = "{'type': 'BertPreTokenizer'}" };
    CHECK(refused_with(&toy, "pre_tokenizer BertPreTokenizer"));
    toy.pre_tokenizer = "{'type': 'Split', 'pattern': {'Regex': '[ab]+'}, 'behavior': 'Isolated'}";
    CHECK(refused_with(&toy, "[ab]+"));
    toy.pre_tokenizer = "{'type': 'Sequence', 'pretokenizers': [" BYTES ", {'type': 'Digits'}]}";
    CHECK(refused_with(&toy, "ByteLevel before"));
    toy = (struct toy){ .model = MODEL, .post_processor = "{'type': 'BertProcessing'}" };
    CHECK(refused_with(&toy, "post_processor BertProcessing"));
    toy = (struct toy){ .model = "'type': 'Unigram', 'vocab': []" };
    CHECK(refused_with(&toy, "model Unigram"));
    toy = (struct toy){ .model = MODEL ", 'dropout': 0.1" };
    CHECK(refused_with(&toy, "dropout"));
    toy = (struct toy){ .model = MODEL ", 'end_of_word_suffix': '</w>'" };
    CHECK(refused_with(&toy, "end_of_word_suffix"));
}

TEST(a_lying_file_is_refused)
{
    struct toy toy = { .model = "'vocab': {'a': 99999999}, 'merges': []" };
    CHECK(refused_with(&toy, "vocab"));
    toy.model = "'vocab': {'a': -1}, 'merges': []";
    CHECK(refused_with(&toy, "vocab"));
    toy.model = "'vocab': {'a': 0, 'b': 0}, 'merges': []";
    CHECK(refused_with(&toy, "two tokens"));
    toy.model = "'vocab': {'a': 0}, 'merges': ['a z']";
    CHECK(refused_with(&toy, "merge 0"));
    toy.model = "'vocab': {'a': 0}, 'merges': ['a']";
    CHECK(refused_with(&toy, "two tokens and a space"));
    toy.model = "'vocab': {'a': 0}, 'merges': [['a', 'a', 'a']]";
    CHECK(refused_with(&toy, "a merge of 3"));
    toy.model = "'vocab': {'a': 0}, 'merges': [], 'unk_token': '?'";
    CHECK(refused_with(&toy, "unk_token"));
    toy = (struct toy){
        .model = MODEL,
        .post_processor =
            "{'type': 'TemplateProcessing', 'single': [{'SpecialToken': {'id': 'S'}}], "
            "'special_tokens': {}}"
    };
    CHECK(refused_with(&toy, "special_tokens"));
}

TEST(a_sequence_without_its_list_is_refused)
{
    struct toy toy = { .model = MODEL, .normalizer = "{'type': 'Sequence'}" };
    CHECK(refused_with(&toy, "a list is missing"));
    toy = (struct toy){ .model = MODEL, .pre_tokenizer = "{'type': 'Sequence'}" };
    CHECK(refused_with(&toy, "a list is missing"));
    toy = (struct toy){ .model = MODEL, .post_processor = "{'type': 'Sequence'}" };
    CHECK(refused_with(&toy, "a list is missing"));
}

TEST(no_cut_of_a_file_is_read_as_a_whole_one)
{
    AUTO(buf_free) struct buf json = { 0 };
    toy_json(&json, "{'added_tokens': [{'id': 8, 'content': '<x>'}], 'normalizer': {'type': 'NFC'},"
                    " 'pre_tokenizer': " BYTES ", 'post_processor': " TEMPLATE
                    ", 'model': {'type': 'BPE', " MODEL "}}");
    for (size_t size = 0; size < json.size; size++) {
        AUTO(tokenizer_free) struct tokenizer *t = NULL;
        AUTO(free) char *cut = must_calloc(size + 1, 1);
        struct err err = { 0 };
        memcpy(cut, json.bytes, size);
        struct text none = TEXT_LITERAL("{}");
        struct tokenizer_files files = { { cut, size }, none, none, none };
        CHECK(!tokenizer_read(&t, &files, &err));
        CHECK(err.text[0]);
    }
}
