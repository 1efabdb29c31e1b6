#include "coordinator/store/store_plan.h"

#include <string.h>

static bool read_items(int64_t **out, int32_t *count, struct db *db, int64_t version,
                       const char *role, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db,
                 "select coalesce(array_agg(item_id order by item_no), '{}') as ids"
                 " from task_item where task_version_id = $1 and role = $2",
                 ARGS(I64(version), TEXT(role)), err))
        return false;
    const int64_t *ids = rows_i64s(rows, 0, "ids", count);
    *out = must_calloc((size_t)*count, sizeof **out);
    if (*count)
        memcpy(*out, ids, (size_t)*count * sizeof *ids);
    return true;
}

static bool read_draw(struct store_plan *out, int64_t *version, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(
            &rows, db,
            "select task_version_id, definition, coalesce((draw ->> 'shots')::int, 0) as shots,"
            " coalesce((draw ->> 'limit')::int, -1) as most,"
            " coalesce((draw ->> 'seed')::bigint, 1234) as seed,"
            " coalesce(draw ->> 'sampler', 'default') as sampler"
            " from plan join task_version using (task_version_id) where plan_id = $1",
            ARGS(I64(out->plan)), err))
        return false;
    if (!rows_count(rows))
        return err_set(err, ERR_INPUT, "no plan %lld", (long long)out->plan);
    *version = rows_i64(rows, 0, "task_version_id");
    out->definition = strdup(rows_text(rows, 0, "definition"));
    out->shots = (int32_t)rows_i64(rows, 0, "shots");
    out->limit = (int32_t)rows_i64(rows, 0, "most");
    out->seed = rows_i64(rows, 0, "seed");
    out->first_n = !strcmp(rows_text(rows, 0, "sampler"), "first_n");
    return true;
}

bool store_plan_begin(struct store_plan *out, struct db *db, int64_t job, int32_t attempt,
                      struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(store_plan_free) struct store_plan plan = { 0 };
    int64_t version = 0;
    if (!db_call(&rows, db, "select plan_begin($1, $2) as plan", ARGS(I64(job), I64(attempt)), err))
        return false;
    if (rows_null(rows, 0, "plan"))
        return true;
    plan.plan = rows_i64(rows, 0, "plan");
    if (!read_draw(&plan, &version, db, err) ||
        !read_items(&plan.items, &plan.items_count, db, version, "e", err) ||
        !read_items(&plan.pool, &plan.pool_count, db, version, "s", err))
        return false;
    *out = plan;
    plan = (struct store_plan){ 0 };
    return true;
}

void store_plan_free(struct store_plan *plan)
{
    free(plan->definition);
    free(plan->items);
    free(plan->pool);
    *plan = (struct store_plan){ 0 };
}

bool store_plan_write(struct db *db, int64_t job, int32_t attempt, int32_t first,
                      const int32_t *items, int32_t count, int32_t shots_count,
                      const int32_t *shots, struct err *err)
{
    return db_call(NULL, db, "select plan_write($1, $2, $3, $4, $5, $6)",
                   ARGS(I64(job), I64(attempt), I64(first), I32S(items, (size_t)count),
                        I64(shots_count), I32S(shots, (size_t)count * (size_t)shots_count)),
                   err);
}

bool store_plan_seal(struct db *db, int64_t job, int32_t attempt, struct err *err)
{
    return db_call(NULL, db, "select plan_seal($1, $2)", ARGS(I64(job), I64(attempt)), err);
}
