#include "agent/infer/engine.h"

#include "agent/infer/forward.h"
#include "agent/infer/known.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

/* Part of the class: goes up with every change that can change a bit of an answer. */
#define ENGINE_NUMERICS 1

#define CHUNK_ROWS_DEFAULT 512
#define WAVE_ROWS_DEFAULT  32768
#define POSITIONS_STEP     1024 /* rotary tables grow by it */

struct engine {
    struct dev *dev;
    int32_t chunk, wave_rows;
    int64_t memory_bytes;
    char facts[512];
    char *packed;               /* folder, or NULL */
    char identity[80];          /* of the weights to load; "": none */
    char weights_note[256 + 4]; /* where they lie */

    bool loaded;
    struct model_config config;
    struct weights weights;
    int64_t weights_bytes;
    struct forward forward; /* grows with what is asked; no dev: none yet */
};

/* As asked, else as the device likes it, else ours. */
static int32_t rows_of(int32_t asked, int32_t device, int32_t ours)
{
    return asked > 0 ? asked : device > 0 ? device : ours;
}

bool engine_open(struct engine **out, const struct engine_conf *conf, struct err *err)
{
    AUTO(engine_close) struct engine *e = must_calloc(1, sizeof(*e));

    if (!dev_open(&e->dev, conf->device, conf->threads > 0 ? conf->threads : 1, err))
        return err_wrap(err, "device %s", conf->device);
    e->packed = conf->packed ? strdup(conf->packed) : NULL;
    e->chunk = rows_of(conf->chunk_rows, e->dev->ops->chunk_rows, CHUNK_ROWS_DEFAULT);
    e->wave_rows = rows_of(conf->wave_rows, e->dev->ops->wave_rows, WAVE_ROWS_DEFAULT);
    e->memory_bytes = dev_memory(e->dev);
    if (conf->memory_bytes > 0 && conf->memory_bytes < e->memory_bytes)
        e->memory_bytes = conf->memory_bytes;
    snprintf(e->facts, sizeof(e->facts), "{\"engine\":%d,%s}", ENGINE_NUMERICS, e->dev->facts);
    *out = TAKE(e);
    return true;
}

void engine_close(struct engine *engine)
{
    if (!engine)
        return;
    engine_unload(engine);
    dev_close(engine->dev);
    free(engine->packed);
    free(engine);
}

const char *engine_class_facts(const struct engine *engine) { return engine->facts; }

const char *engine_about(const struct engine *engine) { return engine->dev->about; }

/* Devices without a committed number have other means to know themselves. */
bool engine_class_check(struct engine *e, bool fault, struct err *err)
{
    uint64_t bits;

    assert(!e->loaded);
    if (strncmp(e->dev->facts, "\"backend\":\"cpu\"", 15) != 0)
        return true;
    if (!known_bits(&bits, e->dev, fault, err))
        return err_wrap(err, "known bits");
    if (bits != KNOWN_BITS_CPU)
        snprintf(e->facts, sizeof(e->facts), "{\"engine\":%d,%s,\"bits\":\"%016llx\"}",
                 ENGINE_NUMERICS, e->dev->facts, (unsigned long long)bits);
    return true;
}

bool engine_fault(struct engine *e, struct err *err)
{
    struct mat norm = e->weights.norm_out.weight;
    AUTO(free) char *numbers = must_calloc((size_t)mat_bytes(norm), 1);

    assert(e->loaded);
    op_download(e->dev, numbers, norm.data, mat_bytes(norm));
    if (!dev_sync(e->dev, err))
        return false;
    for (int64_t i = 0; i < mat_bytes(norm); i += dtype_bytes(norm.type))
        numbers[i] ^= 1; /* little endian: the last place of the mantissa */
    op_upload(e->dev, norm.data, numbers, mat_bytes(norm));
    return dev_sync(e->dev, err);
}

const struct model_config *engine_model(const struct engine *engine)
{
    return engine->loaded ? &engine->config : NULL;
}

/* ---- a model ---- */

void engine_identity(struct engine *e, const char *digest)
{
    snprintf(e->identity, sizeof(e->identity), "%s", digest ? digest : "");
}

const char *engine_weights_note(const struct engine *e) { return e->weights_note; }

