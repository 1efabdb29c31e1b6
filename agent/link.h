/* link.h - the agent's edge: one DEALER to the coordinator, the worker, the shelf, the signals.
 *
 * link_run is the process's main loop.  It hands what happens to the core (agent/core.h), does what
 * the core says, and never computes: the worker and the shelf are threads that speak by pointers
 * over inproc pipes, so a heartbeat is never late because of a model. */
#ifndef LINK_H
#define LINK_H

#include "agent/core.h"
#include "agent/infer/engine.h"

struct link_conf {
    struct agent_conf core;
    struct engine_conf engine;
    char *const *endpoints; /* core.endpoints of them */
    char *const *roots;     /* folders with models */
    int32_t roots_count;
    int64_t rescan_ms;
    const char *server_key; /* file: the coordinator's public key */
    const char *key;        /* file: our key pair, czmq's zcert; mode 0600 */
    const char *build;
};

/* Until the core says so; *code is the exit code then.  ERR_INPUT: keys, engine.  SIGTERM and
 * SIGINT must be blocked in every thread. */
bool link_run(const struct link_conf *conf, int *code, struct err *err) MUST;

#endif
