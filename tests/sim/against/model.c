/* model.c - the simulator's database as a program, so that it can be compared with the real one.
 *
 * One command a line, numbers only; each is answered by one line, `dump` by the rows and a line
 * "end".  tests/sim/against/run writes the same commands to PostgreSQL.  Times are milliseconds. */
#include "tests/sim/db.h"

#include <stdio.h>
#include <string.h>

static struct db db;
static struct db_answer answer;

static int64_t next(void)
{
    long long value = 0;
    if (scanf("%lld", &value) != 1)
        exit(1);
    return value;
}

static void say_leases(void)
{
    printf("%d", answer.answer.count);
    for (int32_t i = 0; i < answer.answer.count; i++)
        printf(" %lld %d", (long long)answer.answer.leases[i].shard, answer.answer.leases[i].epoch);
    printf("\n");
}

static void lease_next(struct tx *tx)
{
    tx->lease.shard = next();
    tx->lease.epoch = (int32_t)next();
    tx->agent = (int32_t)next();
}

/* ---- commands: each reads its own numbers ---- */

static void do_hello(void)
{
    int64_t now = next();
    int32_t key = (int32_t)next(), class = (int32_t)next();
    if (db_hello(&db, now, key, class, (uint64_t)next(), &answer))
        say_leases();
    else
        printf("refused\n");
}

static void do_work(void)
{
    db_work(&db, &answer);
    printf("%d", answer.answer.count);
    for (int32_t i = 0; i < answer.answer.count; i++)
        printf(" %d %d %d", answer.works[i].model, answer.works[i].class, answer.works[i].ready);
    printf("\n");
}

static void do_claim(void)
{
    int64_t now = next();
    int32_t lease_ms = (int32_t)next();
    struct tx tx = { .kind = TX_CLAIM };
    tx.agent = (int32_t)next();
    tx.model = (int32_t)next();
    tx.count = (int32_t)next();
    db_claim(&db, now, lease_ms, &tx, &answer);
    printf("%d", answer.answer.count);
    for (int32_t i = 0; i < answer.answer.count; i++) {
        const struct grant *g = &answer.grants[i];
        printf(" %lld %d %d %d %d", (long long)g->lease.shard, g->lease.epoch, g->run, g->lo,
               g->hi);
    }
    printf("\n");
}

static void do_renew(void)
{
    static struct tx tx;
    int64_t now = next();
    int32_t lease_ms = (int32_t)next();
    tx = (struct tx){ .kind = TX_RENEW, .count = (int32_t)next() };
    for (int32_t i = 0; i < tx.count; i++) {
        tx.leases[i].shard = next();
        tx.leases[i].epoch = (int32_t)next();
        tx.agents[i] = (int32_t)next();
    }
    db_renew(&db, now, lease_ms, &tx, &answer);
    say_leases();
}

static void do_expire(void)
{
    int64_t now = next();
    printf("%d\n", db_expire(&db, now, (int32_t)next()));
}

static void do_fail(void)
{
    struct tx tx = { .kind = TX_FAIL };
    int64_t now = next();
    lease_next(&tx);
    tx.reason = (enum reason)next();
    db_fail(&db, now, &tx);
    printf("ok\n");
}

static void do_items(void)
{
    struct tx tx = { .kind = TX_ITEMS };
    struct db_items items;
    lease_next(&tx);
    tx.from = (int32_t)next();
    db_items(&db, &tx, &items);
    printf("%d", items.count);
    for (int32_t i = 0; i < items.count; i++)
        printf(" %d", items.no[i]);
    printf("\n");
}

static void batch_next(struct db_batch *b)
{
    *b = (struct db_batch){ .agent = (int32_t)next() };
    b->class = (int32_t)next();
    b->lease.shard = next();
    b->lease.epoch = (int32_t)next();
    b->count = (int32_t)next();
    for (int32_t i = 0; i < b->count; i++) {
        b->rows[i].item_no = (int32_t)next();
        b->rows[i].reason = (enum reason)next();
        b->rows[i].value = (uint64_t)next();
    }
}

