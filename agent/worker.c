#include "agent/worker.h"

#include "agent/encode.h"
#include "agent/infer/selftest.h"
#include "agent/model/config.h"
#include "common/clock.h"
#include "common/log.h"

#include <string.h>

/* Tokens of a lease so far, over all its units. */
struct counted {
    struct lease lease;
    int64_t naive, unique, engine_ms;
};

struct worker {
    zsock_t *pipe;
    struct engine *engine;
    struct tokenizer *tokenizer;
    int32_t model; /* resident; 0 none */
    enum engine_dtype dtype;
    enum engine_mode mode;
    struct encoder encoder;
    struct counted counted[HELD_MAX];
    int32_t counted_next;
};

void chunk_wipe(struct chunk *chunk)
{
    if (!chunk)
        return;
    arena_wipe(&chunk->arena);
    free(chunk);
}

static void chunks_wipe(struct work *work)
{
    for (int32_t i = 0; i < work->chunks_count; i++)
        chunk_wipe(work->chunks[i]);
    work->chunks_count = 0;
}

void work_free(struct work *work)
{
    if (!work)
        return;
    chunks_wipe(work);
    free(work->dir);
    free(work);
}

void worker_news_free(struct worker_news *news)
{
    if (!news)
        return;
    free(news->facts);
    batch_free(news->batch);
    work_free(news->work);
    free(news);
}

static void tell(struct worker *worker, struct worker_news news)
{
    struct worker_news *sent = must_calloc(1, sizeof(*sent));
    *sent = news;
    zsock_send(worker->pipe, "p", sent);
}

/* ---- the resident model ---- */

static void unload(struct worker *worker)
{
    encoder_wipe(&worker->encoder);
    engine_unload(worker->engine);
    tokenizer_free(worker->tokenizer);
    worker->tokenizer = NULL;
    worker->model = 0;
}

static enum reason reason_of(const struct err *err)
{
    switch (err->code) {
    case ERR_DEVICE:
        return REASON_OOM;
    case ERR_RETRY:
        return REASON_MODEL_ON_NO_NODE;
    default:
        return REASON_UNSUPPORTED_FEATURE;
    }
}

/* A machine that answers otherwise in company than alone must answer nobody. */
static bool law_holds(struct worker *worker, enum reason *reason, struct err *err)
{
    int64_t differing;
    if (!selftest_short(worker->engine, &differing, err)) {
        *reason = reason_of(err);
        return false;
    }
    if (!differing)
        return true;
    *reason = REASON_INTERNAL;
    return err_set(err, ERR_DEVICE, "%lld bits differ between requests alone and together",
                   (long long)differing);
}

static bool load(struct worker *worker, const struct work *work, enum reason *reason,
                 struct err *err)
{
    engine_identity(worker->engine, work->digest);
    if (!shelf_still(work->dir, work->stamp, err) ||
        !engine_load(worker->engine, work->dir, work->dtype, work->mode, err)) {
        *reason = reason_of(err);
        return false;
    }
    if (!law_holds(worker, reason, err))
        return false;
    if (!tokenizer_open(&worker->tokenizer, work->dir, err)) {
        *reason = REASON_TOKENIZER_MISMATCH;
        return false;
    }
    worker->model = work->model;
    worker->dtype = work->dtype;
    worker->mode = work->mode;
    return true;
}

/* An error here names files and features of the model, never an item. */
static bool make_resident(struct worker *worker, const struct work *work)
{
    struct err err = { 0 };
    enum reason reason = REASON_NONE;
    int64_t began = clock_monotonic_ms();
    if (worker->model == work->model && worker->dtype == work->dtype && worker->mode == work->mode)
        return true;
    unload(worker);
    if (load(worker, work, &reason, &err)) {
        log_event(LOG_INFO, "model.loaded", "dir=%s ms=%lld weights=\"%s\"", work->dir,
                  (long long)(clock_monotonic_ms() - began), engine_weights_note(worker->engine));
        return true;
    }
    unload(worker);
    log_event(LOG_ERROR, "model.refused", "dir=%s why=\"%s\"", work->dir, err.text);
    tell(worker,
         (struct worker_news){ .kind = WORKER_FAILED, .reason = reason, .reason_num = err.number });
    return false;
}

/* ---- one unit ---- */

static bool past(void *self)
{
    const struct work *work = self;
    return clock_monotonic_ms() >= atomic_load(&work->until_ms);
}

static void encoder_for(struct worker *worker, const struct work *work)
{
    const struct model_config *model = engine_model(worker->engine);
    worker->encoder.tokenizer = worker->tokenizer;
    worker->encoder.bos = work->bos;
    worker->encoder.vocabulary = model->vocab;
    worker->encoder.max_length = work->max_length ? work->max_length : model->positions_max;
}

