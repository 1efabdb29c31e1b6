#include "coordinator/loop_state.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "common/clock.h"
#include "common/log.h"
#include "coordinator/store/migrate.h"

#define AUX_MS    30000
#define FAILED_MS 30000

/* ---- the list ---- */

/* When it is full, what is dropped is asked again by time: keys, jobs and shelves are all polled,
 * and a child whose end was not told is found by its lease. */
void aux_put(struct loop *loop, struct aux aux)
{
    if (loop->aux_count == AUX_MAX) {
        free(aux.digests);
        return;
    }
    loop->aux_list[(loop->aux_first + loop->aux_count++) % AUX_MAX] = aux;
}

static void aux_pop(struct loop *loop)
{
    free(loop->aux_list[loop->aux_first].digests);
    loop->aux_list[loop->aux_first].digests = NULL;
    loop->aux_first = (loop->aux_first + 1) % AUX_MAX;
    loop->aux_count--;
    loop->aux_busy = false;
}

void aux_free(struct loop *loop)
{
    while (loop->aux_count)
        aux_pop(loop);
    free(loop->keys);
}

/* ---- keys ---- */

bool key_known(const struct loop *loop, int32_t key_id)
{
    for (int32_t lo = 0, hi = loop->keys_count; lo < hi;) {
        int32_t mid = lo + (hi - lo) / 2;
        if (loop->keys[mid].key_id == key_id)
            return true;
        if (loop->keys[mid].key_id < key_id)
            lo = mid + 1;
        else
            hi = mid;
    }
    return false;
}

static void keys_take(struct loop *loop, struct store_key *keys, int32_t count)
{
    struct store_key *old = loop->keys;
    int32_t old_count = loop->keys_count;
    loop->keys = keys;
    loop->keys_count = count;
    loop->store.keys = keys;
    loop->store.keys_count = count;

    struct zap_key *table = must_calloc((size_t)count, sizeof(*table));
    for (int32_t i = 0; i < count; i++) {
        table[i].key_id = keys[i].key_id;
        memcpy(table[i].key, keys[i].pubkey, sizeof(table[i].key));
    }
    zap_load(loop->zap, table, (size_t)count);
    free(table);

    for (int32_t i = 0; i < old_count; i++)
        if (!key_known(loop, old[i].key_id)) {
            log_event(LOG_INFO, "key.revoked", "key=%d", old[i].key_id);
            loop_step(loop, (struct event){ .kind = EV_REVOKED, .key = old[i].key_id });
        }
    free(old);
}

static void keys_read(struct loop *loop, struct rows *rows)
{
    int32_t count = 0, all = rows_count(rows);
    struct store_key *keys = must_calloc((size_t)all, sizeof(*keys));
    for (int32_t i = 0; i < all; i++) {
        size_t size = 0;
        const void *pubkey = rows_bytes(rows, i, "pubkey", &size);
        if (size != sizeof(keys->pubkey))
            continue;
        keys[count].key_id = (int32_t)rows_i64(rows, i, "key_id");
        memcpy(keys[count++].pubkey, pubkey, size);
    }
    if (count != loop->keys_count || !loop->keys)
        log_event(LOG_INFO, "key.table", "keys=%d", count);
    keys_take(loop, keys, count);
    /* A key that was rotated ends at its time, not at the next poll after it. */
    if (all && !rows_null(rows, 0, "next_ms")) {
        int64_t at = clock_monotonic_ms() + rows_i64(rows, 0, "next_ms") + 1;
        loop->keys_ms = at < loop->keys_ms ? at : loop->keys_ms;
    }
}

/* ---- jobs ---- */

static void job_over(struct loop *loop, const struct job *job, int status)
{
    aux_put(loop, (struct aux){ .kind = AUX_JOB_OVER,
                                .job_kind = job->kind,
                                .job_id = job->job_id,
                                .attempt = job->attempt,
                                .status = status });
}

static void job_start(struct loop *loop, enum job_kind kind, const struct rows *rows)
{
    struct err err = { 0 };
    struct job job = { .kind = kind,
                       .job_id = rows_i64(rows, 0, "job_id"),
                       .attempt = (int32_t)rows_i64(rows, 0, "attempt") };
    if (jobs_start(&loop->jobs, kind, job.job_id, job.attempt, clock_monotonic_ms(), &err)) {
        log_event(LOG_INFO, "job.start", "kind=%s job=%lld attempt=%d key=%lld",
                  job_kind_name(kind), (long long)job.job_id, job.attempt,
                  (long long)rows_i64(rows, 0, "key"));
        loop->jobs_ms = 0; /* there may be another */
        return;
    }
    log_event(LOG_ERROR, "job.unstarted", "kind=%s job=%lld why=\"%s\"", job_kind_name(kind),
              (long long)job.job_id, err.text);
    job_over(loop, &job, 127 << 8); /* as a shell says of what it cannot run */
}

