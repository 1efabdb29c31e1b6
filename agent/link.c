#include "agent/link.h"

#include <openssl/evp.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "agent/link_state.h"
#include "common/clock.h"
#include "common/log.h"
#include "common/secret.h"

#define TURN_MS          50 /* the core's timers are asked this often */
#define BUDGET           64 /* frames of one turn */
#define EXIT_LINGER_MS   500
#define WORKER_LINGER_MS 2000

/* ---- what we say ---- */

static int64_t rss_bytes(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (!file)
        return 0;
    if (fscanf(file, "%*s %ld", &pages) != 1)
        pages = 0;
    fclose(file);
    return (int64_t)pages * sysconf(_SC_PAGESIZE);
}

static void telemetry(struct link *link, Koeval__Heartbeat *beat, Koeval__NodeLoad *node)
{
    struct sysinfo info;
    koeval__heartbeat__init(beat);
    koeval__node_load__init(node);
    node->rss_bytes = (uint64_t)rss_bytes();
    if (sysinfo(&info) == 0)
        node->mem_free_bytes = (uint64_t)info.freeram * info.mem_unit;
    node->items_done = (uint64_t)link->items_done;
    node->tokens_done = (uint64_t)link->tokens_done;
    beat->node = node;
}

static const Koeval__ResultBatch *batch_for(struct link *link, const struct msg *msg)
{
    struct batch *batch = body_get(&link->bodies, msg->body, BODY_BATCH);
    if (msg->reason == REASON_INVALID_RESULT)
        batch_invalidate(batch);
    return batch_columns(batch);
}

/* EAGAIN: not connected yet, or the peer is slow.  Everything that matters comes again. */
static void say(struct link *link, const struct msg *msg)
{
    struct err err = { 0 };
    Koeval__Heartbeat beat;
    Koeval__NodeLoad node;
    struct body body = { .hello = &link->hello };
    size_t size;
    if (msg->kind == MSG_HEARTBEAT) {
        telemetry(link, &beat, &node);
        body.heartbeat = &beat;
    }
    if (msg->kind == MSG_RESULTS)
        body.results = batch_for(link, msg);
    if (!codec_write(&size, link->frame, &link->codec, msg, &body, &err))
        log_event(LOG_ERROR, "message.refused", "why=\"%s\"", err.text);
    else if (link->dealer)
        zmq_send(link->dealer, link->frame, size, ZMQ_DONTWAIT);
}

static void say_log(const struct msg *msg)
{
    if (msg->kind == MSG_SHARD_END)
        log_event(LOG_INFO, "shard.returned", "shard=%lld reason=%s num=%lld",
                  (long long)msg->lease.shard, reason_name(msg->reason),
                  (long long)msg->reason_num);
}

static void act(struct link *link, const struct agent_action *action)
{
    switch (action->kind) {
    case AGENT_SEND:
        say_log(&action->msg);
        say(link, &action->msg);
        break;
    case AGENT_CONNECT:
        link_dealer_open(link, action->endpoint);
        break;
    case AGENT_CLOSE:
        log_event(LOG_WARN, "link.down", "endpoint=%s", link->endpoint);
        link_dealer_close(link, 0);
        break;
    case AGENT_FREE:
        body_drop(&link->bodies, action->body);
        break;
    case AGENT_EXIT:
        link->ended = true;
        link->code = action->code;
        break;
    }
}

void link_step(struct link *link, struct agent_event event)
{
    event.now_ms = clock_monotonic_ms();
    event.random = link_random();
    agent_step(&link->core, &event, &link->acts);
    for (int32_t i = 0; i < link->acts.count; i++)
        act(link, &link->acts.list[i]);
}

/* ---- what we hear ---- */

static void params_free(void *params) { free(params); }
static void chunk_drop(void *chunk) { chunk_wipe(chunk); }

