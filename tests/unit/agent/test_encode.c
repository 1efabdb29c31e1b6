/* test_encode.c - items become rows of tokens; what cannot is refused whole, with its reason. */
#include "agent/encode.h"
#include "common/buf.h"
#include "tests/test.h"

#include <stdlib.h>
#include <unistd.h>

/* A tokenizer with one id a byte: id = byte, and <s> = 256 in front. */
static struct tokenizer *bytes_tokenizer(void)
{
    char dir[] = "/tmp/test_encode.XXXXXX", path[64];
    struct buf json = { 0 };
    struct err err = { 0 };
    struct tokenizer *tokenizer = NULL;
    int next = 256;
    char *made = mkdtemp(dir);
    assert(made);
    buf_put_text(&json, "{\"added_tokens\":[{\"id\":256,\"content\":\"<s>\",\"special\":true,"
                        "\"single_word\":false,\"lstrip\":false,\"rstrip\":false,"
                        "\"normalized\":false}],\"normalizer\":null,\"pre_tokenizer\":{\"type\":"
                        "\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true,"
                        "\"use_regex\":true},\"post_processor\":{\"type\":\"TemplateProcessing\","
                        "\"single\":[{\"SpecialToken\":{\"id\":\"<s>\",\"type_id\":0}},{"
                        "\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],"
                        "\"special_tokens\":{\"<s>\":{\"id\":\"<s>\",\"ids\":[256],\"tokens\":["
                        "\"<s>\"]}}},\"decoder\":null,\"model\":{\"type\":\"BPE\",\"dropout\":null,"
                        "\"unk_token\":null,\"continuing_subword_prefix\":null,"
                        "\"end_of_word_suffix\":null,\"fuse_unk\":false,\"byte_fallback\":false,"
                        "\"merges\":[],\"vocab\":{");
    for (int b = 0; b < 256; b++) {
        bool plain = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        int c = plain ? b : next++; /* the alphabet of byte-level BPE */
        char utf8[] = { (char)(c < 128 ? c : 0xc0 | c >> 6), (char)(0x80 | (c & 63)), 0 };
        buf_put_json_string(&json, utf8, c < 128 ? 1 : 2);
        buf_put_fmt(&json, ":%d,", b);
    }
    buf_put_text(&json, "\"<s>\":256}}}");
    snprintf(path, sizeof(path), "%s/tokenizer.json", dir);
    FILE *file = fopen(path, "w");
    assert(file);
    fputs(buf_text(&json), file);
    fclose(file);
    if (!tokenizer_open(&tokenizer, dir, &err))
        printf("%s\n", err.text);
    unlink(path);
    rmdir(dir);
    buf_free(&json);
    return tokenizer;
}

static ProtobufCBinaryData data(const char *text)
{
    return (ProtobufCBinaryData){ strlen(text), (uint8_t *)(uintptr_t)text };
}

struct made {
    Koeval__Item item;
    Koeval__Prompt prompt, *prompts[1];
    Koeval__Request requests[2], *requests_at[2];
};

static const Koeval__Item *item(struct made *m, int32_t no, const char *prompt, const char *a,
                                const char *b)
{
    koeval__item__init(&m->item);
    koeval__prompt__init(&m->prompt);
    m->item.item_no = (uint32_t)no;
    m->prompt.text = data(prompt);
    m->prompts[0] = &m->prompt;
    m->item.prompts = m->prompts;
    m->item.n_prompts = 1;
    for (int i = 0; i < 2; i++) {
        koeval__request__init(&m->requests[i]);
        m->requests[i].continuation = data(i ? b : a);
        m->requests_at[i] = &m->requests[i];
    }
    m->item.requests = m->requests_at;
    m->item.n_requests = 2;
    return &m->item;
}

static struct encoder encoder_of(const struct tokenizer *tokenizer)
{
    return (struct encoder){
        .tokenizer = tokenizer, .bos = PAIR_BOS_TOKENIZER, .max_length = 20, .vocabulary = 257
    };
}

TEST(a_request_is_the_prompt_and_its_continuation)
{
    struct made m;
    AUTO(tokenizer_free) struct tokenizer *tokenizer = bytes_tokenizer();
    AUTO(encoded_wipe) struct encoded out = { 0 };
    CHECK(tokenizer);
    struct encoder encoder = encoder_of(tokenizer);
    encode_item(&out, &encoder, item(&m, 5, "ab", " c", " de"));
    encode_end(&out);
    encoder_wipe(&encoder);
    CHECK(out.items_count == 1 && out.items[0].count == 2 && out.requests_count == 2);
    const int32_t expected[] = { 256, 'a', 'b', ' ', 'd', 'e' };
    CHECK(out.requests[1].n == 6 && out.requests[1].ctx == 3);
    CHECK(!memcmp(out.requests[1].tokens, expected, sizeof(expected)));
    CHECK(encoded_tokens(&out) == 4 + 5 && !out.truncated[1]);
}

