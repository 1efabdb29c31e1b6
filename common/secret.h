/* secret.h - memory through which items pass: it must not outlive its use, nor become a file.
 *
 * Items live in plain memory while they are rendered, sent and computed, also inside libraries that
 * know nothing of secrets (libpq, libzmq).  So whatever anybody frees in our programs is zeroed
 * first (secret_free.c), what is kept and used again (a frame, an arena) is wiped by its owner, and
 * a process that touches items begins with secret_begin(): no core file, no debugger of another
 * process. */
#ifndef SECRET_H
#define SECRET_H

#include <string.h>

#include "common/err.h"

/* Whether secret_free.c stands in the allocator's door: not where a sanitizer does. */
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || \
    __has_feature(memory_sanitizer)
#define SECRET_FREES 0
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define SECRET_FREES 0
#endif
#ifndef SECRET_FREES
#define SECRET_FREES 1
#endif

/* Zeroes; unlike memset before a free, a compiler may not leave it out. */
static inline void wipe(void *bytes, size_t size)
{
    if (size)
        explicit_bzero(bytes, size);
}

/* First thing in main, before threads and before memory is taken. */
bool secret_begin(struct err *err) MUST;

enum secret_mode {
    SECRET_AUTO, /* lock where the system allows it */
    SECRET_YES,  /* or do not run */
    SECRET_NO,
};
#define SECRET_MODES "auto|yes|no"

/* "auto", "yes", "no". */
bool secret_mode(enum secret_mode *out, const char *word, struct err *err) MUST;

/* Keeps this process out of swap: pages are locked as they are touched, those to come too.  False
 * where the system does not allow it, with what would; nothing is locked then, because a limit that
 * holds today's pages would fail an allocation later. */
bool secret_lock(struct err *err) MUST;

#endif