static int32_t params_put(struct link *link, const Koeval__Params *params)
{
    Koeval__Params *copy = must_calloc(1, sizeof(*copy));
    koeval__params__init(copy);
    copy->dtype = params->dtype;
    copy->mode = params->mode;
    copy->kind = params->kind;
    copy->chat = params->chat;
    copy->max_length = params->max_length;
    copy->add_bos = params->add_bos;
    return body_put(&link->bodies, BODY_PARAMS, copy, params_free);
}

static int32_t chunk_bytes(const Koeval__ItemChunk *chunk)
{
    size_t bytes = 0;
    for (size_t i = 0; i < chunk->n_items; i++) {
        const Koeval__Item *item = chunk->items[i];
        for (size_t k = 0; k < item->n_prompts; k++)
            bytes += item->prompts[k]->text.len;
        for (size_t k = 0; k < item->n_requests; k++)
            bytes += item->requests[k]->continuation.len;
    }
    return (int32_t)bytes;
}

/* The arena moves into the body: text is never copied, and zeroed where it lies. */
static void chunk_event(struct link *link, struct agent_event *event, struct msg *msg,
                        struct arena *arena, const Koeval__ItemChunk *items)
{
    bool lacks = items->too_long_item || items->unrendered_item; /* one, and it ends the chunk */
    event->items = (int32_t)items->n_items + lacks;
    event->bytes = chunk_bytes(items);
    event->full = lacks;
    if (items->n_items)
        event->next = (int32_t)items->items[items->n_items - 1]->plan_no + 1;
    struct chunk *chunk = must_calloc(1, sizeof(*chunk));
    chunk->arena = *arena;
    chunk->items = items;
    *arena = (struct arena){ 0 };
    msg->body = body_put(&link->bodies, BODY_CHUNK, chunk, chunk_drop);
    if (!msg->body)
        chunk_wipe(chunk);
}

static void msg_log(const struct link *link, const struct msg *msg)
{
    if (msg->kind == MSG_WELCOME)
        log_event(LOG_INFO, "link.up", "endpoint=%s epoch=%lld kept=%d", link->endpoint,
                  (long long)msg->epoch, msg->held_count);
    if (msg->kind == MSG_ERROR || msg->kind == MSG_BYE)
        log_event(LOG_WARN, "link.refused", "code=%s", code_name(msg->code));
    if (msg->kind == MSG_GRANT)
        log_event(LOG_INFO, "shard.leased", "shard=%lld lease=%d run=%d items=%d",
                  (long long)msg->lease.shard, msg->lease.epoch, msg->run, msg->missing);
    if (msg->kind == MSG_ACK && msg->verdict == VERDICT_REJECTED)
        log_event(LOG_WARN, "batch.rejected", "batch=%lld refusal=%s", (long long)msg->number,
                  refusal_name(msg->refusal));
    if (msg->kind == MSG_REVOKE)
        log_event(LOG_WARN, "shard.revoked", "shard=%lld", (long long)msg->lease.shard);
    if (msg->kind == MSG_DRAIN || msg->kind == MSG_RESUME)
        log_event(LOG_INFO, msg->kind == MSG_DRAIN ? "agent.draining" : "agent.resumed", "by=node");
}

static void hear(struct link *link, struct arena *arena, const Koeval__Envelope *env)
{
    struct msg msg;
    struct body body;
    struct agent_event event = { .kind = AGENT_MSG, .msg = &msg };
    if (!codec_read(&msg, &body, &link->codec, env)) {
        log_event(LOG_DEBUG, "message.unknown", "body=%d", (int)env->body_case);
        return;
    }
    msg_log(link, &msg);
    if (msg.kind == MSG_CHUNK)
        chunk_event(link, &event, &msg, arena, body.chunk);
    if (msg.kind == MSG_GRANT)
        msg.body = params_put(link, body.params);
    bool lost = (msg.kind == MSG_CHUNK || msg.kind == MSG_GRANT) && !msg.body;
    if (!lost) /* else the question comes again */
        link_step(link, event);
}

