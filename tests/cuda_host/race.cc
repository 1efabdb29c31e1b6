/* race.cc - two threads, one place in shared memory, no barrier between: an error.
 *
 * Kernels compiled with -fsanitize=thread call __tsan_* at each load and store.  We link no
 * ThreadSanitizer: these are ours, and they know that a barrier is a counter.  For every two
 * bytes of shared memory the last writer and the last readers of two warps are kept.  Single
 * bytes are not checked: neighbours in one place may belong to two threads. */
#include "grid.h"

#define PLACE ((size_t)2)

/* Who and when: epoch (32 bits), warp's epoch (16), several threads of the warp (1), thread (15).
 */
typedef uint64_t touch;
#define SEVERAL ((touch)0x8000)

struct host_touched {
    touch write, read[2];
};

struct host_touched *host_touched_new(const struct host_block *b)
{
    return (struct host_touched *)calloc(b->config->dynamicSmemBytes / PLACE + 1,
                                         sizeof(struct host_touched));
}

static touch touch_now(void)
{
    const touch thread = host_self->current, warp_epoch = host_self->warp_epoch[thread / 32];
    return (touch)host_self->epoch << 32 | (warp_epoch & 0xffff) << 16 | thread;
}

static int warp_of(touch a) { return a >> 5 & 31; }

static bool ordered(touch a, touch now)
{
    if ((a ^ now) >> 32 || (a & 0xffff) == (now & 0xffff))
        return true;
    return warp_of(a) == warp_of(now) && (a ^ now) >> 16;
}

static void check(touch before, touch now, const char *what, size_t at)
{
    if (!ordered(before, now))
        host_die("race: %s at byte %zu of shared memory, no barrier since warp %d was there", what,
                 at * PLACE, warp_of(before));
}

static void remember_read(touch read[2], touch now)
{
    if ((read[0] ^ now) >> 32 == 0) {
        if (warp_of(read[0]) != warp_of(now))
            read[1] = read[0];
        else if (!ordered(read[0], now))
            now |= SEVERAL;
    }
    read[0] = now;
}

static void touch_places(size_t from, size_t to, bool writes)
{
    const touch now = touch_now();
    for (size_t i = from; i < to; i++) {
        struct host_touched *t = &host_self->touched[i];
        check(t->write, now, writes ? "write after write" : "read after write", i);
        if (!writes) {
            remember_read(t->read, now);
            continue;
        }
        check(t->read[0], now, "write after read", i);
        check(t->read[1], now, "write after read", i);
        t->write = now;
    }
}

void host_touch(const void *address, size_t bytes, bool writes)
{
    if (!host_self || bytes < PLACE)
        return;
    const size_t at = (const char *)address - host_self->shared;
    if (at < host_self->config->dynamicSmemBytes)
        touch_places(at / PLACE, (at + bytes) / PLACE, writes);
}

/* clang-format off */
#define ACCESS(bytes) \
    void __tsan_read##bytes(void *at) { host_touch(at, bytes, false); } \
    void __tsan_write##bytes(void *at) { host_touch(at, bytes, true); } \
    void __tsan_unaligned_read##bytes(void *at) { host_touch(at, bytes, false); } \
    void __tsan_unaligned_write##bytes(void *at) { host_touch(at, (size_t)bytes, true); }
extern "C" {
ACCESS(1) ACCESS(2) ACCESS(4) ACCESS(8) ACCESS(16)
void __tsan_read_range(void *at, long bytes) { host_touch(at, (size_t)bytes, false); }
void __tsan_write_range(void *at, long bytes) { host_touch(at, (size_t)bytes, true); }
void __tsan_init(void) {}
void __tsan_func_entry(void *) {}
void __tsan_func_exit(void *) {}
}
/* clang-format on */
