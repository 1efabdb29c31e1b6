#define _GNU_SOURCE /* sched_getaffinity */
#include "kernels/cpu/cpu.h"

#include "kernels/cpu/device.h"

#include <sched.h>
#include <stdio.h>

/* Counts up when any bit of any result of this backend changes. */
#define CPU_NUMERICS 1

static void cpu_close(struct dev *dev)
{
    struct cpu_dev *cpu = cpu_of(dev);

    team_close(cpu->team);
    store_close(cpu->store);
    free(cpu->scratch);
    free(cpu->logits);
    free(cpu->lse);
    free(cpu);
}

/* Ops have run when they return, and cannot fail. */
static bool cpu_sync(struct dev *dev, struct err *err)
{
    (void)dev;
    (void)err;
    return true;
}

static const struct ops cpu_ops = {
    .name = "cpu",
    .close = cpu_close,
    .reserve = cpu_reserve,
    .room_bytes = cpu_room_bytes,
    .sync = cpu_sync,
    .mem_alloc = cpu_mem_alloc,
    .mem_free = cpu_mem_free,
    .upload = cpu_upload,
    .download = cpu_download,
    .weight_make = cpu_weight_make,
    .weight_free = cpu_weight_free,
    .weight_bytes = cpu_weight_bytes,
    .layer_prefetch = cpu_layer_prefetch,
    .stream = cpu_stream,
    .store_begin = cpu_store_begin,
    .store_end = cpu_store_end,
    .store_drop = cpu_store_drop,
    .rope_fill = cpu_rope_fill,
    .wave_begin = cpu_wave_begin,
    .embed = cpu_embed,
    .gather_rows = cpu_gather_rows,
    .norm = cpu_norm,
    .linear = cpu_linear,
    .qk_rope_kv = cpu_qk_rope_kv,
    .attend = cpu_attend,
    .act_gate = cpu_act_gate,
    .add = cpu_add,
    .head = cpu_head,
    .logits = cpu_logits,
};

static int32_t cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof(set), &set))
        return 1;
    return CPU_COUNT(&set);
}

bool cpu_open(struct dev **out, const char *cap, int32_t threads, struct err *err)
{
    const struct kern *kern = kern_pick(cap);
    if (!kern)
        return err_set(err, ERR_INPUT, "no instruction set is called '%s'", cap);

    struct cpu_dev *cpu = must_calloc(1, sizeof(*cpu));
    cpu->dev.ops = &cpu_ops;
    cpu->kern = kern;
    /* All instruction sets and thread counts give the same bits: one class. */
    snprintf(cpu->dev.facts, sizeof(cpu->dev.facts),
             "\"backend\":\"cpu\",\"arch\":\"x86-64\",\"numerics\":%d", CPU_NUMERICS);
    snprintf(cpu->dev.about, sizeof(cpu->dev.about), "%s, vdpbf16ps %s", kern->name,
             kern_probe_words());
    if (!team_open(&cpu->team, threads > 0 ? threads : cores(), err)) {
        free(cpu);
        return false;
    }
    *out = &cpu->dev;
    return true;
}
