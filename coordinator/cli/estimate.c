#include "coordinator/cli/estimate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/characters.h"
#include "coordinator/cli/table.h"

static void json_free(json_t *json) { json_decref(json); }
AUTO_FREES(json_t *, json_free)

static const struct column columns[] = {
    { "task", NULL, COLUMN_LEFT },
    { "items", NULL, COLUMN_RIGHT },
    { "requests", NULL, COLUMN_RIGHT },
    { "shards", NULL, COLUMN_RIGHT },
    { "characters_naive", "characters", COLUMN_RIGHT },
    { "characters_unique", "as sharded", COLUMN_RIGHT },
    { "tokens_naive", "tokens", COLUMN_RIGHT },
    { "tokens_unique", "as sharded", COLUMN_RIGHT },
    { "engine_s", "time", COLUMN_RIGHT },
    { "params", NULL, COLUMN_JSON },
};

/* Of one task, for one model where not said otherwise; negative: unknown. */
struct estimate_row {
    double items, requests, shards, naive, unique, tokens_naive, tokens_unique, seconds;
};

static void put(struct table *table, double number)
{
    if (number < 0) {
        table_cell(table, NULL, "unknown");
        table_style(table, CELL_DIM);
    } else {
        table_i64(table, (int64_t)(number + 0.5));
    }
}

static void put_seconds(struct table *table, double seconds)
{
    char shown[16], json[32];
    if (seconds < 0) {
        put(table, seconds);
        return;
    }
    age_shown(shown, seconds);
    snprintf(json, sizeof(json), "%.1f", seconds);
    table_cell(table, json, shown);
}

static void put_row(struct table *table, const char *name, const struct estimate_row *row,
                    const char *params)
{
    table_text(table, name);
    put(table, row->items);
    put(table, row->requests);
    put(table, row->shards);
    put(table, row->naive);
    put(table, row->unique);
    put(table, row->tokens_naive);
    put(table, row->tokens_unique);
    put_seconds(table, row->seconds);
    table_cell(table, params, "");
}

/* A sum with something unknown in it is unknown. */
static void add(double *sum, double number) { *sum = *sum < 0 || number < 0 ? -1 : *sum + number; }

static void add_row(struct estimate_row *sum, const struct estimate_row *row)
{
    add(&sum->items, row->items);
    add(&sum->requests, row->requests);
    add(&sum->shards, row->shards);
    add(&sum->naive, row->naive);
    add(&sum->unique, row->unique);
    add(&sum->tokens_naive, row->tokens_naive);
    add(&sum->tokens_unique, row->tokens_unique);
    add(&sum->seconds, row->seconds);
}

static double number_or_unknown(const struct rows *rows, const char *column)
{
    return rows_null(rows, 0, column) ? -1 : rows_f64(rows, 0, column);
}

/* All models of the launch at one task. */
static bool measure(struct estimate_row *out, const struct launch *l, const struct launch_task *t,
                    struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    if (!db_call(&rows, db, "select * from campaign_estimate($1, $2::jsonb, $3, $4)",
                 ARGS(I64(t->version), TEXT(t->params), I64(t->items),
                      I32S(l->models, (size_t)l->models_count)),
                 err))
        return false;
    double models = l->models_count;
    *out = (struct estimate_row){
        .items = (double)t->items * models,
        .shards = ceil((double)t->items / (double)l->shard_items) * models,
        .requests = number_or_unknown(rows, "requests"),
        .naive = -1,
        .unique = -1,
        .tokens_naive = number_or_unknown(rows, "token_naive"),
        .tokens_unique = number_or_unknown(rows, "token_unique"),
        .seconds = number_or_unknown(rows, "engine_s"),
    };
    out->requests = out->requests < 0 ? -1 : out->requests * models;
    return true;
}

/* ---- characters: rendered as whom the database lets read items ---- */

static void documents_free(struct documents *d)
{
    free(d->items);
    free(d->pool);
    free(d->item_ids);
    free(d->pool_ids);
}
AUTO_ENDS(struct documents, documents_free)

