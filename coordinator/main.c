/* main.c - koeval-coordinator: settings, the key, and the loop. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/endpoint.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/version.h"
#include "coordinator/loop.h"
#include "coordinator/store/migrate.h"
#include "coordinator/zap.h"
#include "proto/wire.h"

/* As the CLI's: 0 it ended as asked, 1 it failed, 2 usage. */
enum { EXIT_DONE, EXIT_FAILED, EXIT_USAGE };

struct settings {
    char *db, *listen, *server_key, *holder, *koeval, *log_level, *trace, *lock_memory;
    int64_t lease_ms, heartbeat_ms, silent_ms, settle_ms, recover_ms, grace_ms, depose_ms;
    int64_t flush_ms, flush_items, window_bytes, batch_items, work_ms, retry_ms, load_ms;
    int64_t agents_max, results_max, ingest, work, jobs, job_lease_ms, poll_ms;
};

#define AT(field) offsetof(struct settings, field)

/* clang-format off */
#define WORD(name, field, fallback, value, needed, help) \
    { name, CONF_TEXT, AT(field), fallback, value, help, 0, 0, needed }
#define NUMBER(name, field, fallback, value, least, most, help) \
    { name, CONF_INT, AT(field), fallback, value, help, least, most, false }

static const struct conf_setting rows[] = {
    WORD("db", db, NULL, "CONNINFO", false,
         "the database, as libpq takes it; without it libpq's environment decides"),
    WORD("listen", listen, "tcp://0.0.0.0:7411", "ENDPOINT", false,
         "where agents connect"),
    WORD("server-key", server_key, NULL, "FILE", true,
         "the coordinator's key, made by `koeval key new`; FILE_secret is read"),
    WORD("holder", holder, NULL, "NAME", false,
         "how this coordinator is called in listings; default HOST:PID"),
    WORD("koeval", koeval, NULL, "FILE", false,
         "the program that runs jobs; default: koeval beside this one"),
    WORD("log-level", log_level, "info", "LEVEL", false,
         "error, warn, info or debug"),
    WORD("trace", trace, NULL, "FILE", false,
         "record what the core is told and decides, as numbers; without it nothing is"),
    WORD("lock-memory", lock_memory, "auto", SECRET_MODES, false,
         "keep items out of swap; auto: where the system allows it"),
    NUMBER("lease-ms", lease_ms, "60000", "MS", 400, 3600000,
           "how long a lease runs without a renewal"),
    NUMBER("heartbeat-ms", heartbeat_ms, "5000", "MS", 100, 60000,
           "how often agents say what they hold"),
    NUMBER("silent-ms", silent_ms, "15000", "MS", 200, 600000,
           "an agent not heard of for so long has no session any more"),
    NUMBER("settle-ms", settle_ms, "5000", "MS", 100, 600000,
           "a grant that no heartbeat names after this was lost on the way"),
    NUMBER("recover-ms", recover_ms, "30000", "MS", 0, 3600000,
           "no lease expires so long after taking the lead"),
    NUMBER("grace-ms", grace_ms, "5000", "MS", 0, 600000,
           "a lease expires so long after its time"),
    NUMBER("depose-ms", depose_ms, "20000", "MS", 1000, 3600000,
           "a leader without heartbeat for so long is put down"),
    NUMBER("flush-ms", flush_ms, "20", "MS", 0, 10000,
           "results wait at most so long for company"),
    NUMBER("flush-items", flush_items, "2000", "N", 1, 100000,
           "so many items are written at once"),
    NUMBER("window-bytes", window_bytes, "1M", "BYTES", 4096, 8 << 20,
           "results that an agent may have sent and not yet seen acknowledged"),
    NUMBER("batch-items", batch_items, "200", "N", 1, WIRE_ITEMS_MAX,
           "items of one batch of results"),
    NUMBER("work-ms", work_ms, "1000", "MS", 50, 600000,
           "how often the database is asked for work"),
    NUMBER("retry-ms", retry_ms, "500", "MS", 10, 600000,
           "a transaction that was rolled back is tried again after this"),
    NUMBER("load-ms", load_ms, "10000", "MS", 100, 600000,
           "how often telemetry is written"),
    NUMBER("agents-max", agents_max, "5000", "N", 1, 100000,
           "sessions at once"),
    NUMBER("results-max", results_max, "256M", "BYTES", 1 << 20, INT64_MAX,
           "results received and not yet written"),
    NUMBER("ingest-connections", ingest, "3", "N", 1, 8,
           "connections that write results"),
    NUMBER("work-connections", work, "3", "N", 1, 16,
           "connections for everything else"),
    NUMBER("jobs", jobs, "2", "N", 0, 16,
           "plan, score and rank jobs at once"),
    NUMBER("job-lease-ms", job_lease_ms, "60000", "MS", 1000, 3600000,
           "a job whose coordinator is gone is taken over after this"),
    NUMBER("poll-ms", poll_ms, "3000", "MS", 50, 600000,
           "how often jobs are asked for; keys ten times as seldom"),
};
/* clang-format on */

static bool check_settings(const void *self, struct err *err)
{
    const struct settings *s = self;
    if (!endpoint_check(s->listen, err))
        return err_wrap(err, "listen");
    if (s->lease_ms < 4 * s->heartbeat_ms)
        return err_set(err, ERR_INPUT, "lease-ms must be at least four times heartbeat-ms");
    enum secret_mode mode;
    if (!secret_mode(&mode, s->lock_memory, err))
        return false;
    if (s->silent_ms < 2 * s->heartbeat_ms)
        return err_set(err, ERR_INPUT, "silent-ms must be at least twice heartbeat-ms");
    static const char *const levels = " error warn info debug ";
    char word[16];
    int n = snprintf(word, sizeof(word), " %.12s ", s->log_level);
    return (n < (int)sizeof(word) && strstr(levels, word)) ||
           err_set(err, ERR_INPUT, "log-level is error, warn, info or debug");
}