/* A file is a cache: without one the weights lie in memory, and the note says why. */
static void store_begin(struct engine *e, const struct tensors *tensors)
{
    static const char *const types[] = { [F32] = "f32", [BF16] = "bf16", [F16] = "f16" };
    int64_t bytes = weights_bytes(e->dev, &e->config, tensors->tied, false);
    struct err err = { .text = "this device has them in memory" };
    char path[4096];

    snprintf(e->weights_note, sizeof(e->weights_note), "in memory");
    if (!e->packed || !e->identity[0])
        return;
    snprintf(path, sizeof(path), "%s/%s-%s.packed", e->packed, e->identity, types[e->dev->type]);
    bool there = dev_store_begin(e->dev, path, bytes, e->config.layers, &err);
    snprintf(e->weights_note, sizeof(e->weights_note), "%s %.230s",
             there ? "in" : "in memory:", there ? path : err.text);
}

static void store_end(struct engine *e)
{
    struct err err = { 0 };
    if (!dev_store_end(e->dev, &err))
        snprintf(e->weights_note, sizeof(e->weights_note), "in a file without a name: %.220s",
                 err.text);
}

/* Weights that would leave less than a quarter of the memory to the waves are streamed, where the
 * device can: large waves hide the copies, small ones cost more than that. */
static bool weights_fit(struct engine *e, const struct tensors *tensors, struct err *err)
{
    int64_t resident = weights_bytes(e->dev, &e->config, tensors->tied, false);
    bool streamed = dev_stream(e->dev, resident > e->memory_bytes / 4 * 3);

    e->weights_bytes = weights_bytes(e->dev, &e->config, tensors->tied, streamed);
    if (e->weights_bytes < e->memory_bytes)
        return true;
    err_put(err, ERR_DEVICE, "the weights need %lld bytes, %lld are there",
            (long long)e->weights_bytes, (long long)e->memory_bytes);
    err->number = e->weights_bytes;
    return false;
}

bool engine_load(struct engine *e, const char *dir, enum engine_dtype dtype, enum engine_mode mode,
                 struct err *err)
{
    static const enum dtype types[] = {
        [ENGINE_F32] = F32, [ENGINE_BF16] = BF16, [ENGINE_F16] = F16
    };
    AUTO(checkpoint_close) struct checkpoint checkpoint = { 0 };
    AUTO(tensors_free) struct tensors tensors = { 0 };

    engine_unload(e);
    dev_numerics(e->dev, types[dtype], mode == ENGINE_HF ? MODE_HF : MODE_FP32);
    if (!model_config_open(&e->config, dir, err) || !checkpoint_open(&checkpoint, dir, err) ||
        !tensors_find(&tensors, &e->config, &checkpoint, err))
        return false;
    store_begin(e, &tensors);
    if (!weights_fit(e, &tensors, err) ||
        !weights_load(&e->weights, e->dev, &e->config, &tensors, err)) {
        dev_store_drop(e->dev);
        return false;
    }
    store_end(e);
    e->loaded = true;
    return true;
}

void engine_unload(struct engine *e)
{
    forward_close(&e->forward);
    if (e->loaded)
        weights_free(&e->weights, e->dev);
    if (e->dev)
        dev_store_drop(e->dev);
    e->loaded = false;
}

/* ---- scoring ---- */

/* One call of engine_score: the requests that fit the model, and where their answers go. */
struct job {
    struct engine *engine;
    struct request *request; /* [count] of the trie */
    int32_t *caller;         /* [count] the caller's number of each */
    int64_t *at;             /* [count] its first log-prob in logprob */
    int32_t count, longest;  /* longest path */
    float *logprob;
    struct engine_answer *answers; /* the caller's */
};

static void job_free(struct job *job)
{
    free(job->request);
    free(job->caller);
    free(job->at);
}
AUTO_ENDS(struct job, job_free)

static bool tokens_check(const struct engine *e, const struct request *request, int32_t number,
                         struct err *err)
{
    for (int32_t i = 0; i < request->n; i++)
        if (request->tokens[i] < 0 || request->tokens[i] >= e->config.vocab)
            return err_set(err, ERR_INPUT, "request %d: token %d is not of the vocabulary's %d",
                           number, request->tokens[i], e->config.vocab);
    return true;
}

