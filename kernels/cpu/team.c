#include "kernels/cpu/team.h"

#include <pthread.h>
#include <string.h>
#include <xmmintrin.h>

/* FTZ, DAZ, nearest even, every exception masked. */
#define TEAM_MXCSR 0x9fc0

struct team {
    int32_t size, started; /* started: threads that exist beside the caller */
    pthread_t *thread;
    pthread_mutex_t lock;
    pthread_cond_t begin, end;

    /* The job, changed under the lock while nobody works. */
    uint64_t job; /* counts up; a thread that has seen another number has work */
    bool quit;
    team_fn *fn;
    void *self;
    int32_t items, working;
    _Atomic int32_t next;
};

struct member {
    struct team *team;
    int32_t worker;
};

static void team_items(struct team *team, int32_t worker)
{
    for (;;) {
        int32_t item = team->next++;
        if (item >= team->items)
            return;
        team->fn(team->self, item, worker);
    }
}

static void *team_thread(void *at)
{
    struct member me = *(struct member *)at;
    struct team *team = me.team;
    uint64_t seen = 0;

    free(at);
    _mm_setcsr(TEAM_MXCSR);
    pthread_mutex_lock(&team->lock);
    for (;;) {
        while (team->job == seen && !team->quit)
            pthread_cond_wait(&team->begin, &team->lock);
        if (team->quit)
            break;
        seen = team->job;
        pthread_mutex_unlock(&team->lock);
        team_items(team, me.worker);
        pthread_mutex_lock(&team->lock);
        if (--team->working == 0)
            pthread_cond_signal(&team->end);
    }
    pthread_mutex_unlock(&team->lock);
    return NULL;
}

bool team_open(struct team **out, int32_t threads, struct err *err)
{
    assert(threads >= 1);
    struct team *team = must_calloc(1, sizeof(*team));

    team->size = threads;
    team->thread = must_calloc((size_t)threads, sizeof(*team->thread));
    pthread_mutex_init(&team->lock, NULL);
    pthread_cond_init(&team->begin, NULL);
    pthread_cond_init(&team->end, NULL);
    for (; team->started < threads - 1; team->started++) {
        struct member *member = must_calloc(1, sizeof(*member));
        *member = (struct member){ team, team->started + 1 };
        int rc = pthread_create(&team->thread[team->started], NULL, team_thread, member);
        if (rc) {
            free(member);
            err_set(err, ERR_DEVICE, "compute thread %d of %d: %s", team->started + 1, threads,
                    strerror(rc));
            team_close(team);
            return false;
        }
    }
    *out = team;
    return true;
}

void team_close(struct team *team)
{
    if (!team)
        return;
    pthread_mutex_lock(&team->lock);
    team->quit = true;
    pthread_cond_broadcast(&team->begin);
    pthread_mutex_unlock(&team->lock);
    for (int32_t i = 0; i < team->started; i++)
        pthread_join(team->thread[i], NULL);
    pthread_mutex_destroy(&team->lock);
    pthread_cond_destroy(&team->begin);
    pthread_cond_destroy(&team->end);
    free(team->thread);
    free(team);
}

int32_t team_size(const struct team *team) { return team->size; }

static void team_together(struct team *team, team_fn *fn, void *self, int32_t items)
{
    pthread_mutex_lock(&team->lock);
    team->fn = fn;
    team->self = self;
    team->items = items;
    team->next = 0;
    team->working = team->started;
    team->job++;
    pthread_cond_broadcast(&team->begin);
    pthread_mutex_unlock(&team->lock);

    team_items(team, 0);

    pthread_mutex_lock(&team->lock);
    while (team->working)
        pthread_cond_wait(&team->end, &team->lock);
    pthread_mutex_unlock(&team->lock);
}

void team_run(struct team *team, team_fn *fn, void *self, int32_t items)
{
    uint32_t before = _mm_getcsr();

    _mm_setcsr(TEAM_MXCSR);
    if (team->started == 0 || items <= 1)
        for (int32_t i = 0; i < items; i++)
            fn(self, i, 0);
    else
        team_together(team, fn, self, items);
    _mm_setcsr(before);
}
