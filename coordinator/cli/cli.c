#include "coordinator/cli/cli.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "coordinator/cli/table.h"
#include "coordinator/store/db.h"

const struct option cli_options[] = {
    { OPTION_TEXT, "db", "CONNINFO", NULL, "the database (environment: KOEVAL_DB)" },
    { OPTION_FLAG, "json", NULL, NULL, "print one JSON document instead of tables" },
    { OPTION_FLAG, "help", NULL, NULL, "what this command takes" },
    { OPTION_END, NULL, NULL, NULL, NULL },
};

const char *cli_arg(const struct cli *cli, int at)
{
    return at < cli->options.args_count ? cli->options.args[at] : NULL;
}

static const struct option_values *values_of(const struct cli *cli, const char *name,
                                             const struct option **option)
{
    const struct option_values *values = NULL;
    *option = options_find(&cli->options, name, &values);
    assert(*option);
    return values;
}

bool cli_given(const struct cli *cli, const char *name)
{
    const struct option *option;
    return values_of(cli, name, &option)->count > 0;
}

bool cli_flag(const struct cli *cli, const char *name) { return cli_given(cli, name); }

const char *cli_text(const struct cli *cli, const char *name)
{
    const struct option *option;
    const struct option_values *values = values_of(cli, name, &option);
    return values->count ? values->words[0] : option->fallback;
}

int64_t cli_i64(const struct cli *cli, const char *name)
{
    const char *text = cli_text(cli, name);
    return text ? strtoll(text, NULL, 10) : 0;
}

double cli_f64(const struct cli *cli, const char *name)
{
    const char *text = cli_text(cli, name);
    return text ? strtod(text, NULL) : 0;
}

int cli_list_count(const struct cli *cli, const char *name)
{
    const struct option *option;
    return values_of(cli, name, &option)->count;
}

const char *cli_list(const struct cli *cli, const char *name, int at)
{
    const struct option *option;
    const struct option_values *values = values_of(cli, name, &option);
    assert(at >= 0 && at < values->count);
    return values->words[at];
}

const char *cli_conninfo(const struct cli *cli)
{
    const char *conninfo = cli_text(cli, "db");
    return conninfo ? conninfo : getenv("KOEVAL_DB");
}

bool cli_db_as(struct db **out, struct cli *cli, const char *role, struct err *err)
{
    assert(role);
    if (cli->db && strcmp(cli->db_role, role)) {
        db_close(cli->db);
        cli->db = NULL;
    }
    if (!cli->db) {
        if (!db_open(&cli->db, cli_conninfo(cli), role, err)) {
            cli->exit = CLI_NO_DATABASE;
            return err_wrap(err, "no database as %s", role);
        }
        cli->db_role = role;
    }
    *out = cli->db;
    return true;
}

bool cli_db(struct db **out, struct cli *cli, struct err *err)
{
    return cli_db_as(out, cli, cli->command->role, err);
}

bool cli_json(const struct cli *cli) { return cli->json; }
bool cli_colour(const struct cli *cli) { return cli->colour; }
bool cli_tty(const struct cli *cli) { return cli->tty; }

int cli_width(const struct cli *cli)
{
    struct winsize size;
    if (!cli->tty)
        return 0;
    return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_col ? size.ws_col : 80;
}

int cli_height(const struct cli *cli)
{
    struct winsize size;
    if (!cli->tty)
        return 0;
    return !ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) && size.ws_row ? size.ws_row : 24;
}

static void member(struct cli *cli, const char *name)
{
    buf_put_text(&cli->document, cli->document.size ? ",\n " : " ");
    buf_put_json_string(&cli->document, name, strlen(name));
    buf_put_text(&cli->document, ": ");
}

void cli_table(struct cli *cli, const char *name, struct table *table)
{
    if (!cli->json) {
        table_print(table, stdout, cli->colour);
        return;
    }
    member(cli, name);
    table_put_json(table, &cli->document);
}

/* "task_version" reads better as "task version". */
static void label_put(struct buf *out, const char *name)
{
    for (; *name; name++)
        buf_put_char(out, *name == '_' ? ' ' : *name);
}

void cli_field(struct cli *cli, const char *name, const char *json, const char *shown)
{
    if (cli->json) {
        member(cli, name);
        buf_put_text(&cli->document, json ? json : "null");
        return;
    }
    AUTO(buf_free) struct buf label = { 0 };
    label_put(&label, name);
    printf("%-18s %s\n", buf_text(&label), shown ? shown : json ? json : "-");
}

void cli_field_text(struct cli *cli, const char *name, const char *value)
{
    AUTO(buf_free) struct buf json = { 0 };
    if (value)
        buf_put_json_string(&json, value, strlen(value));
    cli_field(cli, name, value ? buf_text(&json) : NULL, value);
}

void cli_field_i64(struct cli *cli, const char *name, int64_t value)
{
    char json[32], shown[32];
    snprintf(json, sizeof(json), "%" PRId64, value);
    count_shown(shown, value);
    cli_field(cli, name, json, shown);
}

void cli_line(struct cli *cli, const char *fmt, ...)
{
    if (cli->json)
        return;
    va_list list;
    va_start(list, fmt);
    fputs(cli->colour ? "\033[2m" : "", stdout);
    vprintf(fmt, list);
    puts(cli->colour ? "\033[0m" : "");
    va_end(list);
}

void cli_note(struct cli *cli, const char *fmt, ...)
{
    (void)cli;
    va_list list;
    va_start(list, fmt);
    vfprintf(stderr, fmt, list);
    fputc('\n', stderr);
    va_end(list);
}

