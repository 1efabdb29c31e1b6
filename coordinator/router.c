#include "coordinator/router.h"

#include <errno.h>
#include <string.h>

#include "coordinator/zap.h"

#define ROUTE_BYTES  5
#define MESSAGE_MAX  ((int64_t)1 << 20)
#define BACKLOG      4096 /* a fleet that comes back all at once */
#define SEND_HWM     1000
#define HANDSHAKE_MS 10000
#define ENDPOINT_MAX 256

struct router {
    void *socket;
    char endpoint[ENDPOINT_MAX];
};

/* ---- life ---- */

static bool option_set(void *socket, int option, int value, struct err *err)
{
    return !zmq_setsockopt(socket, option, &value, sizeof(value)) ||
           err_set(err, ERR_INPUT, "socket option %d: %s", option, zmq_strerror(zmq_errno()));
}

static bool options_set(void *socket, struct err *err)
{
    int64_t most = MESSAGE_MAX;
    if (zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &most, sizeof(most)))
        return err_set(err, ERR_INPUT, "MAXMSGSIZE: %s", zmq_strerror(zmq_errno()));
    return option_set(socket, ZMQ_ROUTER_MANDATORY, 1, err) &&
           option_set(socket, ZMQ_BACKLOG, BACKLOG, err) &&
           option_set(socket, ZMQ_SNDHWM, SEND_HWM, err) &&
           option_set(socket, ZMQ_LINGER, 0, err) &&
           option_set(socket, ZMQ_HANDSHAKE_IVL, HANDSHAKE_MS, err) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE, 1, err) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_IDLE, 10, err) &&
           option_set(socket, ZMQ_TCP_KEEPALIVE_INTVL, 5, err);
}

static bool listen_at(struct router *router, const char *endpoint, struct err *err)
{
    size_t size = sizeof(router->endpoint);
    if (zmq_bind(router->socket, endpoint) ||
        zmq_getsockopt(router->socket, ZMQ_LAST_ENDPOINT, router->endpoint, &size))
        return err_set(err, ERR_INPUT, "listen at %s: %s", endpoint, zmq_strerror(zmq_errno()));
    return true;
}

static void router_drop(struct router *router) { router_close(router, 0); }
AUTO_FREES(struct router *, router_drop)

bool router_open(struct router **out, const char *endpoint, const uint8_t secret_key[32],
                 struct err *err)
{
    AUTO(router_drop) struct router *router = must_calloc(1, sizeof(*router));
    router->socket = zmq_socket(zsys_init(), ZMQ_ROUTER);
    if (!router->socket)
        return err_set(err, ERR_RETRY, "socket: %s", zmq_strerror(zmq_errno()));
    if (!options_set(router->socket, err) || !zap_guard(router->socket, secret_key, err) ||
        !listen_at(router, endpoint, err))
        return false;
    *out = TAKE(router);
    return true;
}

void router_close(struct router *router, int linger_ms)
{
    if (!router)
        return;
    if (router->socket) {
        zmq_setsockopt(router->socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
        zmq_close(router->socket);
    }
    free(router);
}

void *router_socket(const struct router *router) { return router->socket; }

const char *router_endpoint(const struct router *router) { return router->endpoint; }

/* ---- messages ---- */

static bool more(void *socket)
{
    int more = 0;
    size_t size = sizeof(more);
    return !zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) && more;
}

/* What a peer sent beyond its one frame. */
static bool skip_rest(void *socket)
{
    bool any = false;
    while (more(socket)) {
        zmq_msg_t rest;
        zmq_msg_init(&rest);
        zmq_msg_recv(&rest, socket, ZMQ_DONTWAIT);
        zmq_msg_close(&rest);
        any = true;
    }
    return any;
}

static bool recv_one(struct router *router, uint8_t id[ROUTE_BYTES], bool *good, zmq_msg_t *frame)
{
    int size = zmq_recv(router->socket, id, ROUTE_BYTES, ZMQ_DONTWAIT);
    if (size < 0)
        return false;
    bool two = more(router->socket) && zmq_msg_recv(frame, router->socket, ZMQ_DONTWAIT) >= 0;
    *good = !skip_rest(router->socket) && two && size == ROUTE_BYTES && id[0] == 0;
    return true;
}

bool router_recv(struct router *router, uint32_t *route, int32_t *key, zmq_msg_t *frame,
                 int64_t *dropped)
{
    uint8_t id[ROUTE_BYTES];
    bool good = false;
    while (recv_one(router, id, &good, frame)) {
        *key = good ? zap_user(frame) : 0;
        memcpy(route, id + 1, sizeof(*route));
        if (*key)
            return true;
        ++*dropped;
    }
    return false;
}

enum router_sent router_send(struct router *router, uint32_t route, const void *frame, size_t size)
{
    uint8_t id[ROUTE_BYTES] = { 0 };
    memcpy(id + 1, &route, sizeof(route));
    if (zmq_send(router->socket, id, sizeof(id), ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return zmq_errno() == EHOSTUNREACH ? ROUTER_GONE : ROUTER_FULL;
    return zmq_send(router->socket, frame, size, ZMQ_DONTWAIT) < 0 ? ROUTER_GONE : ROUTER_SENT;
}