static bool receive(struct link *link)
{
    struct err err = { 0 };
    const Koeval__Envelope *env;
    AUTO(arena_wipe) struct arena arena = { 0 };
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    bool got = link->dealer && zmq_msg_recv(&frame, link->dealer, ZMQ_DONTWAIT) >= 0;
    bool good = got && wire_unpack(&env, &arena, WIRE_FROM_COORDINATOR, zmq_msg_data(&frame),
                                   zmq_msg_size(&frame), &err);
    if (got)
        wipe(zmq_msg_data(&frame), zmq_msg_size(&frame));
    zmq_msg_close(&frame);
    if (good)
        hear(link, &arena, env);
    else if (got)
        log_event(LOG_WARN, "message.bad", "why=\"%s\"", err.text);
    return got;
}

/* ---- start, turn, end ---- */

/* A key that others can read is no key. */
static bool key_private(const char *path, struct err *err)
{
    char secret[4096];
    struct stat st;
    snprintf(secret, sizeof(secret), "%s_secret", path);
    if (stat(secret, &st) < 0 && stat(path, &st) < 0)
        return err_set(err, ERR_INPUT, "key %s: %s", path, strerror(errno));
    if (st.st_mode & 077)
        return err_set(err, ERR_INPUT, "key %s: others may read it; chmod 600", path);
    return true;
}

static bool keys_open(struct link *link, struct err *err)
{
    static const uint8_t none[32];
    const struct link_conf *conf = link->conf;
    if (!key_private(conf->key, err))
        return false;
    link->key = zcert_load(conf->key);
    link->server_key = zcert_load(conf->server_key);
    if (!link->key || !memcmp(zcert_secret_key(link->key), none, sizeof(none)))
        return err_set(err, ERR_INPUT, "%s holds no key pair (koeval key new makes one)",
                       conf->key);
    if (!link->server_key || !memcmp(zcert_public_key(link->server_key), none, sizeof(none)))
        return err_set(err, ERR_INPUT, "%s holds no public key", conf->server_key);
    return true;
}

static bool worker_open(struct link *link, struct err *err)
{
    AUTO(worker_news_free) struct worker_news *news = NULL;
    link->worker = zactor_new(worker_actor, (void *)(uintptr_t)&link->conf->engine);
    if (!link->worker || zsock_recv(link->worker, "p", &news) || !news)
        return err_set(err, ERR_DEVICE, "the worker does not start");
    if (news->kind == WORKER_BROKEN) {
        *err = news->err;
        return err_wrap(err, "engine");
    }
    link->facts = TAKE(news->facts);
    return true;
}

/* The wire takes [0-9A-Za-z._+ -] only, and a host may be called anything. */
static void hostname_plain(struct link *link)
{
    if (gethostname(link->hostname, sizeof(link->hostname) - 1))
        snprintf(link->hostname, sizeof(link->hostname), "unknown");
    for (char *c = link->hostname; *c; c++)
        if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
            *c = '-';
}

static void hello_make(struct link *link)
{
    Koeval__Hello *hello = &link->hello;
    const char *job = getenv("SLURM_JOB_ID");
    koeval__hello__init(hello);
    hostname_plain(link);
    hello->build = (char *)(uintptr_t)link->conf->build;
    hello->hostname = link->hostname;
    hello->incarnation = (ProtobufCBinaryData){ sizeof(link->incarnation), link->incarnation };
    hello->class_digest = (ProtobufCBinaryData){ sizeof(link->class_digest), link->class_digest };
    hello->class_facts = (ProtobufCBinaryData){ strlen(link->facts), (uint8_t *)link->facts };
    hello->launcher = job ? 1 : getenv("KUBERNETES_SERVICE_HOST") ? 2 : 0;
    hello->launcher_job = job ? strtoull(job, NULL, 10) : 0;
}

static void identity_make(struct link *link)
{
    struct agent_conf core = link->conf->core;
    if (getrandom(link->incarnation, sizeof(link->incarnation), 0) != sizeof(link->incarnation) ||
        !EVP_Digest(link->facts, strlen(link->facts), link->class_digest, NULL, EVP_sha256(), NULL))
        abort();
    memcpy(&core.incarnation, link->incarnation, sizeof(core.incarnation));
    agent_init(&link->core, &core);
    link->codec.models = &link->digests;
    hello_make(link);
}

