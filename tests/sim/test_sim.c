/* test_sim.c - many worlds, each from one seed, on the very cores that the daemons run.
 *
 *     SEEDS=FIRST:COUNT bin/sim_test_sim      as many as you like; 1:200 by default */
#include "tests/sim/world.h"
#include "tests/test.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Rows of a table, as tests/figures puts them into the docs. */
static void print_totals(const struct totals *t, unsigned long long first, unsigned long long bad,
                         double seconds)
{
    double n = (double)t->seeds;
    printf("| what | figure |\n|---|---|\n| seeds | %llu from %llu, %.0f a second of one core |\n",
           (unsigned long long)t->seeds, first, n / seconds);
    printf("| seeds with a violation | %llu |\n", bad);
    if (!bad)
        printf("| so, with 95 %% confidence, of such seeds | at most 3/n = %.1e |\n", 3 / n);
    printf("| events, messages, of these lost | %llu, %llu, %llu |\n",
           (unsigned long long)t->events, (unsigned long long)t->messages,
           (unsigned long long)t->dropped);
    printf("| faults, of these crashes of the database | %llu, %llu |\n",
           (unsigned long long)t->faults, (unsigned long long)t->crashes);
    printf("| transactions of unknown outcome, refused to an old epoch | %llu, %llu |\n",
           (unsigned long long)t->ambiguous, (unsigned long long)t->fenced);
    printf("| grants, leases expired, late batches taken, duplicates absorbed | %llu, %llu, %llu, "
           "%llu |\n",
           (unsigned long long)t->grants, (unsigned long long)t->expired,
           (unsigned long long)t->late, (unsigned long long)t->already);
    printf("| items computed for %d needed, a seed | %.1f in %.1f virtual seconds |\n",
           RUNS * ITEMS, (double)t->computed / n, (double)t->virtual_ms / 1000 / n);
}

TEST(no_seed_loses_doubles_or_strands_anything)
{
    const char *asked = getenv("SEEDS");
    unsigned long long first = 1, count = 200, bad = 0;
    if (asked && sscanf(asked, "%llu:%llu", &first, &count) != 2)
        printf("SEEDS is FIRST:COUNT\n");
    struct world *w = world_new();
    clock_t began = clock();
    for (unsigned long long seed = first; seed < first + count; seed++) {
        const char *broken = seed_run(w, seed);
        if (broken && ++bad <= 5)
            printf("  seed %llu at %lld ms: %s\n    SEEDS=%llu:1 build/dev/bin/sim_test_sim\n",
                   seed, (long long)w->now_ms, broken, seed);
    }
    print_totals(&w->total, first, bad, (double)(clock() - began) / CLOCKS_PER_SEC);
    if (bad)
        printf("  %llu of %llu seeds are bad\n", bad, count);
    world_free(w);
    CHECK(!bad);
}

TEST(a_seed_is_the_same_world_each_time)
{
    uint64_t trails[20];
    struct world *w = world_new();
    for (uint64_t seed = 1; seed <= 20; seed++) {
        seed_run(w, seed);
        trails[seed - 1] = w->trail;
    }
    for (uint64_t seed = 20; seed; seed--) {
        seed_run(w, seed);
        CHECK(w->trail == trails[seed - 1]);
    }
    world_free(w);
}

/* ---- traces ---- */

static bool replays(struct replay *r, const char *path)
{
    struct err err = { 0 };
    return trace_replay(r, path, &err);
}

/* The last digit of what was decided in one step is another. */
static void spoil(const char *path)
{
    FILE *file = fopen(path, "r+e");
    char *line = NULL;
    size_t room = 0;
    for (int i = 0; i < 400 || line[0] != 'A'; i++)
        CHECK(getline(&line, &room, file) > 0);
    long digit = (long)strcspn(line, ";") - 2;
    CHECK(fseek(file, digit - (long)strlen(line), SEEK_CUR) == 0);
    fputc(line[digit] == '5' ? '6' : '5', file);
    fclose(file);
    free(line);
}

TEST(what_a_coordinator_recorded_is_decided_again)
{
    char folder[] = "/tmp/koeval-trace.XXXXXX", path[64];
    struct replay r;
    CHECK(mkdtemp(folder));
    struct world *w = world_new();
    w->traces = folder;
    for (uint64_t seed = 1; seed <= 5; seed++)
        CHECK(!seed_run(w, seed));
    world_free(w);
    for (int c = 0; c < COORDS; c++) {
        snprintf(path, sizeof(path), "%s/%d", folder, c);
        CHECK(replays(&r, path) && r.cores >= 5 && r.steps > 500 && !r.differing && !r.cut);
    }
    spoil(path);
    CHECK(replays(&r, path) && r.differing == 1 && r.first >= 400);
    CHECK(truncate(path, 5001) == 0);
    CHECK(replays(&r, path) && r.cut == 1 && !r.differing);
    for (int c = 0; c < COORDS; c++) {
        snprintf(path, sizeof(path), "%s/%d", folder, c);
        unlink(path);
    }
    rmdir(folder);
}
