/* cmd_key.c - the keys by which agents and coordinator know each other (CURVE).
 *
 * A key is made where it will be used, and its secret half never leaves that machine: FILE holds
 * the public half, FILE_secret both, readable by its owner alone.  The coordinator admits the
 * public keys that stand in the database. */
#include <czmq.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/cli/list.h"

static void zcert_free(zcert_t *cert) { zcert_destroy(&cert); }
AUTO_FREES(zcert_t *, zcert_free)

static const struct column columns[] = {
    { "key_id", "key", COLUMN_RIGHT },   { "node", NULL, COLUMN_LEFT },
    { "state", NULL, COLUMN_LEFT },      { "public_key", "public key", COLUMN_LEFT },
    { "agents", NULL, COLUMN_RIGHT },    { "created_by", "added by", COLUMN_LEFT },
    { "created_at", "at", COLUMN_LEFT }, { "expires_at", "until", COLUMN_LEFT },
    { "reason", NULL, COLUMN_LEFT },
};

/* Never over a file that is there: the old key may be in use. */
static bool is_free(const char *path, struct err *err)
{
    if (access(path, F_OK) == 0)
        return err_set(err, ERR_INPUT, "%s is there already", path);
    return true;
}

static bool key_new(struct cli *cli, struct err *err)
{
    const char *file = cli_arg(cli, 0);
    char secret[4096];
    snprintf(secret, sizeof(secret), "%s_secret", file);
    if (!is_free(file, err) || !is_free(secret, err))
        return false;
    AUTO(zcert_free) zcert_t *cert = zcert_new();
    /* czmq writes first and restricts after: the mask closes the moment between. */
    mode_t mask = umask(077);
    int rc = cert ? zcert_save(cert, file) : -1;
    umask(mask);
    if (rc || chmod(secret, 0600) || chmod(file, 0644))
        return err_set(err, ERR_RETRY, "cannot write %s and %s: %s", file, secret, strerror(errno));
    cli_field_text(cli, "public", file);
    cli_field_text(cli, "secret", secret);
    cli_field_text(cli, "key", zcert_public_txt(cert));
    return true;
}

/* A file that `key new` made, or the 40 characters of the public key themselves. */
static bool public_key(uint8_t out[32], const char *word, struct err *err)
{
    char hint[128] = "";
    if (access(word, R_OK) == 0) {
        AUTO(zcert_free) zcert_t *cert = zcert_load(word);
        if (cert) {
            memcpy(out, zcert_public_key(cert), 32);
            return true;
        }
        snprintf(hint, sizeof(hint), " (the file holds none)");
    }
    if (strlen(word) == 40 && zmq_z85_decode(out, word))
        return true;
    return err_set(err, ERR_INPUT, "%.200s is neither a key file nor 40 characters of a key%s",
                   word, hint);
}

static bool key_add(struct cli *cli, struct err *err)
{
    struct db *db;
    uint8_t key[32];
    AUTO(rows_free) struct rows *rows = NULL;
    const char *node = cli_text(cli, "node");
    if (!node || !*node)
        return cli_usage(cli, err, "a key needs --node: the name its agents are listed under");
    if (!public_key(key, cli_arg(cli, 0), err) || !cli_db(&db, cli, err) ||
        !db_call(&rows, db, "select key_add($1, $2) as k", ARGS(BYTES(key, 32), TEXT(node)), err))
        return false;
    cli_field_i64(cli, "key", rows_i64(rows, 0, "k"));
    cli_field_text(cli, "node", node);
    return true;
}

/* Keys are shown as key files and agents write them: Z85, not hex. */
static void key_row(struct table *table, struct rows *rows, int row)
{
    size_t size;
    char text[41], at[17], until[17];
    const void *key = rows_bytes(rows, row, "key", &size);
    const char *state = !rows_null(rows, row, "revoked_at")   ? "revoked"
                        : !rows_null(rows, row, "expires_at") ? "rotated"
                                                              : "active";
    assert(size == 32);
    zmq_z85_encode(text, key, size);
    snprintf(at, sizeof(at), "%s", rows_text(rows, row, "created_at"));
    if (!rows_null(rows, row, "expires_at"))
        snprintf(until, sizeof(until), "%s", rows_text(rows, row, "expires_at"));
    table_cell(table, rows_text(rows, row, "key_id"), rows_text(rows, row, "key_id"));
    table_text(table, rows_text(rows, row, "node"));
    table_text(table, state);
    table_style(table, state_style(state));
    table_text(table, text);
    table_i64(table, rows_i64(rows, row, "agents"));
    table_text(table, rows_text(rows, row, "created_by"));
    table_text(table, at);
    table_text(table, rows_null(rows, row, "expires_at") ? NULL : until);
    table_text(table, rows_text(rows, row, "reason"));
}

static bool key_list(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) ||
        !db_call(&rows, db,
                 "select *, decode(pubkey, 'hex') as key from key_list order by node, key_id",
                 NO_ARGS, err))
        return false;
    AUTO(table_free) struct table *table = table_new(columns, COUNT(columns));
    for (int r = 0; r < rows_count(rows); r++)
        key_row(table, rows, r);
    cli_table(cli, "keys", table);
    return list_age(cli, db, err);
}

