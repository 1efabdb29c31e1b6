#include "coordinator/cli/estimate.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/table.h"

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
        .naive = number_or_unknown(rows, "characters_naive"),
        .unique = number_or_unknown(rows, "characters_unique"),
        .tokens_naive = number_or_unknown(rows, "token_naive"),
        .tokens_unique = number_or_unknown(rows, "token_unique"),
        .seconds = number_or_unknown(rows, "engine_s"),
    };
    out->requests = out->requests < 0 ? -1 : out->requests * models;
    return true;
}

bool estimate_print(const struct launch *l, struct cli *cli, struct db *db, struct err *err)
{
    AUTO(table_free) struct table *table = table_new(columns, COUNT(columns));
    struct estimate_row sum = { 0 };
    for (int32_t i = 0; i < l->tasks_count; i++) {
        struct estimate_row row;
        if (!measure(&row, l, &l->tasks[i], db, err))
            return err_wrap(err, "task %s", l->tasks[i].name);
        put_row(table, l->tasks[i].name, &row, l->tasks[i].params);
        add_row(&sum, &row);
    }
    put_row(table, "all", &sum, NULL);
    cli_table(cli, "estimate", table);
    cli_line(cli, "%d models at %d tasks; nothing was stored", l->models_count, l->tasks_count);
    return true;
}
