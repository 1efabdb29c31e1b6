/* test.h - the whole test framework.  One file of TESTs is one program. */
#ifndef TEST_H
#define TEST_H

#include <stdio.h>
#include <string.h>

#include "tests/skip.h"

int test_skips;
static int test_passed, test_failed, test_skipped, test_bad;
typedef void test_fn(void);
static struct {
    const char *name;
    test_fn *fn;
} test_list[512];
static int test_count;

#define TEST(what)                                            \
    static void what(void);                                   \
    __attribute__((constructor)) static void what##_add(void) \
    {                                                         \
        test_list[test_count].name = #what;                   \
        test_list[test_count++].fn = what;                    \
    }                                                         \
    static void what(void)

#define CHECK(ok)                                           \
    do {                                                    \
        if (!(ok)) {                                        \
            printf("%s:%d: %s\n", __FILE__, __LINE__, #ok); \
            test_bad = 1;                                   \
            return;                                         \
        }                                                   \
    } while (0)

int main(int argc, char **argv)
{
    for (int i = 0; i < test_count; i++) {
        if (argc > 1 && !strstr(test_list[i].name, argv[1]))
            continue;
        test_bad = test_skips = 0;
        test_list[i].fn();
        if (test_bad)
            printf("FAILED %s\n", test_list[i].name);
        *(test_bad ? &test_failed : test_skips ? &test_skipped : &test_passed) += 1;
    }
    printf("%d passed, %d failed, %d skipped\n", test_passed, test_failed, test_skipped);
    return test_failed != 0;
}

#endif
