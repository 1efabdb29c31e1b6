#include "common/secret.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/test.h"

#define MASK 0x5A
/* The needle as it may stand in this program; the needle itself is made at run time. */
static const unsigned char masked[] = "kOEVAL:needle:in:a:haystack:of:pages";
#define NEEDLE (sizeof(masked) - 1)

static __attribute__((noinline)) void needle_put(char *at)
{
    for (size_t i = 0; i < NEEDLE; i++)
        at[i] = (char)(masked[i] ^ MASK);
}

/* Looks where a sanitizer says that nobody may. */
__attribute__((no_sanitize("address"))) static size_t needles_in(const unsigned char *from,
                                                                 const unsigned char *to)
{
    size_t found = 0;
    for (const unsigned char *at = from; at + NEEDLE <= to; at++) {
        size_t i = 0;
        while (i < NEEDLE && at[i] == (masked[i] ^ MASK))
            i++;
        found += i == NEEDLE;
    }
    return found;
}

/* In all memory of this process that can be written: heaps and stacks, freed or not. */
static size_t needles_everywhere(void)
{
    char line[512];
    size_t found = 0;
    FILE *maps = fopen("/proc/self/maps", "r");
    while (maps && fgets(line, sizeof(line), maps)) {
        unsigned long from, to;
        char rights[5];
        if (sscanf(line, "%lx-%lx %4s", &from, &to, rights) == 3 && !strcmp(rights, "rw-p"))
            found += needles_in((const unsigned char *)from, (const unsigned char *)to);
    }
    if (maps)
        fclose(maps);
    return found;
}

typedef void free_fn(void *);

/* Blocks of every kind that malloc knows, grown by realloc on the way, given back in mixed order.
 */
static void use_and_free(free_fn *give_back)
{
    char *blocks[24];
    for (size_t i = 0; i < COUNT(blocks); i++) {
        size_t size = 64 + (i * i * i) * 7;
        blocks[i] = malloc(size);
        needle_put(blocks[i]);
        needle_put(blocks[i] + size - NEEDLE);
        if (i % 3 == 0) {
            blocks[i] = realloc(blocks[i], 4 * size);
            needle_put(blocks[i] + 4 * size - NEEDLE);
        }
    }
    for (size_t i = 0; i < COUNT(blocks); i += 2)
        give_back(blocks[i]);
    for (size_t i = 1; i < COUNT(blocks); i += 2)
        give_back(blocks[i]);
}

/* What the function says in a process of its own: 0 .. 255. */
static int in_child(int (*f)(void))
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0)
        _exit(f());
    int status = -1;
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#if SECRET_FREES
void __libc_free(void *memory);
#define LIBRARY_FREE __libc_free
#else
#define LIBRARY_FREE free
#endif

static int left_by(free_fn *give_back)
{
    use_and_free(give_back);
    size_t left = needles_everywhere();
    return left > 99 ? 99 : (int)left;
}

static int left_by_library(void) { return left_by(LIBRARY_FREE); }
static int left_by_us(void) { return left_by(free); }

TEST(what_is_freed_leaves_nothing)
{
    if (!SECRET_FREES)
        return;
    CHECK(in_child(left_by_library) > 0); /* the control: this search sees what is left */
    CHECK(in_child(left_by_us) == 0);
}

TEST(realloc_keeps_what_was_there)
{
    unsigned char *at = NULL;
    size_t sizes[64], count = 0;
    for (size_t size = 1; size < 400000; size += size / 3 + 1) {
        at = realloc(at, size);
        at[size - 1] = (unsigned char)size;
        sizes[count++] = size;
        for (size_t i = 0; i < count; i++)
            CHECK(at[sizes[i] - 1] == (unsigned char)sizes[i]);
    }
    at = realloc(at, 100000);
    at = realloc(at, 10);
    CHECK(at && at[0] == 1 && at[1] == 2);
    CHECK(!realloc(at, 0));
}

static int no_dump(void)
{
    struct err err = { 0 };
    struct rlimit limit;
    return secret_begin(&err) && !getrlimit(RLIMIT_CORE, &limit) && !limit.rlim_max &&
           prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 0;
}

TEST(no_core_file_and_no_debugger) { CHECK(in_child(no_dump) == 1); }

/* The last thing a function does with a local: a compiler that knows memset would leave it out. */
static __attribute__((noinline)) uintptr_t trace_leave(bool wiped)
{
    char local[256];
    needle_put(local + 64);
    __asm__ volatile("" : : "r"(local) : "memory");
    if (wiped)
        wipe(local, sizeof(local));
    uintptr_t where;
    __asm__("" : "=r"(where) : "0"(local)); /* a compiler warns of what is wanted here */
    return where;
}

static __attribute__((noinline)) int trace_found(bool wiped)
{
    const unsigned char *at = (const unsigned char *)trace_leave(wiped);
    return needles_in(at, at + 256) > 0;
}

static int trace_without(void) { return trace_found(false); }
static int trace_with(void) { return trace_found(true); }

TEST(a_wipe_is_not_left_out)
{
    CHECK(in_child(trace_without) == 1);
    CHECK(in_child(trace_with) == 0);
}

static long locked_kib(void)
{
    char line[256];
    long kib = -1;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof(line), status))
        if (sscanf(line, "VmLck: %ld", &kib) == 1)
            break;
    if (status)
        fclose(status);
    return kib;
}

/* 1: locked and to be seen; 2: refused with a reason, and memory can still be had. */
static int lock(void)
{
    struct err err = { 0 };
    if (secret_lock(&err))
        return locked_kib() > 0 ? 1 : 3;
    void *much = malloc(64 << 20);
    return much && err.text[0] && locked_kib() == 0 ? 2 : 4;
}

static int lock_as_nobody(void)
{
    struct rlimit little = { 65536, 65536 };
    if (setrlimit(RLIMIT_MEMLOCK, &little) || (getuid() == 0 && setuid(65534)))
        return 5;
    return lock();
}

TEST(memory_is_locked_or_it_is_said_why)
{
    if (!SECRET_FREES)
        return; /* a sanitizer makes locking do nothing */
    int as_we_are = in_child(lock);
    CHECK(as_we_are == 1 || as_we_are == 2);
    CHECK(in_child(lock_as_nobody) == 2);
}

TEST(a_mode_is_one_of_three_words)
{
    struct err err = { 0 };
    enum secret_mode mode = SECRET_AUTO;
    CHECK(secret_mode(&mode, "no", &err) && mode == SECRET_NO);
    CHECK(!secret_mode(&mode, "maybe", &err) && mode == SECRET_NO);
}
