#include <string.h>

#include "coordinator/job/job.h"
#include "coordinator/store/store_plan.h"
#include "coordinator/task/definition.h"
#include "coordinator/task/fewshot.h"

/* Rows of one statement. */
#define PLAN_SLICE 10000

struct planning {
    struct store_plan stored;
    int32_t shots, items_count;
    int32_t *drawn; /* [items_count * shots], by item */
    int32_t *order; /* plan_no -> item_no */
};

static void planning_end(struct planning *p)
{
    store_plan_free(&p->stored);
    free(p->drawn);
    free(p->order);
}
AUTO_ENDS(struct planning, planning_end)

/* All shots in document order, then the order that lets neighbours share prompt beginnings. */
static bool draw(struct planning *p, struct err *err)
{
    AUTO(task_free) struct task *task = NULL;
    const struct store_plan *s = &p->stored;
    if (!task_open(&task, s->definition, strlen(s->definition), err))
        return false;
    p->shots = task_shots(task) == 0 ? 0 : s->shots; /* a task that says 0 keeps 0 */
    bool limited = s->limit >= 0 && s->limit < s->items_count;
    p->items_count = limited ? s->limit : s->items_count;
    struct fewshot fewshot = {
        .shots = p->shots,
        .seed = s->seed,
        .sampler = s->first_n ? TASK_SAMPLE_FIRST_N : task_sampler(task),
        .excludes_self = task_excludes_self(task),
    };
    p->drawn = must_calloc((size_t)p->items_count, (size_t)p->shots * sizeof *p->drawn);
    p->order = must_calloc((size_t)p->items_count, sizeof *p->order);
    if (!fewshot_draw(p->drawn, &fewshot, s->items, p->items_count, s->pool, s->pool_count, err))
        return err_wrap(err, "task %s", task_name(task));
    fewshot_order(p->order, p->drawn, p->shots, p->items_count);
    return true;
}

static bool write_slice(const struct planning *p, struct db *db, int64_t job, int32_t attempt,
                        int32_t first, struct err *err)
{
    int32_t count = p->items_count - first < PLAN_SLICE ? p->items_count - first : PLAN_SLICE;
    size_t width = (size_t)p->shots;
    AUTO(free) int32_t *shots = must_calloc((size_t)count * width, sizeof *shots);
    for (int32_t i = 0; i < count && width; i++)
        memcpy(shots + (size_t)i * width, p->drawn + (size_t)p->order[first + i] * width,
               width * sizeof *shots);
    return store_plan_write(db, job, attempt, first, p->order + first, count, p->shots, shots, err);
}

bool job_plan(struct db *db, int64_t job, int32_t attempt, struct err *err)
{
    AUTO(planning_end) struct planning p = { 0 };
    if (!store_plan_begin(&p.stored, db, job, attempt, err))
        return false;
    if (!p.stored.plan)
        return true;
    if (!draw(&p, err))
        return false;
    for (int32_t first = 0; first < p.items_count; first += PLAN_SLICE)
        if (!write_slice(&p, db, job, attempt, first, err))
            return false;
    return store_plan_seal(db, job, attempt, err);
}
