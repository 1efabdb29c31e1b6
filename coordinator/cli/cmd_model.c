/* cmd_model.c - models: checked with the very code that will load them, stored as a manifest.
 *
 * A model is its bytes: the digest over configuration, tokenizer and weights is its identity, its
 * folder's path is told to nobody.  Whatever an agent would refuse is refused here first. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "agent/manifest.h"
#include "agent/model/tensors.h"
#include "agent/text/tokenizer.h"
#include "coordinator/cli/list.h"

static void json_free(json_t *json) { json_decref(json); }
AUTO_FREES(json_t *, json_free)

static const struct list_column columns[] = {
    { "model", NULL, LIST_TEXT },          { "architecture", NULL, LIST_TEXT },
    { "parameters", NULL, LIST_COUNT },    { "dtype", NULL, LIST_TEXT },
    { "type", NULL, LIST_TEXT },           { "licence", NULL, LIST_TEXT },
    { "nodes", NULL, LIST_TEXTS },         { "runs", NULL, LIST_COUNT },
    { "digest", NULL, LIST_SHORT },        { "created_at", "added", LIST_TIME },
    { "withdrawn_at", NULL, LIST_HIDDEN }, { "model_id", NULL, LIST_NUMBER },
};

static bool model_list(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db,
                 "select * from model_list where withdrawn_at is null or $1 order by model",
                 ARGS(BOOL(cli_flag(cli, "withdrawn"))), err))
        return false;
    list_print(cli, "models", rows, columns, COUNT(columns));
    return list_age(cli, db, err);
}

static bool no_such_model(struct cli *cli, struct db *db, struct err *err)
{
    AUTO(buf_free) struct buf there = { 0 };
    if (!list_names(&there, db,
                    "select model from model_list where withdrawn_at is null order by 1", NO_ARGS,
                    err))
        return false;
    return cli_not_found(cli, err, "model", cli_arg(cli, 0), buf_text(&there));
}

static const struct list_column one[] = {
    { "model", NULL, LIST_TEXT },        { "digest", NULL, LIST_TEXT },
    { "architecture", NULL, LIST_TEXT }, { "parameters", NULL, LIST_COUNT },
    { "dtype", NULL, LIST_TEXT },        { "type", NULL, LIST_TEXT },
    { "licence", NULL, LIST_TEXT },      { "nodes", NULL, LIST_TEXTS },
    { "runs", NULL, LIST_COUNT },        { "created_at", NULL, LIST_TIME },
    { "withdrawn_at", NULL, LIST_TIME },
};

static const struct list_column run_columns[] = {
    { "run_id", "run", LIST_ID },  { "campaign", NULL, LIST_TEXT },  { "task", NULL, LIST_TEXT },
    { "state", NULL, LIST_STATE }, { "n_done", "done", LIST_COUNT }, { "n_item", "of", LIST_COUNT },
    { "reason", NULL, LIST_TEXT },
};

static bool model_show(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL, *runs = NULL;
    const char *name = cli_arg(cli, 0);
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db,
                 "select * from model_list where model = $1 order by withdrawn_at nulls first",
                 ARGS(TEXT(name)), err) ||
        !db_call(&runs, db, "select * from run_list where model = $1 order by run_id desc limit 50",
                 ARGS(TEXT(name)), err))
        return false;
    if (!rows_count(rows))
        return no_such_model(cli, db, err);
    list_print_one(cli, rows, 0, one, COUNT(one));
    if (rows_count(runs) || cli_json(cli)) {
        cli_line(cli, "\nnewest runs");
        list_print(cli, "newest_runs", runs, run_columns, COUNT(run_columns));
    }
    return list_age(cli, db, err);
}

/* ---- adding one ---- */

/* What the folder says of itself, once everything in it was read as an agent will read it. */
struct found {
    struct manifest manifest;
    struct model_config config;
    int64_t parameters;
    int32_t vocabulary;
};

static void found_free(struct found *found) { manifest_free(&found->manifest); }
AUTO_ENDS(struct found, found_free)

static bool check_tokenizer(struct found *out, const char *dir, struct err *err)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    if (!tokenizer_open(&tokenizer, dir, err))
        return false;
    out->vocabulary = tokenizer_vocabulary(tokenizer);
    if (out->vocabulary > out->config.vocab)
        return err_set(err, ERR_INPUT,
                       "the tokenizer gives ids up to %d, the embedding has %d rows",
                       out->vocabulary - 1, out->config.vocab);
    return true;
}

/* Cheap checks first: a digest over 100 GB is the last thing computed. */
static bool examine(struct found *out, const char *dir, struct err *err)
{
    return model_check(&out->config, &out->parameters, dir, err) &&
           check_tokenizer(out, dir, err) && manifest_read(&out->manifest, dir, err);
}

