/* err.h - what went wrong, as a value that can travel.
 *
 * A failed shard is reported across the network and ends as a row, so an error is a struct, not a
 * log line.  Whoever can say something useful adds a prefix on the way up; whoever decides what to
 * do prints or sends it, once.  Never put the text of an item into it. */
#ifndef ERR_H
#define ERR_H

#include "common/base.h"

/* A code exists only where some caller branches on it. */
enum err_code {
    ERR_NONE,
    ERR_INPUT,  /* the data is wrong: trying again cannot help */
    ERR_RETRY,  /* a peer, a file or the database: trying again may help */
    ERR_DEVICE, /* the accelerator is unusable or too small: this agent cannot do it now */
};

struct err {
    enum err_code code;
    int64_t number; /* ERR_DEVICE: bytes that were needed, 0 when nobody knows */
    char text[512];
};

#ifdef __cplusplus
extern "C" {
#endif

void err_put(struct err *err, enum err_code code, const char *fmt, ...) PRINTF(3, 4);
void err_prefix(struct err *err, const char *fmt, ...) PRINTF(2, 3);

#ifdef __cplusplus
}
#endif

/* Both are false, so that a failure is one line: return err_set(err, ERR_INPUT, "..."); and they
 * are so where the compiler can see it: what follows values knows that the caller failed too. */
static inline bool err_false(void) { return false; }
#define err_set(...) (err_put(__VA_ARGS__), err_false())
/* Puts "prefix: " before the text. */
#define err_wrap(...) (err_prefix(__VA_ARGS__), err_false())

#endif
