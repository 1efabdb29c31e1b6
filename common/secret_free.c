/* free() and realloc() of the whole program, libraries included: what is given back is zeroed
 * first.
 *
 * libpq and libzmq free what held items and know nothing of it, so the place where all of it passes
 * is the allocator's door.  The C library finds these by name, as it finds any other allocator's;
 * the work is its own (M_PERTURB would do the same, but leaves out what a thread caches).  Under a
 * sanitizer, whose allocator stands in the same door, they stay out. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>

#include "common/secret.h"

#if SECRET_FREES

void __libc_free(void *memory);

/* A block of its own mapping goes back to the system at once, which zeroes it, and may never have
 * been touched: zeroing it here would fetch its pages.  The size word before a block says so. */
static bool is_mapped(const void *memory) { return ((const size_t *)memory)[-1] & 2; }

void free(void *memory)
{
    int before = errno; /* free() leaves it alone */
    if (memory && !is_mapped(memory))
        explicit_bzero(memory, malloc_usable_size(memory));
    __libc_free(memory);
    errno = before;
}

/* In the same block where it fits, else in a new one: the C library would leave the old behind. */
void *realloc(void *memory, size_t size)
{
    if (!memory)
        return malloc(size);
    if (!size) {
        free(memory);
        return NULL;
    }
    size_t there = malloc_usable_size(memory);
    if (size <= there && size >= there / 2) {
        wipe((char *)memory + size, there - size);
        return memory;
    }
    void *moved = malloc(size);
    if (!moved)
        return NULL;
    memcpy(moved, memory, size < there ? size : there);
    free(memory);
    return moved;
}

#endif
