/* log.h - one line an event on stderr: time, level, dotted event name, key=value pairs.
 *
 *     log_event(LOG_INFO, "shard.leased", "shard=%lld agent=%s", ...)
 *
 * Only the daemons' outer files may log; everyone else returns an error.  Nothing of an item, a
 * prompt or a generation may ever be an argument: items are named by number. */
#ifndef LOG_H
#define LOG_H

#include "common/base.h"

/* czmq.h brings <syslog.h>, whose LOG_INFO and LOG_DEBUG are macros with other numbers. */
#include <syslog.h>
#undef LOG_INFO
#undef LOG_DEBUG

enum log_level {
    LOG_ERROR, /* someone must act */
    LOG_WARN,  /* we coped */
    LOG_INFO,  /* a noun changed state */
    LOG_DEBUG, /* off by default */
};

void log_level_set(enum log_level most);
void log_event(enum log_level level, const char *event, const char *fmt, ...) PRINTF(3, 4);

#endif