/* The numbers of the keys that a word means: a number, or all good keys of a node. */
static bool keys_meant(struct rows **out, struct cli *cli, struct db *db, struct err *err)
{
    AUTO(buf_free) struct buf there = { 0 };
    AUTO(rows_free) struct rows *rows = NULL;
    const char *word = cli_arg(cli, 0);
    if (!db_call(&rows, db,
                 "select key_id from key_list where revoked_at is null"
                 " and (key_id::text = $1 or node = $1) order by 1",
                 ARGS(TEXT(word)), err))
        return false;
    if (rows_count(rows)) {
        *out = TAKE(rows);
        return true;
    }
    if (!list_names(&there, db,
                    "select key_id || ' of ' || node from key_list where revoked_at is null"
                    " order by key_id",
                    NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "good key", word, buf_text(&there));
}

static bool key_revoke(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *keys = NULL;
    const char *why = cli_text(cli, "reason");
    if (!why || !*why)
        return cli_usage(cli, err, "a revocation needs --reason");
    if (!cli_db(&db, cli, err) || !keys_meant(&keys, cli, db, err))
        return false;
    int64_t leases = 0;
    for (int i = 0; i < rows_count(keys); i++) {
        AUTO(rows_free) struct rows *rows = NULL;
        if (!db_call(&rows, db, "select key_revoke($1, $2) as n",
                     ARGS(I64(rows_i64(keys, i, "key_id")), TEXT(why)), err))
            return false;
        leases += rows_i64(rows, 0, "n");
    }
    cli_field_i64(cli, "keys_revoked", rows_count(keys));
    cli_field_i64(cli, "leases_ended", leases);
    return true;
}

/* The one key that a rotation can mean: by its number, or the node's only one without an end. */
static bool key_meant(int64_t *out, struct cli *cli, struct db *db, struct err *err)
{
    AUTO(buf_free) struct buf which = { 0 };
    AUTO(rows_free) struct rows *keys = NULL, *fresh = NULL;
    const char *word = cli_arg(cli, 0);
    if (!keys_meant(&keys, cli, db, err) ||
        !db_call(&fresh, db,
                 "select key_id from key_list where revoked_at is null and (key_id::text = $1"
                 " or (node = $1 and expires_at is null)) order by 1",
                 ARGS(TEXT(word)), err))
        return false;
    if (rows_count(fresh) == 1) {
        *out = rows_i64(fresh, 0, "key_id");
        return true;
    }
    for (int r = 0; r < rows_count(keys); r++)
        buf_put_fmt(&which, "%s%s", r ? ", " : "", rows_text(keys, r, "key_id"));
    return err_set(err, ERR_INPUT, "node %s has the keys %s: say which, by its number", word,
                   buf_text(&which));
}

static bool key_rotate(struct cli *cli, struct err *err)
{
    struct db *db;
    uint8_t key[32];
    int64_t old;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!public_key(key, cli_arg(cli, 1), err) || !cli_db(&db, cli, err) ||
        !key_meant(&old, cli, db, err) ||
        !db_call(&rows, db, "select * from key_rotate($1, $2, $3::float8 * interval '1 minute')",
                 ARGS(I64(old), BYTES(key, 32), F64(cli_f64(cli, "overlap"))), err))
        return false;
    cli_field_text(cli, "node", rows_text(rows, 0, "node"));
    cli_field_i64(cli, "key", rows_i64(rows, 0, "key_id"));
    cli_field_i64(cli, "old_key", old);
    cli_field_text(cli, "old_key_until", rows_text(rows, 0, "expires_at"));
    cli_note(cli, "start the agents of the node again with the new key before then");
    return true;
}

static const struct option rotate_options[] = {
    { OPTION_F64, "overlap", "MINUTES", "60", "how long the old key is good yet; 0: no longer" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};
static const struct option add_options[] = {
    { OPTION_TEXT, "node", "NODE", NULL, "the name of the machine" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};
static const struct option revoke_options[] = {
    { OPTION_TEXT, "reason", "TEXT", NULL, "why; kept with the key" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

const struct command key_commands[] = {
    { .words = "key new",
      .usage = "FILE",
      .help = "make a key: FILE is its public half, FILE_secret stays here",
      .args_min = 1,
      .args_max = 1,
      .run = key_new },
    { .words = "key add",
      .role = ROLE_ADMIN,
      .usage = "FILE|KEY --node NODE",
      .help = "admit the agents that hold the secret half",
      .options = add_options,
      .args_min = 1,
      .args_max = 1,
      .run = key_add },
    { .words = "key list",
      .role = ROLE_OPERATOR,
      .help = "who is admitted, who was",
      .run = key_list },
    { .words = "key rotate",
      .role = ROLE_ADMIN,
      .usage = "KEY|NODE FILE|KEY [--overlap MINUTES]",
      .help = "a new key for a node; the old one ends after the overlap",
      .more =
          "koeval key new FILE on the node; rotate; start its agents again with the new key. No\n"
          "item is lost: an agent gives back what it holds, and what a key holds at its end\n"
          "goes to others.",
      .options = rotate_options,
      .args_min = 2,
      .args_max = 2,
      .run = key_rotate },
    { .words = "key revoke",
      .role = ROLE_ADMIN,
      .usage = "KEY|NODE --reason TEXT",
      .help = "from now on nothing that the key says is stored; its leases end",
      .options = revoke_options,
      .args_min = 1,
      .args_max = 1,
      .run = key_revoke },
    { 0 },
};
