/* grid.h - what grid.cc, warp.cc and race.cc share: a block at work and its fibers. */
#pragma once
#include <cuda_runtime.h>

#define HOST_THREADS_MAX 1024
#define HOST_COPIES_MAX  256

enum host_state { HOST_READY, HOST_AT_BARRIER, HOST_AT_WARP, HOST_DONE };

struct host_copy {
    void *to;
    const void *from;
    int group;
};

struct host_fiber {
    void *sp;
    enum host_state state;
    struct host_line line; /* where it waits */
    unsigned mask;         /* with whom */
    void *frame;
    struct host_copy copies[HOST_COPIES_MAX]; /* cp.async in flight, oldest first */
    int copies_count, groups;                 /* groups: committed so far */
};

/* The block that an OS thread is running.  Epochs count barriers and never start again, so what
 * the race check remembers of older blocks is simply old. */
struct host_block {
    const cudaLaunchConfig_t *config;
    void (*call)(void *);
    void *closure;
    struct host_fiber *fibers;
    char *stacks;
    char *shared; /* exactly as long as asked, for ASan */
    void *scheduler_sp;
    int threads, current;
    uint32_t epoch, warp_epoch[HOST_THREADS_MAX / 32];
    unsigned warp_here[HOST_THREADS_MAX / 32]; /* lanes that wait at a warp instruction */
    uint32_t random;
    struct host_touched *touched; /* race.cc's */
};

extern __thread struct host_block *host_self;

struct host_touched *host_touched_new(const struct host_block *b);

/* memory.cc: what all device memory holds at some moment. */
void host_memory_save(int number);
void host_memory_load(int number);
void host_memory_compare(int number);
