/* base.h - the few macros that the whole tree is written in. */
#ifndef BASE_H
#define BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define MUST            __attribute__((warn_unused_result))
#define PRINTF(fmt, at) __attribute__((format(printf, fmt, at)))
#define COUNT(array)    (sizeof(array) / sizeof((array)[0]))

/* AUTO(trie_free) struct trie *t = NULL;  frees t on every way out of the block.
 * AUTO_FREES(struct trie *, trie_free) stands under the destructor's declaration. */
#define AUTO(fn) __attribute__((cleanup(fn##_at)))
#define AUTO_FREES(type, fn) \
    static inline void fn##_at(type *at) { fn(*at); }
/* The same for structs that live on the stack: fn takes their address. */
#define AUTO_ENDS(type, fn) \
    static inline void fn##_at(type *at) { fn(at); }

/* AUTO(free) char *copy = ...;  any pointer that came from malloc. */
static inline void free_at(void *at) { free(*(void **)at); }

/* TAKE(t) hands t to someone else and leaves NULL behind for AUTO. */
#define TAKE(p)                   \
    ({                            \
        __auto_type taken_ = (p); \
        (p) = NULL;               \
        taken_;                   \
    })

/* Host memory: running out of it aborts, so callers have no path for it.  Zeroed. */
static inline void *must_calloc(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        abort();
    return p;
}

static inline void *must_realloc(void *old, size_t count, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(count ? count : 1, size ? size : 1, &bytes))
        abort();
    void *p = realloc(old, bytes);
    if (!p)
        abort();
    return p;
}

#endif
