#include "tests/unit/agent/text/toy.h"

void toy_json(struct buf *out, const char *text)
{
    buf_clear(out);
    for (; *text; text++)
        buf_put_char(out, (char)(*text == '\'' ? '"' : *text));
}

bool toy_open(struct tokenizer **out, const struct toy *toy, struct err *err)
{
    AUTO(buf_free) struct buf plain = { 0 };
    AUTO(buf_free) struct buf json = { 0 };
    AUTO(buf_free) struct buf config = { 0 };
    buf_put_fmt(&plain,
                "{'added_tokens': %s, 'normalizer': %s, 'pre_tokenizer': %s, "
                "'post_processor': %s, 'model': {'type': 'BPE', %s}}",
                toy->added_tokens ? toy->added_tokens : "[]",
                toy->normalizer ? toy->normalizer : "null",
                toy->pre_tokenizer ? toy->pre_tokenizer : "null",
                toy->post_processor ? toy->post_processor : "null", toy->model);
    toy_json(&json, buf_text(&plain));
    toy_json(&config, toy->config ? toy->config : "{}");
    struct tokenizer_files files = { { buf_text(&json), json.size },
                                     TEXT_LITERAL("{}"),
                                     { buf_text(&config), config.size },
                                     TEXT_LITERAL("{}") };
    return tokenizer_read(out, &files, err);
}

const char *toy_ids(struct buf *out, const struct tokenizer *tokenizer, const char *text,
                    bool add_special)
{
    AUTO(tokens_free) struct tokens tokens = { 0 };
    struct err err = { 0 };
    buf_clear(out);
    if (!tokenizer_encode(tokenizer, text_of(text), add_special, &tokens, &err))
        buf_put_text(out, err.text);
    for (int32_t i = 0; i < tokens.count; i++)
        buf_put_fmt(out, i ? " %d" : "%d", tokens.ids[i]);
    return buf_text(out);
}
