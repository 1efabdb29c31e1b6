/* load.h - what agents say of themselves between two writings: the newest of each, and rates.
 *
 * Telemetry is written in bulk and never decides anything.  Memory only; the loop reads the columns
 * when it is time and then begins anew. */
#ifndef LOAD_H
#define LOAD_H

#include "common/base.h"
#include "proto/msg.h"
#include "proto/wire.h"

struct load;

struct load *load_new(void);
void load_free(struct load *load);
AUTO_FREES(struct load *, load_free)

/* From each Heartbeat; model: number of its first resident or of what it loads, by the core's
 * table, as database id, 0 none. */
void load_heard(struct load *load, int32_t agent, int32_t model_id,
                const Koeval__Heartbeat *heartbeat, int64_t now_ms);
/* From each ResultBatch that carries counters. */
void load_measured(struct load *load, int32_t agent, struct lease lease,
                   const Koeval__ResultBatch *results);

/* Columns of agent_telemetry and lease_measure, borrowed until the next call of this module. */
struct load_columns {
    int32_t agents_count, leases_count;
    const int32_t *agent, *model;
    const int64_t *silent_ms, *memory_used, *memory_total;
    const double *item_rate, *token_rate;
    const int64_t *shard, *token_naive, *token_unique, *engine_ms;
    const int32_t *lease_epoch, *lease_agent;
};
/* What came since the last taking; its leases are forgotten with this. */
struct load_columns load_take(struct load *load, int64_t now_ms);

#endif
