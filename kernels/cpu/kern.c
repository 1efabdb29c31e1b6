#include "kernels/cpu/kern.h"

#include "kernels/cpu/lane/limits.h"
#include "kernels/cpu/probe.h"

#include <string.h>

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void) { return has_avx2() && __builtin_cpu_supports("avx512f"); }

enum { PROBE_TRIALS = 20000 }; /* about 2 ms */

static bool has_vdpbf16ps(void) { return has_avx512() && __builtin_cpu_supports("avx512bf16"); }

static bool has_avx512_bf16(void)
{
    return has_vdpbf16ps() && probe_avx512_bf16(PROBE_TRIALS) == 0;
}

const char *kern_probe_words(void)
{
    return !has_vdpbf16ps()    ? "not on this machine"
           : has_avx512_bf16() ? "is its two FMAs"
                               : "is NOT its two FMAs, and not used";
}

static bool has_sse2(void) { return true; } /* every x86-64 */

/* Best first. */
/* clang-format off */
static const struct choice {
    const struct kern *kern;
    bool (*has)(void);
} choices[] = {
    { &kern_avx512_bf16, has_avx512_bf16 },
    { &kern_avx512,      has_avx512      },
    { &kern_avx2,        has_avx2        },
    { &kern_scalar,      has_sse2        },
};

/* Not in this library: what a test may link to run a set that its machine lacks. */
extern const struct kern kern_avx512_emulated __attribute__((weak));
extern const struct kern kern_avx512_bf16_emulated __attribute__((weak));
static const struct kern *const emulated[] = { &kern_avx512_emulated, &kern_avx512_bf16_emulated };
/* clang-format on */

const struct kern *kern_pick(const char *cap)
{
    bool allowed = !cap;

    for (size_t i = 0; cap && i < COUNT(emulated); i++)
        if (emulated[i] && !strcmp(cap, emulated[i]->name))
            return emulated[i];
    for (size_t i = 0; i < COUNT(choices); i++) {
        allowed |= cap && !strcmp(cap, choices[i].kern->name);
        if (allowed && choices[i].has())
            return choices[i].kern;
    }
    return NULL;
}

/* C of a group of panels, and all of K of a block of rows. */
int64_t kern_gemm_scratch_bytes(const struct kern *kern, int32_t k)
{
    return (int64_t)sizeof(float) * kern->gemm_rows * (GEMM_COLS + k + 2) + 64;
}

/* K and V of a page; for each lane Q, output, where it stands; scores of a few groups. */
int64_t kern_attend_scratch_bytes(int32_t head_dim)
{
    int64_t floats = (int64_t)head_dim * 2 * (PAGE_SLOTS + ATTEND_LANES_MAX) +
                     TILE_PANELS * LANES * PAGE_SLOTS + 4 * ATTEND_LANES_MAX;
    return (int64_t)sizeof(float) * floats + 64;
}