static void core_fill(struct core_conf *core, const struct settings *s)
{
    *core = core_conf_default;
    core->lease_ms = (int32_t)s->lease_ms;
    core->heartbeat_ms = (int32_t)s->heartbeat_ms;
    core->silent_ms = (int32_t)s->silent_ms;
    core->settle_ms = (int32_t)s->settle_ms;
    core->recover_ms = (int32_t)s->recover_ms;
    core->flush_ms = (int32_t)s->flush_ms;
    core->flush_items = (int32_t)s->flush_items;
    core->flushes = (int32_t)s->ingest;
    core->window_bytes = (int32_t)s->window_bytes;
    core->batch_items = (int32_t)s->batch_items;
    core->work_ms = (int32_t)s->work_ms;
    core->retry_ms = (int32_t)s->retry_ms;
    core->load_ms = (int32_t)s->load_ms;
    core->sessions_max = (int32_t)s->agents_max;
    core->bytes_max = s->results_max;
}

static void conf_fill(struct loop_conf *conf, const struct settings *s)
{
    core_fill(&conf->core, s);
    conf->db = s->db;
    conf->listen = s->listen;
    conf->trace = s->trace;
    conf->jobs = (int32_t)s->jobs;
    conf->ingest = (int32_t)s->ingest;
    conf->work = (int32_t)s->work;
    conf->grace_ms = (int32_t)s->grace_ms;
    conf->depose_ms = (int32_t)s->depose_ms;
    conf->job_lease_ms = (int32_t)s->job_lease_ms;
    conf->poll_ms = (int32_t)s->poll_ms;
}

static const char *holder_name(char *out, size_t size, const char *given)
{
    char host[128] = "";
    gethostname(host, sizeof(host) - 1);
    if (given)
        snprintf(out, size, "%s", given);
    else
        snprintf(out, size, "%s:%d", host, (int)getpid());
    return out;
}

/* koeval stands in the folder of the program that runs. */
static const char *program_path(char *out, size_t size, const char *given)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    self[n > 0 ? n : 0] = 0;
    char *slash = strrchr(self, '/');
    if (slash)
        *slash = 0;
    if (given)
        snprintf(out, size, "%s", given);
    else
        snprintf(out, size, "%s/koeval", self);
    return out;
}

static void version_fill(char *out, size_t size)
{
    uint8_t digest[SCHEMA_DIGEST_SIZE];
    schema_digest(digest);
    snprintf(out, size, "koeval-coordinator %s\nschema %02x%02x%02x%02x%02x%02x\nprotocol %d",
             KOEVAL_VERSION, digest[0], digest[1], digest[2], digest[3], digest[4], digest[5],
             WIRE_VERSION);
}

static enum log_level level_of(const char *word)
{
    static const char letters[] = "ewid";
    return (enum log_level)(strchr(letters, word[0]) - letters);
}

/* Without the lock it runs all the same, unless it was asked not to. */
static bool lock_memory(const struct settings *s, struct err *err)
{
    enum secret_mode mode;
    struct err why = { 0 };
    if (!secret_mode(&mode, s->lock_memory, err))
        return false;
    if (mode == SECRET_NO)
        err_put(&why, ERR_RETRY, "lock-memory = no");
    else if (secret_lock(&why))
        return true;
    if (mode == SECRET_YES)
        return err_set(err, ERR_INPUT, "lock-memory = yes: %s", why.text);
    log_event(LOG_WARN, "memory.swappable", "why=\"%s\"", why.text);
    return true;
}

static int serve(const struct settings *s)
{
    char holder[200], program[PATH_MAX + 16];
    struct loop_conf conf = { .holder = holder_name(holder, sizeof(holder), s->holder),
                              .program = program_path(program, sizeof(program), s->koeval) };
    struct err err = { 0 };
    conf_fill(&conf, s);
    log_level_set(level_of(s->log_level));
    if (s->db)
        setenv("KOEVAL_DB", s->db, 1); /* for the jobs */

    AUTO(loop_close) struct loop *loop = NULL;
    bool ok = lock_memory(s, &err) && zap_secret(conf.secret_key, s->server_key, &err) &&
              loop_open(&loop, &conf, &err) && loop_run(loop, &err);
    if (!ok)
        log_event(LOG_ERROR, "coordinator.end", "why=\"%s\"", err.text);
    return ok ? EXIT_DONE : EXIT_FAILED;
}

int main(int argc, char **argv)
{
    char version[256];
    version_fill(version, sizeof(version));
    const struct conf_table table = {
        "koeval-coordinator", "leases items to agents, keeps answers", version, rows, COUNT(rows),
        check_settings
    };
    struct settings settings = { 0 };
    enum conf_outcome outcome;
    struct err err = { 0 };
    int code = EXIT_DONE;
    if (!secret_begin(&err)) {
        fprintf(stderr, "koeval-coordinator: %s\n", err.text);
        code = EXIT_FAILED;
    } else if (!conf_load(&settings, &outcome, &table, argc, argv, &err)) {
        fprintf(stderr, "koeval-coordinator: %s\n", err.text);
        code = EXIT_USAGE;
    } else if (outcome == CONF_RUN) {
        code = serve(&settings);
    }
    conf_free(&settings, &table);
    return code;
}
