#include "agent/infer/engine.h"
#include "agent/model/config.h"
#include "common/json.h"
#include "tests/random_model.h"
#include "tests/test.h"

static const char tiny[] =
    "{\"model_type\":\"llama\",\"vocab_size\":50,\"hidden_size\":16,\"intermediate_size\":32,"
    "\"num_hidden_layers\":2,\"num_attention_heads\":2,\"max_position_embeddings\":8}";

static const struct engine_conf conf = { .device = "cpu", .threads = 1 };
static struct err err;

/* An engine with the tiny model, whose folder is gone again. */
static bool engine_make(struct engine **out, const struct engine_conf *with)
{
    char dir[64];
    err = (struct err){ 0 };
    random_model_write(dir, tiny, strlen(tiny), 1, TENSOR_F32);
    bool ok = engine_open(out, with, &err) && engine_load(*out, dir, ENGINE_F32, ENGINE_HF, &err);
    random_model_remove(dir);
    return ok;
}

static const int32_t tokens[12] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

TEST(the_class_is_known_before_a_model_is_and_is_json)
{
    AUTO(engine_close) struct engine *e = NULL;
    struct json json;
    CHECK(engine_open(&e, &conf, &err));
    CHECK(engine_model(e) == NULL);
    const char *facts = engine_class_facts(e);
    json_begin(&json, facts, strlen(facts));
    json_skip(&json);
    CHECK(json_end(&json, &err) && facts[0] == '{');
}

TEST(threads_and_sizes_are_no_part_of_the_class)
{
    AUTO(engine_close) struct engine *a = NULL;
    AUTO(engine_close) struct engine *b = NULL;
    struct engine_conf other = { .device = "cpu:scalar", .threads = 2, .chunk_rows = 7 };
    CHECK(engine_open(&a, &conf, &err) && engine_open(&b, &other, &err));
    CHECK(strcmp(engine_class_facts(a), engine_class_facts(b)) == 0);
}

TEST(log_probs_sum_to_the_log_likelihood_and_greedy_is_the_argmax)
{
    AUTO(engine_close) struct engine *e = NULL;
    static int32_t sequence[50][3];
    static struct request requests[50];
    static struct engine_answer answers[50];
    static float logprob[100];
    double mass = 0;
    int32_t best = 0, greedy = 0;

    CHECK(engine_make(&e, &conf));
    for (int32_t t = 0; t < 50; t++) {
        memcpy(sequence[t], (int32_t[]){ 3, 4, t }, sizeof(sequence[t]));
        requests[t] = (struct request){ sequence[t], 1, 3 };
    }
    CHECK(engine_score(e, requests, 50, answers, logprob, NULL, NULL, &err));
    for (int32_t t = 0; t < 50; t++) {
        CHECK(answers[t].verdict == ENGINE_ANSWERED && answers[t].tokens == 2);
        CHECK(answers[t].loglik == (double)logprob[2 * t] + logprob[2 * t + 1]);
        CHECK(logprob[2 * t] == logprob[0]); /* the same question */
        mass += exp(logprob[2 * t + 1]);
        best = logprob[2 * t + 1] > logprob[2 * best + 1] ? t : best;
        greedy += answers[t].greedy;
    }
    CHECK(fabs(mass - 1) < 1e-5);
    CHECK(greedy <= 1 && (greedy == 0 || answers[best].greedy));
}

TEST(a_request_longer_than_the_model_is_told_apart_and_its_neighbours_answered)
{
    AUTO(engine_close) struct engine *e = NULL;
    struct request requests[] = { { tokens, 1, 3 }, { tokens, 9, 10 }, { tokens, 8, 9 } };
    struct engine_answer answers[3];
    float logprob[4] = { 9, 9, 9, 9 };

    CHECK(engine_make(&e, &conf));
    CHECK(engine_score(e, requests, 3, answers, logprob, NULL, NULL, &err));
    CHECK(answers[0].verdict == ENGINE_ANSWERED && answers[0].loglik < 0);
    CHECK(answers[1].verdict == ENGINE_TOO_LONG && answers[1].loglik == 0 && !answers[1].greedy);
    CHECK(answers[2].verdict == ENGINE_ANSWERED); /* 8 positions and the token that is looked up */
    CHECK(logprob[2] == 0 && logprob[3] < 0);
}

TEST(requests_that_cannot_be_asked_are_refused_by_number)
{
    AUTO(engine_close) struct engine *e = NULL;
    struct engine_answer answers[2];
    int32_t foreign[3] = { 1, 50, 2 }, negative[3] = { 1, -1, 2 };
    struct request bad[] = {
        { tokens, 0, 3 }, { tokens, 3, 3 }, { foreign, 1, 3 }, { negative, 1, 3 }
    };
    static const char *const why[] = { "empty prompt", "empty continuation", "token 50",
                                       "token -1" };

    CHECK(engine_make(&e, &conf));
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct request pair[] = { { tokens, 1, 2 }, bad[i] };
        CHECK(!engine_score(e, pair, 2, answers, NULL, NULL, NULL, &err));
        CHECK(err.code == ERR_INPUT && strstr(err.text, "request 1") && strstr(err.text, why[i]));
    }
    CHECK(engine_score(e, NULL, 0, answers, NULL, NULL, NULL, &err));
}

static bool always(void *self)
{
    ++*(int *)self;
    return true;
}

TEST(a_call_can_be_stopped_and_the_engine_goes_on)
{
    AUTO(engine_close) struct engine *e = NULL;
    struct request request = { tokens, 1, 4 };
    struct engine_answer answer;
    int asked = 0;

    CHECK(engine_make(&e, &conf));
    CHECK(!engine_score(e, &request, 1, &answer, NULL, always, &asked, &err));
    CHECK(err.code == ERR_RETRY && asked == 1);
    CHECK(engine_score(e, &request, 1, &answer, NULL, NULL, NULL, &err));
    CHECK(answer.verdict == ENGINE_ANSWERED);
}

TEST(memory_that_holds_no_weights_or_no_wave_is_refused_with_the_bytes)
{
    AUTO(engine_close) struct engine *none = NULL;
    AUTO(engine_close) struct engine *little = NULL;
    struct engine_conf tiny_memory = { .device = "cpu", .memory_bytes = 1000 };
    struct engine_conf small_memory = { .device = "cpu", .memory_bytes = 40000 };
    struct request request = { tokens, 1, 4 };
    struct engine_answer answer;

    CHECK(!engine_make(&none, &tiny_memory));
    CHECK(err.code == ERR_DEVICE && strstr(err.text, "1000 are there") && err.number > 1000);
    CHECK(engine_make(&little, &small_memory));
    CHECK(!engine_score(little, &request, 1, &answer, NULL, NULL, NULL, &err));
    CHECK(err.code == ERR_DEVICE && strstr(err.text, "40000 are there") && err.number > 40000);
}

TEST(a_second_model_takes_the_place_of_the_first_and_a_bad_one_leaves_none)
{
    AUTO(engine_close) struct engine *e = NULL;
    char dir[64];

    CHECK(engine_make(&e, &conf));
    random_model_write(dir, tiny, strlen(tiny), 2, TENSOR_BF16);
    bool loaded = engine_load(e, dir, ENGINE_BF16, ENGINE_HF, &err);
    random_model_remove(dir);
    CHECK(loaded && engine_model(e)->vocab == 50);
    CHECK(!engine_load(e, "/nonexistent", ENGINE_F32, ENGINE_HF, &err));
    CHECK(engine_model(e) == NULL);
    CHECK(!engine_open(&(struct engine *){ NULL }, &(struct engine_conf){ .device = "abacus" },
                       &err));
}
