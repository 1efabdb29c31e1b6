#include "kernels/cpu/device.h"

#include <string.h>
#include <sys/mman.h>

#define HUGE_PAGE ((int64_t)2 << 20)

/* Huge pages: L2 is indexed by physical address, and small pages collide in it at random. */
void *cpu_memory(int64_t bytes)
{
    int64_t unit = bytes >= HUGE_PAGE ? HUGE_PAGE : 64;
    void *data;

    if (bytes < 0 || bytes > INT64_MAX - unit)
        return NULL;
    int64_t size = (bytes + unit) / unit * unit;
    if (posix_memalign(&data, (size_t)unit, (size_t)size))
        return NULL;
    if (unit == HUGE_PAGE)
        madvise(data, (size_t)size, MADV_HUGEPAGE);
    return data;
}

bool cpu_mem_alloc(struct dev *dev, void **out, int64_t bytes, struct err *err)
{
    (void)dev;
    void *data = cpu_memory(bytes);
    if (!data)
        return err_set(err, ERR_DEVICE, "no memory for %lld bytes", (long long)bytes);
    *out = data;
    return true;
}

void cpu_mem_free(struct dev *dev, void *data)
{
    (void)dev;
    free(data);
}

void cpu_upload(struct dev *dev, void *to, const void *host, int64_t bytes)
{
    (void)dev;
    memcpy(to, host, (size_t)bytes);
}

void cpu_download(struct dev *dev, void *host, const void *from, int64_t bytes)
{
    (void)dev;
    memcpy(host, from, (size_t)bytes);
}

static int64_t scratch_bytes(const struct cpu_dev *cpu, const struct room *room)
{
    int64_t gemm = kern_gemm_scratch_bytes(cpu->kern, room->k_max);
    int64_t attend = kern_attend_scratch_bytes(room->head_dim_max);
    return ((gemm > attend ? gemm : attend) + 63) / 64 * 64;
}

static int64_t logits_bytes(const struct cpu_dev *cpu)
{
    return (int64_t)HEAD_ROWS * VOCAB_TILE * cpu_head_tiles(cpu) * (int64_t)sizeof(float);
}

int64_t cpu_room_bytes(const struct dev *dev, const struct room *room)
{
    const struct cpu_dev *cpu = (const struct cpu_dev *)dev;
    return scratch_bytes(cpu, room) * team_size(cpu->team) + logits_bytes(cpu) +
           HEAD_ROWS * (int64_t)sizeof(struct lse);
}

bool cpu_reserve(struct dev *dev, const struct room *room, struct err *err)
{
    struct cpu_dev *cpu = cpu_of(dev);
    int64_t bytes = scratch_bytes(cpu, room);

    free(cpu->scratch);
    cpu->room = (struct room){ 0 };
    cpu->scratch_bytes = bytes;
    cpu->scratch = cpu_memory(bytes * team_size(cpu->team));
    if (!cpu->logits)
        cpu->logits = cpu_memory(logits_bytes(cpu));
    if (!cpu->scratch || !cpu->logits)
        return err_set(err, ERR_DEVICE, "no memory for %lld bytes of scratch",
                       (long long)cpu_room_bytes(dev, room));
    if (!cpu->lse)
        cpu->lse = must_calloc(HEAD_ROWS, sizeof(*cpu->lse));
    cpu->room = *room;
    return true;
}
