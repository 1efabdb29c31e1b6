/* trace.h - what the core was told and what it decided, as numbers, to be played again.
 *
 * A trace is text, one line each: `H` a core begins (version and settings), `E` an event of it, `A`
 * how many actions it answered with and a digest over all of them.  There is no body in it: no
 * item, no answer, no key but its number.  A process that starts goes on in the file of the one
 * before; a line that a death cut off is passed over.
 *
 * Writing and reading are one walk over the fields, so that they cannot differ. */
#ifndef TRACE_H
#define TRACE_H

#include "common/err.h"
#include "coordinator/core.h"

struct trace;

/* A new core begins; what is in the file stays. */
bool trace_open(struct trace **out, const char *path, const struct core_conf *conf,
                struct err *err) MUST;
void trace_close(struct trace *trace);
AUTO_FREES(struct trace *, trace_close)

/* After core_step and before its actions are carried out.  A failed write ends the trace. */
void trace_step(struct trace *trace, const struct event *event, const struct actions *actions);

struct replay {
    int64_t cores, steps, cut, differing; /* cut: lines that were not whole */
    int64_t first;                        /* number of the first line whose actions differ, or 0 */
};

/* Plays all cores of a trace.  False: it cannot be read at all. */
bool trace_replay(struct replay *out, const char *path, struct err *err) MUST;

#endif