TEST(the_hash_is_of_ids_and_prompt_ends_and_of_nothing_else)
{
    struct made m;
    AUTO(tokenizer_free) struct tokenizer *tokenizer = bytes_tokenizer();
    AUTO(encoded_wipe) struct encoded out = { 0 };
    struct encoder encoder = encoder_of(tokenizer);
    encode_item(&out, &encoder, item(&m, 5, "ab", " c", " de"));
    encode_item(&out, &encoder, item(&m, 6, "xx", " c", " de"));
    encode_item(&out, &encoder, item(&m, 7, "ab", " c", " de"));
    encode_item(&out, &encoder, item(&m, 8, "ab c", " d", " e"));
    encode_item(&out, &encoder, item(&m, 9, "ab", " c d", " c e")); /* the same rows, other ends */
    encoder_wipe(&encoder);
    CHECK(out.items[0].input_hash == out.items[2].input_hash);
    CHECK(out.items[0].input_hash != out.items[1].input_hash);
    CHECK(out.items[3].input_hash != out.items[4].input_hash);
    CHECK(out.requests[6].n == out.requests[8].n && out.requests[6].ctx != out.requests[8].ctx);
}

TEST(a_refused_item_leaves_no_request_behind)
{
    struct made m;
    AUTO(tokenizer_free) struct tokenizer *tokenizer = bytes_tokenizer();
    AUTO(encoded_wipe) struct encoded out = { 0 };
    struct encoder encoder = encoder_of(tokenizer);
    encode_item(&out, &encoder, item(&m, 5, "ab", " c", " this one is longer than the model"));
    encode_item(&out, &encoder, item(&m, 6, "ab", " c", " d"));
    encode_end(&out);
    encoder_wipe(&encoder);
    CHECK(out.items[0].reason == REASON_TOO_LONG && out.items[0].count == 0);
    CHECK(out.items[0].reason_num == 1 + 2 + 34); /* bos, prompt and continuation */
    CHECK(out.items[1].first == 0 && out.items[1].count == 2 && out.requests_count == 2);
}

TEST(a_long_prompt_loses_its_beginning_and_says_so)
{
    struct made m;
    AUTO(tokenizer_free) struct tokenizer *tokenizer = bytes_tokenizer();
    AUTO(encoded_wipe) struct encoded out = { 0 };
    struct encoder encoder = encoder_of(tokenizer);
    encode_item(&out, &encoder, item(&m, 5, "a prompt of more than twenty", " c", " d"));
    encode_end(&out);
    encoder_wipe(&encoder);
    CHECK(out.items[0].count == 2 && out.truncated[0] && out.requests[0].n == 21);
}

TEST(an_id_that_the_model_has_not_is_a_mismatch_with_its_number)
{
    struct made m;
    AUTO(tokenizer_free) struct tokenizer *tokenizer = bytes_tokenizer();
    AUTO(encoded_wipe) struct encoded out = { 0 };
    struct encoder encoder = encoder_of(tokenizer);
    encoder.vocabulary = 256;
    encode_item(&out, &encoder, item(&m, 5, "ab", " c", " d"));
    encoder_wipe(&encoder);
    CHECK(out.items[0].reason == REASON_TOKENIZER_MISMATCH && out.items[0].reason_num == 256);
}

TEST(an_item_without_a_token_to_score_is_a_mismatch_with_minus_one)
{
    struct made m;
    AUTO(tokenizer_free) struct tokenizer *tokenizer = bytes_tokenizer();
    AUTO(encoded_wipe) struct encoded out = { 0 };
    struct encoder encoder = encoder_of(tokenizer);
    encode_item(&out, &encoder, item(&m, 5, "ab", "", " d"));
    encoder_wipe(&encoder);
    CHECK(out.items[0].reason == REASON_TOKENIZER_MISMATCH && out.items[0].reason_num == -1);
}

TEST(chat_turns_are_refused_by_name)
{
    struct made m;
    Koeval__Turn turn = KOEVAL__TURN__INIT, *turns[] = { &turn };
    AUTO(tokenizer_free) struct tokenizer *tokenizer = bytes_tokenizer();
    AUTO(encoded_wipe) struct encoded out = { 0 };
    struct encoder encoder = encoder_of(tokenizer);
    const Koeval__Item *made = item(&m, 5, "", " c", " d");
    m.prompt.turns = turns;
    m.prompt.n_turns = 1;
    encode_item(&out, &encoder, made);
    encoder_wipe(&encoder);
    CHECK(out.items[0].reason == REASON_UNSUPPORTED_FEATURE);
}
