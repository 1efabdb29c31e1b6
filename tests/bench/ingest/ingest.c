/* ingest.c - rows a second of response_ingest beside a bare insert of the same arrays.
 *
 * ingest CONNINFO CONNECTIONS ROWS SECONDS ROUNDS: each round measures the bare insert and
 * response_ingest one after the other, each with CONNECTIONS processes that flush ROWS rows at a
 * time. A flush is what a coordinator sends: batches of 20 rows of different shards, 4 requests a
 * row. */
#include "coordinator/store/db.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/clock.h"

enum { SHARD_ITEMS = 100, BATCH_ROWS = 20, REQUESTS = 4, ROWS_MAX = 2000, PLAN_ITEMS = 1000000 };
enum { CONNECTIONS_MAX = 4, ROUNDS_MAX = 99 };

struct bench {
    const char *conninfo;
    int64_t epoch;
    int32_t agent, class_id;
    int64_t first_shard[CONNECTIONS_MAX];
    int rows;
    double seconds;
    /* Shared with the workers: what each has sent so far, by kind, and what it did in this pass. */
    struct shared {
        int64_t flushes[2][CONNECTIONS_MAX], done[CONNECTIONS_MAX];
        double worst_ms[CONNECTIONS_MAX];
    } * shared;
};

struct flush {
    int batches, rows;
    int32_t agent[ROWS_MAX], lease_epoch[ROWS_MAX], class_id[ROWS_MAX];
    int64_t shard[ROWS_MAX];
    int32_t batch[ROWS_MAX], item[ROWS_MAX], requests[ROWS_MAX];
    int64_t hash[ROWS_MAX];
    double loglik[ROWS_MAX * REQUESTS];
    bool greedy[ROWS_MAX * REQUESTS];
    int32_t tokens[ROWS_MAX * REQUESTS];
};

static const char *const sql_fenced = "select sum(n_new) as n from response_ingest($1, $2, $3, $4, "
                                      "$5, $6, $7, '{}', '{}', $8, $9, $10, "
                                      "$11, $12, '{}', '{}')";

/* The same arrays, the same slicing, the same conflict clause, and nothing else. */
static const char *const sql_raw =
    "with f as materialized (select $10::float8[] as ll, $11::bool[] as gr, $12::int[] as nt), "
    "i as (select u.*, (u.no * 4)::int as hi from unnest($6::int[], $7::int[], $8::int[], "
    "$9::bigint[]) "
    "with ordinality u(batch, item_no, n, hash, no)), "
    "w as (insert into koeval.bench_raw select hash, ($2::int[])[1], item_no, 1, 1, 1, 0, "
    "f.ll[hi - 3 : hi], f.gr[hi - 3 : hi], f.nt[hi - 3 : hi], null, null from i, f "
    "where $1::bigint is not null and $3::bigint[] is not null and $4::int[] is not null "
    "and $5::int[] is not null on conflict do nothing returning 1) select count(*) as n from w";

static void die(const char *what, const struct err *err)
{
    fprintf(stderr, "ingest: %s: %s\n", what, err->text);
    exit(1);
}

/* Number `at` of connection `me`: five flushes walk through the same shards, 20 items of each. */
static void flush_fill(struct flush *f, const struct bench *b, int me, bool raw, int64_t at)
{
    f->batches = b->rows / BATCH_ROWS;
    f->rows = 0;
    for (int i = 0; i < f->batches; i++) {
        int64_t shard = at / 5 * f->batches + i;
        f->agent[i] = raw ? me + 1 : b->agent;
        f->lease_epoch[i] = 1;
        f->class_id[i] = b->class_id;
        f->shard[i] = b->first_shard[me] + shard;
        for (int j = 0; j < BATCH_ROWS; j++, f->rows++) {
            int32_t item = (int32_t)(shard * SHARD_ITEMS + at % 5 * BATCH_ROWS + j);
            f->batch[f->rows] = i + 1;
            f->item[f->rows] = item;
            f->requests[f->rows] = REQUESTS;
            f->hash[f->rows] = item * 0x9E3779B97F4A7C1;
            for (int q = 0; q < REQUESTS; q++) {
                int k = f->rows * REQUESTS + q;
                f->loglik[k] = -1e-3 * (double)((uint32_t)item * 2654435761u + (uint32_t)q) / 3e5;
                f->greedy[k] = q == 0;
                f->tokens[k] = 1 + (item + q) % 7;
            }
        }
    }
}

static void flush_send(struct db *db, const struct flush *f, const struct bench *b, bool raw)
{
    struct err err = { 0 };
    AUTO(rows_free) struct rows *rows = NULL;
    size_t n = (size_t)f->batches, k = (size_t)f->rows, r = k * REQUESTS;
    if (!db_call(&rows, db, raw ? sql_raw : sql_fenced,
                 ARGS(I64(b->epoch), I32S(f->agent, n), I64S(f->shard, n), I32S(f->lease_epoch, n),
                      I32S(f->class_id, n), I32S(f->batch, k), I32S(f->item, k),
                      I32S(f->requests, k), I64S(f->hash, k), F64S(f->loglik, r),
                      BOOLS(f->greedy, r), I32S(f->tokens, r)),
                 &err))
        die(raw ? "raw" : "response_ingest", &err);
    if (rows_i64(rows, 0, "n") != f->rows) {
        fprintf(stderr, "ingest: %d of %d rows were new\n", (int)rows_i64(rows, 0, "n"), f->rows);
        exit(1);
    }
}

