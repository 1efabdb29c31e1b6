/* main.c - koeval-agent: settings -> link -> wait for SIGTERM. */
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/infer/selftest.h"
#include "agent/link.h"
#include "common/conf.h"
#include "common/endpoint.h"
#include "common/log.h"
#include "common/secret.h"
#include "common/version.h"
#include "proto/wire.h"

#define TEXT(x)  TEXT_(x)
#define TEXT_(x) #x

struct settings {
    struct conf_list connect, models;
    char *server_key, *key, *device, *packed, *model;
    int64_t slot, shards, threads, memory, wave_rows;
    int64_t silent_ms, resend_ms, unit_ms, drain_ms, refused_ms, refusals, rescan_ms;
    char *lock_memory;
    bool debug, selftest, selftest_fault;
};

#define AT(field) offsetof(struct settings, field)

/* clang-format off */
static const struct conf_setting settings_table[] = {
    { "connect", CONF_LIST, AT(connect), "tcp://127.0.0.1:7411", "ENDPOINT",
      "the coordinator, then its standbys", 0, 0, false },
    { "server-key", CONF_TEXT, AT(server_key), NULL, "FILE",
      "public key of the coordinator", 0, 0, false },
    { "key", CONF_TEXT, AT(key), NULL, "FILE",
      "key pair of this node, made by koeval key new", 0, 0, false },
    { "slot", CONF_INT, AT(slot), "0", "N", "which agent of this node it is", 0, 32767, false },
    { "models", CONF_LIST, AT(models), NULL, "DIR",
      "folders that hold model folders", 0, 0, false },
    { "device", CONF_TEXT, AT(device), "cpu", "NAME", "where models run", 0, 0, false },
    { "threads", CONF_INT, AT(threads), "1", "N",
      "compute threads; no bit depends on them", 1, 1024, false },
    { "memory", CONF_INT, AT(memory), "0", "BYTES",
      "for weights and waves together; 0: no limit", 0, INT64_MAX, false },
    { "packed", CONF_TEXT, AT(packed), NULL, "DIR",
      "packed weights, shared by the agents of a host; removable", 0, 0, false },
    { "wave-rows", CONF_INT, AT(wave_rows), "0", "N",
      "most tokens of a wave; 0: default", 0, 1 << 24, false },
    { "shards", CONF_INT, AT(shards), "2", "N",
      "shards it holds at once, one of them computed", 1, HELD_MAX, false },
    { "unit-ms", CONF_INT, AT(unit_ms), "20000", "MS",
      "how much work a crash may cost", 100, 3600000, false },
    { "drain-ms", CONF_INT, AT(drain_ms), "60000", "MS",
      "how long a unit may still run after SIGTERM", 0, 3600000, false },
    { "silent-ms", CONF_INT, AT(silent_ms), "15000", "MS",
      "no word for so long: connect anew", 200, 600000, false },
    { "resend-ms", CONF_INT, AT(resend_ms), "10000", "MS",
      "an unacknowledged batch goes again", 100, 600000, false },
    { "refused-ms", CONF_INT, AT(refused_ms), "60000", "MS",
      "wait after our key was refused", 100, 3600000, false },
    { "refusals", CONF_INT, AT(refusals), "5", "N",
      "exit 6 after so many; 0: try for ever", 0, 1000000, false },
    { "rescan-ms", CONF_INT, AT(rescan_ms), "60000", "MS",
      "look for new models this often", 100, 86400000, false },
    { "lock-memory", CONF_TEXT, AT(lock_memory), "auto", SECRET_MODES,
      "keep prompts out of swap; auto: where the system allows it, on a CPU", 0, 0, false },
    { "selftest", CONF_FLAG, AT(selftest), "no", "yes|no",
      "count differing bits under other schedules, and end", 0, 0, false },
    { "selftest-fault", CONF_FLAG, AT(selftest_fault), "no", "yes|no",
      "the same with a fault planted: some bits must differ", 0, 0, false },
    { "model", CONF_TEXT, AT(model), NULL, "DIR", "the self-test's model folder", 0, 0, false },
    { "debug", CONF_FLAG, AT(debug), "no", "yes|no", "log events of level D too", 0, 0, false },
};
/* clang-format on */

static bool folder_check(const char *path, struct err *err)
{
    struct stat st;
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        return err_set(err, ERR_INPUT, "models: '%s' is no folder that can be entered", path);
    return true;
}

