/* skip.h - a test that cannot run here says why and counts as skipped, not as passed. */
#ifndef SKIP_H
#define SKIP_H

#include <stdio.h>

extern int test_skips; /* of the test that runs; test.h defines it */

#define SKIP(...)                    \
    do {                             \
        printf("SKIP " __VA_ARGS__); \
        putchar('\n');               \
        test_skips++;                \
    } while (0)

#endif