bool cli_usage(struct cli *cli, struct err *err, const char *fmt, ...)
{
    char text[sizeof(err->text)];
    va_list list;
    va_start(list, fmt);
    vsnprintf(text, sizeof(text), fmt, list);
    va_end(list);
    cli->exit = CLI_USAGE;
    return err_set(err, ERR_INPUT, "%s", text);
}

#define THERE_MAX 240 /* bytes of names that a message has room for, besides what it is about */

/* As many of "a, b, c" as fit, and how many do not. */
static void there_cut(char out[THERE_MAX + 32], const char *there)
{
    size_t size = strlen(there), fits = size;
    int more = 0;
    for (const char *at = there; size > THERE_MAX && (at = strstr(at, ", ")); at += 2)
        if ((size_t)(at - there) <= THERE_MAX)
            fits = (size_t)(at - there), more = 1;
        else
            more++;
    if (fits > THERE_MAX) /* one name that is longer than all of it */
        fits = THERE_MAX;
    int n = snprintf(out, THERE_MAX + 32, "%.*s", (int)fits, there);
    if (more)
        snprintf(out + n, (size_t)(THERE_MAX + 32 - n), " and %d more", more);
}

bool cli_not_found(struct cli *cli, struct err *err, const char *noun, const char *name,
                   const char *there)
{
    char shown[THERE_MAX + 32];
    cli->exit = CLI_NOT_FOUND;
    if (!there || !*there)
        return err_set(err, ERR_INPUT, "no %s %.160s; there is none yet", noun, name);
    there_cut(shown, there);
    return err_set(err, ERR_INPUT, "no %s %.160s; there is %s", noun, name, shown);
}

/* ---- one command line, from words to exit code ---- */

static enum cli_exit unknown_command(const struct command *const *all, int argc,
                                     const char *const *argv)
{
    AUTO(buf_free) struct buf there = { 0 };
    int known = 0;
    for (int n = 1; n <= argc; n++) {
        buf_clear(&there);
        help_next_words(&there, all, n, argv);
        if (!there.size)
            break;
        known = n;
    }
    buf_clear(&there);
    help_next_words(&there, all, known, argv);
    fputs("koeval: ", stderr);
    for (int i = 0; i < known; i++)
        fprintf(stderr, "%s ", argv[i]);
    if (known < argc && argv[known][0] != '-')
        fprintf(stderr, "has no '%s'; there is %s\n", argv[known], buf_text(&there));
    else
        fprintf(stderr, "needs one of %s\n", buf_text(&there));
    return CLI_USAGE;
}

static bool args_fit(struct cli *cli, struct err *err)
{
    const struct command *c = cli->command;
    int n = cli->options.args_count;
    if (n >= c->args_min && (c->args_max == COMMAND_ARGS_ANY || n <= c->args_max))
        return true;
    if (n > c->args_max && c->args_max != COMMAND_ARGS_ANY)
        return cli_usage(cli, err, "what is '%s'?  usage: koeval %s %s",
                         cli->options.args[c->args_max], c->words, c->usage ? c->usage : "");
    return cli_usage(cli, err, "usage: koeval %s %s", c->words, c->usage ? c->usage : "");
}

static void cli_end(struct cli *cli)
{
    db_close(cli->db);
    options_free(&cli->options);
    buf_free(&cli->document);
}
AUTO_ENDS(struct cli, cli_end)

static bool carry_out(struct cli *cli, int argc, const char *const *argv, struct err *err)
{
    cli->exit = CLI_USAGE;
    if (!options_parse(&cli->options, cli_options, cli->command->options, argc, argv, err))
        return err_wrap(err, "%s", cli->command->words);
    if (cli_flag(cli, "help")) {
        help_command(cli->command);
        return true;
    }
    if (!args_fit(cli, err))
        return false;
    cli->exit = CLI_FAILED;
    cli->json = cli_flag(cli, "json");
    cli->tty = isatty(STDOUT_FILENO);
    const char *none = getenv("NO_COLOR"), *term = getenv("TERM");
    cli->colour = cli->tty && !(none && *none) && !(term && !strcmp(term, "dumb"));
    return cli->command->run(cli, err);
}

static enum cli_exit cli_flush(struct cli *cli, bool done)
{
    if (cli->json && cli->document.size)
        printf("{\n%s\n}\n", buf_text(&cli->document));
    /* A full disk or a closed pipe must not look like success. */
    if (fflush(stdout) || ferror(stdout))
        return CLI_FAILED;
    return done ? CLI_OK : cli->exit;
}

enum cli_exit cli_run(const struct command *const *all, int argc, const char *const *argv)
{
    struct err err = { 0 };
    AUTO(cli_end) struct cli cli = { 0 };
    static const char *const version[] = { "version" };
    if (argc > 0 && !strcmp(argv[0], "--version"))
        return cli_run(all, 1, version);
    if (argc == 0 || !strcmp(argv[0], "help") || !strcmp(argv[0], "--help")) {
        if (argc > 1 && !help_of(all, argc - 1, argv + 1))
            return unknown_command(all, argc - 1, argv + 1);
        if (argc <= 1)
            help_all(all);
        return argc == 0 ? CLI_USAGE : CLI_OK;
    }
    int used;
    cli.command = command_find(all, argc, argv, &used);
    if (!cli.command)
        return unknown_command(all, argc, argv);
    bool done = carry_out(&cli, argc - used, argv + used, &err);
    if (!done)
        fprintf(stderr, "koeval: %s\n", err.text);
    return cli_flush(&cli, done);
}
