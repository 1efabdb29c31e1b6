#include "coordinator/core_state.h"

void batches_init(struct core *core)
{
    int32_t count = core->conf.batches_max, size = hash_size(count);
    core->batches = must_calloc((size_t)count, sizeof(*core->batches));
    core->batch_mask = size - 1;
    heads_init(&core->batch_heads, size);
    core->new_first = core->new_last = NONE;
    for (int32_t i = 0; i < count; i++)
        core->batches[i].next = i + 1 < count ? i + 1 : NONE;
}

void batches_free(struct core *core)
{
    free(core->batches);
    free(core->batch_heads);
}

static int32_t *batch_head(const struct core *core, int32_t agent, int64_t number)
{
    uint64_t key = (uint64_t)agent << 40 ^ (uint64_t)number;
    return &core->batch_heads[hash_mix(key) & (uint32_t)core->batch_mask];
}

static void queue_put(struct core *core, int32_t i)
{
    core->batches[i].state = BATCH_NEW;
    core->batches[i].next = NONE;
    *(core->new_first == NONE ? &core->new_first : &core->batches[core->new_last].next) = i;
    core->new_last = i;
    core->new_items += core->batches[i].items;
}

static int32_t queue_pop(struct core *core)
{
    int32_t i = core->new_first;
    core->new_first = core->batches[i].next;
    core->batches[i].state = BATCH_SENT;
    core->new_items -= core->batches[i].items;
    return i;
}

static void batch_free(struct core *core, struct batch *b)
{
    struct session *s = session_by(core, BY_ID, b->session);
    if (s)
        s->unacked_bytes -= b->bytes < s->unacked_bytes ? b->bytes : s->unacked_bytes;
    int32_t me = (int32_t)(b - core->batches), *at = batch_head(core, b->agent, b->number);
    while (*at != me)
        at = &core->batches[*at].next_same;
    *at = b->next_same;
    body_free(core, b->body);
    b->state = BATCH_FREE;
    b->next = core->batch_free;
    core->batch_free = me;
    core->batches_count--;
    core->batches_bytes -= b->bytes;
}

/* ---- coming in ---- */

static struct batch *batch_find(const struct core *core, const struct session *s,
                                const struct msg *m)
{
    for (int32_t i = *batch_head(core, s->agent, m->number); i != NONE;
         i = core->batches[i].next_same) {
        struct batch *b = &core->batches[i];
        if (b->agent == s->agent && b->incarnation == s->incarnation && b->number == m->number &&
            lease_same(b->lease, m->lease))
            return b;
    }
    return NULL;
}

void on_results(struct core *core, struct session *s, const struct msg *m)
{
    struct batch *b = batch_find(core, s, m);
    if (b) { /* sent again while we hold it: the ack goes where it was asked last */
        b->session = s->id;
        body_free(core, m->body);
        return;
    }
    bool room = core->batch_free != NONE &&
                core->batches_bytes + m->bytes <= core->conf.bytes_max &&
                s->unacked_bytes + m->bytes <= 2 * core->conf.window_bytes;
    if (!room) {
        body_free(core, m->body); /* no ack: it comes again */
        return;
    }
    int32_t me = core->batch_free, *head = batch_head(core, s->agent, m->number);
    b = &core->batches[me];
    core->batch_free = b->next;
    *b = (struct batch){ .session = s->id,
                         .incarnation = s->incarnation,
                         .agent = s->agent,
                         .class = s->class,
                         .items = m->items,
                         .bytes = m->bytes,
                         .body = m->body,
                         .number = m->number,
                         .came_ms = core->now_ms,
                         .lease = m->lease,
                         .next_same = *head };
    *head = me;
    s->unacked_bytes += m->bytes;
    core->batches_count++;
    core->batches_bytes += b->bytes;
    queue_put(core, me);
}

void batches_forget(struct core *core)
{
    for (int32_t i = 0; i < core->conf.batches_max && core->batches_count; i++)
        if (core->batches[i].state != BATCH_FREE)
            batch_free(core, &core->batches[i]);
    core->new_first = core->new_last = NONE;
    core->new_items = 0;
}

/* ---- going out ---- */

int64_t flush_due_ms(const struct core *core)
{
    if (core->flushing >= core->conf.flushes)
        return INT64_MAX; /* an answer comes first */
    return core->new_first == NONE ? INT64_MAX
                                   : core->batches[core->new_first].came_ms + core->conf.flush_ms;
}

/* Everybody's batches of the last flush_ms in one statement. */
bool flush_go(struct core *core)
{
    bool full = core->new_items >= core->conf.flush_items;
    int64_t due_ms = flush_due_ms(core);
    if (due_ms == INT64_MAX || (!full && core->now_ms < due_ms))
        return false;
    struct tx *tx = tx_new(core, TX_INGEST);
    if (!tx)
        return false;
    int32_t items = 0;
    while (core->new_first != NONE && tx->count < FLUSH_MAX && items < core->conf.flush_items) {
        int32_t i = queue_pop(core);
        items += core->batches[i].items;
        tx->batches[tx->count++] = i;
    }
    tx_go(core, tx);
    return true;
}

/* ---- answers ---- */

static void batch_answer(struct core *core, struct batch *b, struct verdict_row row)
{
    struct session *s = session_by(core, BY_ID, b->session);
    if (row.done)
        shard_done(core, b->lease.shard);
    if (s && s->state == SES_UP)
        say(core, s,
            (struct msg){ .kind = MSG_ACK,
                          .number = b->number,
                          .lease = b->lease,
                          .verdict = row.verdict,
                          .refusal = row.refusal,
                          .done = row.done });
    batch_free(core, b);
}

void ingest_done(struct core *core, const struct tx *tx, const struct answer *a)
{
    assert(a->count == tx->count);
    for (int32_t i = 0; i < tx->count; i++)
        batch_answer(core, &core->batches[tx->batches[i]], a->verdicts[i]);
}

/* Half of a flush that failed, as a flush of its own; back into the queue when none is free. */
static void half_go(struct core *core, const int32_t *batches, int32_t count)
{
    struct tx *tx = tx_new(core, TX_INGEST);
    for (int32_t i = 0; i < count; i++)
        if (tx)
            tx->batches[tx->count++] = batches[i];
        else
            queue_put(core, batches[i]);
    if (tx)
        tx_go(core, tx);
}

/* One poison row must not hold up its neighbours: the flush is halved until the batch that fails
 * stands alone, and that one is refused. */
void ingest_data(struct core *core, const struct tx *tx)
{
    if (tx->count == 1) {
        struct verdict_row refused = { VERDICT_REJECTED, REFUSAL_INVALID, false };
        batch_answer(core, &core->batches[tx->batches[0]], refused);
        return;
    }
    int32_t half = tx->count / 2;
    half_go(core, tx->batches, half);
    half_go(core, tx->batches + half, tx->count - half);
}