void jobs_reap(struct loop *loop)
{
    int status = 0;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        struct job job;
        if (!jobs_end(&job, &loop->jobs, pid))
            continue;
        log_event(status ? LOG_WARN : LOG_INFO, "job.end",
                  "kind=%s job=%lld attempt=%d exit=%d signal=%d ms=%lld", job_kind_name(job.kind),
                  (long long)job.job_id, job.attempt, WIFEXITED(status) ? WEXITSTATUS(status) : 0,
                  WIFSIGNALED(status) ? WTERMSIG(status) : 0,
                  (long long)(clock_monotonic_ms() - job.started_ms));
        if (status)
            job_over(loop, &job, status);
        loop->jobs_ms = 0;
    }
}

/* ---- one call at a time ---- */

static void send_over(struct loop *loop, const struct aux *a, int64_t now_ms)
{
    char why[64];
    if (WIFSIGNALED(a->status))
        snprintf(why, sizeof(why), "the child was ended by signal %d", WTERMSIG(a->status));
    else
        snprintf(why, sizeof(why), "the child ended with exit code %d", WEXITSTATUS(a->status));
    pg_send(loop->aux, "select job_fail($1, $2, $3)",
            ARGS(I64(a->job_id), I64(a->attempt), TEXT(why)), now_ms, AUX_MS);
}

static void send_models(struct loop *loop, const struct aux *a, int64_t now_ms)
{
    const void *digests[WIRE_MODELS_MAX];
    size_t sizes[WIRE_MODELS_MAX];
    for (int32_t i = 0; i < a->digests_count; i++) {
        digests[i] = a->digests[i];
        sizes[i] = sizeof(a->digests[i]);
    }
    pg_send(loop->aux, "select agent_models($1, $2, $3)",
            ARGS(I64(core_epoch(loop->core)), I64(a->agent),
                 BYTESS(digests, sizes, (size_t)a->digests_count)),
            now_ms, AUX_MS);
}

static void aux_send(struct loop *loop, const struct aux *a, int64_t now_ms)
{
    uint8_t digest[SCHEMA_DIGEST_SIZE];
    loop->aux_busy = true;
    switch (a->kind) {
    case AUX_SCHEMA:
        schema_digest(digest);
        pg_send(loop->aux, "select schema_check($1)", ARGS(BYTES(digest, sizeof(digest))), now_ms,
                AUX_MS);
        break;
    case AUX_KEYS:
        pg_send(loop->aux, "select * from key_good()", NO_ARGS, now_ms, AUX_MS);
        break;
    case AUX_JOB_CLAIM:
        pg_send(loop->aux,
                "select * from job_claim($1::job_kind, $2, $3::bigint * interval '1 ms')",
                ARGS(TEXT(job_kind_name(a->job_kind)), TEXT(loop->conf.holder),
                     I64(loop->conf.job_lease_ms)),
                now_ms, AUX_MS);
        break;
    case AUX_JOB_RENEW:
        pg_send(loop->aux, "select job_renew($1, $2, $3::bigint * interval '1 ms')",
                ARGS(I64(a->job_id), I64(a->attempt), I64(loop->conf.job_lease_ms)), now_ms,
                AUX_MS);
        break;
    case AUX_JOB_OVER:
        send_over(loop, a, now_ms);
        break;
    case AUX_MODELS:
        send_models(loop, a, now_ms);
        break;
    }
}

static void schema_answer(struct loop *loop, const struct pg_answer *answer)
{
    bool again = answer->sqlstate[0] && answer->err.code == ERR_RETRY;
    if (!answer->sqlstate[0]) {
        loop->schema_known = true;
        loop->keys_ms = loop->jobs_ms = 0;
    } else if (!again) { /* KE006, or not even such a function */
        loop->refused = true;
        loop->refusal = answer->err;
        err_wrap(&loop->refusal, "schema");
    }
}

/* A claim or an end that failed is tried again by time; that a job's attempt is over (KE001) is
 * what a child has said itself. */
static void aux_answer(struct loop *loop, struct pg_answer *answer)
{
    AUTO(rows_free) struct rows *rows = TAKE(answer->rows);
    struct aux a = loop->aux_list[loop->aux_first];
    if (answer->sqlstate[0] && a.kind != AUX_SCHEMA && strcmp(answer->sqlstate, "KE001"))
        log_event(LOG_WARN, "aux.failed", "kind=%d state=%s why=\"%s\"", (int)a.kind,
                  answer->sqlstate, answer->err.text);
    if (a.kind == AUX_SCHEMA)
        schema_answer(loop, answer);
    else if (a.kind == AUX_KEYS && rows)
        keys_read(loop, rows);
    else if (a.kind == AUX_JOB_CLAIM && rows && rows_count(rows))
        job_start(loop, a.job_kind, rows);
    aux_pop(loop);
}

