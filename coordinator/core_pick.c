#include "coordinator/core_state.h"

#include <string.h>

/* Switch models when what is left per agent is more than this many loads. */
#define LOAD_WEIGHT 3
#define DRY_WORKS   4 /* a dry model is asked for again after so many looks at the work */

void works_heard(struct core *core, const struct answer *a)
{
    if (a->count > core->works_capacity) {
        core->works_capacity = a->count;
        core->works = must_realloc(core->works, (size_t)a->count, sizeof(*core->works));
    }
    core->works_count = a->count;
    if (a->count)
        memcpy(core->works, a->works, (size_t)a->count * sizeof(*a->works));
}

void works_free(struct core *core) { free(core->works); }

void works_move(struct core *core, int32_t model, int32_t class, int32_t ready)
{
    for (int32_t i = 0; i < core->works_count; i++)
        if (core->works[i].model == model && core->works[i].class == class) {
            core->works[i].ready += ready;
            return;
        }
}

bool session_has(const struct session *s, int32_t model)
{
    int32_t lo = 0, hi = s->disk_count;
    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;
        if (s->disk[mid] < model)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < s->disk_count && s->disk[lo] == model;
}

static int32_t resident_at(const struct session *s, int32_t model)
{
    for (int32_t i = 0; i < s->resident_count; i++)
        if (s->resident[i] == model)
            return i;
    return NONE;
}

void work_dry(const struct core *core, struct session *s, int32_t model)
{
    struct dry *oldest = &s->dry[0];
    for (int32_t i = 1; i < DRY_MAX; i++)
        if (s->dry[i].until_ms < oldest->until_ms)
            oldest = &s->dry[i];
    *oldest = (struct dry){ model, core->now_ms + DRY_WORKS * core->conf.work_ms };
}

/* Whoever found so many of them dry waits, or it would go around in them all day. */
static bool is_dry(const struct core *core, const struct session *s, int32_t model)
{
    int32_t count = 0;
    for (int32_t i = 0; i < DRY_MAX; i++) {
        bool dry = core->now_ms < s->dry[i].until_ms;
        if (dry && s->dry[i].model == model)
            return true;
        count += dry;
    }
    return count == DRY_MAX;
}

static bool fits(const struct core *core, const struct session *s, const struct work *w)
{
    if (w->ready <= 0 || (w->class && w->class != s->class))
        return false;
    if (s->held_count && s->resident_count && w->model != s->resident[0])
        return false; /* what is fetched ahead is of the model at hand */
    return session_has(s, w->model) && !is_dry(core, s, w->model);
}

/* What taking it saves, ms: all of it for the model that runs. */
static int64_t gain(const struct core *core, const struct session *s, const struct work *w)
{
    int32_t at = resident_at(s, w->model);
    if (at == 0)
        return INT64_MAX;
    int32_t agents = w->model < core->running_capacity ? core->running[w->model] : 0;
    int64_t left = (int64_t)w->ready * w->shard_ms / (agents + 1);
    return at > 0 ? left : left - (int64_t)LOAD_WEIGHT * w->load_ms;
}

struct work *work_pick(const struct core *core, const struct session *s)
{
    struct work *best = NULL;
    int64_t best_gain = 0;
    for (int32_t i = 0; i < core->works_count; i++) {
        struct work *w = &core->works[i];
        if (!fits(core, s, w))
            continue;
        int64_t g = gain(core, s, w);
        if (!best || w->priority > best->priority ||
            (w->priority == best->priority && g > best_gain)) {
            best = w;
            best_gain = g;
        }
    }
    return best;
}
