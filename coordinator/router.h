/* router.h - the edge towards agents: one ROUTER socket behind CURVE and ZAP.
 *
 * libzmq names each connection itself (5 bytes: zero and a number), so a peer cannot choose a name
 * and take another's messages; here a route is that number.  MANDATORY makes a lost peer visible
 * when something is sent to it.  Nothing here looks into a frame. */
#ifndef ROUTER_H
#define ROUTER_H

#include <zmq.h>

#include "common/err.h"

struct router;

/* Binds to endpoint ("tcp://0.0.0.0:7411"); zap_open must have come first. */
bool router_open(struct router **out, const char *endpoint, const uint8_t secret_key[32],
                 struct err *err) MUST;
/* Lets what was sent go out for at most linger_ms. */
void router_close(struct router *router, int linger_ms);

/* For zmq_poll. */
void *router_socket(const struct router *router);
/* Where it listens, with the port that a wildcard got; borrowed. */
const char *router_endpoint(const struct router *router);

/* The next message that has a proved key and two frames, or false when there is none.  Others are
 * dropped and counted in *dropped. */
bool router_recv(struct router *router, uint32_t *route, int32_t *key, zmq_msg_t *frame,
                 int64_t *dropped);

enum router_sent {
    ROUTER_SENT,
    ROUTER_FULL, /* the peer does not read: this message is lost, the peer asks again */
    ROUTER_GONE, /* the connection is no more */
};
enum router_sent router_send(struct router *router, uint32_t route, const void *frame, size_t size);

#endif
