/* warp.cc - what a warp does together: shuffles, votes, ldmatrix, mma; and cp.async.
 *
 * Each work function sees the frames of all lanes and computes as the PTX manual says who holds
 * which element.  Sums run in ascending k in fp32: near the hardware's, never its bits. */
#include "grid.h"
#include "kernels/cuda/ptx.cuh"

void host_syncwarp(unsigned mask, struct host_line line)
{
    struct host_swap frame = { 0, host_lane() };
    host_warp(mask, host_swap_work, &frame, line);
    /* Shuffles order no memory, this does; for a partial mask we claim nothing. */
    if (mask == 0xffffffff)
        host_warp(mask, host_fence_work, &frame, line);
}

void host_fence_work(void *const[32], unsigned)
{
    host_self->warp_epoch[host_self->current / 32]++;
}

void host_swap_work(void *const frame[32], unsigned mask)
{
    uint64_t given[32] = {};
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            given[i] = ((struct host_swap *)frame[i])->value;
    for (int i = 0; i < 32; i++) {
        if (!(mask >> i & 1))
            continue;
        struct host_swap *f = (struct host_swap *)frame[i];
        if (f->from > 31 || !(mask >> f->from & 1))
            host_die("lane %d reads lane %d, which is not in mask %08x", i, f->from, mask);
        f->value = given[f->from];
    }
}

void host_ballot_work(void *const frame[32], unsigned mask)
{
    uint64_t votes = 0;
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            votes |= ((struct host_swap *)frame[i])->value << i;
    for (int i = 0; i < 32; i++)
        if (mask >> i & 1)
            ((struct host_swap *)frame[i])->value = votes;
}

/* Eight rows of 16 bytes must lie in eight different groups of four banks. */
static void check_rows(const char *const rows[8])
{
    unsigned banks = 0;
    for (int i = 0; i < 8; i++) {
        if ((uintptr_t)rows[i] % 16)
            host_die("ldmatrix row %d is not aligned to 16 bytes", i);
        banks |= 1u << (uintptr_t)rows[i] / 16 % 8;
        host_touch(rows[i], 16, false);
    }
    if (banks != 0xff)
        host_die("ldmatrix: bank conflict, rows use groups %02x", banks);
}

static void ldmatrix(void *const frame[32], bool trans)
{
    for (int m = 0; m < 4; m++) {
        const char *rows[8];
        for (int i = 0; i < 8; i++)
            rows[i] = (const char *)((struct host_ldmatrix *)frame[m * 8 + i])->row;
        check_rows(rows);
        for (int lane = 0; lane < 32; lane++) {
            uint16_t x[2];
            for (int i = 0; i < 2; i++) {
                const int along = lane % 4 * 2 + i, across = lane / 4;
                const int row = trans ? along : across, column = trans ? across : along;
                memcpy(&x[i], rows[row] + column * 2, 2);
            }
            ((struct host_ldmatrix *)frame[lane])->r[m] = x[0] | (uint32_t)x[1] << 16;
        }
    }
}
void host_ldmatrix_work(void *const frame[32], unsigned) { ldmatrix(frame, false); }
void host_ldmatrix_trans_work(void *const frame[32], unsigned) { ldmatrix(frame, true); }

static void unpack(float out[2], uint32_t pair, float (*wide)(uint16_t))
{
    out[0] = wide((uint16_t)pair);
    out[1] = wide((uint16_t)(pair >> 16));
}

/* Registers only: nothing for ASan to see, and half of its time. */
__attribute__((no_sanitize("address"))) void host_mma_work(void *const frame[32], unsigned)
{
    float a[16][16], b[16][8], d[16][8];
    for (int lane = 0; lane < 32; lane++) {
        const struct host_mma *f = (struct host_mma *)frame[lane];
        const int group = lane / 4, two = lane % 4 * 2;
        for (int i = 0; i < 4; i++)
            unpack(&a[group + i % 2 * 8][two + i / 2 * 8], f->a[i], f->wide);
        for (int i = 0; i < 2; i++) {
            float k[2];
            unpack(k, f->b[i], f->wide);
            b[two + i * 8][group] = k[0];
            b[two + i * 8 + 1][group] = k[1];
        }
        for (int i = 0; i < 4; i++)
            d[group + i / 2 * 8][two + i % 2] = f->d[i];
    }
    for (int m = 0; m < 16; m++)
        for (int k = 0; k < 16; k++)
            for (int n = 0; n < 8; n++)
                d[m][n] += a[m][k] * b[k][n];
    for (int lane = 0; lane < 32; lane++)
        for (int i = 0; i < 4; i++)
            ((struct host_mma *)frame[lane])->d[i] = d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
}

void *ptx_shared(void) { return host_self->shared; }

void host_cp_async(void *shared, const void *global, struct host_line line)
{
    struct host_fiber *f = &host_self->fibers[host_self->current];
    if ((uintptr_t)shared % 16 || (uintptr_t)global % 16)
        host_die("cp.async at %s:%d: not aligned to 16 bytes", line.file, line.line);
    if (f->copies_count == HOST_COPIES_MAX)
        host_die("cp.async at %s:%d: more than %d in flight", line.file, line.line,
                 HOST_COPIES_MAX);
    memset(shared, 0xff, 16);
    host_touch(shared, 16, true);
    f->copies[f->copies_count++] = { shared, global, f->groups };
}

void ptx_cp_async_commit(void) { host_self->fibers[host_self->current].groups++; }

void host_cp_async_wait(int left)
{
    struct host_fiber *f = &host_self->fibers[host_self->current];
    int kept = 0;
    for (int i = 0; i < f->copies_count; i++) {
        const struct host_copy copy = f->copies[i];
        if (copy.group >= f->groups - left) {
            f->copies[kept++] = copy;
            continue;
        }
        host_touch(copy.to, 16, true);
        memcpy(copy.to, copy.from, 16);
    }
    f->copies_count = kept;
}
