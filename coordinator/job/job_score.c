#include <math.h>
#include <string.h>

#include "coordinator/job/job.h"
#include "coordinator/store/store_score.h"
#include "coordinator/task/definition.h"

#define METRICS_MAX (TASK_METRICS_MAX + 8)

/* What every multiple-choice task is judged by, whatever its own list says: a board may ask for it
 * later, and the numbers cost two bytes an item. */
static const char *const always[] = { "acc", "acc_norm", "acc_bytes" };

struct column {
    const struct metric *metric;
    enum aggregation aggregation;
    double *values; /* [items_count * width] */
};

struct scoring {
    int32_t items_count, items_seen, columns_count;
    struct column columns[METRICS_MAX];
};

static void scoring_free(struct scoring *s)
{
    for (int32_t i = 0; i < s->columns_count; i++)
        free(s->columns[i].values);
}
AUTO_ENDS(struct scoring, scoring_free)

static bool has(const struct scoring *s, const char *metric)
{
    for (int32_t i = 0; i < s->columns_count; i++)
        if (!strcmp(s->columns[i].metric->name, metric))
            return true;
    return false;
}

static void add(struct scoring *s, const struct metric *metric, enum aggregation aggregation)
{
    assert(s->columns_count < METRICS_MAX);
    s->columns[s->columns_count++] = (struct column){
        metric,
        aggregation,
        must_calloc((size_t)s->items_count * metric->width, sizeof(double)),
    };
}

static bool add_own(struct scoring *s, const struct task_metric *own, bool choices, struct err *err)
{
    enum aggregation aggregation;
    const struct metric *metric = metric_find(own->name, choices);
    if (!metric)
        return err_set(err, ERR_INPUT, "no metric %s here", own->name);
    if (!aggregation_find(&aggregation, own->aggregation))
        return err_set(err, ERR_INPUT, "no aggregation %s", own->aggregation);
    if (aggregation_width(aggregation) != metric->width)
        return err_set(err, ERR_INPUT, "%s cannot be aggregated by %s", own->name,
                       own->aggregation);
    if (!has(s, own->name))
        add(s, metric, aggregation);
    return true;
}

/* The columns that the task's definition asks for. */
static bool scoring_plan(struct scoring *s, const struct score_run *run, struct err *err)
{
    AUTO(task_free) struct task *task = NULL;
    if (!task_open(&task, run->definition, run->definition_size, err))
        return false;
    bool choices = task_output(task) == TASK_MULTIPLE_CHOICE;
    for (int32_t i = 0; i < task_metrics_count(task); i++)
        if (!add_own(s, task_metric(task, i), choices, err))
            return err_wrap(err, "task %s", task_name(task));
    for (size_t i = 0; choices && i < COUNT(always); i++)
        if (!has(s, always[i]))
            add(s, metric_find(always[i], true), AGGREGATE_MEAN);
    return true;
}

static bool on_item(void *self, struct text gold_json, const struct answer *answer, struct err *err)
{
    struct scoring *s = self;
    struct gold gold;
    if (s->items_seen == s->items_count)
        return err_set(err, ERR_INPUT, "more than %d items", s->items_count);
    if (!gold_read(&gold, gold_json, err))
        return false;
    for (int32_t i = 0; i < s->columns_count; i++) {
        struct column *c = &s->columns[i];
        if (!metric_item(c->values + (size_t)s->items_seen * c->metric->width, c->metric, &gold,
                         answer, err))
            return false;
    }
    s->items_seen++;
    return true;
}

static struct score score_of(const struct column *column, int32_t n)
{
    return (struct score){
        .metric = column->metric->name,
        .aggregation = column->aggregation,
        .estimate = aggregate(column->aggregation, column->values, n, AGGREGATE_BOOTSTRAP_ITERS),
        .width = column->metric->width,
        .values = column->values,
    };
}

bool job_score(struct db *db, int64_t job, int32_t attempt, struct err *err)
{
    AUTO(score_run_free) struct score_run run = { 0 };
    AUTO(scoring_free) struct scoring s = { 0 };
    struct score scores[METRICS_MAX];

    if (!store_score_begin(&run, db, job, attempt, err))
        return false;
    s.items_count = run.items_count;
    if (!scoring_plan(&s, &run, err) || !store_score_each(db, job, attempt, on_item, &s, err))
        return err_wrap(err, "run %lld", (long long)run.run);
    if (s.items_seen != s.items_count)
        return err_set(err, ERR_INPUT, "run %lld has %d of %d responses", (long long)run.run,
                       s.items_seen, s.items_count);
    for (int32_t i = 0; i < s.columns_count; i++)
        scores[i] = score_of(&s.columns[i], s.items_count);
    return store_score_write(db, job, attempt, scores, s.columns_count, s.items_count, err);
}
