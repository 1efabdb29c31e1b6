/* batch.h - rows of results on their way out: the columns of one ResultBatch.
 *
 * An item has either one answer a request, in request order, or a reason with a number.  The order
 * of items and where a batch is cut are nobody's business: rows are matched by item.  A batch holds
 * numbers only, never text. */
#ifndef BATCH_H
#define BATCH_H

#include "proto/msg.h"
#include "proto/wire.h"

#define BATCH_BYTES_MAX 262144 /* far below a frame; a coordinator packs many into one flush */

struct batch_answer {
    double loglik;
    bool greedy, truncated;
    int32_t tokens; /* of the continuation */
};

struct batch {
    Koeval__ResultBatch columns; /* its pointers are the arrays below */
    int32_t items, requests, requests_capacity;
    uint32_t *item_no, *n_request, *n_tokens;
    uint64_t *input_hash;
    Koeval__Reason *reason;
    int64_t *reason_num;
    double *loglik;
    protobuf_c_boolean *greedy, *truncated;
};

struct batch *batch_new(void);
void batch_free(struct batch *batch);
AUTO_FREES(struct batch *, batch_free)

/* False when the batch must be closed first: it has items_max items, or no room for one of that
 * many requests. */
bool batch_takes(const struct batch *batch, int32_t items_max, int32_t requests);

void batch_answer(struct batch *batch, int32_t item_no, uint64_t input_hash,
                  const struct batch_answer *answers, int32_t count);
void batch_refuse(struct batch *batch, int32_t item_no, uint64_t input_hash, enum reason reason,
                  int64_t reason_num);

/* Every row becomes a refusal for INVALID_RESULT: what the database could not take. */
void batch_invalidate(struct batch *batch);

/* Points columns at what was collected; again after every change. */
const Koeval__ResultBatch *batch_columns(struct batch *batch);
int32_t batch_bytes(struct batch *batch);

#endif
