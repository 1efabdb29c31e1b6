#include "agent/batch.h"

#define ITEM_BYTES    40 /* most of a row without its requests: varints and a fixed64 */
#define REQUEST_BYTES 20

struct batch *batch_new(void)
{
    struct batch *batch = must_calloc(1, sizeof(*batch));
    batch->item_no = must_calloc(WIRE_ITEMS_MAX, sizeof(*batch->item_no));
    batch->n_request = must_calloc(WIRE_ITEMS_MAX, sizeof(*batch->n_request));
    batch->input_hash = must_calloc(WIRE_ITEMS_MAX, sizeof(*batch->input_hash));
    batch->reason = must_calloc(WIRE_ITEMS_MAX, sizeof(*batch->reason));
    batch->reason_num = must_calloc(WIRE_ITEMS_MAX, sizeof(*batch->reason_num));
    koeval__result_batch__init(&batch->columns);
    return batch;
}

void batch_free(struct batch *batch)
{
    if (!batch)
        return;
    free(batch->item_no);
    free(batch->n_request);
    free(batch->input_hash);
    free(batch->reason);
    free(batch->reason_num);
    free(batch->n_tokens);
    free(batch->loglik);
    free(batch->greedy);
    free(batch->truncated);
    free(batch);
}

bool batch_takes(const struct batch *batch, int32_t items_max, int32_t requests)
{
    if (!batch->items)
        return true;
    int64_t bytes =
        (batch->items + 1LL) * ITEM_BYTES + (batch->requests + (int64_t)requests) * REQUEST_BYTES;
    return batch->items < items_max && batch->items < WIRE_ITEMS_MAX &&
           batch->requests + requests <= WIRE_REQUESTS_MAX && bytes <= BATCH_BYTES_MAX;
}

static void requests_grow(struct batch *batch, int32_t count)
{
    if (batch->requests + count <= batch->requests_capacity)
        return;
    batch->requests_capacity = 2 * (batch->requests + count);
    size_t n = (size_t)batch->requests_capacity;
    batch->n_tokens = must_realloc(batch->n_tokens, n, sizeof(*batch->n_tokens));
    batch->loglik = must_realloc(batch->loglik, n, sizeof(*batch->loglik));
    batch->greedy = must_realloc(batch->greedy, n, sizeof(*batch->greedy));
    batch->truncated = must_realloc(batch->truncated, n, sizeof(*batch->truncated));
}

static void item_put(struct batch *batch, int32_t item_no, uint64_t hash, enum reason reason,
                     int64_t reason_num, int32_t requests)
{
    int32_t at = batch->items++;
    assert(at < WIRE_ITEMS_MAX);
    batch->item_no[at] = (uint32_t)item_no;
    batch->input_hash[at] = hash;
    batch->reason[at] = (Koeval__Reason)reason;
    batch->reason_num[at] = reason_num;
    batch->n_request[at] = (uint32_t)requests;
}

void batch_answer(struct batch *batch, int32_t item_no, uint64_t input_hash,
                  const struct batch_answer *answers, int32_t count)
{
    requests_grow(batch, count);
    for (int32_t i = 0; i < count; i++) {
        int32_t at = batch->requests++;
        batch->loglik[at] = answers[i].loglik;
        batch->greedy[at] = answers[i].greedy;
        batch->truncated[at] = answers[i].truncated;
        batch->n_tokens[at] = (uint32_t)answers[i].tokens;
    }
    item_put(batch, item_no, input_hash, REASON_NONE, 0, count);
}

void batch_refuse(struct batch *batch, int32_t item_no, uint64_t input_hash, enum reason reason,
                  int64_t reason_num)
{
    assert(reason);
    item_put(batch, item_no, input_hash, reason, reason_num, 0);
}

void batch_invalidate(struct batch *batch)
{
    for (int32_t i = 0; i < batch->items; i++) {
        batch->reason[i] = KOEVAL__REASON__INVALID_RESULT;
        batch->n_request[i] = 0;
    }
    batch->requests = 0;
}

const Koeval__ResultBatch *batch_columns(struct batch *batch)
{
    Koeval__ResultBatch *c = &batch->columns;
    c->n_item_no = c->n_input_hash = c->n_n_request = c->n_reason = c->n_reason_num =
        (size_t)batch->items;
    c->n_loglik = c->n_greedy = c->n_n_tokens = c->n_truncated = (size_t)batch->requests;
    c->item_no = batch->item_no;
    c->input_hash = batch->input_hash;
    c->n_request = batch->n_request;
    c->reason = batch->reason;
    c->reason_num = batch->reason_num;
    c->loglik = batch->loglik;
    c->greedy = batch->greedy;
    c->n_tokens = batch->n_tokens;
    c->truncated = batch->truncated;
    return c;
}

int32_t batch_bytes(struct batch *batch)
{
    return (int32_t)koeval__result_batch__get_packed_size(batch_columns(batch));
}
