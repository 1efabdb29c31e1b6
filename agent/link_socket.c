#include <string.h>
#include <sys/random.h>

#include "agent/link_state.h"
#include "common/log.h"

static void option(void *socket, int name, int value)
{
    zmq_setsockopt(socket, name, &value, sizeof(value));
}

uint32_t link_random(void)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        abort();
    return random;
}

void link_dealer_close(struct link *link, int linger_ms)
{
    if (!link->dealer)
        return;
    zmq_socket_monitor(link->dealer, NULL, 0);
    option(link->dealer, ZMQ_LINGER, linger_ms);
    zmq_close(link->dealer);
    option(link->monitor, ZMQ_LINGER, 0);
    zmq_close(link->monitor);
    link->dealer = link->monitor = NULL;
}

static void monitor_open(struct link *link)
{
    char name[64];
    snprintf(name, sizeof(name), "inproc://monitor-%d", link->monitors++);
    zmq_socket_monitor(link->dealer, name,
                       ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                           ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL | ZMQ_EVENT_DISCONNECTED |
                           ZMQ_EVENT_CONNECT_RETRIED);
    link->monitor = zmq_socket(zsys_init(), ZMQ_PAIR);
    if (!link->monitor || zmq_connect(link->monitor, name))
        abort(); /* inproc: only a program error can refuse it */
}

/* IMMEDIATE and LINGER 0: nothing is queued by ZeroMQ, the queue of what must arrive is ours. */
void link_dealer_open(struct link *link, int32_t endpoint)
{
    int64_t most = 1 << 20;
    link_dealer_close(link, 0);
    link->dealer = zmq_socket(zsys_init(), ZMQ_DEALER);
    if (!link->dealer)
        abort();
    option(link->dealer, ZMQ_LINGER, 0);
    option(link->dealer, ZMQ_IMMEDIATE, 1);
    option(link->dealer, ZMQ_RECONNECT_IVL, 200 + (int)(link_random() % 800));
    option(link->dealer, ZMQ_RECONNECT_IVL_MAX, 15000);
    option(link->dealer, ZMQ_HANDSHAKE_IVL, 5000);
    option(link->dealer, ZMQ_HEARTBEAT_IVL, 5000);
    option(link->dealer, ZMQ_HEARTBEAT_TIMEOUT, 15000);
    zmq_setsockopt(link->dealer, ZMQ_MAXMSGSIZE, &most, sizeof(most));
    zmq_setsockopt(link->dealer, ZMQ_CURVE_SERVERKEY, zcert_public_key(link->server_key), 32);
    zmq_setsockopt(link->dealer, ZMQ_CURVE_PUBLICKEY, zcert_public_key(link->key), 32);
    zmq_setsockopt(link->dealer, ZMQ_CURVE_SECRETKEY, zcert_secret_key(link->key), 32);
    monitor_open(link);
    link->endpoint = link->conf->endpoints[endpoint];
    if (zmq_connect(link->dealer, link->endpoint))
        log_event(LOG_ERROR, "link.endpoint", "endpoint=%s why=\"%s\"", link->endpoint,
                  zmq_strerror(zmq_errno()));
}

static void monitor_read(struct link *link, uint16_t *kind, uint32_t *status)
{
    zmq_msg_t event, address;
    zmq_msg_init(&event);
    zmq_msg_init(&address);
    if (zmq_msg_recv(&event, link->monitor, ZMQ_DONTWAIT) >= 6) {
        memcpy(kind, zmq_msg_data(&event), sizeof(*kind));
        memcpy(status, (uint8_t *)zmq_msg_data(&event) + 2, sizeof(*status));
        zmq_msg_recv(&address, link->monitor, ZMQ_DONTWAIT);
    }
    zmq_msg_close(&event);
    zmq_msg_close(&address);
}

/* After ZAP's 400 ZeroMQ never tries again.  A handshake that the other side cuts off, and that is
 * tried again, is a coordinator with another key, one that has no list of keys yet (ZAP's 300), or
 * one that went in the middle. */
void link_monitor_receive(struct link *link)
{
    uint16_t kind = 0;
    uint32_t status = 0;
    monitor_read(link, &kind, &status);
    if (kind == ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL || kind == ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL)
        log_event(LOG_WARN, "link.handshake", "endpoint=%s status=%u", link->endpoint, status);
    if (kind == ZMQ_EVENT_DISCONNECTED || kind == ZMQ_EVENT_CONNECT_RETRIED)
        link_step(link, (struct agent_event){ .kind = AGENT_CUT });
    if (kind != ZMQ_EVENT_HANDSHAKE_FAILED_AUTH)
        return;
    log_event(LOG_ERROR, "link.unauthorised", "status=%u", status);
    if (status >= 400)
        link_step(link, (struct agent_event){ .kind = AGENT_REFUSED });
}
