/* team.h - the backend's compute threads.
 *
 * team_run() splits a job into items; whoever is free takes the next, the caller too.  Which thread
 * computes an item, and how many there are, must not show in any result: an item owns its outputs
 * whole.  Waiting blocks, it does not spin: the cores belong to others as well. */
#ifndef TEAM_H
#define TEAM_H

#include "common/err.h"

struct team;

/* worker: 0 .. team_size() - 1, different for those that run at the same time. */
typedef void team_fn(void *self, int32_t item, int32_t worker);

/* threads >= 1, the caller of team_run() included.  Denormals are flushed in all of them while they
 * run items (FTZ and DAZ), as everywhere in this backend. */
bool team_open(struct team **out, int32_t threads, struct err *err) MUST;
void team_close(struct team *team);
int32_t team_size(const struct team *team);

/* Runs fn(self, item, worker) for item = 0 .. items - 1 and returns when all are done. */
void team_run(struct team *team, team_fn *fn, void *self, int32_t items);

#endif
