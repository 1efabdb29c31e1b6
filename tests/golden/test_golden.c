/* Log-probs of tiny models against transformers': golden.json, written by make.py. */
#include "agent/infer/engine.h"
#include "common/json.h"
#include "tests/random_model.h"
#include "tests/test.h"

#define CASES_MAX    32
#define REQUESTS_MAX 16
#define TOKENS_MAX   256
#define TARGETS_MAX  16

/* How an engine is loaded, and how far from the reference it may be.  In fp32 only the order of
 * sums differs.  The short types round at the same places; what is left past a page of keys is the
 * maximum that P is rounded against, the row's in torch on a CPU and that of the pages so far here:
 * against attention that differs from torch's by that alone ("paged") the distance is that of one
 * page again. */
static const struct run {
    const char *name;
    enum engine_dtype dtype;
    enum engine_mode mode;
    double most, mean;           /* of any request */
    double page_most, page_mean; /* of requests of one page at most */
} runs[] = {
    { "fp32", ENGINE_F32, ENGINE_HF, 1e-5, 2e-6, 1e-5, 2e-6 },
    { "bf16", ENGINE_BF16, ENGINE_HF, 0.05, 0.012, 0.016, 0.004 },
    { "f16", ENGINE_F16, ENGINE_HF, 0.006, 0.0015, 0.003, 0.0012 },
    { "bf16 paged", ENGINE_BF16, ENGINE_HF, 0.025, 0.0035, 0.025, 0.0055 },
};

struct golden {
    char name[64], fnv[17];
    uint64_t seed;
    const char *config;
    size_t config_size;
    int32_t tokens[REQUESTS_MAX][TOKENS_MAX];
    struct request request[REQUESTS_MAX];
    int32_t count;
    double logprob[COUNT(runs)][REQUESTS_MAX * TARGETS_MAX];
    int32_t logprobs;
};

static void request_read(struct json *json, struct golden *g)
{
    AUTO(buf_free) struct buf key = { 0 };
    struct request *r = &g->request[g->count];

    assert(g->count < REQUESTS_MAX);
    *r = (struct request){ .tokens = g->tokens[g->count] };
    json_object(json);
    while (json_member(json, &key)) {
        if (strcmp(buf_text(&key), "ctx") == 0) {
            r->ctx = (int32_t)json_int(json, 1, TOKENS_MAX);
            continue;
        }
        json_array(json);
        while (json_item(json) && r->n < TOKENS_MAX)
            g->tokens[g->count][r->n++] = (int32_t)json_int(json, 0, 1 << 20);
    }
    g->count++;
}

static void logprobs_read(struct json *json, struct golden *g, double *out)
{
    g->logprobs = 0;
    json_array(json);
    while (json_item(json)) {
        json_array(json);
        while (json_item(json) && g->logprobs < REQUESTS_MAX * TARGETS_MAX)
            out[g->logprobs++] = json_double(json);
    }
}

static void golden_member_read(struct json *json, const char *key, struct golden *g)
{
    AUTO(buf_free) struct buf text = { 0 };

    for (size_t i = 0; i < COUNT(runs); i++)
        if (strcmp(key, runs[i].name) == 0) {
            logprobs_read(json, g, g->logprob[i]);
            return;
        }
    if (strcmp(key, "name") == 0 || strcmp(key, "fnv") == 0) {
        json_string(json, &text);
        bool name = key[0] == 'n';
        snprintf(name ? g->name : g->fnv, name ? sizeof(g->name) : sizeof(g->fnv), "%s",
                 buf_text(&text));
    } else if (strcmp(key, "seed") == 0) {
        g->seed = (uint64_t)json_int(json, 0, INT32_MAX);
    } else if (strcmp(key, "config") == 0) {
        json_raw(json, &g->config, &g->config_size);
    } else if (strcmp(key, "folder") == 0) {
        json_bool(json);
    } else {
        json_array(json);
        while (json_item(json))
            request_read(json, g);
    }
}

static struct golden goldens[CASES_MAX];
static int32_t goldens_count;

static void goldens_read(struct json *json)
{
    AUTO(buf_free) struct buf key = { 0 };

    json_object(json);
    while (json_member(json, &key)) {
        if (strcmp(buf_text(&key), "cases") != 0) {
            json_skip(json);
            continue;
        }
        json_array(json);
        while (json_item(json) && goldens_count < CASES_MAX) {
            struct golden *g = &goldens[goldens_count++];
            json_object(json);
            while (json_member(json, &key))
                golden_member_read(json, buf_text(&key), g);
        }
    }
}

/* Once; the text stays, because configs point into it. */
static bool goldens_open(void)
{
    static char *text;
    struct err err = { 0 };
    struct json json;
    size_t size;

    if (text)
        return goldens_count > 0;
    if (!model_file_read(&text, &size, "tests/golden", "golden.json", 1 << 20, &err))
        return false;
    json_begin(&json, text, size);
    goldens_read(&json);
    return json_end(&json, &err) && goldens_count > 0;
}

/* Sums up |ours - theirs|. */
struct distance {
    double most, sum;
    int32_t count;
};

static void distance_add(struct distance *d, double difference)
{
    d->most = fmax(d->most, fabs(difference));
    d->sum += fabs(difference);
    d->count++;
}

