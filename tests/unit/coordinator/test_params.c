/* test_params.c - a run's params on their way into a Grant. */
#include "coordinator/params.h"
#include "tests/test.h"

static bool reads(Koeval__Params *p, const char *text)
{
    struct err err = { 0 };
    return params_read(p, text, strlen(text), &err);
}

TEST(what_a_campaign_writes_is_read_and_what_is_the_plans_is_passed_over)
{
    Koeval__Params p;
    CHECK(reads(&p,
                "{\"dtype\":\"bf16\",\"mode\":\"hf\",\"shots\":5,\"seed\":1234,\"limit\":null,"
                "\"sampler\":\"default\",\"add_bos\":\"yes\",\"max_length\":2048,\"chat\":false,"
                "\"repeats\":1}"));
    CHECK(p.dtype == KOEVAL__DTYPE__BF16 && p.mode == KOEVAL__MODE__HF && p.add_bos == 2);
    CHECK(p.max_length == 2048 && p.repeats == 1 && p.kind == KOEVAL__REQUEST_KIND__LOGLIK);
    CHECK(reads(&p, "{\"dtype\":\"f32\",\"mode\":\"fp32\"}") && p.repeats == 1 && !p.add_bos);
}

TEST(what_is_not_known_is_refused)
{
    Koeval__Params p;
    CHECK(!reads(&p, "{\"dtype\":\"f64\",\"mode\":\"hf\"}"));
    CHECK(!reads(&p, "{\"dtype\":\"f32\"}"));
    CHECK(!reads(&p, "{\"dtype\":\"f32\",\"mode\":\"hf\",\"temprature\":1}"));
    CHECK(!reads(&p, "{\"dtype\":\"f32\",\"mode\":\"hf\",\"repeats\":0}"));
    CHECK(!reads(&p, "[]"));
}
