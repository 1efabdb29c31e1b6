#include "common/clock.h"

#include <time.h>

static int64_t clock_us(clockid_t id)
{
    struct timespec t;
    int rc = clock_gettime(id, &t);
    assert(rc == 0);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t clock_monotonic_us(void) { return clock_us(CLOCK_MONOTONIC); }

int64_t clock_monotonic_ms(void) { return clock_us(CLOCK_MONOTONIC) / 1000; }

int64_t clock_cpu_us(void) { return clock_us(CLOCK_PROCESS_CPUTIME_ID); }

int64_t clock_wall_ms(void) { return clock_us(CLOCK_REALTIME) / 1000; }
