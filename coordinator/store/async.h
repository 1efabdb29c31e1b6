/* async.h - PostgreSQL as the coordinator's loop uses it: a connection that never waits.
 *
 * The loop polls pg_fd for pg_events and calls pg_step, which connects, reconnects with back-off,
 * writes, reads, and reports at most one thing a call; call it again until it reports nothing.  One
 * call is under way at a time; its parameters are copied when it is sent.  A call whose connection
 * went has an unknown outcome: it may have been committed, or not, or may still be. */
#ifndef ASYNC_H
#define ASYNC_H

#include "common/err.h"
#include "coordinator/store/arg.h"
#include "coordinator/store/db.h"

struct pg;

enum pg_event {
    PG_NOTHING,
    PG_UP,     /* connected: what was prepared by pg_new has been said */
    PG_ANSWER, /* rows or an error, in pg_answer */
    PG_LOST,   /* the connection went; busy tells whether a call was under way */
    PG_FAILED, /* it could not be made; tried again by itself */
    PG_NOTICE, /* something was notified: pg_channel */
};

struct pg_answer {
    struct rows *rows; /* the taker's; NULL with an error */
    struct err err;
    char sqlstate[6]; /* "" without an error */
    bool busy;        /* PG_LOST: a call was under way */
};

/* Does not touch the network yet.  greeting, which may be NULL, is said on each new connection
 * before PG_UP. */
struct pg *pg_new(const char *conninfo, const char *role, const char *greeting);
void pg_free(struct pg *pg);
AUTO_FREES(struct pg *, pg_free)

int pg_fd(const struct pg *pg); /* -1: nothing to poll */
short pg_events(const struct pg *pg);
int64_t pg_due_ms(const struct pg *pg); /* call pg_step then at the latest */
enum pg_event pg_step(struct pg *pg, int64_t now_ms, struct pg_answer *answer);
const char *pg_channel(const struct pg *pg);

bool pg_idle(const struct pg *pg);
bool pg_is_up(const struct pg *pg);
/* The connection must be idle.  A call that takes longer than most_ms ends with PG_LOST. */
void pg_send(struct pg *pg, const char *sql, const struct arg *args, int64_t now_ms,
             int64_t most_ms);
/* Gives the connection up, so that the server's session ends with it; it comes back by itself. */
void pg_drop(struct pg *pg, int64_t now_ms);

#endif
