/* grid.cc - launches: fibers, barriers, schedules, memory.
 *
 * Warps are run greedily: the chosen warp goes on until all its lanes wait for another warp.
 * Choosing the lowest, the highest, or a random one gives three schedules that differ as much
 * as schedules can; a kernel without races leaves the same bits under all of them. */
#include "grid.h"
#include <atomic>
#include <stdarg.h>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>
#include <vector>

#define STACK_BYTES  ((size_t)256 * 1024)
#define GUARD_BYTES  ((size_t)4096)
#define HOST_WORKERS 2
#define POISON       0xff /* a NaN in bf16, fp16, fp32 and fp64, whatever the alignment */

enum schedule { FORWARD, REVERSE, RANDOM, SCHEDULES };

__thread uint3 threadIdx, blockIdx, blockDim, gridDim;
__thread struct host_block *host_self;

void host_die(const char *format, ...)
{
    static std::atomic_flag once = ATOMIC_FLAG_INIT;
    while (once.test_and_set())
        pause();
    fprintf(stderr, "cuda_host: block (%u,%u,%u) thread (%u,%u,%u): ", blockIdx.x, blockIdx.y,
            blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
    va_list args;
    va_start(args, format);
    vfprintf(stderr, format, args);
    va_end(args);
    fprintf(stderr, "\n");
    _exit(3);
}

/* Saves the callee's registers on the stack that is left, takes them from the one entered. */
extern "C" void host_switch(void **leave, void *enter);
asm(".text\n.globl host_switch\nhost_switch:\n"
    "push %rbp\npush %rbx\npush %r12\npush %r13\npush %r14\npush %r15\n"
    "mov %rsp, (%rdi)\nmov %rsi, %rsp\n"
    "pop %r15\npop %r14\npop %r13\npop %r12\npop %rbx\npop %rbp\nret\n");

static struct host_fiber *running(void) { return &host_self->fibers[host_self->current]; }
static void yield(void) { host_switch(&running()->sp, host_self->scheduler_sp); }

static void wait_at(enum host_state state, struct host_line line)
{
    running()->state = state;
    running()->line = line;
    yield();
}

static void fiber_main(void)
{
    host_self->call(host_self->closure);
    wait_at(HOST_DONE, { "exit", "", 0 });
}

static void fiber_start(int i)
{
    struct host_fiber *f = &host_self->fibers[i];
    void **sp = (void **)(host_self->stacks + (i + 1) * STACK_BYTES) - 1; /* as after a call */
    *--sp = (void *)fiber_main; /* where the first switch returns to */
    f->sp = sp - 6;
    f->state = HOST_READY;
    f->copies_count = f->groups = 0;
}

static uint3 thread_index(unsigned i)
{
    const dim3 size = host_self->config->blockDim;
    return { i % size.x, i / size.x % size.y, i / size.x / size.y };
}

static void fiber_run(int i)
{
    host_self->current = i;
    threadIdx = thread_index(i);
    host_switch(&host_self->scheduler_sp, running()->sp);
}

void host_barrier(struct host_line line) { wait_at(HOST_AT_BARRIER, line); }

static bool same_place(const struct host_fiber *a, const struct host_fiber *b)
{
    return a->state == b->state && a->line.file == b->line.file && a->line.line == b->line.line;
}

/* All lanes of the mask are at a warp instruction: at the same one?  Then it takes place. */
static void meet(struct host_fiber *warp, const struct host_fiber *me, host_work *work)
{
    void *frames[32] = {};
    for (int i = 0; i < 32; i++) {
        if (!(me->mask >> i & 1))
            continue;
        if (!same_place(&warp[i], me) || warp[i].mask != me->mask)
            host_die("%s %s:%d mask %08x, but lane %d is at %s %s:%d mask %08x", me->line.what,
                     me->line.file, me->line.line, me->mask, i, warp[i].line.what,
                     warp[i].line.file, warp[i].line.line, warp[i].mask);
        frames[i] = warp[i].frame;
    }
    work(frames, me->mask);
    for (int i = 0; i < 32; i++)
        if (me->mask >> i & 1)
            warp[i].state = HOST_READY;
}

void host_warp(unsigned mask, host_work *work, void *frame, struct host_line line)
{
    const int lane = host_self->current % 32;
    struct host_fiber *me = running();
    unsigned *here = &host_self->warp_here[host_self->current / 32];
    if (!(mask >> lane & 1))
        host_die("%s at %s:%d: mask %08x lacks the caller", line.what, line.file, line.line, mask);
    me->mask = mask;
    me->frame = frame;
    me->line = line;
    me->state = HOST_AT_WARP;
    *here |= 1u << lane;
    if ((*here & mask) != mask)
        return yield(); /* another lane will do it, or nobody */
    *here &= ~mask;
    meet(me - lane, me, work);
}

/* All wait at one barrier: on they go.  Otherwise somebody waits for what will not come. */
static bool barrier_open(void)
{
    struct host_fiber *f = host_self->fibers;
    for (int i = 0; i < host_self->threads; i++) {
        if (f[i].state != HOST_AT_WARP && same_place(&f[0], &f[i]))
            continue;
        threadIdx = thread_index(i);
        host_die("stuck: it is at %s %s:%d, thread 0 at %s %s:%d", f[i].line.what, f[i].line.file,
                 f[i].line.line, f[0].line.what, f[0].line.file, f[0].line.line);
    }
    if (f[0].state == HOST_DONE)
        return false;
    for (int i = 0; i < host_self->threads; i++)
        f[i].state = HOST_READY;
    host_self->epoch++;
    return true;
}

static bool warp_ready(int warp)
{
    for (int i = warp * 32; i < warp * 32 + 32 && i < host_self->threads; i++)
        if (host_self->fibers[i].state == HOST_READY)
            return true;
    return false;
}

static uint32_t random_next(void)
{
    return host_self->random = host_self->random * 1664525u + 1013904223u;
}

/* The warp to run next, or -1. */
static int warp_pick(enum schedule schedule)
{
    const int warps = (host_self->threads + 31) / 32;
    const int first = schedule == RANDOM ? (random_next() >> 16) % warps : 0;
    for (int i = 0; i < warps; i++) {
        const int warp = schedule == REVERSE ? warps - 1 - i : (first + i) % warps;
        if (warp_ready(warp))
            return warp;
    }
    return -1;
}

/* Each lane to its next meeting. */
static void warp_run(int warp, enum schedule schedule)
{
    const int turn = schedule == RANDOM ? random_next() >> 16 & 31 : 0;
    for (int i = 0; i < 32; i++) {
        const int lane = schedule == REVERSE ? 31 - i : i ^ turn;
        const int thread = warp * 32 + lane;
        if (thread < host_self->threads && host_self->fibers[thread].state == HOST_READY)
            fiber_run(thread);
    }
}

static void block_run(struct host_block *b, unsigned number, enum schedule schedule)
{
    const dim3 blocks = b->config->gridDim, threads = b->config->blockDim;
    memset(b->shared, POISON, b->config->dynamicSmemBytes);
    host_self = b;
    gridDim = { blocks.x, blocks.y, blocks.z };
    blockDim = { threads.x, threads.y, threads.z };
    blockIdx = { number % blocks.x, number / blocks.x % blocks.y, number / blocks.x / blocks.y };
    memset(b->warp_here, 0, sizeof(b->warp_here));
    b->epoch++;
    b->random = number * 2654435761u + 1;
    for (int i = 0; i < b->threads; i++)
        fiber_start(i);
    do
        for (int warp; (warp = warp_pick(schedule)) >= 0;)
            warp_run(warp, schedule);
    while (barrier_open());
}

/* What an OS thread needs, kept from launch to launch: mapping stacks costs more than most kernels.
 */
struct worker {
    struct host_fiber *fibers;
    char *stacks;
    int threads;
};
static struct worker workers[HOST_WORKERS];

static void worker_grow(struct worker *w, int threads)
{
    if (threads <= w->threads)
        return;
    if (w->threads)
        munmap(w->stacks, w->threads * STACK_BYTES);
    free(w->fibers);
    w->threads = threads;
    w->fibers = (struct host_fiber *)calloc(threads, sizeof(*w->fibers));
    w->stacks = (char *)mmap(NULL, threads * STACK_BYTES, PROT_READ | PROT_WRITE,
                             MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    assert(w->stacks != MAP_FAILED);
    for (int i = 0; i < threads; i++)
        mprotect(w->stacks + i * STACK_BYTES, GUARD_BYTES, PROT_NONE);
}

struct launch {
    struct host_block block;
    std::atomic<unsigned> next;
    unsigned count;
    enum schedule schedule;
};

/* One OS thread's part of the grid: blocks as they come. */
static void blocks_run(struct launch *launch, struct worker *worker)
{
    struct host_block b = launch->block;
    worker_grow(worker, b.threads);
    b.fibers = worker->fibers;
    b.stacks = worker->stacks;
    const int got = posix_memalign((void **)&b.shared, 1024, b.config->dynamicSmemBytes);
    assert(got == 0);
    b.touched = host_touched_new(&b);
    for (unsigned i; (i = launch->next++) < launch->count;)
        block_run(&b, launch->schedule == REVERSE ? launch->count - 1 - i : i, launch->schedule);
    host_self = NULL;
    free(b.touched);
    free(b.shared);
}

static void grid_run(struct launch *launch, enum schedule schedule)
{
    std::vector<std::thread> pool;
    launch->next = 0;
    launch->schedule = schedule;
    for (unsigned i = 1; i < HOST_WORKERS && i < launch->count; i++)
        pool.emplace_back(blocks_run, launch, &workers[i]);
    blocks_run(launch, &workers[0]);
    for (auto &thread : pool)
        thread.join();
}

/* KOEVAL_CUDA_HOST=rotate: one schedule a launch, each in turn, for whole models. */
static bool rotate(void)
{
    static const char *how = getenv("KOEVAL_CUDA_HOST");
    return how && strcmp(how, "rotate") == 0;
}

cudaError_t host_launch(const cudaLaunchConfig_t *config, void (*call)(void *), void *closure)
{
    static unsigned turn;
    const dim3 g = config->gridDim, t = config->blockDim;
    struct launch launch = {};
    launch.block.config = config;
    launch.block.call = call;
    launch.block.closure = closure;
    launch.block.threads = t.x * t.y * t.z;
    launch.count = g.x * g.y * g.z;
    if (launch.count == 0 || g.y > 65535 || g.z > 65535 || launch.block.threads < 1 ||
        launch.block.threads > HOST_THREADS_MAX)
        return cudaErrorInvalidValue;
    if (rotate()) {
        grid_run(&launch, (enum schedule)(turn++ % SCHEDULES));
        return cudaSuccess;
    }
    host_memory_save(0);
    grid_run(&launch, FORWARD);
    host_memory_save(1);
    host_memory_load(0);
    grid_run(&launch, REVERSE);
    host_memory_compare(1);
    host_memory_load(0);
    grid_run(&launch, RANDOM);
    host_memory_compare(1);
    return cudaSuccess;
}
