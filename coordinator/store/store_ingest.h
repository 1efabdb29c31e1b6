/* store_ingest.h - a flush: batches of many agents as the columns of response_ingest. */
#ifndef STORE_INGEST_H
#define STORE_INGEST_H

#include "coordinator/store/store_tx.h"

/* False: a body is gone, which cannot be while the core waits for the flush. */
bool ingest_send(const struct store *store, struct pg *pg, const struct tx *tx, int64_t now_ms,
                 int64_t most_ms);
/* One verdict a batch, in its order. */
bool ingest_read(struct answer *out, struct arena *arena, const struct tx *tx,
                 const struct rows *rows, struct err *err) MUST;

#endif
