/* cmd_launch.c - a campaign from names: models, tasks and groups become ids, options become params,
 * and every parameter is written out, so that a run says what it did whatever defaults become. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/campaign.h"
#include "coordinator/cli/estimate.h"
#include "coordinator/cli/list.h"

const struct option launch_options[] = {
    { OPTION_LIST, "model", "MODEL", NULL, "models by name" },
    { OPTION_LIST, "task", "TASK", NULL, "tasks or groups by name" },
    { OPTION_I64, "shots", "N", NULL, "few-shot examples (default: what the task says, else 0)" },
    { OPTION_TEXT, "dtype", "auto|f32|bf16|f16", "auto",
      "type of the weights in the engine; auto: as the models store them" },
    { OPTION_TEXT, "mode", "hf|fp32", "hf", "round as Hugging Face does, or compute in fp32" },
    { OPTION_I64, "limit", "N", NULL, "only the first N items of each task" },
    { OPTION_I64, "seed", "N", "1234", "of the few-shot draws" },
    { OPTION_TEXT, "add-bos", "tokenizer|yes|no", "tokenizer", "a bos token before each prompt" },
    { OPTION_I64, "max-length", "N", "0", "cut prompts from the left to so many tokens; 0: model" },
    { OPTION_TEXT, "purpose", "board|rehearsal|audit|dispute", "board",
      "only board campaigns count on boards" },
    { OPTION_I64, "priority", "N", "0", "greater goes first" },
    { OPTION_I64, "shard-items", "N", "100", "items an agent is given at a time" },
    { OPTION_FLAG, "dry-run", NULL, NULL, "say what it would ask for, store nothing" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

static void json_free(json_t *json) { json_decref(json); }
AUTO_FREES(json_t *, json_free)

static bool is_one_of(const char *word, const char *words)
{
    size_t size = strlen(word);
    for (const char *at = strstr(words, word); at; at = strstr(at + 1, word))
        if ((at == words || at[-1] == '|') && (at[size] == '|' || !at[size]) && size)
            return true;
    return false;
}

/* Words and ranges, before anything is asked of the database. */
static bool check_options(struct cli *cli, struct err *err)
{
    static const char *const words[] = { "dtype", "mode", "add-bos", "purpose" };
    static const struct {
        const char *name;
        int64_t least, most;
    } numbers[] = {
        { "shots", 0, 1000 },         { "limit", 1, INT32_MAX },   { "seed", 0, INT64_MAX },
        { "max-length", 0, 1 << 24 }, { "priority", -1000, 1000 }, { "shard-items", 1, 100000 },
    };
    for (size_t i = 0; i < COUNT(words); i++)
        for (const struct option *o = launch_options; o->type != OPTION_END; o++)
            if (!strcmp(o->name, words[i]) && !is_one_of(cli_text(cli, o->name), o->value))
                return cli_usage(cli, err, "--%s is one of %s", o->name, o->value);
    for (size_t i = 0; i < COUNT(numbers); i++) {
        int64_t n = cli_i64(cli, numbers[i].name);
        if (cli_given(cli, numbers[i].name) && (n < numbers[i].least || n > numbers[i].most))
            return cli_usage(cli, err, "--%s is %lld to %lld", numbers[i].name,
                             (long long)numbers[i].least, (long long)numbers[i].most);
    }
    if (!cli_list_count(cli, "model") || !cli_list_count(cli, "task"))
        return cli_usage(cli, err, "a campaign needs --model and --task");
    return true;
}

/* ---- names become numbers ---- */

static void launch_free(struct launch *l)
{
    json_decref(l->spec);
    for (int32_t i = 0; i < l->tasks_count; i++) {
        free(l->tasks[i].name);
        free(l->tasks[i].params);
    }
    free(l->tasks);
    free(l->models);
}
AUTO_ENDS(struct launch, launch_free)

