/* link_state.h - what the link_*.c share: the whole of an agent but its threads. */
#ifndef LINK_STATE_H
#define LINK_STATE_H

#include "agent/bodies.h"
#include "agent/link.h"
#include "agent/worker.h"
#include "proto/codec.h"

struct found { /* a model on our disks */
    int32_t number;
    uint8_t digest[DIGEST_BYTES];
    char *dir;
    uint64_t stamp;
};

struct finished { /* a batch that waits for room in the core */
    struct lease lease;
    struct batch *batch;
};

struct link {
    const struct link_conf *conf;
    struct agent core;
    struct agent_actions acts;
    struct digests digests;
    struct codec codec;
    struct bodies bodies;
    void *dealer, *monitor;
    const char *endpoint; /* the dealer's */
    int32_t monitors;     /* each gets a name of its own: the old one's is free only later */
    zcert_t *key, *server_key;
    zactor_t *worker, *shelf;
    int signals;
    struct work *work; /* what the worker has */
    bool work_over;    /* its DONE waits until its batches are told */
    struct agent_event done;
    struct finished *finished; /* first in, first out */
    int32_t finished_count, finished_capacity;
    struct found found[SHELF_MODELS_MAX];
    int32_t found_count;
    Koeval__Hello hello;
    ProtobufCBinaryData models[SHELF_MODELS_MAX];
    uint8_t incarnation[16], class_digest[32];
    char *facts, hostname[65];
    int64_t items_done, tokens_done;
    bool ended;
    int code;
    uint8_t frame[WIRE_FRAME_MAX];
};

/* Hands an event to the core, with time and randomness, and does what it says. */
void link_step(struct link *link, struct agent_event event);
uint32_t link_random(void);

/* link_socket.c */
void link_dealer_open(struct link *link, int32_t endpoint);
void link_dealer_close(struct link *link, int linger_ms);
void link_monitor_receive(struct link *link);

/* link_work.c: the two threads */
void link_shelf_receive(struct link *link);
void link_found_drop(struct link *link, int32_t number);
void link_worker_receive(struct link *link);
/* Tells the core what is finished, moves the worker's deadline, gives it the next unit. */
void link_work_turn(struct link *link);

#endif
