/* db.h - a model of the schema's functions: the same rules in the same order, on small arrays.
 *
 * Every function is one transaction that commits.  Asynchronous ones (claim, renew) reach `durable`
 * by chance or with the next synchronous one, as a WAL does; a crash goes back to it. */
#ifndef SIM_DB_H
#define SIM_DB_H

#include "coordinator/core.h"

enum {
    RUNS = 3,
    ITEMS = 16,
    SHARD_ITEMS = 4,
    SHARDS = RUNS * ITEMS / SHARD_ITEMS,
    EPOCHS = 100,
    AGENTS = 4,
    KEYS = AGENTS + 2,
    MODELS = 2,
    ROWS_MAX = 4,  /* of one batch */
    FETCH_MAX = 3, /* items of one chunk, so that a shard takes two */
    NOT_AGENT_MS = 60000,
    ALONE_MS = 30000,
};

enum shard_state { SHARD_READY, SHARD_LEASED, SHARD_DONE, SHARD_ERROR };
enum run_state { RUN_RUNNING, RUN_COMPLETE, RUN_ERRED };
enum outcome {
    OUT_NONE,
    OUT_DONE,
    OUT_EXPIRED,
    OUT_RETURNED,
    OUT_FAILED,
    OUT_REVOKED,
    OUT_LOST,
    OUT_SUPERSEDED,
};

struct row {
    int32_t item_no;
    enum reason reason;
    uint64_t value;
};

struct db_key {
    int64_t revoked_ms;
};
struct db_agent { /* its id is its key's: one slot each */
    bool used, drain;
    int32_t class;
    uint64_t incarnation;
    int64_t seen_ms;
};
struct db_run {
    int32_t model, class, n_shard_done, n_shard_error, n_done, n_error, generation;
    enum run_state state;
};
struct db_shard {
    int32_t run, lo, hi, epoch, agent, n_done, n_error, done_at_grant, attempts, not_agent;
    int64_t expires_ms, not_until_ms;
    enum shard_state state;
};
struct db_lease {
    int32_t agent;
    enum outcome outcome;
};
struct db_response {
    bool there;
    int32_t agent, class, epoch;
    uint64_t value;
    int64_t at_ms;
};

struct db {
    int64_t epoch, beat_ms; /* the coordinator's row */
    struct db_key keys[KEYS];
    struct db_agent agents[AGENTS + 1];
    struct db_run runs[RUNS];
    struct db_shard shards[SHARDS];
    struct db_lease leases[SHARDS][EPOCHS];
    struct db_response responses[RUNS][ITEMS];
    int32_t errors[RUNS][ITEMS]; /* generation + 1, 0 none */
    int32_t incidents;
};

struct db_batch {
    int32_t agent, class, count;
    struct lease lease;
    struct row rows[ROWS_MAX];
};

struct db_items {
    int32_t count, no[FETCH_MAX];
    bool last;
};

/* The arrays that an answer of the model points to. */
struct db_answer {
    struct answer answer;
    struct lease leases[SHARDS + RENEW_MAX];
    struct work works[RUNS];
    struct grant grants[SHARDS];
    struct verdict_row verdicts[FLUSH_MAX];
    int32_t draining[AGENTS];
};

void db_init(struct db *db);
/* False: KE002. */
bool db_hello(struct db *db, int64_t now, int32_t key, int32_t class, uint64_t incarnation,
              struct db_answer *out);
void db_work(const struct db *db, struct db_answer *out);
void db_claim(struct db *db, int64_t now, int32_t lease_ms, const struct tx *tx,
              struct db_answer *out);
void db_renew(struct db *db, int64_t now, int32_t lease_ms, const struct tx *tx,
              struct db_answer *out);
int32_t db_expire(struct db *db, int64_t now, int32_t grace_ms);
void db_fail(struct db *db, int64_t now, const struct tx *tx);
void db_items(const struct db *db, const struct tx *tx, struct db_items *out);
/* False: a check failed, nothing of the flush is in. */
bool db_ingest(struct db *db, int64_t now, const struct db_batch *batches, int32_t count,
               struct db_answer *out);
void db_revoke(struct db *db, int64_t now, int32_t key);
bool db_retry(struct db *db, int32_t run);

uint64_t db_truth(int32_t run, int32_t item, int32_t model);
/* NULL, or which invariant is broken. */
const char *db_check(const struct db *db);

#endif
