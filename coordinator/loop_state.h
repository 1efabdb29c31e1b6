/* loop_state.h - what the files of the loop share.
 *
 *     loop.c       waiting, time, signals; life and death
 *     loop_core.c  the core's events and actions
 *     loop_net.c   frames from and to agents
 *     loop_tx.c    transactions: queues, connections, answers
 *     loop_aux.c   what is not of the core: schema, keys, jobs, shelves of agents */
#ifndef LOOP_STATE_H
#define LOOP_STATE_H

#include "coordinator/cargo.h"
#include "coordinator/chunk.h"
#include "coordinator/jobs.h"
#include "coordinator/load.h"
#include "coordinator/loop.h"
#include "coordinator/router.h"
#include "coordinator/store/store_tx.h"
#include "coordinator/trace.h"
#include "coordinator/zap.h"

#define LINES_MAX 32

/* Numbers in the order they came. */
struct fifo {
    int32_t *list;
    int32_t first, count, capacity; /* a ring; capacity a power of two */
};

void fifo_put(struct fifo *fifo, int32_t number);
bool fifo_take(struct fifo *fifo, int32_t *number);
void fifo_free(struct fifo *fifo);

/* Which connections a transaction may take: the one that holds the leader's lock, those for
 * results, so that nothing stands behind a flush, and those for the rest. */
enum lane { LANE_CONTROL, LANE_INGEST, LANE_WORK, LANE_COUNT };

struct line {
    struct pg *pg;
    enum lane lane;
    int32_t tx;           /* under way, 0 none */
    struct rows *waiting; /* ITEMS whose task's definition is being read */
    int32_t task_version;
    size_t scrub_bytes; /* of items that libpq may still hold, 0 none */
    int64_t scrub_ms;   /* when to overwrite them, if nothing else is to be done */
};

enum aux_kind { AUX_SCHEMA, AUX_KEYS, AUX_JOB_CLAIM, AUX_JOB_RENEW, AUX_JOB_OVER, AUX_MODELS };

struct aux {
    enum aux_kind kind;
    enum job_kind job_kind;
    int64_t job_id;
    int32_t attempt;
    int32_t status; /* JOB_OVER: of waitpid */
    int32_t agent;  /* MODELS */
    int32_t digests_count;
    uint8_t (*digests)[32]; /* MODELS, owned */
};

#define AUX_MAX 256

struct loop {
    struct loop_conf conf;
    struct core *core;
    struct actions acts;
    struct trace *trace; /* NULL: not recorded */
    enum role role;      /* as last logged */

    zactor_t *zap;
    struct router *router;
    void *monitor;
    int signals; /* signalfd */

    struct digests models;
    struct codec codec;
    struct cargo *cargo;
    struct tasks *tasks;
    struct load *load;
    struct store store;
    const struct store_answer *answer; /* of the step under way */
    uint8_t *frame;                    /* WIRE_FRAME_MAX bytes */

    struct line lines[LINES_MAX];
    int32_t lines_count;
    struct fifo queues[LANE_COUNT];
    struct fifo gone; /* routes that a send did not find */

    struct pg *aux; /* listens, and runs what is not of the core */
    struct aux aux_list[AUX_MAX];
    int32_t aux_first, aux_count;
    bool aux_busy;
    bool schema_known; /* the database has our schema */
    bool refused;      /* it has another */
    struct err refusal;
    struct store_key *keys;
    int32_t keys_count;
    struct jobs jobs;
    int64_t keys_ms, jobs_ms, renew_ms; /* when next */
    int64_t failed_ms;                  /* a failed connection is not said again before */

    int64_t dropped, bad_frames, lost_sends, noted_ms; /* since the last note, as those: */
    int64_t refused_handshakes, unfinished_handshakes, closed;
    int64_t done_shard; /* the last that was logged as done */
    bool leaving;
    int64_t leave_ms;
};

/* loop_core.c */
void loop_step(struct loop *loop, struct event event);

/* loop_net.c */
void net_read(struct loop *loop);
void net_monitor(struct loop *loop);
bool net_monitor_open(struct loop *loop, struct err *err) MUST;
void net_send(struct loop *loop, uint32_t route, const struct msg *msg);
void net_note(struct loop *loop, int64_t now_ms); /* logs what was dropped since, at times */

/* loop_tx.c */
void lines_open(struct loop *loop);
void lines_close(struct loop *loop);
void tx_queue(struct loop *loop, const struct tx *tx);
void tx_dispatch(struct loop *loop, int64_t now_ms);
void line_step(struct loop *loop, struct line *line, int64_t now_ms);

/* loop_aux.c */
void aux_put(struct loop *loop, struct aux aux);
void aux_step(struct loop *loop, int64_t now_ms);
void aux_turn(struct loop *loop, int64_t now_ms); /* what is due; sends the next */
int64_t aux_due_ms(const struct loop *loop);
void aux_free(struct loop *loop);
bool key_known(const struct loop *loop, int32_t key_id);
void jobs_reap(struct loop *loop);

#endif
