/* loop.h - the one thread of koeval-coordinator: it waits in one place and does what the core says.
 *
 * Agents, ZAP's and the monitor's pipes, PostgreSQL's sockets, signals and the clock become events
 * of the core; its actions become frames and transactions.  Nothing here decides. */
#ifndef LOOP_H
#define LOOP_H

#include "common/conf.h"
#include "coordinator/core.h"

struct loop_conf {
    struct core_conf core;
    const char *db;             /* conninfo, NULL: libpq's environment */
    const char *listen;         /* endpoint */
    const char *holder;         /* who leads, for humans */
    const char *program;        /* path of koeval, for jobs */
    const char *trace;          /* file for what the core is told, or NULL */
    int32_t jobs, ingest, work; /* at once: children; connections */
    int32_t grace_ms, depose_ms, job_lease_ms, poll_ms;
    uint8_t secret_key[32];
};

struct loop;

bool loop_open(struct loop **out, const struct loop_conf *conf, struct err *err) MUST;
/* Until SIGTERM or SIGINT (true), or something that a restart with the same settings would meet
 * again: another schema. */
bool loop_run(struct loop *loop, struct err *err) MUST;
void loop_close(struct loop *loop);
AUTO_FREES(struct loop *, loop_close)

#endif
