#include "agent/text/pair.h"

#include "agent/text/unicode.h"

const char *pair_verdict_text(enum pair_verdict verdict)
{
    switch (verdict) {
    case PAIR_ENCODED:
        return "encoded";
    case PAIR_EMPTY_CONTINUATION:
        return "the continuation has no token of its own";
    case PAIR_EMPTY_CONTEXT:
        return "the prompt has no token";
    case PAIR_NO_PREFIX:
        return "the prompt is empty and the tokenizer has neither bos nor eos";
    case PAIR_CONTINUATION_TOO_LONG:
        return "the continuation alone is longer than the model takes";
    }
    return "unknown";
}

void pair_free(struct pair *pair)
{
    tokens_free(&pair->context);
    tokens_free(&pair->whole);
    buf_free(&pair->text);
    *pair = (struct pair){ 0 };
}

/* What Python's str.rstrip takes: White_Space and the four information separators. */
static bool is_python_space(uint32_t c) { return is_space(c) || (c >= 0x1c && c <= 0x1f); }

static struct text without_trailing_space(struct text text)
{
    while (text.size) {
        const char *end = text.bytes + text.size;
        size_t size, last = utf8_size_before(end, text.bytes);
        if (!is_python_space(utf8_at(end - last, &size)))
            break;
        text.size -= last;
    }
    return text;
}

static bool starts_with(struct text text, struct text prefix)
{
    return prefix.size && text.size >= prefix.size &&
           !memcmp(text.bytes, prefix.bytes, prefix.size);
}

/* A text that brings its own bos does not get a second one, whatever was asked. */
static bool encode(struct tokens *out, const struct tokenizer *tokenizer, struct text text,
                   enum pair_bos bos, struct err *err)
{
    bool add = bos != PAIR_BOS_NO && !starts_with(text, tokenizer_prefix_text(tokenizer));
    return tokenizer_encode(tokenizer, text, add, out, err);
}

/* The prefix token alone is the context, and taken from the continuation if it begins with it. */
static bool encode_alone(struct pair *pair, int32_t *ctx, const struct tokenizer *tokenizer,
                         struct text continuation, struct err *err)
{
    int32_t prefix = tokenizer_prefix(tokenizer);
    if (!tokenizer_encode(tokenizer, continuation, false, &pair->whole, err))
        return false;
    pair->context.count = 0;
    tokens_append(&pair->context, prefix);
    *ctx = pair->whole.count && pair->whole.ids[0] == prefix ? 1 : 0;
    return true;
}

static bool encode_both(struct pair *pair, int32_t *ctx, const struct tokenizer *tokenizer,
                        struct text prompt, struct text continuation, enum pair_bos bos,
                        struct err *err)
{
    if (!utf8_valid(prompt)) /* asked before its end is looked at */
        return err_set(err, ERR_INPUT, "the prompt is not valid UTF-8");
    buf_clear(&pair->text);
    buf_put(&pair->text, prompt.bytes, prompt.size);
    buf_put(&pair->text, continuation.bytes, continuation.size);
    struct text whole = { buf_text(&pair->text), pair->text.size };
    struct text context = without_trailing_space(prompt);
    if (!encode(&pair->whole, tokenizer, whole, bos, err) ||
        !encode(&pair->context, tokenizer, context, bos, err))
        return false;
    *ctx = pair->context.count;
    return true;
}

/* Puts whole[from...] behind the context's tokens and drops what is too much at the left. */
static enum pair_verdict join(struct pair *pair, int32_t from, int32_t max_length)
{
    int32_t scored = pair->whole.count - from;
    if (pair->context.count == 0)
        return PAIR_EMPTY_CONTEXT;
    if (scored <= 0)
        return PAIR_EMPTY_CONTINUATION;
    if (scored > max_length)
        return PAIR_CONTINUATION_TOO_LONG;

    for (int32_t i = from; i < pair->whole.count; i++)
        tokens_append(&pair->context, pair->whole.ids[i]);
    int32_t drop = pair->context.count - max_length - 1;
    pair->truncated = drop > 0;
    drop = drop > 0 ? drop : 0;
    pair->tokens = pair->context.ids + drop;
    pair->n = pair->context.count - drop;
    pair->ctx = pair->n - scored;
    return PAIR_ENCODED;
}

bool pair_encode(struct pair *pair, enum pair_verdict *verdict, const struct tokenizer *tokenizer,
                 struct text prompt, struct text continuation, enum pair_bos bos,
                 int32_t max_length, struct err *err)
{
    assert(max_length > 0);
    int32_t from;
    if (!prompt.size && tokenizer_prefix(tokenizer) < 0) {
        *verdict = PAIR_NO_PREFIX;
        return true;
    }
    bool ok = prompt.size ? encode_both(pair, &from, tokenizer, prompt, continuation, bos, err)
                          : encode_alone(pair, &from, tokenizer, continuation, err);
    if (!ok)
        return false;
    *verdict = join(pair, from, max_length);
    return true;
}
