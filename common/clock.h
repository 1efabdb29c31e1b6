/* clock.h - the only place that asks what time it is. */
#ifndef CLOCK_H
#define CLOCK_H

#include "common/base.h"

int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);
int64_t clock_cpu_us(void);  /* of all threads of this process, for benchmarks */
int64_t clock_wall_ms(void); /* since 1970, UTC */

#endif
