/* cpu.h - the CPU backend's one entry; the rest is behind kernels/ops.h. */
#ifndef CPU_H
#define CPU_H

#include "kernels/ops.h"

/* cap: the highest instruction set allowed ("scalar", "avx2", "avx512", "avx512_bf16"), NULL for no
 * cap.  threads: 0 for one a core that this process may run on. */
bool cpu_open(struct dev **out, const char *cap, int32_t threads, struct err *err) MUST;

#endif