static bool near(const struct distance *d, double most, double mean)
{
    return d->most <= most && d->sum <= mean * d->count;
}

struct distances {
    struct distance all, page;
};

static void distances_add(struct distances *d, const struct golden *g, const float *ours,
                          const double *theirs)
{
    for (int32_t i = 0, at = 0; i < g->count; i++)
        for (int32_t t = g->request[i].ctx; t < g->request[i].n; t++, at++) {
            distance_add(&d->all, ours[at] - theirs[at]);
            if (g->request[i].n - 1 <= PLAN_SLOTS)
                distance_add(&d->page, ours[at] - theirs[at]);
        }
}

static bool case_run(struct distances *d, const struct golden *g, const char *dir,
                     const struct run *run, struct err *err)
{
    static float logprob[REQUESTS_MAX * TARGETS_MAX];
    struct engine_answer answers[REQUESTS_MAX];
    AUTO(engine_close) struct engine *e = NULL;
    const char *device =
        getenv("KOEVAL_DEVICE"); /* another backend answers to the same reference */
    struct engine_conf conf = { .device = device ? device : "cpu", .threads = 1, .chunk_rows = 32 };

    if (!engine_open(&e, &conf, err) || !engine_load(e, dir, run->dtype, run->mode, err) ||
        !engine_score(e, g->request, g->count, answers, logprob, NULL, NULL, err))
        return false;
    distances_add(d, g, logprob, g->logprob[run - runs]);
    return true;
}

/* The weights that golden.json was made with; deploy/demo/train makes others. */
static bool is_of(const struct golden *g, const char *dir)
{
    AUTO(checkpoint_close) struct checkpoint c = { 0 };
    struct err err = { 0 };
    char fnv[17];
    uint64_t header;

    if (!checkpoint_open(&c, dir, &err))
        return false;
    const struct safetensors *f = &c.file[0];
    memcpy(&header, f->map, sizeof(header));
    snprintf(fnv, sizeof(fnv), "%016" PRIx64,
             random_fnv((const char *)f->map + 8 + header, f->map_size - 8 - header));
    return strcmp(fnv, g->fnv) == 0;
}

/* Trained models have logits of 10 and more: a bf16 there has steps four times those of the random
 * ones, and fp32 sums twice the error. */
static bool case_is_near(const struct golden *g, const struct run *run, const char *dir)
{
    double steps = g->config ? 1 : run->dtype == ENGINE_F32 ? 2 : 4;
    struct err err = { 0 };
    struct distances d = { 0 };
    bool ok = case_run(&d, g, dir, run, &err);

    ok = ok && near(&d.all, steps * run->most, steps * run->mean) &&
         near(&d.page, steps * run->page_most, steps * run->page_mean);
    if (!ok || getenv("KOEVAL_VERBOSE"))
        printf("%s, %s: most %.3g mean %.3g, up to a page most %.3g mean %.3g %s\n", run->name,
               g->name, d.all.most, d.all.sum / d.all.count, d.page.most, d.page.sum / d.page.count,
               err.text);
    return ok;
}

static bool random_cases_are_near(const struct run *run)
{
    bool near = true;
    for (int32_t i = 0; i < goldens_count; i++) {
        const struct golden *g = &goldens[i];
        char dir[64];
        if (!g->config)
            continue;
        random_model_write(dir, g->config, g->config_size, g->seed, TENSOR_F32);
        near &= case_is_near(g, run, dir);
        random_model_remove(dir);
    }
    return near;
}

TEST(the_generator_makes_the_bytes_that_transformers_saw)
{
    CHECK(goldens_open());
    for (int32_t i = 0; i < goldens_count; i++) {
        char dir[64], fnv[17];
        if (!goldens[i].config)
            continue;
        uint64_t sum = random_model_write(dir, goldens[i].config, goldens[i].config_size,
                                          goldens[i].seed, TENSOR_F32);
        random_model_remove(dir);
        snprintf(fnv, sizeof(fnv), "%016" PRIx64, sum);
        CHECK(strcmp(fnv, goldens[i].fnv) == 0);
    }
}

TEST(fp32_is_what_transformers_computes)
{
    CHECK(goldens_open());
    CHECK(random_cases_are_near(&runs[0]));
}

TEST(bf16_rounds_where_transformers_rounds)
{
    CHECK(goldens_open());
    CHECK(random_cases_are_near(&runs[1]));
}

TEST(f16_rounds_where_transformers_rounds)
{
    CHECK(goldens_open());
    CHECK(random_cases_are_near(&runs[2]));
}

TEST(past_a_page_only_the_maximum_that_p_is_rounded_against_differs_from_torch)
{
    CHECK(goldens_open());
    CHECK(random_cases_are_near(&runs[3]));
}

TEST(the_demo_models_score_as_in_transformers)
{
    CHECK(goldens_open());
    for (int32_t i = 0; i < goldens_count; i++) {
        char dir[512];
        if (goldens[i].config)
            continue;
        snprintf(dir, sizeof(dir), "deploy/demo/models/%s", goldens[i].name);
        CHECK(is_of(&goldens[i], dir));
        for (size_t r = 0; r < COUNT(runs); r++)
            CHECK(case_is_near(&goldens[i], &runs[r], dir));
    }
}