static void job_add(struct job *job, const struct request *request, int32_t number, int64_t at)
{
    int32_t path = request->n - 1, i = job->count++;

    job->request[i] = *request;
    job->caller[i] = number;
    job->at[i] = at;
    job->longest = path > job->longest ? path : job->longest;
}

/* Sets every answer to "answered, greedy" and takes the requests that the model has positions for.
 */
static bool job_make(struct job *job, const struct request *requests, int32_t count,
                     struct err *err)
{
    int64_t at = 0;

    job->request = must_calloc((size_t)count, sizeof(*job->request));
    job->caller = must_calloc((size_t)count, sizeof(*job->caller));
    job->at = must_calloc((size_t)count, sizeof(*job->at));
    for (int32_t i = 0; i < count; i++) {
        const struct request *r = &requests[i];
        if (r->ctx < 1 || r->n <= r->ctx)
            return err_set(err, ERR_INPUT, "request %d: empty %s", i,
                           r->ctx < 1 ? "prompt" : "continuation");
        if (!tokens_check(job->engine, r, i, err))
            return false;
        bool fits = r->n - 1 <= job->engine->config.positions_max;
        job->answers[i] =
            (struct engine_answer){ .greedy = fits,
                                    .verdict = fits ? ENGINE_ANSWERED : ENGINE_TOO_LONG,
                                    .tokens = r->n - r->ctx };
        if (fits)
            job_add(job, r, i, at);
        at += r->n - r->ctx;
    }
    return true;
}

/* The memory formula.  Everything is counted that grows with a wave, its building included. */
static struct costs costs_of(const struct engine *e, int32_t positions, int32_t longest)
{
    const int64_t row = 4 * sizeof(int32_t) + 1; /* token, pos, parent, row_of; mark */
    const int64_t page = 2 * (sizeof(struct page) + PLAN_SLOTS * sizeof(int32_t));
    const int64_t target = 2 * sizeof(struct target) + 8 * sizeof(int32_t);
    int64_t forward = forward_fixed_bytes(e->dev, &e->config, e->chunk, positions);

    return (struct costs){ .fixed = e->weights_bytes + forward,
                           .per_row = forward_row_bytes(e->dev, &e->config) + row,
                           .per_page = page,
                           .per_target = target,
                           .budget = e->memory_bytes,
                           .rows_max = longest > e->wave_rows ? longest : e->wave_rows,
                           .wave_cost = e->chunk / 2,
                           .chunk = e->chunk };
}

/* Buffers for the largest wave: those that are there, or new ones in their place. */
static bool forward_ready(struct engine *e, const struct cuts *cuts, int32_t positions,
                          struct err *err)
{
    struct forward *f = &e->forward;
    int32_t rows = 0;

    for (int32_t i = 0; i < cuts->count; i++)
        rows = cuts->cut[i].rows > rows ? (int32_t)cuts->cut[i].rows : rows;
    if (f->dev && f->rows_max >= rows && f->positions_max >= positions)
        return true;
    forward_close(f);
    return forward_open(f, e->dev, &e->config, &e->weights, e->chunk, rows, positions, err);
}

struct sheet {
    struct scores scores;
    int32_t *token; /* [targets] */
};

static void sheet_make(struct sheet *s, const struct wave *w)
{
    size_t scored = (size_t)w->scored, targets = (size_t)w->target_at[w->scored];

    s->scores.lse = must_calloc(scored, sizeof(float));
    s->scores.argmax = must_calloc(scored, sizeof(int32_t));
    s->scores.logit = must_calloc(targets, sizeof(float));
    s->scores.mark = must_calloc((size_t)w->rows + 1, 1);
    s->token = must_calloc(targets, sizeof(int32_t));
    for (size_t i = 0; i < targets; i++)
        s->token[i] = w->target[i].token;
}

static void sheet_free(struct sheet *s)
{
    free(s->scores.lse);
    free(s->scores.argmax);
    free(s->scores.logit);
    free(s->scores.mark);
    free(s->token);
}
AUTO_ENDS(struct sheet, sheet_free)

/* A K or V that was not finite spoils the row's descendants and nobody else, so a mark is as
 * reproducible as a number. */