static bool settings_check(const void *settings, struct err *err)
{
    const struct settings *s = settings;
    if (s->selftest || s->selftest_fault)
        return s->model || err_set(err, ERR_INPUT, "--model DIR is needed");
    if (!s->server_key || !s->key)
        return err_set(err, ERR_INPUT, "--%s FILE is needed", s->server_key ? "key" : "server-key");
    if (!s->models.count)
        return err_set(err, ERR_INPUT, "--models DIR is needed");
    for (int32_t i = 0; i < s->connect.count; i++)
        if (!endpoint_check(s->connect.items[i], err))
            return err_wrap(err, "connect");
    for (int32_t i = 0; i < s->models.count; i++)
        if (!folder_check(s->models.items[i], err))
            return false;
    enum secret_mode mode;
    return secret_mode(&mode, s->lock_memory, err);
}

static const struct conf_table table = {
    .program = "koeval-agent",
    .purpose = "computes shards for a koeval-coordinator",
    .version = "koeval-agent " KOEVAL_VERSION "\nprotocol " TEXT(WIRE_VERSION),
    .settings = settings_table,
    .count = COUNT(settings_table),
    .check = settings_check,
};

/* Without the lock the agent runs all the same, unless it was asked not to. */
static bool lock_memory(const struct settings *s, struct err *err)
{
    enum secret_mode mode;
    struct err why = { 0 };
    if (!secret_mode(&mode, s->lock_memory, err))
        return false;
    bool cpu = !strcmp(s->device, "cpu");
    if (mode == SECRET_NO || (mode == SECRET_AUTO && !cpu))
        /* A driver maps far more than it uses, and pins what it needs. */
        err_put(&why, ERR_RETRY, cpu ? "lock-memory = no" : "another device than cpu");
    else if (secret_lock(&why))
        return true;
    if (mode == SECRET_YES)
        return err_set(err, ERR_INPUT, "lock-memory = yes: %s", why.text);
    log_event(LOG_WARN, "memory.swappable", "why=\"%s\"", why.text);
    return true;
}

/* Before any thread is: they inherit it, and signals come through signalfd alone. */
static void signals_block(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
}

static struct engine_conf engine_conf_of(const struct settings *s)
{
    return (struct engine_conf){ .device = s->device,
                                 .threads = (int32_t)s->threads,
                                 .memory_bytes = s->memory,
                                 .packed = s->packed,
                                 .wave_rows = (int32_t)s->wave_rows };
}

static struct link_conf conf_of(const struct settings *s)
{
    struct link_conf conf = {
        .core = agent_conf_default,
        .engine = engine_conf_of(s),
        .endpoints = s->connect.items,
        .roots = s->models.items,
        .roots_count = s->models.count,
        .rescan_ms = s->rescan_ms,
        .server_key = s->server_key,
        .key = s->key,
        .build = "koeval-agent " KOEVAL_VERSION,
    };
    conf.core.endpoints = s->connect.count;
    conf.core.slot = (int32_t)s->slot;
    conf.core.shards = (int32_t)s->shards;
    conf.core.silent_ms = s->silent_ms;
    conf.core.resend_ms = s->resend_ms;
    conf.core.unit_ms = s->unit_ms;
    conf.core.drain_ms = s->drain_ms;
    conf.core.refused_ms = s->refused_ms;
    conf.core.refusals_max = (int32_t)s->refusals;
    return conf;
}

static void line_print(void *self, const char *line)
{
    (void)self;
    puts(line);
    fflush(stdout);
}

/* Exit code 1 when a bit differs, with a fault planted too: that is what it is for. */
static bool selftest(const struct settings *s, int *code, struct err *err)
{
    const struct selftest test = {
        .engine = engine_conf_of(s), .dir = s->model, .fault = s->selftest_fault, .say = line_print
    };
    struct selftest_result result;

    if (!selftest_run(&result, &test, err))
        return false;
    printf("%d schedules, %lld bits compared, %lld bits differ\n", result.schedules,
           (long long)result.compared, (long long)result.differing);
    *code = result.differing || !result.known ? EXIT_FAILURE : EXIT_SUCCESS;
    return true;
}

static bool run(const struct settings *settings, int *code, struct err *err)
{
    if (settings->selftest || settings->selftest_fault)
        return selftest(settings, code, err);
    const struct link_conf conf = conf_of(settings);
    if (settings->debug)
        log_level_set(LOG_DEBUG);
    signals_block();
    return lock_memory(settings, err) && link_run(&conf, code, err);
}

int main(int argc, char **argv)
{
    struct settings settings;
    struct err err = { 0 };
    enum conf_outcome outcome = CONF_RUN;
    int code = EXIT_SUCCESS;
    if (!secret_begin(&err)) {
        fprintf(stderr, "koeval-agent: %s\n", err.text);
        return 1;
    }
    bool usage = !conf_load(&settings, &outcome, &table, argc, argv, &err);
    bool good = !usage && (outcome == CONF_PRINTED || run(&settings, &code, &err));
    conf_free(&settings, &table);
    if (good)
        return code;
    fprintf(stderr, "koeval-agent: %s\n", err.text);
    return usage ? 2 : 1;
}
