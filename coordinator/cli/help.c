#include <stdio.h>
#include <string.h>

#include "coordinator/cli/cli.h"

/* True when the first n words of the command are argv's; *more = it has further words. */
static bool begins(const struct command *command, int n, const char *const *argv, bool *more)
{
    const char *at = command->words;
    for (int i = 0; i < n; i++) {
        size_t size = strlen(argv[i]);
        if (strncmp(at, argv[i], size) || (at[size] != ' ' && at[size]))
            return false;
        at += size;
        if (!*at && i + 1 < n)
            return false;
        at += *at == ' ';
    }
    *more = *at;
    return true;
}

static int words_count(const char *words)
{
    int n = 1;
    for (; *words; words++)
        n += *words == ' ';
    return n;
}

const struct command *command_find(const struct command *const *all, int argc,
                                   const char *const *argv, int *used)
{
    const struct command *best = NULL;
    int best_words = 0;
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++) {
            bool more;
            int words = words_count(c->words);
            if (words <= argc && words > best_words && begins(c, words, argv, &more)) {
                best = c;
                best_words = words;
            }
        }
    *used = best_words;
    return best;
}

void help_next_words(struct buf *out, const struct command *const *all, int argc,
                     const char *const *argv)
{
    char last[64] = "";
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++) {
            bool more;
            if (c->hidden || !begins(c, argc, argv, &more) || !more)
                continue;
            const char *at = c->words;
            for (int i = 0; i < argc; i++)
                at += strlen(argv[i]) + 1;
            size_t size = strcspn(at, " ");
            if (size < sizeof(last) && strlen(last) == size && !strncmp(last, at, size))
                continue;
            snprintf(last, sizeof(last), "%.*s", (int)size, at);
            buf_put_fmt(out, "%s%s", out->size ? ", " : "", last);
        }
}

static void line(const struct command *c)
{
    char head[256];
    int width = snprintf(head, sizeof(head), "  %s %s", c->words, c->usage ? c->usage : "");
    if (width > 42)
        printf("%s\n%44s%s\n", head, "", c->help);
    else
        printf("%-42s  %s\n", head, c->help);
}

void help_all(const struct command *const *all)
{
    printf("koeval: the evaluation cluster behind a leaderboard, from the command line\n\n"
           "usage: koeval COMMAND [--db CONNINFO] [--json] ...\n\n");
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++)
            if (!c->hidden)
                line(c);
    printf("\n`koeval help WORDS` or `koeval WORDS --help` says more of one command.\n"
           "Exit codes: 0 done, 1 failed, 2 usage, 3 not found, 4 no database.\n");
}

static void option_line(const struct option *o)
{
    char head[64];
    snprintf(head, sizeof(head), "  --%s %s", o->name, o->value ? o->value : "");
    printf("%-28s  %s", head, o->help);
    if (o->fallback)
        printf(" (default %s)", o->fallback);
    printf("%s\n", o->type == OPTION_LIST ? " (any number)" : "");
}

void help_command(const struct command *command)
{
    printf("usage: koeval %s %s\n\n%s\n", command->words, command->usage ? command->usage : "",
           command->help);
    if (command->more)
        printf("\n%s\n", command->more);
    printf("\n");
    for (const struct option *o = command->options; o && o->type != OPTION_END; o++)
        option_line(o);
    for (const struct option *o = cli_options; o->type != OPTION_END; o++)
        option_line(o);
}

bool help_of(const struct command *const *all, int argc, const char *const *argv)
{
    int used;
    const struct command *one = command_find(all, argc, argv, &used);
    if (one && used == argc) {
        help_command(one);
        return true;
    }
    bool any = false;
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++) {
            bool more;
            if (c->hidden || !begins(c, argc, argv, &more))
                continue;
            line(c);
            any = true;
        }
    return any;
}
