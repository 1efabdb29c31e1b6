/* zap.h - who may connect: a ZAP handler (ZeroMQ RFC 27) over a table of keys in memory.
 *
 * An actor with its own thread.  It answers 200 for a key in the table, 400 for one known to be
 * absent (the client then gives up for ever: say it only when sure), 300 while no table was loaded
 * (the client tries again).  No handler thread, no answer, no entry: zap_guard sets ENFORCE_DOMAIN,
 * without which libzmq lets everybody in.
 *
 * User-Id of a message is the key's number in decimal.  ZAP asks once per connection: a key revoked
 * later must be refused per message, by zap_user and the caller's own table. */
#ifndef ZAP_H
#define ZAP_H

#include <czmq.h>

#include "common/err.h"

struct zap_key {
    uint8_t key[32];
    int32_t key_id; /* agent_key.key_id, > 0 */
};

/* One per process, before any socket is bound: binds inproc://zeromq.zap.01. */
bool zap_open(zactor_t **out, struct err *err) MUST;

/* The whole table, revoked ones left out; count 0 is a loaded table with nobody in it. Copies. */
void zap_load(zactor_t *zap, const struct zap_key *keys, size_t count);

/* Server key, domain and ENFORCE_DOMAIN on a socket not yet bound, all read back. */
bool zap_guard(void *socket, const uint8_t secret_key[32], struct err *err) MUST;

/* The server's secret key from the file pair that zcert writes: FILE_secret, or FILE itself.
 * ERR_INPUT when others may read it. */
bool zap_secret(uint8_t secret_key[32], const char *path, struct err *err) MUST;

/* Key number of a message; its payload frame, since 4.3.4 loses the first frame's after a poll. 0:
 * drop it. */
int32_t zap_user(zmq_msg_t *payload);

#endif