static void do_ingest(void)
{
    static struct db_batch batches[FLUSH_MAX];
    int64_t now = next();
    int32_t count = (int32_t)next();
    for (int32_t i = 0; i < count; i++)
        batch_next(&batches[i]);
    if (!db_ingest(&db, now, batches, count, &answer)) {
        printf("check\n");
        return;
    }
    printf("%d", count);
    for (int32_t i = 0; i < count; i++)
        printf(" %d %d %d", answer.verdicts[i].verdict, answer.verdicts[i].refusal,
               answer.verdicts[i].done);
    printf("\n");
}

static void do_revoke(void)
{
    int64_t now = next();
    db_revoke(&db, now, (int32_t)next());
    printf("ok\n");
}

static void do_retry(void) { printf(db_retry(&db, (int32_t)next()) ? "ok\n" : "nothing\n"); }

static void do_drain(void)
{
    int32_t agent = (int32_t)next();
    db.agents[agent].drain = next() != 0;
    printf("ok\n");
}

static void do_seen(void)
{
    int64_t now = next();
    db.agents[next()].seen_ms = now;
    printf("ok\n");
}

/* So much time passes, as everything that was written sees it. */
static void do_pass(void)
{
    int64_t ms = next();
    for (int32_t i = 0; i < SHARDS; i++) {
        db.shards[i].expires_ms -= ms;
        db.shards[i].not_until_ms -= ms;
    }
    for (int32_t a = 1; a <= AGENTS; a++)
        db.agents[a].seen_ms -= ms;
    printf("ok\n");
}

static void do_new(void)
{
    db_init(&db);
    printf("%d %d %d %d\n", RUNS, ITEMS, SHARD_ITEMS, AGENTS);
}

/* ---- rows ---- */

static void dump_shard(int32_t i)
{
    const struct db_shard *s = &db.shards[i];
    printf("shard %d %d %d %d %d %d %d %d %d %d %d %lld %lld\n", i + 1, s->run, s->state, s->epoch,
           s->agent, s->n_done, s->n_error, s->done_at_grant, s->attempts, s->not_agent,
           s->state == SHARD_LEASED, (long long)(s->state == SHARD_LEASED ? s->expires_ms : 0),
           (long long)(s->not_agent ? s->not_until_ms : 0));
    for (int32_t e = 1; e <= s->epoch; e++)
        printf("lease %d %d %d %d\n", i + 1, e, db.leases[i][e].agent, db.leases[i][e].outcome);
}

static void dump_run(int32_t run)
{
    const struct db_run *r = &db.runs[run];
    printf("run %d %d %d %d %d %d %d %d\n", run, r->state, r->class, r->n_shard_done,
           r->n_shard_error, r->n_done, r->n_error, r->generation);
    for (int32_t i = 0; i < ITEMS; i++) {
        const struct db_response *p = &db.responses[run][i];
        if (p->there)
            printf("response %d %d %d %d %d %lld\n", run, i, p->agent, p->class, p->epoch,
                   (long long)p->value);
        if (db.errors[run][i] == r->generation + 1)
            printf("error %d %d\n", run, i);
    }
}

static void do_dump(void)
{
    for (int32_t r = 0; r < RUNS; r++)
        dump_run(r);
    for (int32_t i = 0; i < SHARDS; i++)
        dump_shard(i);
    for (int32_t a = 1; a <= AGENTS; a++)
        printf("agent %d %d %d %d\n", a, db.agents[a].class, (int)db.agents[a].incarnation,
               db.agents[a].drain);
    printf("incident %d\nend\n", db.incidents > 0);
}

static const struct {
    const char *word;
    void (*run)(void);
} commands[] = {
    { "new", do_new },       { "hello", do_hello },   { "work", do_work },   { "claim", do_claim },
    { "renew", do_renew },   { "expire", do_expire }, { "fail", do_fail },   { "items", do_items },
    { "ingest", do_ingest }, { "revoke", do_revoke }, { "retry", do_retry }, { "drain", do_drain },
    { "seen", do_seen },     { "pass", do_pass },     { "dump", do_dump },
};

int main(void)
{
    char word[16];
    while (scanf("%15s", word) == 1) {
        size_t i = 0;
        while (i < COUNT(commands) && strcmp(word, commands[i].word))
            i++;
        if (i == COUNT(commands))
            return 2;
        commands[i].run();
        fflush(stdout);
    }
    return 0;
}
