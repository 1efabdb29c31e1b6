/* The self-test of a machine: silent where the law holds, loud where a fault is planted. */
#include "tests/test.h"
#include "agent/infer/known.h"
#include "agent/infer/selftest.h"
#include "tests/random_model.h"
#include "tests/sets.h"

static const char tiny[] =
    "{\"model_type\":\"llama\",\"vocab_size\":300,\"hidden_size\":32,\"intermediate_size\":48,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":4,\"num_key_value_heads\":2,"
    "\"max_position_embeddings\":256,\"torch_dtype\":\"bfloat16\"}";

static struct err err;

/* A change that fails here is another class: raise the numerics number, then KNOWN_BITS_CPU. */
TEST(the_known_bits_are_those_of_every_set_and_thread_count)
{
    static const char *const devices[] = { "cpu", "cpu:scalar", "cpu:avx2", "cpu:avx512",
                                           "cpu:avx512_bf16" };
    for (size_t i = 0; i < COUNT(devices); i++) {
        AUTO(dev_close) struct dev *dev = NULL;
        char name[64];
        uint64_t bits = 0;
        CHECK(dev_open(&dev, set_device(devices[i], name), 1 + (int32_t)i % 2, &err));
        CHECK(known_bits(&bits, dev, false, &err));
        if (bits != KNOWN_BITS_CPU)
            printf("%s: 0x%016" PRIx64 "\n", devices[i], bits);
        CHECK(bits == KNOWN_BITS_CPU);
    }
}

TEST(a_device_with_other_bits_is_another_class)
{
    const struct engine_conf conf = { .device = "cpu" };
    AUTO(engine_close) struct engine *good = NULL;
    AUTO(engine_close) struct engine *bad = NULL;

    CHECK(engine_open(&good, &conf, &err) && engine_open(&bad, &conf, &err));
    AUTO(free) char *before = strdup(engine_class_facts(good));
    CHECK(engine_class_check(good, false, &err) && engine_class_check(bad, true, &err));
    CHECK(strcmp(engine_class_facts(good), before) == 0);
    CHECK(strcmp(engine_class_facts(bad), before) != 0);
    CHECK(strstr(engine_class_facts(bad), "\"bits\":\"") != NULL);
}

struct report {
    int32_t lines, zero; /* lines that say "0 bits differ" */
};

static void take(void *self, const char *line)
{
    struct report *report = self;
    report->lines++;
    report->zero += strstr(line, ": 0 bits differ") != NULL;
}

static bool run(struct selftest_result *out, struct report *report, bool fault)
{
    char dir[64];
    struct selftest test = { .engine = { .device = "cpu", .threads = 2 },
                             .dir = dir,
                             .fault = fault,
                             .say = take,
                             .self = report };
    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_BF16);
    bool ok = selftest_run(out, &test, &err);
    if (!ok)
        printf("%s\n", err.text);
    random_model_remove(dir);
    return ok;
}

TEST(no_bit_differs_under_any_schedule)
{
    struct selftest_result result;
    struct report report = { 0 };
    CHECK(run(&result, &report, false));
    CHECK(result.differing == 0 && result.known);
    CHECK(result.schedules == 80 && result.compared > 100000);
    CHECK(report.lines == 2 + 16 && report.zero == 16);
}

TEST(a_planted_fault_is_found_where_it_was_planted)
{
    struct selftest_result result;
    struct report report = { 0 };
    CHECK(run(&result, &report, true));
    CHECK(result.differing > 0 && !result.known);
    CHECK(report.lines == 2 + 16 && report.zero == 10);
}

TEST(the_short_form_runs_on_the_loaded_model)
{
    const struct engine_conf conf = { .device = "cpu", .threads = 2 };
    AUTO(engine_close) struct engine *engine = NULL;
    char dir[64];
    int64_t differing = -1;

    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_BF16);
    CHECK(engine_open(&engine, &conf, &err));
    CHECK(engine_load(engine, dir, ENGINE_BF16, ENGINE_HF, &err));
    random_model_remove(dir);
    CHECK(selftest_short(engine, &differing, &err));
    CHECK(differing == 0);
}