static bool link_open(struct link *link, struct err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    link->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (link->signals < 0)
        return err_set(err, ERR_RETRY, "signalfd: %s", strerror(errno));
    if (!keys_open(link, err) || !worker_open(link, err))
        return false;
    identity_make(link);
    link->shelf =
        zactor_new(shelf_actor, (void *)(uintptr_t) &
                                    (struct shelf_conf){ .roots = link->conf->roots,
                                                         .roots_count = link->conf->roots_count,
                                                         .rescan_ms = link->conf->rescan_ms });
    return link->shelf || err_set(err, ERR_RETRY, "the shelf's thread does not start");
}

/* The first asks for a drain, the second does not wait for it. */
static void signal_receive(struct link *link)
{
    struct signalfd_siginfo info;
    if (read(link->signals, &info, sizeof(info)) != sizeof(info))
        return;
    log_event(LOG_INFO, "agent.stopping", "signal=%u", info.ssi_signo);
    if (link->core.stopping) {
        link->ended = true;
        link->code = AGENT_EXIT_REQUEUE;
    }
    link_step(link, (struct agent_event){ .kind = AGENT_STOP });
}

static void turn(struct link *link)
{
    zmq_pollitem_t polls[] = {
        { zsock_resolve(link->worker), 0, ZMQ_POLLIN, 0 },
        { zsock_resolve(link->shelf), 0, ZMQ_POLLIN, 0 },
        { NULL, link->signals, ZMQ_POLLIN, 0 },
        { link->dealer, 0, ZMQ_POLLIN, 0 },
        { link->monitor, 0, ZMQ_POLLIN, 0 },
    };
    zmq_poll(polls, link->dealer ? 5 : 3, TURN_MS);
    if (polls[0].revents)
        link_worker_receive(link);
    if (polls[1].revents)
        link_shelf_receive(link);
    if (polls[2].revents)
        signal_receive(link);
    for (int i = 0; i < BUDGET && receive(link); i++)
        continue;
    if (link->monitor && polls[4].revents)
        link_monitor_receive(link);
    link_step(link, (struct agent_event){ .kind = AGENT_TICK });
    link_work_turn(link);
}

/* A worker in the middle of a unit stops between two waves; one that reads a large model does not
 * listen, and then the process ends under it. */
static void link_close(struct link *link)
{
    link_dealer_close(link, EXIT_LINGER_MS);
    if (link->work) {
        zmq_pollitem_t poll = { zsock_resolve(link->worker), 0, ZMQ_POLLIN, 0 };
        atomic_store(&link->work->until_ms, 0);
        while (link->work && zmq_poll(&poll, 1, WORKER_LINGER_MS) > 0)
            link_worker_receive(link);
    }
    if (link->work)
        _exit(link->code);
    zactor_destroy(&link->worker);
    zactor_destroy(&link->shelf);
    zcert_destroy(&link->key);
    zcert_destroy(&link->server_key);
    for (int32_t i = 0; i < link->finished_count; i++)
        batch_free(link->finished[i].batch);
    free(link->finished);
    while (link->found_count)
        link_found_drop(link, link->found[0].number);
    bodies_free(&link->bodies);
    digests_free(&link->digests);
    free(link->facts);
    if (link->signals >= 0)
        close(link->signals);
    free(link);
}
AUTO_FREES(struct link *, link_close)

bool link_run(const struct link_conf *conf, int *code, struct err *err)
{
    AUTO(link_close) struct link *link = must_calloc(1, sizeof(*link));
    link->conf = conf;
    link->signals = -1;
    if (!link_open(link, err))
        return false;
    log_event(LOG_INFO, "agent.started", "slot=%d class=%.200s", conf->core.slot, link->facts);
    while (!link->ended)
        turn(link);
    log_event(LOG_INFO, "agent.ended", "code=%d items=%lld", link->code,
              (long long)link->items_done);
    *code = link->code;
    return true;
}
