/* The script is three functions of data, made from the table, and a driver.  The data speak POSIX
 * shell, so that bash and zsh share them; a driver knows one shell's way of taking candidates.
 *
 * A candidate "@noun" stands for the names that the database has (`koeval names NOUN`), "@file" for
 * files. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/manual.h"

/* What a word in capitals of a usage or an option stands for. */
static const char *names_of(const char *word, const struct command *command)
{
    static const struct {
        const char *word, *names;
    } known[] = {
        { "MODEL", "@model" }, { "TASK", "@task" }, { "NODE", "@node" },
        { "FILE", "@file" },   { "DIR", "@file" },  { "M", "@model" },
        { "T", "@task" },      { "KEY", "@node" },  { "CAMPAIGN", "@campaign" },
        { "BOARD", "@board" },
    };
    static const char *const nouns[] = { "campaign", "model", "task", "board", "node" };
    size_t size = strspn(word, "ABCDEFGHIJKLMNOPQRSTUVWXYZ");
    for (size_t i = 0; i < COUNT(known); i++)
        if (size && strlen(known[i].word) == size && !memcmp(known[i].word, word, size))
            return known[i].names;
    for (size_t i = 0; size == 4 && !memcmp(word, "NAME", 4) && i < COUNT(nouns); i++)
        if (!strncmp(command->words, nouns[i], strlen(nouns[i])))
            return (const char *[]){ "@campaign", "@model", "@task", "@board", "@node" }[i];
    return "";
}

/* "hf|fp32" are two words, anything else the names it stands for. */
static void put_candidates(struct buf *out, const char *value, const struct command *command)
{
    size_t size = value ? strcspn(value, " []") : 0;
    if (!size)
        return;
    if (!memchr(value, '|', size) || (*value >= 'A' && *value <= 'Z')) {
        buf_put_text(out, names_of(value, command));
        return;
    }
    for (size_t i = 0; i < size; i++)
        buf_put_char(out, value[i] == '|' ? ' ' : value[i]);
}

static void put_next(struct buf *out, const struct command *const *all, int argc,
                     const char *const *argv, const char *path)
{
    AUTO(buf_free) struct buf words = { 0 };
    help_next_words(&words, all, argc, argv);
    if (!words.size)
        return;
    buf_put_fmt(out, "    '%s') echo '", path);
    for (const char *at = buf_text(&words); *at; at++)
        if (*at != ',')
            buf_put_char(out, *at);
    buf_put_text(out, argc ? "' ;;\n" : " help' ;;\n");
}

static void put_words(struct buf *out, const struct command *const *all)
{
    char noun[64];
    buf_put_text(out, "_koeval_next() {\n    case $1 in\n");
    put_next(out, all, 0, NULL, "");
    for (int i = 0; manual_noun(noun, all, i); i++)
        put_next(out, all, 1, (const char *[]){ noun }, noun);
    buf_put_text(out, "    esac\n}\n");
}

static void put_options_of(struct buf *out, const struct option *options)
{
    for (const struct option *o = options; o && o->type != OPTION_END; o++)
        buf_put_fmt(out, " --%s", o->name);
}

/* What a command takes: its options, and what its first argument may be. */
static void put_takes(struct buf *out, const struct command *const *all)
{
    buf_put_text(out, "_koeval_takes() {\n    case $1 in\n");
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++) {
            if (c->hidden)
                continue;
            buf_put_fmt(out, "    '%s') echo '", c->words);
            if (c->args_max)
                put_candidates(out, c->usage, c);
            put_options_of(out, c->options);
            put_options_of(out, cli_options);
            buf_put_text(out, "' ;;\n");
        }
    buf_put_text(out, "    esac\n}\n");
}