static void worker(const struct bench *b, int me, bool raw)
{
    struct err err = { 0 };
    AUTO(db_close) struct db *db = NULL;
    if (!db_open(&db, b->conninfo, "koeval_coordinator", &err))
        die("connect", &err);
    struct flush *f = must_calloc(1, sizeof(*f));
    int64_t end = clock_monotonic_us() + (int64_t)(b->seconds * 1e6);
    int64_t *at = &b->shared->flushes[raw][me];
    while (clock_monotonic_us() < end && (*at / 5 + 1) * f->batches * SHARD_ITEMS < PLAN_ITEMS) {
        flush_fill(f, b, me, raw, (*at)++);
        int64_t since = clock_monotonic_us();
        flush_send(db, f, b, raw);
        double ms = (double)(clock_monotonic_us() - since) / 1e3;
        if (ms > b->shared->worst_ms[me])
            b->shared->worst_ms[me] = ms;
        b->shared->done[me] += f->rows;
    }
    exit(0);
}

/* Rows a second over all connections. */
static double pass(const struct bench *b, int connections, bool raw, double *worst_ms)
{
    memset(b->shared->done, 0, sizeof(b->shared->done));
    memset(b->shared->worst_ms, 0, sizeof(b->shared->worst_ms));
    int64_t since = clock_monotonic_us();
    for (int i = 0; i < connections; i++)
        if (!fork())
            worker(b, i, raw);
    int status, failed = 0;
    while (wait(&status) > 0)
        failed |= status;
    if (failed)
        exit(1);
    double seconds = (double)(clock_monotonic_us() - since) / 1e6;
    int64_t rows = 0;
    *worst_ms = 0;
    for (int i = 0; i < connections; i++) {
        rows += b->shared->done[i];
        if (b->shared->worst_ms[i] > *worst_ms)
            *worst_ms = b->shared->worst_ms[i];
    }
    return (double)rows / seconds;
}

/* Leads, says hello, and claims every shard; the leader's connection stays open: it holds the lock.
 */
static struct db *prepare(struct bench *b)
{
    struct err err = { 0 };
    struct db *db = NULL;
    AUTO(rows_free) struct rows *lead = NULL;
    AUTO(rows_free) struct rows *hello = NULL;
    if (!db_open(&db, b->conninfo, "koeval_coordinator", &err) ||
        !db_exec(db, "select pg_advisory_lock(7411000)", &err) ||
        !db_call(&lead, db, "select coordinator_lead('bench') as epoch", NO_ARGS, &err))
        die("lead", &err);
    b->epoch = rows_i64(lead, 0, "epoch");
    if (!db_call(&hello, db,
                 "select * from agent_hello($1, sha256('bench'), 0, gen_random_uuid(), "
                 "sha256('class'), '{}', '{}')",
                 ARGS(I64(b->epoch)), &err))
        die("hello", &err);
    b->agent = (int32_t)rows_i64(hello, 0, "agent_id");
    b->class_id = (int32_t)rows_i64(hello, 0, "class_id");
    for (int i = 0; i < CONNECTIONS_MAX; i++) {
        AUTO(rows_free) struct rows *claim = NULL;
        if (!db_call(&claim, db,
                     "select min(shard_id) as first, count(*) as n from shard_claim($1, $2, $3, "
                     "$4, '1 d')",
                     ARGS(I64(b->epoch), I64(b->agent), I64(i + 1), I64(PLAN_ITEMS / SHARD_ITEMS)),
                     &err))
            die("claim", &err);
        b->first_shard[i] = rows_i64(claim, 0, "first");
    }
    return db;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, int count)
{
    qsort(values, (size_t)count, sizeof(*values), by_value);
    return values[count / 2];
}

int main(int argc, char **argv)
{
    assert(argc == 6);
    int connections = (int)strtol(argv[2], NULL, 10), rounds = (int)strtol(argv[5], NULL, 10);
    struct bench b = { .conninfo = argv[1],
                       .rows = (int)strtol(argv[3], NULL, 10),
                       .seconds = strtod(argv[4], NULL) };
    assert(connections >= 1 && connections <= CONNECTIONS_MAX && b.rows <= ROWS_MAX);
    assert(rounds >= 1 && rounds <= ROUNDS_MAX);
    b.shared =
        mmap(NULL, sizeof(*b.shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    AUTO(db_close) struct db *leader = prepare(&b);

    double raw[ROUNDS_MAX], fenced[ROUNDS_MAX], ratio[ROUNDS_MAX], worst = 0;
    for (int i = 0; i < rounds; i++) {
        double ms;
        raw[i] = pass(&b, connections, true, &ms);
        fenced[i] = pass(&b, connections, false, &ms);
        worst = ms > worst ? ms : worst;
        ratio[i] = fenced[i] / raw[i];
        printf(
            "round %d: insert %.0f, response_ingest %.0f rows/s, ratio %.2f, worst flush %.0f ms\n",
            i + 1, raw[i], fenced[i], ratio[i], ms);
        fflush(stdout);
    }
    printf("| connections x rows a flush | bare insert rows/s | response_ingest rows/s | ratio | "
           "worst "
           "flush ms |\n|---|---|---|---|---|\n");
    printf("| %d x %d | %.0f | %.0f | %.2f | %.0f |\n", connections, b.rows, median(raw, rounds),
           median(fenced, rounds), median(ratio, rounds), worst);
    return 0;
}