static bool encode(struct worker *worker, struct work *work, struct encoded *out)
{
    encoder_for(worker, work);
    for (int32_t i = 0; i < work->chunks_count; i++) {
        const Koeval__ItemChunk *chunk = work->chunks[i]->items;
        for (size_t k = 0; k < chunk->n_items; k++) {
            if (past(work))
                return false;
            encode_item(out, &worker->encoder, chunk->items[k]);
        }
        if (chunk->too_long_item)
            encode_refused(out, (int32_t)chunk->too_long_item - 1, REASON_TOO_LONG, WIRE_FRAME_MAX);
        if (chunk->unrendered_item)
            encode_refused(out, (int32_t)chunk->unrendered_item - 1, REASON_INTERNAL, 0);
    }
    chunks_wipe(work);
    encode_end(out);
    return true;
}

/* The requests of items [from, to) at once.  Where the engine refuses, by halves: one item that
 * needs more memory than there is must not take the others with it.  False: it was stopped. */
static bool score(struct worker *worker, struct work *work, struct encoded *encoded, int32_t from,
                  int32_t to, struct engine_answer *answers)
{
    struct err err = { 0 };
    int32_t first = encoded->items[from].first;
    int32_t count = encoded->items[to - 1].first + encoded->items[to - 1].count - first;
    if (!count || engine_score(worker->engine, encoded->requests + first, count, answers + first,
                               NULL, past, work, &err))
        return true;
    if (err.code == ERR_RETRY)
        return false;
    int32_t middle = from + (to - from) / 2;
    if (middle > from)
        return score(worker, work, encoded, from, middle, answers) &&
               score(worker, work, encoded, middle, to, answers);
    struct encoded_item *item = &encoded->items[from];
    item->reason = err.code == ERR_DEVICE ? REASON_OOM : REASON_INTERNAL;
    item->reason_num = err.number;
    log_event(LOG_WARN, "engine.refused", "shard=%lld item=%d why=\"%s\"",
              (long long)work->lease.shard, item->item_no, err.text);
    return true;
}

/* A verdict of one request is the item's: its other answers mean nothing without it. */
static void judge(struct encoded *encoded, const struct engine_answer *answers)
{
    for (int32_t i = 0; i < encoded->items_count; i++) {
        struct encoded_item *item = &encoded->items[i];
        for (int32_t k = item->first; k < item->first + item->count && !item->reason; k++) {
            bool too_long = answers[k].verdict == ENGINE_TOO_LONG;
            if (answers[k].verdict == ENGINE_ANSWERED)
                continue;
            item->reason = too_long ? REASON_TOO_LONG : REASON_NONFINITE;
            item->reason_num = too_long ? encoded->requests[k].n : k - item->first;
        }
    }
}

static struct counted *counted_of(struct worker *worker, struct lease lease)
{
    for (int32_t i = 0; i < HELD_MAX; i++)
        if (lease_same(worker->counted[i].lease, lease))
            return &worker->counted[i];
    struct counted *counted = &worker->counted[worker->counted_next++ % HELD_MAX];
    *counted = (struct counted){ .lease = lease };
    return counted;
}

static int64_t tokens_unique(const struct encoded *encoded)
{
    struct err err = { 0 };
    int64_t unique = 0;
    AUTO(trie_free) struct trie trie = { 0 };
    if (!encoded->requests_count ||
        !trie_sort(&trie, encoded->requests, encoded->requests_count, &err))
        return 0;
    for (int32_t i = 0; i < trie.count; i++)
        unique += trie.len[i] - trie.lcp[i];
    return unique;
}

static void batch_count(struct batch *batch, const struct counted *counted)
{
    batch->columns.token_naive = (uint64_t)counted->naive;
    batch->columns.token_unique = (uint64_t)counted->unique;
    batch->columns.engine_ms = (uint64_t)counted->engine_ms;
}

static void row_put(struct batch *batch, const struct work *work, const struct encoded *encoded,
                    const struct encoded_item *item, const struct engine_answer *answers)
{
    struct batch_answer row[WIRE_REQUESTS_ITEM_MAX];
    if (item->reason) {
        log_event(LOG_WARN, "item.refused", "shard=%lld item=%d reason=%s number=%lld",
                  (long long)work->lease.shard, item->item_no, reason_name(item->reason),
                  (long long)item->reason_num);
        batch_refuse(batch, item->item_no, item->input_hash, item->reason, item->reason_num);
        return;
    }
    for (int32_t i = 0; i < item->count; i++) {
        const struct engine_answer *answer = &answers[item->first + i];
        row[i] = (struct batch_answer){ .loglik = answer->loglik,
                                        .greedy = answer->greedy,
                                        .truncated = encoded->truncated[item->first + i],
                                        .tokens = answer->tokens };
    }
    batch_answer(batch, item->item_no, item->input_hash, row, item->count);
}

