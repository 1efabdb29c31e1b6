#include "coordinator/zap.h"

#include <string.h>
#include <sys/stat.h>

#ifndef ZMQ_ZAP_ENFORCE_DOMAIN /* hidden behind DRAFT in Debian's zmq.h, compiled into its library \
                                */
#define ZMQ_ZAP_ENFORCE_DOMAIN 93
#endif
#define ZAP_ENDPOINT "inproc://zeromq.zap.01"
#define ZAP_DOMAIN   "koeval"
#define FRAMES       7 /* version, request id, domain, address, identity, mechanism, key */

struct zap {
    zsock_t *pipe, *rep;
    bool loaded;
    struct zap_key *keys; /* sorted */
    size_t count;
};

static int by_key(const void *a, const void *b) { return memcmp(a, b, 32); }

static int32_t find(const struct zap *zap, const void *key)
{
    const struct zap_key *k =
        zap->count ? bsearch(key, zap->keys, zap->count, sizeof(*k), by_key) : NULL;
    return k ? k->key_id : 0;
}

static void take(struct zap *zap, zframe_t *table)
{
    free(zap->keys);
    zap->count = zframe_size(table) / sizeof(struct zap_key);
    zap->keys = must_calloc(zframe_size(table) + 1, 1);
    memcpy(zap->keys, zframe_data(table), zframe_size(table));
    qsort(zap->keys, zap->count, sizeof(struct zap_key), by_key);
    zap->loaded = true;
}

static const char *judge(const struct zap *zap, zmsg_t *request, char user[12])
{
    zframe_t *frame[FRAMES] = { zmsg_first(request) };
    for (int i = 1; i < FRAMES; i++)
        frame[i] = zmsg_next(request);
    user[0] = 0;
    if (zmsg_size(request) != FRAMES || !zframe_streq(frame[0], "1.0") ||
        !zframe_streq(frame[2], ZAP_DOMAIN) || !zframe_streq(frame[5], "CURVE") ||
        zframe_size(frame[6]) != 32)
        return "400";
    if (!zap->loaded)
        return "300";
    int32_t id = find(zap, zframe_data(frame[6]));
    snprintf(user, 12, "%d", id);
    return id ? "200" : "400";
}

static void answer(struct zap *zap)
{
    zmsg_t *request = zmsg_recv(zap->rep); /* from libzmq itself, not from the network */
    if (!request)
        return;
    char user[12];
    const char *status = judge(zap, request, user);
    zmsg_first(request);
    zframe_t *id = zmsg_next(request);
    zsock_send(zap->rep, "sfssss", "1.0", id, status, "", user, "");
    zmsg_destroy(&request);
}

static bool command(struct zap *zap)
{
    zmsg_t *m = zmsg_recv(zap->pipe);
    char *word = m ? zmsg_popstr(m) : NULL;
    bool on = word && strcmp(word, "$TERM");
    if (on && zmsg_first(m))
        take(zap, zmsg_first(m));
    free(word);
    zmsg_destroy(&m);
    return on;
}

static void run(zsock_t *pipe, void *rep)
{
    struct zap zap = { .pipe = pipe, .rep = rep };
    zpoller_t *poller = zpoller_new(pipe, rep, NULL);
    bool on = true;
    zsock_signal(pipe, 0);
    while (on) {
        void *ready = zpoller_wait(poller, -1);
        if (ready == zap.rep)
            answer(&zap);
        else
            on = ready == pipe && command(&zap);
    }
    zpoller_destroy(&poller);
    /* Closing alone frees the name only later, and the next handler would find it taken. */
    zsock_unbind(zap.rep, ZAP_ENDPOINT);
    zsock_destroy(&zap.rep);
    free(zap.keys);
}

bool zap_open(zactor_t **out, struct err *err)
{
    zsock_t *rep = zsock_new(ZMQ_REP);
    if (!rep || zsock_bind(rep, ZAP_ENDPOINT) < 0) {
        zsock_destroy(&rep);
        return err_set(err, ERR_INPUT, "%s is taken", ZAP_ENDPOINT);
    }
    *out = zactor_new(run, rep);
    assert(*out);
    return true;
}

void zap_load(zactor_t *zap, const struct zap_key *keys, size_t count)
{
    zsock_send(zap, "sb", "KEYS", keys, count * sizeof(*keys));
}

bool zap_guard(void *socket, const uint8_t secret_key[32], struct err *err)
{
    int one = 1, got = 0;
    size_t size = sizeof(got);
    if (zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof(one)) ||
        zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, secret_key, 32) ||
        zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, ZAP_DOMAIN, strlen(ZAP_DOMAIN)) ||
        zmq_setsockopt(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &one, sizeof(one)))
        return err_set(err, ERR_INPUT, "curve or zap option refused: %s",
                       zmq_strerror(zmq_errno()));
    if (zmq_getsockopt(socket, ZMQ_ZAP_ENFORCE_DOMAIN, &got, &size) || got != 1)
        return err_set(err, ERR_INPUT, "this libzmq does not enforce the ZAP domain");
    return true;
}

bool zap_secret(uint8_t secret_key[32], const char *path, struct err *err)
{
    static const uint8_t none[32];
    char secret[4096];
    struct stat st;
    snprintf(secret, sizeof(secret), "%s_secret", path);
    if (stat(secret, &st))
        snprintf(secret, sizeof(secret), "%s", path);
    if (stat(secret, &st))
        return err_set(err, ERR_INPUT, "key %s: no such file", secret);
    if (st.st_mode & (S_IRWXG | S_IRWXO))
        return err_set(err, ERR_INPUT, "key %s: others may read it, its mode must be 0600", secret);
    zcert_t *cert = zcert_load(secret);
    bool ok = cert && memcmp(zcert_secret_key(cert), none, sizeof(none)) != 0;
    if (ok)
        memcpy(secret_key, zcert_secret_key(cert), 32);
    zcert_destroy(&cert);
    return ok || err_set(err, ERR_INPUT, "key %s: holds no secret key", secret);
}

int32_t zap_user(zmq_msg_t *payload)
{
    const char *user = zmq_msg_gets(payload, "User-Id");
    return user ? (int32_t)strtol(user, NULL, 10) : 0;
}
