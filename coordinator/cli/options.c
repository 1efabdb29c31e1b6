#include "coordinator/cli/options.h"

#include <errno.h>
#include <string.h>

/* Where an option stands: its table and its place there. */
struct place {
    int table, at;
    const struct option *option;
};

static bool place_find(struct place *out, const struct options *options, const char *name,
                       size_t size)
{
    for (int t = 0; t < 2; t++)
        for (int i = 0; options->tables[t] && options->tables[t][i].type != OPTION_END; i++) {
            const struct option *o = &options->tables[t][i];
            if (strlen(o->name) == size && !memcmp(o->name, name, size)) {
                *out = (struct place){ t, i, o };
                return true;
            }
        }
    return false;
}

const struct option *options_find(const struct options *options, const char *name,
                                  const struct option_values **values)
{
    struct place place;
    if (!place_find(&place, options, name, strlen(name)))
        return NULL;
    if (values)
        *values = &options->values[place.table][place.at];
    return place.option;
}

static bool unknown(const struct options *options, const char *word, size_t size, struct err *err)
{
    AUTO(buf_free) struct buf there = { 0 };
    for (int t = 1; t >= 0; t--)
        for (int i = 0; options->tables[t] && options->tables[t][i].type != OPTION_END; i++)
            buf_put_fmt(&there, "%s--%s", there.size ? ", " : "", options->tables[t][i].name);
    return err_set(err, ERR_INPUT, "no option %.*s here; there is %s", (int)size, word,
                   buf_text(&there));
}

static bool number_fits(const struct option *option, const char *word, struct err *err)
{
    char *end = NULL;
    errno = 0;
    if (option->type == OPTION_I64)
        strtoll(word, &end, 10);
    else if (option->type == OPTION_F64)
        strtod(word, &end);
    else
        return true;
    if (errno || end == word || *end)
        return err_set(err, ERR_INPUT, "--%s takes a %snumber, not '%s'", option->name,
                       option->type == OPTION_I64 ? "whole " : "", word);
    return true;
}

static bool add(struct options *options, struct place place, const char *word, struct err *err)
{
    if (!number_fits(place.option, word, err))
        return false;
    struct option_values *v = &options->values[place.table][place.at];
    if (v->count && place.option->type != OPTION_LIST)
        return err_set(err, ERR_INPUT, "--%s is given twice", place.option->name);
    v->words = must_realloc(v->words, (size_t)v->count + 1, sizeof(*v->words));
    v->words[v->count++] = word;
    return true;
}

static bool is_option(const char *word) { return word[0] == '-' && word[1] == '-'; }

/* The words that belong to the option at argv[at]; *used = how many words that were. */
static bool take(struct options *options, int *used, int argc, const char *const *argv,
                 struct err *err)
{
    const char *word = argv[0] + 2;
    const char *equals = strchr(word, '=');
    size_t size = equals ? (size_t)(equals - word) : strlen(word);
    struct place place;
    *used = 1;
    if (!place_find(&place, options, word, size))
        return unknown(options, argv[0], size + 2, err);
    if (place.option->type == OPTION_FLAG && equals)
        return err_set(err, ERR_INPUT, "--%s takes no value", place.option->name);
    if (place.option->type == OPTION_FLAG)
        return add(options, place, "", err);
    if (equals)
        return add(options, place, equals + 1, err);
    if (argc < 2 || (is_option(argv[1]) && place.option->type != OPTION_TEXT))
        return err_set(err, ERR_INPUT, "--%s needs %s", place.option->name, place.option->value);
    do {
        if (!add(options, place, argv[(*used)++], err))
            return false;
    } while (place.option->type == OPTION_LIST && *used < argc && !is_option(argv[*used]));
    return true;
}

bool options_parse(struct options *out, const struct option *program, const struct option *command,
                   int argc, const char *const *argv, struct err *err)
{
    AUTO(options_free) struct options options = { .tables = { program, command } };
    options.args = must_calloc((size_t)argc, sizeof(*options.args));

    bool literal = false;
    for (int i = 0, used = 1; i < argc; i += used, used = 1) {
        if (literal || !is_option(argv[i]))
            options.args[options.args_count++] = argv[i];
        else if (!argv[i][2])
            literal = true;
        else if (!take(&options, &used, argc - i, argv + i, err))
            return false;
    }
    *out = options;
    options = (struct options){ 0 };
    return true;
}

void options_free(struct options *options)
{
    for (int t = 0; t < 2; t++)
        for (int i = 0; i < OPTIONS_MAX; i++)
            free(options->values[t][i].words);
    free(options->args);
    *options = (struct options){ 0 };
}
