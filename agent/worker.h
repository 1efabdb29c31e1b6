/* worker.h - the thread that computes: a unit goes in, batches of rows come out.
 *
 * Shaped as a zactor: worker_actor runs in a thread of its own and shares nothing but messages,
 * each a pointer over the pipe.  A struct work belongs to who sent it until WORKER_DONE names it
 * again; its chunks are the worker's at once, which zeroes them as soon as they are tokens.  The
 * one thing that both sides touch is work->until_ms: the sender moves it as its lease moves, the
 * worker stops when it is past. */
#ifndef WORKER_H
#define WORKER_H

#include <czmq.h>
#include <stdatomic.h>

#include "agent/batch.h"
#include "agent/core.h"
#include "agent/infer/engine.h"
#include "agent/shelf.h"
#include "agent/text/pair.h"

/* A decoded ItemChunk and the memory it lives in. */
struct chunk {
    struct arena arena;
    const Koeval__ItemChunk *items;
};

void chunk_wipe(struct chunk *chunk);

struct work {
    struct lease lease;
    char *dir; /* of the model, as the shelf verified it at this stamp */
    uint64_t stamp;
    char digest[65];
    int32_t model; /* number of its digest: what is resident is compared by it */
    enum engine_dtype dtype;
    enum engine_mode mode;
    enum pair_bos bos;
    int32_t max_length;  /* tokens; 0: the model's */
    int32_t batch_items; /* most items of a batch */
    int32_t bytes;       /* of text, for the measure of speed */
    int32_t chunks_count;
    struct chunk *chunks[JOB_CHUNKS_MAX];
    _Atomic int64_t until_ms; /* monotonic; the worker stops there */
};

void work_free(struct work *work);

enum worker_news_kind {
    WORKER_READY,  /* the engine is open; facts */
    WORKER_BROKEN, /* it cannot be opened: err */
    WORKER_BATCH,  /* batch, the receiver's now */
    WORKER_FAILED, /* the whole shard, with reason and reason_num; DONE follows */
    WORKER_DONE,   /* work; complete: every item of it was told in a batch */
};

struct worker_news {
    enum worker_news_kind kind;
    struct err err;
    char *facts; /* owned, as is the rest */
    struct batch *batch;
    struct work *work;
    enum reason reason;
    int64_t reason_num;
    bool complete;
    int64_t took_ms, items, tokens;
};

void worker_news_free(struct worker_news *news);
AUTO_FREES(struct worker_news *, worker_news_free)

/* zactor_new(worker_actor, &conf): conf is an engine_conf that outlives the start. */
void worker_actor(zsock_t *pipe, void *conf);

/* The other thread: it scans the shelf, now and every rescan_ms, and tells what it finds; it may
 * read for minutes while the worker computes.  args is a shelf_conf, copied before the start ends.
 * Its news and their dir are the receiver's. */
struct shelf_conf {
    char *const *roots;
    int32_t roots_count;
    int64_t rescan_ms;
};

struct worker_found {
    enum shelf_news kind;
    char *dir;
    uint8_t digest[32];
    uint64_t stamp;
    struct err err;
};

void shelf_actor(zsock_t *pipe, void *args);

#endif