/* "one CANDIDATES", "many CANDIDATES"; nothing for a flag. */
static void put_values(struct buf *out, const struct command *const *all)
{
    buf_put_text(out, "_koeval_value() {\n    case \"$1 $2\" in\n    *' --db') echo one ;;\n");
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++)
            for (const struct option *o = c->options; o && o->type != OPTION_END; o++) {
                if (c->hidden || o->type == OPTION_FLAG)
                    continue;
                buf_put_fmt(out, "    '%s --%s') echo '%s ", c->words, o->name,
                            o->type == OPTION_LIST ? "many" : "one");
                put_candidates(out, o->value, c);
                buf_put_text(out, "' ;;\n");
            }
    buf_put_text(out, "    esac\n}\n");
}

/* From the words so far to candidates, one a line. */
static const char driver[] =
    "_koeval_candidates() {\n"
    "    local way='' last='' taken='' word found\n"
    "    for word in \"$@\"; do\n"
    "        case $word in\n"
    "        help | --*=*) last='' ;;\n"
    "        --*)\n"
    "            taken=$(_koeval_value \"$way\" \"$word\")\n"
    "            last=''\n"
    "            [ -z \"$taken\" ] || last=$word ;;\n"
    "        *)\n"
    "            if [ -n \"$last\" ]; then\n"
    "                case $taken in one*) last='' ;; esac\n"
    "            else\n"
    "                case \" $(_koeval_next \"$way\") \" in *\" $word \"*) way=\"${way:+$way "
    "}$word\" ;; esac\n"
    "            fi ;;\n"
    "        esac\n"
    "    done\n"
    "    if [ -n \"$last\" ]; then\n"
    "        found=$(_koeval_value \"$way\" \"$last\")\n"
    "        case $found in one*) found=${found#one} ;; *) found=\"${found#many} $(_koeval_takes "
    "\"$way\")\" ;; esac\n"
    "    else\n"
    "        found=\"$(_koeval_next \"$way\") $(_koeval_takes \"$way\")\"\n"
    "    fi\n"
    "    echo \"$found\" | tr -s ' ' '\\n' | while read -r word; do\n"
    "        case $word in\n"
    "        '') ;;\n"
    "        @file) echo @file ;;\n"
    "        @*) timeout 2 koeval names \"${word#@}\" 2>/dev/null ;;\n"
    "        *) echo \"$word\" ;;\n"
    "        esac\n"
    "    done\n"
    "}\n";

static const char bash_driver[] =
    "_koeval() {\n"
    "    local cur=${COMP_WORDS[COMP_CWORD]} found\n"
    "    found=$(_koeval_candidates \"${COMP_WORDS[@]:1:COMP_CWORD-1}\")\n"
    "    mapfile -t COMPREPLY < <(compgen -W \"${found//@file/}\" -- \"$cur\")\n"
    "    case $found in *@file*) compopt -o default 2>/dev/null ;; esac\n"
    "}\n"
    "complete -F _koeval koeval\n";

static const char zsh_driver[] =
    "_koeval() {\n"
    "    local -a found\n"
    "    found=(${(f)\"$(_koeval_candidates \"${(@)words[2,CURRENT-1]}\")\"})\n"
    "    (( ${found[(Ie)@file]} )) && _files\n"
    "    compadd -- ${found:#@file}\n"
    "}\n"
    "if [ \"${funcstack[1]}\" = _koeval ]; then _koeval \"$@\"; else compdef _koeval koeval; fi\n";

bool completion_script(struct buf *out, const struct command *const *all, const char *shell)
{
    bool zsh = !strcmp(shell, "zsh");
    if (!zsh && strcmp(shell, "bash"))
        return false;
    buf_put_text(out, zsh ? "#compdef koeval\n" : "");
    buf_put_text(out,
                 "# Made by `koeval completion`, from the table that the commands come from.\n");
    put_words(out, all);
    put_takes(out, all);
    put_values(out, all);
    buf_put_text(out, driver);
    buf_put_text(out, zsh ? zsh_driver : bash_driver);
    return true;
}