static void tell_rows(struct worker *worker, const struct work *work, const struct encoded *encoded,
                      const struct engine_answer *answers)
{
    const struct counted *counted = counted_of(worker, work->lease);
    struct batch *batch = batch_new();
    for (int32_t i = 0; i < encoded->items_count; i++) {
        const struct encoded_item *item = &encoded->items[i];
        if (!batch_takes(batch, work->batch_items, item->count)) {
            batch_count(batch, counted);
            tell(worker, (struct worker_news){ .kind = WORKER_BATCH, .batch = batch });
            batch = batch_new();
        }
        row_put(batch, work, encoded, item, answers);
    }
    batch_count(batch, counted);
    if (batch->items)
        tell(worker, (struct worker_news){ .kind = WORKER_BATCH, .batch = batch });
    else
        batch_free(batch);
}

/* A unit's whole way: text -> ids -> log-likelihoods -> rows.  Loading is not in its time: that
 * measures how much text the next unit should have. */
static bool compute(struct worker *worker, struct work *work, struct worker_news *done)
{
    AUTO(encoded_wipe) struct encoded encoded = { 0 };
    if (!make_resident(worker, work))
        return false;
    int64_t began = clock_monotonic_ms();
    bool whole = encode(worker, work, &encoded);
    encoder_wipe(&worker->encoder); /* the last item's text; a resident model may rest for days */
    if (!whole)
        return false;
    int64_t scoring = clock_monotonic_ms();
    AUTO(free)
    struct engine_answer *answers = must_calloc((size_t)encoded.requests_count, sizeof(*answers));
    if (encoded.items_count && !score(worker, work, &encoded, 0, encoded.items_count, answers))
        return false;
    judge(&encoded, answers);
    done->items = encoded.items_count;
    done->tokens = encoded_tokens(&encoded);
    done->took_ms = clock_monotonic_ms() - began;
    struct counted *counted = counted_of(worker, work->lease);
    counted->naive += done->tokens;
    counted->unique += tokens_unique(&encoded);
    counted->engine_ms += clock_monotonic_ms() - scoring;
    tell_rows(worker, work, &encoded, answers);
    return true;
}

static void work_do(struct worker *worker, struct work *work)
{
    struct worker_news done = { .kind = WORKER_DONE, .work = work };
    done.complete = compute(worker, work, &done);
    chunks_wipe(work);
    tell(worker, done);
}

/* A work is a pointer; what is not the size of one is zactor's "$TERM". */
static struct work *work_next(struct worker *worker)
{
    zframe_t *frame = zframe_recv(worker->pipe);
    struct work *work = NULL;
    if (frame && zframe_size(frame) == sizeof(work))
        memcpy(&work, zframe_data(frame), sizeof(work));
    zframe_destroy(&frame);
    return work;
}

void worker_actor(zsock_t *pipe, void *conf)
{
    struct worker worker = { .pipe = pipe };
    struct worker_news news = { .kind = WORKER_READY };
    zsock_signal(pipe, 0);
    if (engine_open(&worker.engine, conf, &news.err) &&
        engine_class_check(worker.engine, false, &news.err)) {
        news.facts = strdup(engine_class_facts(worker.engine));
        log_event(LOG_INFO, "engine.open", "class=%s device=\"%s\"", news.facts,
                  engine_about(worker.engine));
    } else {
        news.kind = WORKER_BROKEN;
    }
    tell(&worker, news);
    for (struct work *work; (work = work_next(&worker));)
        work_do(&worker, work);
    if (worker.engine) {
        unload(&worker);
        engine_close(worker.engine);
    }
}

/* ---- the shelf's thread ---- */

static void shelf_say(void *self, enum shelf_news kind, const struct shelf_model *model,
                      const struct err *err)
{
    struct worker_found *news = must_calloc(1, sizeof(*news));
    news->kind = kind;
    if (model) {
        news->dir = strdup(model->dir);
        news->stamp = model->stamp;
        memcpy(news->digest, model->digest, sizeof(news->digest));
    }
    if (err)
        news->err = *err;
    zsock_send(self, "p", news);
}

static bool shelf_stop(void *pipe) { return zsock_events(pipe) & ZMQ_POLLIN; }

void shelf_actor(zsock_t *pipe, void *args)
{
    const struct shelf_conf conf = *(const struct shelf_conf *)args;
    struct shelf *shelf = must_calloc(1, sizeof(*shelf));
    shelf_init(shelf, conf.roots, conf.roots_count);
    zsock_signal(pipe, 0);
    zmq_pollitem_t poll = { zsock_resolve(pipe), 0, ZMQ_POLLIN, 0 };
    do
        shelf_scan(shelf, shelf_say, pipe, shelf_stop);
    while (zmq_poll(&poll, 1, conf.rescan_ms) == 0);
    shelf_free(shelf);
    free(shelf);
}
