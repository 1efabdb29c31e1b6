/* Format: man(7), what groff and mandoc both read.  A dash of an option is \-, or it cannot be
 * searched for and copied; a line may not begin with a dot or a quote by accident. */
#include "coordinator/cli/manual.h"

#include <stdio.h>
#include <string.h>

#include "common/version.h"
#include "coordinator/cli/cli.h"

static void put_escaped(struct buf *out, const char *text)
{
    for (bool first = true; *text; text++) {
        if (first && (*text == '.' || *text == '\''))
            buf_put_text(out, "\\&");
        if (*text == '\\')
            buf_put_text(out, "\\e");
        else if (*text == '-')
            buf_put_text(out, "\\-");
        else
            buf_put_char(out, *text);
        first = *text == '\n';
    }
}

static void put_line(struct buf *out, const char *macro, const char *text)
{
    buf_put_fmt(out, "%s", macro);
    put_escaped(out, text);
    buf_put_char(out, '\n');
}

static size_t noun_size(const char *words) { return strcspn(words, " "); }

static bool is_of(const struct command *c, const char *noun)
{
    return noun_size(c->words) == strlen(noun) && !strncmp(c->words, noun, strlen(noun));
}

const char *manual_noun(char *out, const struct command *const *all, int nth)
{
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++) {
            bool several = strchr(c->words, ' '), first = c == all[n];
            bool again = !first && noun_size(c[-1].words) == noun_size(c->words) &&
                         !strncmp(c[-1].words, c->words, noun_size(c->words));
            if (!several || again || c->hidden || nth-- > 0)
                continue;
            snprintf(out, 64, "%.*s", (int)noun_size(c->words), c->words);
            return out;
        }
    return NULL;
}

static void put_option(struct buf *out, const struct option *o)
{
    buf_put_fmt(out, ".TP\n\\fB\\-\\-");
    put_escaped(out, o->name);
    buf_put_text(out, "\\fR");
    if (o->value) {
        buf_put_text(out, " \\fI");
        put_escaped(out, o->value);
        buf_put_text(out, "\\fR");
    }
    buf_put_char(out, '\n');
    put_escaped(out, o->help);
    if (o->type == OPTION_LIST)
        buf_put_text(out, "; any number of words, up to the next option");
    if (o->fallback) {
        buf_put_text(out, " (default ");
        put_escaped(out, o->fallback);
        buf_put_char(out, ')');
    }
    buf_put_text(out, ".\n");
}

static void put_options(struct buf *out, const struct option *options)
{
    for (const struct option *o = options; o && o->type != OPTION_END; o++)
        put_option(out, o);
}

static void put_command(struct buf *out, const struct command *c)
{
    put_line(out, ".SS koeval ", c->words);
    buf_put_text(out, ".nf\n\\fBkoeval ");
    put_escaped(out, c->words);
    buf_put_text(out, "\\fR ");
    put_escaped(out, c->usage ? c->usage : "");
    buf_put_text(out, "\n.fi\n.PP\n");
    put_escaped(out, c->help);
    buf_put_text(out, ".\n");
    if (c->more) {
        buf_put_text(out, ".PP\n");
        put_escaped(out, c->more);
        buf_put_char(out, '\n');
    }
    if (c->role)
        buf_put_fmt(out, ".PP\nConnects as \\fB%s\\fR.\n", c->role);
    put_options(out, c->options);
}

static void put_title(struct buf *out, const char *noun, const char *purpose)
{
    buf_put_fmt(out, ".TH KOEVAL%s", noun ? "\\-" : "");
    for (const char *at = noun ? noun : ""; *at; at++)
        buf_put_char(out, *at >= 'a' && *at <= 'z' ? *at - 'a' + 'A' : *at);
    buf_put_fmt(out, " 1 \"\" \"koeval %s\" \"koeval\"\n.SH NAME\nkoeval%s%s \\- ", KOEVAL_VERSION,
                noun ? "\\-" : "", noun ? noun : "");
    put_escaped(out, purpose);
    buf_put_char(out, '\n');
}

static void put_ends(struct buf *out)
{
    buf_put_text(out, ".SH OPTIONS OF EVERY COMMAND\n");
    put_options(out, cli_options);
    buf_put_text(out, ".SH EXIT STATUS\n0 done, 1 failed, 2 usage, 3 not found, 4 no database.\n"
                      ".SH ENVIRONMENT\n.TP\n.B KOEVAL_DB\nThe database, as libpq takes it, "
                      "where \\fB\\-\\-db\\fR is not given.\n.TP\n.B NO_COLOR\n"
                      "Nothing is coloured where it is set.\n");
}

static void put_page_of(struct buf *out, const struct command *const *all, const char *noun)
{
    char purpose[96];
    snprintf(purpose, sizeof(purpose), "commands of koeval about: %s", noun);
    put_title(out, noun, purpose);
    buf_put_text(out, ".SH COMMANDS\n");
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++)
            if (is_of(c, noun) && !c->hidden)
                put_command(out, c);
    put_ends(out);
}

static void put_page(struct buf *out, const struct command *const *all)
{
    char noun[64];
    put_title(out, NULL, "the evaluation cluster behind a leaderboard");
    buf_put_text(out, ".SH SYNOPSIS\n.B koeval\n.I COMMAND\n[\\fB\\-\\-db\\fR \\fICONNINFO\\fR] "
                      "[\\fB\\-\\-json\\fR] ...\n.SH COMMANDS\n");
    for (int n = 0; all[n]; n++)
        for (const struct command *c = all[n]; c->words; c++)
            if (!c->hidden && strchr(c->words, ' ')) {
                put_line(out, ".TP\n.B koeval ", c->words);
                put_escaped(out, c->help);
                buf_put_char(out, '\n');
            }
    for (int n = 0; all[n]; n++) /* whoever has no page of its own stands here in full */
        for (const struct command *c = all[n]; c->words; c++)
            if (!c->hidden && !strchr(c->words, ' '))
                put_command(out, c);
    put_ends(out);
    buf_put_text(out, ".SH SEE ALSO\n");
    for (int i = 0; manual_noun(noun, all, i); i++)
        buf_put_fmt(out, "%s\\fBkoeval\\-%s\\fR(1)", i ? ",\n" : "", noun);
    buf_put_char(out, '\n');
}

bool manual_page(struct buf *out, const struct command *const *all, const char *noun)
{
    char known[64];
    if (!noun) {
        put_page(out, all);
        return true;
    }
    for (int i = 0; manual_noun(known, all, i); i++)
        if (!strcmp(known, noun)) {
            put_page_of(out, all, noun);
            return true;
        }
    return false;
}
