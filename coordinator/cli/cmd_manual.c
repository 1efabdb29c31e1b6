/* cmd_manual.c - what the program says of itself to a shell and to man, and the names by which a
 * shell completes. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/cli/list.h"
#include "coordinator/cli/manual.h"

static bool completion(struct cli *cli, struct err *err)
{
    AUTO(buf_free) struct buf out = { 0 };
    if (!completion_script(&out, commands_all(), cli_arg(cli, 0)))
        return cli_not_found(cli, err, "completion for", cli_arg(cli, 0), "bash, zsh");
    fputs(buf_text(&out), stdout);
    return true;
}

static bool page_write(const char *dir, const char *noun, struct err *err)
{
    char path[4096];
    AUTO(buf_free) struct buf out = { 0 };
    bool made = manual_page(&out, commands_all(), noun);
    assert(made);
    int n = snprintf(path, sizeof(path), "%s/koeval%s%s.1", dir, noun ? "-" : "", noun ? noun : "");
    if (n >= (int)sizeof(path))
        return err_set(err, ERR_INPUT, "the path of %.200s is too long", dir);
    FILE *file = fopen(path, "w");
    bool written = file && fputs(buf_text(&out), file) >= 0;
    /* A full disk shows at the end. */
    if (file && fclose(file))
        written = false;
    return written || err_set(err, ERR_RETRY, "cannot write %.300s: %s", path, strerror(errno));
}

static bool pages_write(struct cli *cli, const char *dir, struct err *err)
{
    char noun[64];
    int64_t pages = 1;
    if (mkdir(dir, 0777) && errno != EEXIST)
        return err_set(err, ERR_RETRY, "cannot make %.300s: %s", dir, strerror(errno));
    if (!page_write(dir, NULL, err))
        return false;
    for (int i = 0; manual_noun(noun, commands_all(), i); i++, pages++)
        if (!page_write(dir, noun, err))
            return false;
    cli_field_i64(cli, "pages", pages);
    return true;
}

static bool manual(struct cli *cli, struct err *err)
{
    char noun[64];
    AUTO(buf_free) struct buf out = { 0 }, there = { 0 };
    if (cli_text(cli, "dir"))
        return pages_write(cli, cli_text(cli, "dir"), err);
    if (!manual_page(&out, commands_all(), cli_arg(cli, 0))) {
        for (int i = 0; manual_noun(noun, commands_all(), i); i++)
            buf_put_fmt(&there, "%s%s", i ? ", " : "", noun);
        return cli_not_found(cli, err, "page for", cli_arg(cli, 0), buf_text(&there));
    }
    fputs(buf_text(&out), stdout);
    return true;
}

/* One a line, for a shell: a name may hold spaces, no line break. */
static bool names(struct cli *cli, struct err *err)
{
    static const struct {
        const char *noun, *sql;
    } known[] = {
        { "campaign", "select campaign as name from campaign_list order by campaign_id desc" },
        { "model", "select model as name from model_list where withdrawn_at is null order by 1" },
        { "task", "select task as name from task_list union select unnest(groups) from task_list" },
        { "board", "select board as name from board_list order by 1" },
        { "node", "select distinct node as name from key_list order by 1" },
    };
    struct db *db;
    AUTO(rows_free) struct rows *rows = NULL;
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].noun, cli_arg(cli, 0)))
            continue;
        if (!cli_db(&db, cli, err) || !db_call(&rows, db, known[i].sql, NO_ARGS, err))
            return false;
        for (int r = 0; r < rows_count(rows); r++)
            puts(rows_text(rows, r, "name"));
        return true;
    }
    return cli_not_found(cli, err, "noun", cli_arg(cli, 0), "campaign, model, task, board, node");
}

static const struct option man_options[] = {
    { OPTION_TEXT, "dir", "DIR", NULL, "write every page into the folder" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

const struct command manual_commands[] = {
    { .words = "completion",
      .usage = "bash|zsh",
      .help = "a script by which the shell completes commands, options and names",
      .more = "bash: source <(koeval completion bash). An installation has it where shells look.",
      .args_min = 1,
      .args_max = 1,
      .run = completion },
    { .words = "man",
      .usage = "[NOUN] [--dir DIR]",
      .help = "the manual page of koeval, or of a noun's commands, as man reads it",
      .more = "koeval man campaign | man -l -",
      .options = man_options,
      .args_max = 1,
      .run = manual },
    { .words = "names",
      .role = ROLE_OPERATOR,
      .usage = "NOUN",
      .help = "the names there are, one a line (completion asks for them)",
      .args_min = 1,
      .args_max = 1,
      .hidden = true,
      .run = names },
    { 0 },
};
