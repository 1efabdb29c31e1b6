#include <string.h>

#include "agent/link_state.h"
#include "agent/manifest.h"
#include "common/clock.h"
#include "common/log.h"

/* ---- the shelf ---- */

static void models_list(struct link *link)
{
    for (int32_t i = 0; i < link->found_count; i++)
        link->models[i] = (ProtobufCBinaryData){ DIGEST_BYTES, link->found[i].digest };
    link->hello.models = link->models;
    link->hello.n_models = (size_t)link->found_count;
}

static const struct found *found_of(const struct link *link, int32_t number)
{
    for (int32_t i = 0; i < link->found_count; i++)
        if (link->found[i].number == number)
            return &link->found[i];
    return NULL;
}

void link_found_drop(struct link *link, int32_t number)
{
    for (int32_t i = link->found_count - 1; i >= 0; i--)
        if (link->found[i].number == number) {
            free(link->found[i].dir);
            link->found[i] = link->found[--link->found_count];
        }
}

static void found_put(struct link *link, const struct worker_found *news)
{
    int32_t number = digest_add(&link->digests, news->digest);
    link_found_drop(link, number);
    if (news->kind != SHELF_FOUND || link->found_count == SHELF_MODELS_MAX)
        return;
    struct found *found = &link->found[link->found_count++];
    *found = (struct found){ .number = number, .dir = strdup(news->dir), .stamp = news->stamp };
    memcpy(found->digest, news->digest, sizeof(found->digest));
}

static void shelf_hear(struct link *link, const struct worker_found *news)
{
    if (news->kind == SHELF_BAD) {
        log_event(LOG_WARN, "model.bad", "why=\"%s\"", news->err.text);
        return;
    }
    char hex[MANIFEST_DIGEST_HEX];
    manifest_hex(hex, news->digest);
    log_event(LOG_INFO, news->kind == SHELF_FOUND ? "model.found" : "model.gone",
              "digest=%s dir=%s", hex, news->dir);
    found_put(link, news);
    models_list(link);
    link_step(link, (struct agent_event){ .kind = AGENT_MODELS });
}

void link_shelf_receive(struct link *link)
{
    struct worker_found *news = NULL;
    if (zsock_recv(link->shelf, "p", &news) || !news)
        return;
    shelf_hear(link, news);
    free(news->dir);
    free(news);
}

/* ---- the worker ---- */

static bool params_work(struct work *work, const Koeval__Params *params)
{
    static const enum engine_dtype dtypes[] = { [KOEVAL__DTYPE__BF16] = ENGINE_BF16,
                                                [KOEVAL__DTYPE__FP16] = ENGINE_F16,
                                                [KOEVAL__DTYPE__FP32] = ENGINE_F32 };
    static const enum pair_bos bos[] = { PAIR_BOS_TOKENIZER, PAIR_BOS_NO, PAIR_BOS_YES };
    if (params->kind != KOEVAL__REQUEST_KIND__LOGLIK || params->chat || !params->dtype ||
        params->dtype > KOEVAL__DTYPE__FP32 || params->add_bos > 2 ||
        params->max_length > INT32_MAX)
        return false;
    work->dtype = dtypes[params->dtype];
    work->mode = params->mode == KOEVAL__MODE__HF ? ENGINE_HF : ENGINE_FP32;
    work->bos = bos[params->add_bos];
    work->max_length = (int32_t)params->max_length;
    return true;
}

static struct work *work_new(struct link *link, const struct unit *unit)
{
    struct work *work = must_calloc(1, sizeof(*work));
    work->lease = unit->lease;
    work->model = unit->model;
    work->bytes = unit->bytes;
    work->batch_items = link->core.batch_items;
    work->chunks_count = unit->chunks_count;
    for (int32_t i = 0; i < unit->chunks_count; i++)
        work->chunks[i] = body_take(&link->bodies, unit->chunks[i], BODY_CHUNK);
    return work;
}