/* What stands in the list stays there: none of it does harm when it is said twice. */
static void aux_lost(struct loop *loop) { loop->aux_busy = false; }

/* Said once for all connections, and then seldom. */
static void aux_failed(struct loop *loop, const struct pg_answer *answer, int64_t now_ms)
{
    if (now_ms < loop->failed_ms)
        return;
    loop->failed_ms = now_ms + FAILED_MS;
    log_event(LOG_WARN, "postgres.away", "why=\"%s\"", answer->err.text);
}

static void aux_up(struct loop *loop)
{
    log_event(LOG_INFO, "postgres.up", "lane=aux");
    loop->failed_ms = 0;
    loop->keys_ms = loop->jobs_ms = 0; /* notifications may have been missed */
    if (!loop->schema_known)
        aux_put(loop, (struct aux){ .kind = AUX_SCHEMA });
    loop_step(loop, (struct event){ .kind = EV_WORK });
}

static void noticed(struct loop *loop)
{
    if (!strcmp(pg_channel(loop->aux), "koeval_key"))
        loop->keys_ms = 0;
    loop->jobs_ms = 0;
    loop_step(loop, (struct event){ .kind = EV_WORK });
}

void aux_step(struct loop *loop, int64_t now_ms)
{
    struct pg_answer answer;
    for (enum pg_event event; (event = pg_step(loop->aux, now_ms, &answer)) != PG_NOTHING;)
        if (event == PG_UP)
            aux_up(loop);
        else if (event == PG_ANSWER)
            aux_answer(loop, &answer);
        else if (event == PG_LOST)
            aux_lost(loop);
        else if (event == PG_FAILED)
            aux_failed(loop, &answer, now_ms);
        else
            noticed(loop);
}

/* ---- what is due ---- */

static void claims_due(struct loop *loop, int64_t now_ms)
{
    loop->jobs_ms = now_ms + loop->conf.poll_ms;
    if (core_role(loop->core) != ROLE_LEADING || loop->leaving || !jobs_room(&loop->jobs))
        return;
    for (int kind = 0; kind < JOB_KINDS; kind++)
        aux_put(loop, (struct aux){ .kind = AUX_JOB_CLAIM, .job_kind = (enum job_kind)kind });
}

static void renewals_due(struct loop *loop, int64_t now_ms)
{
    loop->renew_ms = now_ms + loop->conf.job_lease_ms / 3;
    for (int32_t i = 0; i < loop->jobs.most; i++)
        if (loop->jobs.list[i].pid)
            aux_put(loop, (struct aux){ .kind = AUX_JOB_RENEW,
                                        .job_id = loop->jobs.list[i].job_id,
                                        .attempt = loop->jobs.list[i].attempt });
}

int64_t aux_due_ms(const struct loop *loop)
{
    if (!pg_is_up(loop->aux) || !loop->schema_known)
        return INT64_MAX;
    int64_t at = loop->keys_ms < loop->jobs_ms ? loop->keys_ms : loop->jobs_ms;
    return at < loop->renew_ms ? at : loop->renew_ms;
}

static void aux_due(struct loop *loop, int64_t now_ms)
{
    if (now_ms >= loop->keys_ms) {
        loop->keys_ms = now_ms + 10 * loop->conf.poll_ms;
        aux_put(loop, (struct aux){ .kind = AUX_KEYS });
    }
    if (now_ms >= loop->renew_ms)
        renewals_due(loop, now_ms);
    if (now_ms >= loop->jobs_ms)
        claims_due(loop, now_ms);
}

/* A claim for which there is no room any more is passed over. */
static bool is_void(const struct loop *loop, const struct aux *a)
{
    return a->kind == AUX_JOB_CLAIM && (!jobs_room(&loop->jobs) || loop->leaving);
}

void aux_turn(struct loop *loop, int64_t now_ms)
{
    if (now_ms >= aux_due_ms(loop))
        aux_due(loop, now_ms);
    while (loop->aux_count && !loop->aux_busy && is_void(loop, &loop->aux_list[loop->aux_first]))
        aux_pop(loop);
    if (loop->aux_count && !loop->aux_busy && pg_idle(loop->aux))
        aux_send(loop, &loop->aux_list[loop->aux_first], now_ms);
}
