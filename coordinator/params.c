#include "coordinator/params.h"

#include <string.h>

#include "common/json.h"

struct word {
    const char *text;
    int32_t value;
};

static const struct word dtypes[] = { { "f32", KOEVAL__DTYPE__FP32 },
                                      { "bf16", KOEVAL__DTYPE__BF16 },
                                      { "f16", KOEVAL__DTYPE__FP16 } };
static const struct word modes[] = { { "hf", KOEVAL__MODE__HF },
                                     { "fp32", KOEVAL__MODE__FP32_THROUGHOUT } };
static const struct word bos[] = { { "tokenizer", 0 }, { "no", 1 }, { "yes", 2 } };
static const char *const of_the_plan[] = { "shots", "seed", "limit", "sampler" };

static int32_t word_read(struct json *json, const struct word *words, size_t count)
{
    AUTO(buf_free) struct buf text = { 0 };
    json_string(json, &text);
    for (size_t i = 0; i < count; i++)
        if (!strcmp(buf_text(&text), words[i].text))
            return words[i].value;
    json_fail(json, "unknown word");
    return 0;
}

static bool is_of_the_plan(const char *key)
{
    for (size_t i = 0; i < COUNT(of_the_plan); i++)
        if (!strcmp(key, of_the_plan[i]))
            return true;
    return false;
}

static void member_read(Koeval__Params *p, struct json *json, const char *key)
{
    if (!strcmp(key, "dtype"))
        p->dtype = (Koeval__Dtype)word_read(json, dtypes, COUNT(dtypes));
    else if (!strcmp(key, "mode"))
        p->mode = (Koeval__Mode)word_read(json, modes, COUNT(modes));
    else if (!strcmp(key, "add_bos"))
        p->add_bos = (uint32_t)word_read(json, bos, COUNT(bos));
    else if (!strcmp(key, "max_length"))
        p->max_length = (uint32_t)json_int(json, 0, INT32_MAX);
    else if (!strcmp(key, "chat"))
        p->chat = json_bool(json);
    else if (!strcmp(key, "repeats"))
        p->repeats = (uint32_t)json_int(json, 1, WIRE_REQUESTS_ITEM_MAX);
    else if (!strcmp(key, "strftime_now"))
        p->strftime_now = json_int(json, 0, INT64_MAX);
    else if (is_of_the_plan(key))
        json_skip(json);
    else
        json_fail(json, "unknown key %s", key);
}

bool params_read(Koeval__Params *out, const char *json_text, size_t size, struct err *err)
{
    Koeval__Params p = KOEVAL__PARAMS__INIT;
    p.kind = KOEVAL__REQUEST_KIND__LOGLIK;
    p.repeats = 1;
    AUTO(buf_free) struct buf key = { 0 };
    struct json json;
    json_begin(&json, json_text, size);
    json_object(&json);
    while (json_member(&json, &key))
        member_read(&p, &json, buf_text(&key));
    if (!json_end(&json, err))
        return err_wrap(err, "params");
    if (!p.dtype || !p.mode)
        return err_set(err, ERR_INPUT, "params: dtype or mode is missing");
    *out = p;
    return true;
}