/* Texts stay in rows. */
static void documents_fill(struct documents *out, struct rows *rows)
{
    size_t n = (size_t)rows_count(rows);
    out->items = must_calloc(n, sizeof(*out->items));
    out->pool = must_calloc(n, sizeof(*out->pool));
    out->item_ids = must_calloc(n, sizeof(*out->item_ids));
    out->pool_ids = must_calloc(n, sizeof(*out->pool_ids));
    for (int r = 0; r < rows_count(rows); r++) {
        size_t size;
        const void *payload = rows_bytes(rows, r, "payload", &size);
        struct text text = { payload, size };
        if (*rows_text(rows, r, "role") == 'e') {
            out->items[out->items_count] = text;
            out->item_ids[out->items_count++] = rows_i64(rows, r, "item_id");
        } else {
            out->pool[out->pool_count] = text;
            out->pool_ids[out->pool_count++] = rows_i64(rows, r, "item_id");
        }
    }
}

static struct fewshot fewshot_of(const struct launch_task *t, const struct task *task)
{
    AUTO(json_free) json_t *params = json_loads(t->params, 0, NULL);
    return (struct fewshot){
        .shots = (int32_t)json_integer_value(json_object_get(params, "shots")),
        .seed = json_integer_value(json_object_get(params, "seed")),
        .sampler = task_sampler(task),
        .excludes_self = task_excludes_self(task),
    };
}

static bool count_characters(struct estimate_row *row, const struct launch *l,
                             const struct launch_task *t, struct db *db, struct err *err)
{
    AUTO(rows_free) struct rows *version = NULL, *rows = NULL;
    AUTO(task_free) struct task *task = NULL;
    AUTO(documents_free) struct documents documents = { 0 };
    struct characters characters;
    if (!db_call(&version, db, "select definition from task_version where task_version_id = $1",
                 ARGS(I64(t->version)), err) ||
        !db_call(&rows, db,
                 "select t.role::text as role, i.item_id, i.payload from task_item t"
                 " join secret.item i using (item_id) where t.task_version_id = $1"
                 " and (t.role = 's' or t.item_no < $2) order by t.role, t.item_no",
                 ARGS(I64(t->version), I64(t->items)), err))
        return false;
    const char *definition = rows_text(version, 0, "definition");
    if (!task_open(&task, definition, strlen(definition), err))
        return false;
    documents_fill(&documents, rows);
    struct fewshot fewshot = fewshot_of(t, task);
    if (!characters_count(&characters, task, &documents, &fewshot, (int32_t)l->shard_items, err))
        return false;
    row->naive = (double)characters.naive * l->models_count;
    row->unique = (double)characters.unique * l->models_count;
    return true;
}

/* Whoever may not read items gets `unknown`, and everything else. */
static bool add_characters(struct estimate_row *rows, const struct launch *l, struct cli *cli,
                           struct err *err)
{
    struct db *db;
    struct err refused = { 0 };
    if (!cli_db_as(&db, cli, ROLE_COORDINATOR, &refused)) {
        cli_note(cli, "characters stay unknown: only a login that may act as %s reads items",
                 ROLE_COORDINATOR);
        return true;
    }
    for (int32_t i = 0; i < l->tasks_count; i++)
        if (!count_characters(&rows[i], l, &l->tasks[i], db, err))
            return err_wrap(err, "task %s", l->tasks[i].name);
    return true;
}

bool estimate_print(const struct launch *l, struct cli *cli, struct db *db, struct err *err)
{
    AUTO(table_free) struct table *table = table_new(columns, COUNT(columns));
    AUTO(free)
    struct estimate_row *rows = must_calloc((size_t)l->tasks_count, sizeof(*rows));
    struct estimate_row sum = { 0 };
    for (int32_t i = 0; i < l->tasks_count; i++)
        if (!measure(&rows[i], l, &l->tasks[i], db, err))
            return err_wrap(err, "task %s", l->tasks[i].name);
    if (!add_characters(rows, l, cli, err))
        return false;
    for (int32_t i = 0; i < l->tasks_count; i++) {
        put_row(table, l->tasks[i].name, &rows[i], l->tasks[i].params);
        add_row(&sum, &rows[i]);
    }
    put_row(table, "all", &sum, NULL);
    cli_table(cli, "estimate", table);
    cli_line(cli, "%d models at %d tasks; nothing was stored", l->models_count, l->tasks_count);
    return true;
}
