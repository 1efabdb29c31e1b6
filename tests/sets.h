/* sets.h - the device of an instruction set for tests of bits: the machine's own, or the emulated
 * one where that is linked in, else (said aloud once) the best below it. */
#ifndef TESTS_SETS_H
#define TESTS_SETS_H

#include "kernels/cpu/kern.h"

#include <stdio.h>
#include <string.h>

/* "cpu", "cpu:avx512" ... to what dev_open() takes; `room` is where the text may lie. */
static inline const char *set_device(const char *device, char room[64])
{
    const char *set = strchr(device, ':') ? strchr(device, ':') + 1 : NULL;
    const struct kern *kern = kern_pick(set);

    if (!set || !kern || !strcmp(kern->name, set))
        return device;
    snprintf(room, 64, "%s-emulated", device);
    if (kern_pick(room + 4))
        return room;
    printf("SKIP %s: neither on this machine nor emulated (libsimde-dev)\n", set);
    return device;
}

#endif
