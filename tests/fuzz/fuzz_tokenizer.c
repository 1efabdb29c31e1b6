/* fuzz_tokenizer.c - any tokenizer.json, tokenizer_config.json, special_tokens_map.json and
 * config.json, and a text for the tokenizer that they make, each ended by a NUL: refused with a
 * reason, or every id that comes out is one of its vocabulary. */
#include <string.h>

#include "agent/text/pair.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define TEXT_MAX 2048

static struct text part(const char **at, const char *end)
{
    const char *begin = *at, *zero = memchr(begin, 0, (size_t)(end - begin));
    const char *stop = zero ? zero : end;
    *at = zero ? zero + 1 : end;
    return (struct text){ begin, (size_t)(stop - begin) };
}

static struct text or_empty(struct text text)
{
    return text.size ? text : (struct text)TEXT_LITERAL("{}");
}

static void encode(const struct tokenizer *tokenizer, struct text text, bool special)
{
    AUTO(tokens_free) struct tokens tokens = { 0 };
    struct err err = { 0 };
    if (!tokenizer_encode(tokenizer, text, special, &tokens, &err)) {
        assert(err.text[0]);
        return;
    }
    for (int32_t i = 0; i < tokens.count; i++)
        assert(tokens.ids[i] >= 0 && tokens.ids[i] < tokenizer_vocabulary(tokenizer));
}

static void encode_pair(const struct tokenizer *tokenizer, struct text text)
{
    AUTO(pair_free) struct pair pair = { 0 };
    enum pair_verdict verdict;
    struct err err = { 0 };
    size_t half = text.size / 2;
    struct text prompt = { text.bytes, half }, rest = { text.bytes + half, text.size - half };
    if (pair_encode(&pair, &verdict, tokenizer, prompt, rest, PAIR_BOS_TOKENIZER, 16, &err) &&
        verdict == PAIR_ENCODED)
        assert(pair.ctx >= 1 && pair.ctx < pair.n && pair.n <= 17);
}

static void use(const struct tokenizer *tokenizer, struct text text)
{
    if (text.size > TEXT_MAX)
        text.size = TEXT_MAX;
    encode(tokenizer, text, false);
    encode(tokenizer, text, true);
    encode(tokenizer, tokenizer_prefix_text(tokenizer), false);
    encode_pair(tokenizer, text);
    assert(tokenizer_prefix(tokenizer) < tokenizer_vocabulary(tokenizer));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    struct err err = { 0 };
    const char *at = (const char *)data, *end = at + size;
    struct tokenizer_files files;
    files.tokenizer = part(&at, end);
    files.tokenizer_config = or_empty(part(&at, end));
    files.special_tokens_map = or_empty(part(&at, end));
    files.config = or_empty(part(&at, end));
    struct text text = { at, (size_t)(end - at) };
    if (tokenizer_read(&tokenizer, &files, &err))
        use(tokenizer, text);
    else
        assert(err.text[0]);
    return 0;
}