static bool find_model(struct launch *l, const char *name, struct cli *cli, struct db *db,
                       struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(buf_free) struct buf there = { 0 };
    if (!db_call(&rows, db,
                 "select model_id, dtype from model_list where model = $1 and withdrawn_at is null",
                 ARGS(TEXT(name)), err))
        return false;
    if (!rows_count(rows)) {
        if (!list_names(&there, db,
                        "select model from model_list where withdrawn_at is null order by 1",
                        NO_ARGS, err))
            return false;
        return cli_not_found(cli, err, "model", name, buf_text(&there));
    }
    const char *dtype = rows_text(rows, 0, "dtype");
    if (l->models_count && dtype && l->dtype[0] && strcmp(dtype, l->dtype) && l->auto_dtype)
        return cli_usage(cli, err, "the models store %s and %s: say --dtype", l->dtype, dtype);
    if (dtype && l->auto_dtype)
        snprintf(l->dtype, sizeof(l->dtype), "%s", dtype);
    for (int32_t i = 0; i < l->models_count; i++)
        if (l->models[i] == rows_i64(rows, 0, "model_id"))
            return true;
    l->models[l->models_count++] = (int32_t)rows_i64(rows, 0, "model_id");
    return true;
}

static bool has_task(const struct launch *l, int32_t version)
{
    for (int32_t i = 0; i < l->tasks_count; i++)
        if (l->tasks[i].version == version)
            return true;
    return false;
}

/* lm-evaluation-harness: what the command line says, except that a task that says 0 keeps 0. */
static int64_t shots_for(struct cli *cli, const struct rows *rows, int r)
{
    bool own = !rows_null(rows, r, "own_shots");
    if (own && (!cli_given(cli, "shots") || rows_i64(rows, r, "own_shots") == 0))
        return rows_i64(rows, r, "own_shots");
    return cli_i64(cli, "shots");
}

static char *params_text(struct cli *cli, const struct launch *l, const char *sampler,
                         int64_t shots)
{
    AUTO(json_free)
    json_t *params = json_pack("{s:s, s:s, s:I, s:I, s:n, s:s, s:s, s:I, s:b, s:i}", "dtype",
                               l->dtype, "mode", cli_text(cli, "mode"), "shots", (json_int_t)shots,
                               "seed", (json_int_t)cli_i64(cli, "seed"), "limit", "sampler",
                               sampler, "add_bos", cli_text(cli, "add-bos"), "max_length",
                               (json_int_t)cli_i64(cli, "max-length"), "chat", 0, "repeats", 1);
    assert(params);
    if (cli_given(cli, "limit"))
        json_object_set_new(params, "limit", json_integer(cli_i64(cli, "limit")));
    char *text = json_dumps(params, JSON_SORT_KEYS | JSON_COMPACT);
    assert(text);
    return text;
}

static bool add_task(struct launch *l, struct cli *cli, const struct rows *rows, int r,
                     struct err *err)
{
    int32_t version = (int32_t)rows_i64(rows, r, "task_version_id");
    int64_t shots = shots_for(cli, rows, r), pool = rows_i64(rows, r, "n_shot");
    const char *name = rows_text(rows, r, "task");
    if (has_task(l, version))
        return true;
    if (shots > pool)
        return cli_usage(cli, err, "task %s has %lld items to draw %lld shots from", name,
                         (long long)pool, (long long)shots);
    l->tasks = must_realloc(l->tasks, (size_t)l->tasks_count + 1, sizeof(*l->tasks));
    l->tasks[l->tasks_count++] = (struct launch_task){
        .version = version,
        .name = strdup(name),
        .items = rows_i64(rows, r, "n_item"),
        .params = params_text(cli, l, rows_text(rows, r, "sampler"), shots),
    };
    struct launch_task *t = &l->tasks[l->tasks_count - 1];
    if (cli_given(cli, "limit") && t->items > cli_i64(cli, "limit"))
        t->items = cli_i64(cli, "limit");
    return true;
}

