/* cmd_node.c - the machines: who computes, what each does, taking one out of service. */
#include <string.h>

#include "coordinator/cli/list.h"

static const struct list_column node_columns[] = {
    { "node", NULL, LIST_TEXT },           { "slot", NULL, LIST_ID },
    { "state", NULL, LIST_STATE },         { "model", NULL, LIST_TEXT },
    { "leases", NULL, LIST_COUNT },        { "item_rate", "items", LIST_RATE },
    { "token_rate", "tokens", LIST_RATE }, { "memory_used", "memory", LIST_BYTES },
    { "memory_total", "of", LIST_BYTES },  { "class", NULL, LIST_SHORT },
    { "seen_s", "seen", LIST_SECONDS },    { "reason", NULL, LIST_TEXT },
    { "by", NULL, LIST_HIDDEN },           { "since", NULL, LIST_HIDDEN },
    { "agent_id", NULL, LIST_NUMBER },
};

#define NODES "select *, extract(epoch from seen)::float8 as seen_s from node_list"

static bool node_list(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) || !db_call(&rows, db, NODES " order by node, slot", NO_ARGS, err))
        return false;
    list_print(cli, "nodes", rows, node_columns, COUNT(node_columns));
    return list_age(cli, db, err);
}

static bool no_such_node(struct cli *cli, struct db *db, struct err *err)
{
    AUTO(buf_free) struct buf there = { 0 };
    if (!list_names(&there, db, "select distinct node from key_list order by 1", NO_ARGS, err))
        return false;
    return cli_not_found(cli, err, "node", cli_arg(cli, 0), buf_text(&there));
}

static bool node_show(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    if (!cli_db(&db, cli, err) || !db_call(&rows, db, NODES " where node = $1 order by slot",
                                           ARGS(TEXT(cli_arg(cli, 0))), err))
        return false;
    if (!rows_count(rows))
        return no_such_node(cli, db, err);
    if (rows_count(rows) == 1)
        list_print_one(cli, rows, 0, node_columns, COUNT(node_columns));
    else
        list_print(cli, "agents", rows, node_columns, COUNT(node_columns));
    return list_age(cli, db, err);
}

/* The orders take a node and answer with how many agents they moved. */
static bool order(struct cli *cli, const char *sql, const char *why, const char *done,
                  struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    const char *node = cli_arg(cli, 0);
    if (!cli_db(&db, cli, err))
        return false;
    bool ok = why ? db_call(&rows, db, sql, ARGS(TEXT(node), TEXT(why)), err)
                  : db_call(&rows, db, sql, ARGS(TEXT(node)), err);
    if (!ok)
        return !strcmp(db_sqlstate(db), "KE005") ? no_such_node(cli, db, err) : false;
    cli_field_text(cli, "node", node);
    cli_field_i64(cli, done, rows_i64(rows, 0, "n"));
    return true;
}

static bool node_drain(struct cli *cli, struct err *err)
{
    const char *why = cli_text(cli, "reason");
    if (!why || !*why)
        return cli_usage(cli, err, "a drain needs --reason: whoever finds the node idle reads it");
    return order(cli, "select node_drain($1, $2) as n", why, "agents_drained", err);
}

static bool node_quarantine(struct cli *cli, struct err *err)
{
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    const char *why = cli_text(cli, "reason"), *node = cli_arg(cli, 0);
    if (!why || !*why)
        return cli_usage(cli, err, "a quarantine needs --reason: whoever mends the node reads it");
    if (!cli_db(&db, cli, err))
        return false;
    if (!db_call(&rows, db, "select * from node_quarantine($1, $2)", ARGS(TEXT(node), TEXT(why)),
                 err))
        return !strcmp(db_sqlstate(db), "KE005") ? no_such_node(cli, db, err) : false;
    cli_field_text(cli, "node", node);
    cli_field_i64(cli, "agents_quarantined", rows_i64(rows, 0, "agents"));
    cli_field_i64(cli, "leases_ended", rows_i64(rows, 0, "leases"));
    return true;
}

static bool node_resume(struct cli *cli, struct err *err)
{
    return order(cli, "select node_resume($1) as n", NULL, "agents_resumed", err);
}

static const struct option drain_options[] = {
    { OPTION_TEXT, "reason", "TEXT", NULL, "why; shown by node list" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

const struct command node_commands[] = {
    { .words = "node list",
      .role = ROLE_OPERATOR,
      .help = "agents: state, model, rate, memory, when last heard",
      .more =
          "States: idle, busy, draining (finishes what it holds), drained, suspect (silent for\n"
          "20 s), lost (silent for 60 s; its work is given to others), quarantined, revoked.",
      .run = node_list },
    { .words = "node show",
      .role = ROLE_OPERATOR,
      .usage = "NODE",
      .help = "the agents of one node",
      .args_min = 1,
      .args_max = 1,
      .run = node_show },
    { .words = "node drain",
      .role = ROLE_OPERATOR,
      .usage = "NODE --reason TEXT",
      .help = "give it no new work; what it holds it finishes",
      .options = drain_options,
      .args_min = 1,
      .args_max = 1,
      .run = node_drain },
    { .words = "node quarantine",
      .role = ROLE_OPERATOR,
      .usage = "NODE --reason TEXT",
      .help = "store nothing more that it says; what it holds goes to others",
      .more = "For a machine that is not trusted, until `koeval node resume`. What it answered\n"
              "before stays: `koeval run void` or `run restart` where that must not count.",
      .options = drain_options,
      .args_min = 1,
      .args_max = 1,
      .run = node_quarantine },
    { .words = "node resume",
      .role = ROLE_OPERATOR,
      .usage = "NODE",
      .help = "give it work again, after a drain or a quarantine",
      .args_min = 1,
      .args_max = 1,
      .run = node_resume },
    { 0 },
};
