/* The compute threads. */
#include "kernels/cpu/team.h"
#include "tests/test.h"

#include <xmmintrin.h>

enum { ITEMS_MAX = 1000, THREADS_MAX = 5 };

struct job {
    _Atomic int32_t done[ITEMS_MAX], bad;
    struct team *team;
};

static void item_run(void *self, int32_t item, int32_t worker)
{
    struct job *job = self;
    job->done[item]++;
    if (worker < 0 || worker >= team_size(job->team) || (_mm_getcsr() & 0x8040) != 0x8040)
        job->bad++;
}

TEST(every_item_runs_once_with_denormals_off)
{
    static struct job job;
    struct err err;

    for (int32_t threads = 1; threads <= THREADS_MAX; threads++) {
        CHECK(team_open(&job.team, threads, &err));
        for (int32_t round = 0; round < 200; round++) {
            int32_t items = round * 5;
            memset((void *)job.done, 0, sizeof(job.done));
            team_run(job.team, item_run, &job, items);
            for (int32_t i = 0; i < ITEMS_MAX; i++)
                CHECK(job.done[i] == (i < items));
        }
        CHECK(job.bad == 0);
        CHECK((_mm_getcsr() & 0x8040) == 0); /* the caller's own mode is back */
        team_close(job.team);
    }
}