static bool find_tasks(struct launch *l, const char *name, struct cli *cli, struct db *db,
                       struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(buf_free) struct buf there = { 0 };
    if (!db_call(&rows, db, "select * from campaign_tasks($1)", ARGS(TEXT(name)), err))
        return false;
    for (int r = 0; r < rows_count(rows); r++)
        if (!add_task(l, cli, rows, r, err))
            return false;
    if (rows_count(rows))
        return true;
    if (!list_names(
            &there, db,
            "select n from (select task as n from task_list where is_newest and groups = '{}'"
            " union select unnest(groups) from task_list) x order by 1",
            NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "task or group", name, buf_text(&there));
}

/* What makes two launches the same: what was asked, not what it was resolved to. */
static json_t *spec_of(struct cli *cli, const struct launch *l)
{
    json_t *models = json_array(), *tasks = json_array();
    for (int i = 0; i < cli_list_count(cli, "model"); i++)
        json_array_append_new(models, json_string(cli_list(cli, "model", i)));
    for (int i = 0; i < cli_list_count(cli, "task"); i++)
        json_array_append_new(tasks, json_string(cli_list(cli, "task", i)));
    json_t *params =
        json_pack("{s:s, s:s, s:n, s:I, s:n, s:s, s:I}", "dtype", l->dtype, "mode",
                  cli_text(cli, "mode"), "shots", "seed", (json_int_t)cli_i64(cli, "seed"), "limit",
                  "add_bos", cli_text(cli, "add-bos"), "max_length",
                  (json_int_t)cli_i64(cli, "max-length"));
    static const char *const optional[] = { "shots", "limit" };
    for (size_t i = 0; i < COUNT(optional); i++)
        if (cli_given(cli, optional[i]))
            json_object_set_new(params, optional[i], json_integer(cli_i64(cli, optional[i])));
    return json_pack("{s:o, s:o, s:o, s:I}", "models", models, "tasks", tasks, "params", params,
                     "shard_items", (json_int_t)cli_i64(cli, "shard-items"));
}

static bool resolve(struct launch *l, struct cli *cli, struct db *db, struct err *err)
{
    l->shard_items = cli_i64(cli, "shard-items");
    l->auto_dtype = !strcmp(cli_text(cli, "dtype"), "auto");
    if (!l->auto_dtype)
        snprintf(l->dtype, sizeof(l->dtype), "%s", cli_text(cli, "dtype"));
    l->models = must_calloc((size_t)cli_list_count(cli, "model"), sizeof(*l->models));
    for (int i = 0; i < cli_list_count(cli, "model"); i++)
        if (!find_model(l, cli_list(cli, "model", i), cli, db, err))
            return false;
    if (!l->dtype[0])
        return cli_usage(cli, err, "no model says its dtype: say --dtype");
    for (int i = 0; i < cli_list_count(cli, "task"); i++)
        if (!find_tasks(l, cli_list(cli, "task", i), cli, db, err))
            return false;
    l->spec = spec_of(cli, l);
    return true;
}

/* ---- launching ---- */

static bool store(int64_t *id, const struct launch *l, struct cli *cli, struct db *db,
                  struct err *err)
{
    AUTO(rows_free) struct rows *rows = NULL;
    AUTO(free) char *spec = json_dumps(l->spec, JSON_SORT_KEYS | JSON_COMPACT);
    AUTO(free)
    int32_t *versions = must_calloc((size_t)l->tasks_count, sizeof(*versions));
    AUTO(free)
    const char **params = must_calloc((size_t)l->tasks_count, sizeof(*params));
    for (int32_t i = 0; i < l->tasks_count; i++) {
        versions[i] = l->tasks[i].version;
        params[i] = l->tasks[i].params;
    }
    if (!db_call(&rows, db,
                 "select campaign_launch($1, $2::jsonb, $3::campaign_purpose, $4, $5, $6,"
                 " $7::text[]::jsonb[]) as id",
                 ARGS(TEXT(cli_arg(cli, 0)), TEXT(spec), TEXT(cli_text(cli, "purpose")),
                      I64(cli_i64(cli, "priority")), I32S(l->models, (size_t)l->models_count),
                      I32S(versions, (size_t)l->tasks_count),
                      TEXTS(params, (size_t)l->tasks_count)),
                 err))
        return false;
    *id = rows_i64(rows, 0, "id");
    return true;
}

bool campaign_launch(struct cli *cli, struct err *err)
{
    struct db *db;
    int64_t id;
    AUTO(launch_free) struct launch l = { 0 };
    if (!check_options(cli, err) || !cli_db(&db, cli, err) || !resolve(&l, cli, db, err))
        return false;
    if (cli_flag(cli, "dry-run"))
        return estimate_print(&l, cli, db, err);
    if (!store(&id, &l, cli, db, err))
        return false;
    int64_t items = 0;
    for (int32_t i = 0; i < l.tasks_count; i++)
        items += l.tasks[i].items;
    cli_field_text(cli, "campaign", cli_arg(cli, 0));
    cli_field_i64(cli, "runs", (int64_t)l.models_count * l.tasks_count);
    cli_field_i64(cli, "items", items * l.models_count);
    if (!cli_json(cli))
        cli_note(cli, "koeval campaign watch %s   shows it run", cli_arg(cli, 0));
    return true;
}
