/* main.c - sim_replay FILE...: plays traces that coordinators recorded (--trace) on the core of
 * this build.  Exit 1: an action differs, or a file is no trace. */
#include <stdio.h>

#include "coordinator/trace.h"

int main(int argc, char **argv)
{
    bool same = argc > 1;
    for (int i = 1; i < argc; i++) {
        struct replay r = { 0 };
        struct err err = { 0 };
        if (!trace_replay(&r, argv[i], &err)) {
            printf("%s\n", err.text);
            same = false;
            continue;
        }
        printf("%s: %lld cores, %lld steps, %lld lines cut off, %lld steps differ", argv[i],
               (long long)r.cores, (long long)r.steps, (long long)r.cut, (long long)r.differing);
        printf(r.first ? ", the first in line %lld\n" : "\n", (long long)r.first);
        same &= !r.differing;
    }
    return same ? 0 : 1;
}
