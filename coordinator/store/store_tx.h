/* store_tx.h - a transaction of the core as one SQL call, and its rows as the core's answer.
 *
 * Everything typed at this rim: the core's numbers for models become database ids, reasons become
 * words, columns of many agents' batches become arrays.  What PostgreSQL said is classified here:
 * again, never, another epoch, refused. */
#ifndef STORE_TX_H
#define STORE_TX_H

#include "coordinator/cargo.h"
#include "coordinator/chunk.h"
#include "coordinator/core.h"
#include "coordinator/load.h"
#include "coordinator/store/async.h"
#include "proto/digest.h"

#define ITEMS_FETCH 64 /* of one ItemRequest at most */

struct store_conf {
    const char *holder; /* who leads, for humans */
    int32_t lease_ms;
    int32_t grace_ms;  /* a lease expires so long after its time */
    int32_t depose_ms; /* a leader without heartbeat for so long is put down */
};

struct store_key {
    int32_t key_id;
    uint8_t pubkey[32];
};

struct store {
    struct store_conf conf;
    struct digests *models;
    int32_t *model_ids; /* by number of model */
    int32_t model_ids_count;
    const struct core *core;
    const struct cargo *cargo;
    struct load *load;
    const struct store_key *keys; /* by key_id, ascending */
    int32_t keys_count;
};

void store_end(struct store *store);

/* Sends it, on an idle connection.  False: what it needs is gone with its session, so that it
 * should be reported as TX_RETRY. */
bool store_send(struct store *store, struct pg *pg, const struct tx *tx, int64_t now_ms);

/* Database id of a model number, 0: not known yet. */
int32_t store_model(const struct store *store, int32_t number);

enum tx_outcome store_outcome(enum tx_kind kind, const char *sqlstate);

/* Rows of an OK answer; everything it points to lies in the arena or in rows. */
struct store_answer {
    struct answer answer;
    const Koeval__Params *params; /* CLAIM: as answer.grants */
    struct chunk_item *items;     /* ITEMS */
    int32_t items_count, task_version;
};
/* May turn an OK into REFUSED (the lead is taken).  False when the rows make no sense: the schema
 * and this program do not belong together. */
bool store_read(struct store_answer *out, enum tx_outcome *outcome, struct store *store,
                struct arena *arena, const struct tx *tx, struct rows *rows, struct err *err) MUST;

#endif