static void work_refuse(struct link *link, struct work *work, enum reason reason)
{
    struct lease lease = work->lease;
    work_free(work);
    link_step(link, (struct agent_event){ .kind = AGENT_FAIL, .lease = lease, .reason = reason });
    link_step(link, (struct agent_event){ .kind = AGENT_DONE, .lease = lease });
}

static void work_begin(struct link *link, const struct unit *unit)
{
    struct work *work = work_new(link, unit);
    const struct found *found = found_of(link, unit->model);
    if (!params_work(work, body_get(&link->bodies, unit->params, BODY_PARAMS))) {
        work_refuse(link, work, REASON_UNSUPPORTED_FEATURE);
    } else if (!found) {
        work_refuse(link, work, REASON_MODEL_ON_NO_NODE);
    } else {
        work->dir = strdup(found->dir);
        work->stamp = found->stamp;
        manifest_hex(work->digest, found->digest);
        atomic_store(&work->until_ms, agent_until(&link->core, work->lease));
        link->work = work;
        zsock_send(link->worker, "p", work);
    }
}

static void finished_put(struct link *link, struct batch *batch)
{
    if (link->finished_count == link->finished_capacity) {
        link->finished_capacity = link->finished_capacity ? 2 * link->finished_capacity : 64;
        link->finished =
            must_realloc(link->finished, (size_t)link->finished_capacity, sizeof(*link->finished));
    }
    link->finished[link->finished_count++] = (struct finished){ link->work->lease, batch };
}

static void batch_drop(void *batch) { batch_free(batch); }

static void finished_tell(struct link *link)
{
    int32_t told = 0;
    for (; told < link->finished_count && agent_room(&link->core) > 0; told++) {
        struct finished *at = &link->finished[told];
        int32_t body = body_put(&link->bodies, BODY_BATCH, at->batch, batch_drop);
        assert(body); /* BODIES_MAX is more than all that the core can hold */
        link_step(link, (struct agent_event){ .kind = AGENT_RESULT,
                                              .lease = at->lease,
                                              .items = at->batch->items,
                                              .bytes = batch_bytes(at->batch),
                                              .body = body });
    }
    link->finished_count -= told;
    if (told)
        memmove(link->finished, link->finished + told,
                sizeof(*link->finished) * (size_t)link->finished_count);
    if (link->work_over && !link->finished_count) {
        link->work_over = false;
        link_step(link, link->done);
    }
}

static void on_done(struct link *link, const struct worker_news *news)
{
    assert(news->work == link->work);
    link->done = (struct agent_event){ .kind = AGENT_DONE,
                                       .lease = news->work->lease,
                                       .complete = news->complete,
                                       .took_ms = news->took_ms,
                                       .bytes = news->work->bytes };
    link->work_over = true;
    link->work = NULL;
    link->items_done += news->items;
    link->tokens_done += news->tokens;
    log_event(LOG_INFO, news->complete ? "unit.done" : "unit.stopped",
              "shard=%lld items=%lld tokens=%lld ms=%lld", (long long)link->done.lease.shard,
              (long long)news->items, (long long)news->tokens, (long long)news->took_ms);
}

static void on_news(struct link *link, struct worker_news *news)
{
    switch (news->kind) {
    case WORKER_BATCH:
        finished_put(link, TAKE(news->batch));
        break;
    case WORKER_FAILED:
        link_step(link, (struct agent_event){ .kind = AGENT_FAIL,
                                              .lease = link->work->lease,
                                              .reason = news->reason,
                                              .reason_num = news->reason_num });
        break;
    case WORKER_DONE:
        on_done(link, news);
        break;
    default:
        break;
    }
}

void link_worker_receive(struct link *link)
{
    AUTO(worker_news_free) struct worker_news *news = NULL;
    if (zsock_recv(link->worker, "p", &news) == 0 && news)
        on_news(link, news);
}

void link_work_turn(struct link *link)
{
    struct unit unit;
    finished_tell(link);
    if (link->work)
        atomic_store(&link->work->until_ms, agent_until(&link->core, link->work->lease));
    else if (agent_next(&link->core, clock_monotonic_ms(), &unit))
        work_begin(link, &unit);
}