static json_t *files_json(const struct manifest *manifest)
{
    json_t *files = json_array();
    for (int32_t i = 0; i < manifest->files_count; i++) {
        const struct manifest_file *f = &manifest->files[i];
        char hex[MANIFEST_DIGEST_HEX];
        manifest_hex(hex, f->sha256);
        json_array_append_new(files, json_pack("{s:s, s:I, s:s}", "name", f->name, "bytes",
                                               (json_int_t)f->bytes, "sha256", hex));
    }
    return files;
}

static json_t *manifest_json(const struct found *found, struct cli *cli)
{
    static const char *const dtypes[] = { "f32", "bf16", "f16" };
    const char *type = cli_text(cli, "type"), *licence = cli_text(cli, "licence");
    return json_pack("{s:o, s:s, s:s, s:s, s:I, s:i, s:i, s:i, s:i, s:s?, s:s?}", "files",
                     files_json(&found->manifest), "architecture", found->config.architecture,
                     "model_type", found->config.model_type, "dtype", dtypes[found->config.dtype],
                     "parameters", (json_int_t)found->parameters, "layers", found->config.layers,
                     "hidden", found->config.hidden, "vocab", found->config.vocab, "max_positions",
                     found->config.positions_max, "type", type, "licence", licence);
}

static bool model_add(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(found_free) struct found found = { 0 };
    AUTO(rows_free) struct rows *rows = NULL;
    char hex[MANIFEST_DIGEST_HEX];
    const char *name = cli_arg(cli, 0), *dir = cli_arg(cli, 1);
    if (!examine(&found, dir, err))
        return err_wrap(err, "%s", dir);
    AUTO(json_free) json_t *manifest = manifest_json(&found, cli);
    assert(manifest);
    AUTO(free) char *text = json_dumps(manifest, JSON_SORT_KEYS | JSON_COMPACT);
    manifest_hex(hex, found.manifest.digest);
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db, "select * from model_add($1, $2, $3::jsonb)",
                 ARGS(TEXT(name), BYTES(found.manifest.digest, 32), TEXT(text)), err))
        return false;
    bool fresh = rows_bool(rows, 0, "fresh");
    cli_field_text(cli, "model", rows_text(rows, 0, "name"));
    cli_field_text(cli, "digest", hex);
    cli_field_text(cli, "architecture", found.config.architecture);
    cli_field_i64(cli, "parameters", found.parameters);
    cli_field(cli, "fresh", fresh ? "true" : "false", fresh ? "yes" : "no, it was there");
    if (!fresh && strcmp(rows_text(rows, 0, "name"), name))
        return err_set(err, ERR_INPUT, "these very bytes are known as %s",
                       rows_text(rows, 0, "name"));
    return true;
}

static bool model_withdraw(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    const char *why = cli_text(cli, "reason");
    if (!why || !*why)
        return cli_usage(cli, err, "a withdrawal needs --reason: the boards show it");
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db,
                 "select model_id from model_list where model = $1 and withdrawn_at is null",
                 ARGS(TEXT(cli_arg(cli, 0))), err))
        return false;
    if (!rows_count(rows))
        return no_such_model(cli, db, err);
    if (!db_call(NULL, db, "select model_withdraw($1, $2)",
                 ARGS(I64(rows_i64(rows, 0, "model_id")), TEXT(why)), err))
        return false;
    cli_field_text(cli, "withdrawn", cli_arg(cli, 0));
    return true;
}

static const struct option add_options[] = {
    { OPTION_TEXT, "type", "TEXT", NULL, "pretrained, instruction-tuned, merged ..." },
    { OPTION_TEXT, "licence", "TEXT", NULL, "as its owner gives it" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};
static const struct option list_options[] = {
    { OPTION_FLAG, "withdrawn", NULL, NULL, "those that were taken back too" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};
static const struct option withdraw_options[] = {
    { OPTION_TEXT, "reason", "TEXT", NULL, "why; boards show it in place of the name" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

const struct command model_commands[] = {
    { .words = "model add",
      .role = ROLE_OPERATOR,
      .usage = "NAME DIR [--type T] [--licence L]",
      .help = "check a Hugging Face folder and make it known by its digest",
      .options = add_options,
      .args_min = 2,
      .args_max = 2,
      .run = model_add },
    { .words = "model list",
      .role = ROLE_OPERATOR,
      .help = "models and the nodes that have them",
      .options = list_options,
      .run = model_list },
    { .words = "model show",
      .role = ROLE_OPERATOR,
      .usage = "NAME",
      .help = "one model and its newest runs",
      .args_min = 1,
      .args_max = 1,
      .run = model_show },
    { .words = "model withdraw",
      .role = ROLE_ADMIN,
      .usage = "NAME --reason TEXT",
      .help = "take it off every board, its name out of every view",
      .options = withdraw_options,
      .args_min = 1,
      .args_max = 1,
      .run = model_withdraw },
    { 0 },
};
