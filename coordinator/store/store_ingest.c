#include "coordinator/store/store_ingest.h"

#include <string.h>

/* All columns of a flush, in one block. */
struct columns {
    size_t batches, items, requests;
    /* a batch */
    int32_t *agent, *lease_epoch, *class;
    int64_t *shard;
    /* an item */
    int32_t *batch, *item, *n_request;
    int64_t *reason_num, *input_hash;
    const char **reason;
    bool *no_num;
    /* a request */
    double *loglik;
    bool *greedy, *truncated;
    int32_t *n_tokens;
    bool any_truncated;
};

static void columns_size(struct columns *c, const struct store *s, const struct tx *tx)
{
    c->batches = (size_t)tx->count;
    for (int32_t i = 0; i < tx->count; i++) {
        const struct batch *b = core_batch(s->core, tx->batches[i]);
        const Koeval__ResultBatch *r = cargo_of(s->cargo, b->body)->results;
        c->items += r->n_item_no;
        c->requests += r->n_n_tokens;
    }
}

static void *cut(char **at, size_t count, size_t size)
{
    void *p = *at;
    *at += (count * size + 15) & ~(size_t)15;
    return p;
}

/* The arrays, cut from one block that the caller frees. */
static char *columns_open(struct columns *c)
{
    char *block = must_calloc(c->batches * 20 + c->items * 37 + c->requests * 14 + 16 * 20, 1);
    char *at = block;
    c->agent = cut(&at, c->batches, 4);
    c->lease_epoch = cut(&at, c->batches, 4);
    c->class = cut(&at, c->batches, 4);
    c->shard = cut(&at, c->batches, 8);
    c->batch = cut(&at, c->items, 4);
    c->item = cut(&at, c->items, 4);
    c->n_request = cut(&at, c->items, 4);
    c->reason_num = cut(&at, c->items, 8);
    c->input_hash = cut(&at, c->items, 8);
    c->reason = cut(&at, c->items, 8);
    c->no_num = cut(&at, c->items, 1);
    c->loglik = cut(&at, c->requests, 8);
    c->greedy = cut(&at, c->requests, 1);
    c->truncated = cut(&at, c->requests, 1);
    c->n_tokens = cut(&at, c->requests, 4);
    c->items = c->requests = 0; /* counted again as they are filled */
    return block;
}

static void put_items(struct columns *c, int32_t batch_no, const Koeval__ResultBatch *r)
{
    for (size_t i = 0; i < r->n_item_no; i++) {
        size_t at = c->items++;
        enum reason reason = r->n_reason ? (enum reason)r->reason[i] : REASON_NONE;
        c->batch[at] = batch_no;
        c->item[at] = (int32_t)r->item_no[i];
        c->n_request[at] = (int32_t)r->n_request[i];
        c->input_hash[at] = (int64_t)r->input_hash[i];
        c->reason[at] = reason ? reason_name(reason) : NULL;
        c->reason_num[at] = r->n_reason_num ? r->reason_num[i] : 0;
        c->no_num[at] = !reason || !r->n_reason_num;
    }
}

static void put_requests(struct columns *c, const Koeval__ResultBatch *r)
{
    for (size_t i = 0; i < r->n_n_tokens; i++) {
        size_t at = c->requests++;
        c->loglik[at] = r->loglik[i];
        c->greedy[at] = r->greedy[i] != 0;
        c->n_tokens[at] = (int32_t)r->n_tokens[i];
        c->truncated[at] = r->n_truncated && r->truncated[i];
        c->any_truncated |= c->truncated[at];
    }
}

static void columns_fill(struct columns *c, const struct store *s, const struct tx *tx)
{
    for (int32_t i = 0; i < tx->count; i++) {
        const struct batch *b = core_batch(s->core, tx->batches[i]);
        const Koeval__ResultBatch *r = cargo_of(s->cargo, b->body)->results;
        c->agent[i] = b->agent;
        c->shard[i] = b->lease.shard;
        c->lease_epoch[i] = b->lease.epoch;
        c->class[i] = b->class;
        put_items(c, i + 1, r);
        put_requests(c, r);
    }
}

static bool bodies_there(const struct store *s, const struct tx *tx)
{
    for (int32_t i = 0; i < tx->count; i++) {
        const struct body *body = cargo_of(s->cargo, core_batch(s->core, tx->batches[i])->body);
        if (!body || !body->results)
            return false;
    }
    return true;
}

bool ingest_send(const struct store *s, struct pg *pg, const struct tx *tx, int64_t now_ms,
                 int64_t most_ms)
{
    if (!bodies_there(s, tx))
        return false;
    struct columns c = { 0 };
    columns_size(&c, s, tx);
    AUTO(free) char *block = columns_open(&c);
    columns_fill(&c, s, tx);
    size_t b = c.batches, n = c.items, r = c.requests;
    pg_send(pg,
            "select verdict, reason, shard_state from response_ingest($1, $2, $3, $4, $5, $6, $7, "
            "$8::text[]::fail_reason[], $9, $10, $11, $12, $13, $14, $15, '{}'::\"char\"[])",
            ARGS(I64(tx->epoch), I32S(c.agent, b), I64S(c.shard, b), I32S(c.lease_epoch, b),
                 I32S(c.class, b), I32S(c.batch, n), I32S(c.item, n), TEXTS(c.reason, n),
                 I64S_NULLS(c.reason_num, n, c.no_num), I32S(c.n_request, n), I64S(c.input_hash, n),
                 F64S(c.loglik, r), BOOLS(c.greedy, r), I32S(c.n_tokens, r),
                 BOOLS(c.truncated, c.any_truncated ? r : 0)),
            now_ms, most_ms);
    return true;
}

static enum verdict verdict_of(const char *word)
{
    return !strcmp(word, "COMMITTED") ? VERDICT_COMMITTED
           : !strcmp(word, "ALREADY") ? VERDICT_ALREADY
                                      : VERDICT_REJECTED;
}

static enum refusal refusal_of(const char *word)
{
    static const struct {
        const char *word;
        enum refusal refusal;
    } words[] = { { "no such lease", REFUSAL_NO_SUCH_LEASE },
                  { "key revoked", REFUSAL_KEY_REVOKED },
                  { "run not live", REFUSAL_RUN_NOT_LIVE },
                  { "class", REFUSAL_CLASS },
                  { "item not in lease", REFUSAL_NOT_IN_LEASE } };
    for (size_t i = 0; word && i < COUNT(words); i++)
        if (!strcmp(word, words[i].word))
            return words[i].refusal;
    return REFUSAL_NONE;
}

bool ingest_read(struct answer *out, struct arena *arena, const struct tx *tx,
                 const struct rows *rows, struct err *err)
{
    int32_t count = rows_count(rows);
    if (count != tx->count)
        return err_set(err, ERR_INPUT, "response_ingest answered %d batches of %d", count,
                       tx->count);
    struct verdict_row *verdicts = arena_get(arena, (size_t)count * sizeof(*verdicts));
    assert(verdicts);
    for (int32_t i = 0; i < count; i++) {
        const char *state = rows_text(rows, i, "shard_state");
        verdicts[i] = (struct verdict_row){ verdict_of(rows_text(rows, i, "verdict")),
                                            refusal_of(rows_text(rows, i, "reason")),
                                            state && !strcmp(state, "done") };
    }
    out->verdicts = verdicts;
    out->count = count;
    return true;
}