static void marks_spread(uint8_t *mark, const struct wave *w)
{
    for (int32_t row = 0; row < w->rows; row++)
        mark[row] |= w->parent[row] >= 0 && mark[w->parent[row]];
}

static void target_answer(struct job *job, const struct target *target, const struct scores *s,
                          int32_t scored, int32_t t, bool marked)
{
    struct engine_answer *answer = &job->answers[job->caller[target->req]];
    float logprob = s->logit[t] - s->lse[scored];

    if (marked || !isfinite(logprob))
        answer->verdict = ENGINE_NONFINITE;
    answer->greedy &= s->argmax[scored] == target->token;
    job->logprob[job->at[target->req] + target->at] = logprob;
}

static void wave_answer(struct job *job, const struct wave *w, const struct scores *s)
{
    marks_spread(s->mark, w);
    for (int32_t i = 0; i < w->scored; i++)
        for (int32_t t = w->target_at[i]; t < w->target_at[i + 1]; t++)
            target_answer(job, &w->target[t], s, i, t, s->mark[w->scored_row[i]]);
}

static bool waves_run(struct job *job, const struct trie *trie, const struct cuts *cuts,
                      const struct stop *stop, struct err *err)
{
    for (int32_t i = 0; i < cuts->count; i++) {
        AUTO(wave_free) struct wave wave = { 0 };
        AUTO(sheet_free) struct sheet sheet = { 0 };
        wave_build(&wave, trie, &cuts->cut[i], PLAN_SLOTS);
        sheet_make(&sheet, &wave);
        if (!forward_wave(&job->engine->forward, &wave, sheet.token, &sheet.scores, stop, err))
            return false;
        wave_answer(job, &wave, &sheet.scores);
    }
    return true;
}

static bool job_run(struct job *job, const struct stop *stop, struct err *err)
{
    struct engine *e = job->engine;
    int32_t steps = (job->longest + POSITIONS_STEP - 1) / POSITIONS_STEP;
    int32_t positions = steps * POSITIONS_STEP;
    struct costs costs = costs_of(e, positions, job->longest);
    AUTO(trie_free) struct trie trie = { 0 };
    AUTO(cuts_free) struct cuts cuts = { 0 };

    return trie_sort(&trie, job->request, job->count, err) &&
           cuts_pick(&cuts, &trie, PLAN_SLOTS, &costs, err) &&
           forward_ready(e, &cuts, positions, err) && waves_run(job, &trie, &cuts, stop, err);
}

/* Sums in ascending order, in double; what was not answered reads 0. */
static void job_finish(const struct job *job)
{
    for (int32_t i = 0; i < job->count; i++) {
        struct engine_answer *answer = &job->answers[job->caller[i]];
        float *logprob = job->logprob + job->at[i];
        bool answered = answer->verdict == ENGINE_ANSWERED;

        answer->greedy &= answered;
        for (int32_t t = 0; t < answer->tokens; t++) {
            logprob[t] = answered ? logprob[t] : 0;
            answer->loglik += logprob[t];
        }
    }
}

static int64_t targets_count(const struct request *requests, int32_t count)
{
    int64_t sum = 0;
    for (int32_t i = 0; i < count; i++)
        sum += requests[i].n > requests[i].ctx ? requests[i].n - requests[i].ctx : 0;
    return sum;
}

bool engine_score(struct engine *engine, const struct request *requests, int32_t count,
                  struct engine_answer *answers, float *token_logprobs, bool (*stop)(void *self),
                  void *self, struct err *err)
{
    assert(engine->loaded);
    assert(count >= 0);
    int64_t targets = targets_count(requests, count);
    AUTO(free) float *own = must_calloc(token_logprobs ? 0 : (size_t)targets, sizeof(*own));
    AUTO(job_free)
    struct job job = { .engine = engine,
                       .logprob = token_logprobs ? token_logprobs : own,
                       .answers = answers };

    memset(job.logprob, 0, (size_t)targets * sizeof(*job.logprob));
    if (!job_make(&job, requests, count, err))
        return false;
    if (job.count > 0 && !job_run(&job, &(struct stop){ stop, self }, err))
        return false;
    job_finish(&job);
    return true;
}
