/* plan - how fast requests become waves, on one core, and in how much memory.
 *
 *     bench_plan [REQUESTS] [TOKENS EACH]     default: 1000000 100
 *
 * Items of four choices, in the shape of a benchmark with shots: items of a subject share a header
 * of three fifths of their tokens; half of the items have choices of one token (their paths are
 * equal), half of four.  The requests come shuffled.  Counted is the CPU time of sorting, cutting
 * and building every wave; memory beyond the requests themselves. */
#include "agent/plan/plan.h"
#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

enum { CHOICES = 4, SUBJECT_ITEMS = 100, WAVE_ROWS = 32768, CHUNK = 512 };

static int64_t peak_bytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)u.ru_maxrss * 1024;
}

static uint32_t next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 32);
}

static void tokens_put(int32_t *at, int32_t count, uint64_t *state)
{
    for (int32_t i = 0; i < count; i++)
        at[i] = (int32_t)(next(state) % 32000);
}

static void requests_make(struct request *request, int32_t *tokens, int32_t count, int32_t length)
{
    int32_t header = length * 3 / 5;

    for (int32_t r = 0; r < count; r++) {
        int32_t item = r / CHOICES, choice = item % 2 ? 4 : 1;
        uint64_t subject = (uint64_t)(item / SUBJECT_ITEMS) * 2 + 1, own = (uint64_t)item * 2 + 2;
        uint64_t answer = (uint64_t)r * 7 + 3;
        int32_t *at = tokens + (int64_t)r * length;
        tokens_put(at, header, &subject);
        tokens_put(at + header, length - header - choice, &own);
        tokens_put(at + length - choice, choice, &answer);
        request[r] = (struct request){ at, length - choice, length };
    }
    uint64_t state = 1;
    for (int32_t r = count - 1; r > 0; r--) {
        int32_t other = (int32_t)(next(&state) % (uint32_t)(r + 1));
        struct request kept = request[r];
        request[r] = request[other];
        request[other] = kept;
    }
}

static void row_print(const char *what, int64_t us, int64_t tokens)
{
    printf("| %s | %.2f | %.1f |\n", what, (double)us * 1e-6, (double)tokens / (double)us);
}

static bool plan_all(const struct request *request, int32_t count, int64_t tokens, struct err *err)
{
    const struct costs costs = {
        .budget = INT64_MAX / 2, .rows_max = WAVE_ROWS, .wave_cost = CHUNK / 2, .chunk = CHUNK
    };
    AUTO(trie_free) struct trie trie = { 0 };
    AUTO(cuts_free) struct cuts cuts = { 0 };
    int64_t before = peak_bytes(), rows = 0, begin = clock_cpu_us();

    if (!trie_sort(&trie, request, count, err))
        return false;
    int64_t sorted = clock_cpu_us();
    if (!cuts_pick(&cuts, &trie, PLAN_SLOTS, &costs, err))
        return false;
    int64_t cut = clock_cpu_us();
    for (int32_t i = 0; i < cuts.count; i++) {
        AUTO(wave_free) struct wave wave = { 0 };
        wave_build(&wave, &trie, &cuts.cut[i], PLAN_SLOTS);
        rows += wave.rows;
    }
    int64_t built = clock_cpu_us();

    printf("| step | CPU s | million tokens/s |\n|---|---|---|\n");
    row_print("sort", sorted - begin, tokens);
    row_print("cut", cut - sorted, tokens);
    row_print("build every wave", built - cut, tokens);
    row_print("all", built - begin, tokens);
    printf("\n%d requests, %lld tokens, %lld unique, %d waves, %lld recomputed (%.3f %%), %.0f MB "
           "beyond the requests\n",
           count, (long long)tokens, (long long)cuts.unique, cuts.count, (long long)cuts.recomputed,
           100.0 * (double)cuts.recomputed / (double)cuts.unique,
           (double)(peak_bytes() - before) * 1e-6);
    return rows == cuts.unique + cuts.recomputed || err_set(err, ERR_INPUT, "rows are missing");
}

int main(int argc, char **argv)
{
    int32_t count = argc > 1 ? (int32_t)strtol(argv[1], NULL, 10) : 1000000;
    int32_t length = argc > 2 ? (int32_t)strtol(argv[2], NULL, 10) : 100;
    struct err err = { 0 };

    if (count < 1 || length < 10) {
        fprintf(stderr, "usage: %s [REQUESTS] [TOKENS EACH]\n", argv[0]);
        return 2;
    }
    AUTO(free) int32_t *tokens = must_calloc((size_t)count * (size_t)length, sizeof(*tokens));
    AUTO(free) struct request *request = must_calloc((size_t)count, sizeof(*request));
    requests_make(request, tokens, count, length);
    if (plan_all(request, count, (int64_t)count * length, &err))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
