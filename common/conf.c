#include "common/conf.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LINE_MAX_BYTES    4096
#define ENV_PREFIX        "KOEVAL_"
#define CONF_SETTINGS_MAX 128

/* Who spoke last for a setting; a later and stronger one replaces, an equal one adds to a list. */
enum from { FROM_DEFAULT, FROM_FILE, FROM_ENV, FROM_FLAG };

struct loading {
    const struct conf_table *table;
    char *settings;
    enum from from[CONF_SETTINGS_MAX];
    bool set[CONF_SETTINGS_MAX];
    bool help, version, print, check;
    const char *file;
};

/* ---- values ---- */

static char *text_copy(const char *text)
{
    size_t size = strlen(text) + 1;
    return memcpy(must_calloc(size, 1), text, size);
}

static void list_clear(struct conf_list *list)
{
    for (int32_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct conf_list){ 0 };
}

static void list_add(struct conf_list *list, const char *text)
{
    list->items = must_realloc(list->items, (size_t)list->count + 1, sizeof(*list->items));
    list->items[list->count++] = text_copy(text);
}

static bool parse_int(int64_t *out, const struct conf_setting *s, const char *text, struct err *err)
{
    static const char units[] = "KMG";
    char *end = NULL;
    errno = 0;
    long long value = strtoll(text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : NULL;
    bool ok = end != text && !errno && (!*end || (unit && !end[1]));
    if (ok && unit && __builtin_mul_overflow(value, 1ll << (10 * (unit - units + 1)), &value))
        ok = false;
    if (!ok)
        return err_set(err, ERR_INPUT, "'%s' is no whole number", text);
    if (value < s->least || value > s->most)
        return err_set(err, ERR_INPUT, "%s is not in %lld..%lld", text, (long long)s->least,
                       (long long)s->most);
    *out = value;
    return true;
}

static bool parse_flag(bool *out, const char *text, struct err *err)
{
    if (strcmp(text, "yes") && strcmp(text, "no"))
        return err_set(err, ERR_INPUT, "'%s' is neither yes nor no", text);
    *out = !strcmp(text, "yes");
    return true;
}

static bool value_put(struct loading *l, const struct conf_setting *s, const char *text,
                      struct err *err)
{
    void *field = l->settings + s->offset;
    switch (s->type) {
    case CONF_INT:
        return parse_int(field, s, text, err);
    case CONF_FLAG:
        return parse_flag(field, text, err);
    case CONF_LIST:
        list_add(field, text);
        return true;
    case CONF_TEXT:
        free(*(char **)field);
        *(char **)field = text_copy(text);
    }
    return true;
}

/* Takes a value if nobody stronger has spoken. */
static bool value_take(struct loading *l, const struct conf_setting *s, enum from from,
                       const char *text, struct err *err)
{
    size_t i = (size_t)(s - l->table->settings);
    if (l->set[i] && l->from[i] > from)
        return true;
    if (l->set[i] && l->from[i] < from && s->type == CONF_LIST)
        list_clear((struct conf_list *)(l->settings + s->offset));
    l->set[i] = true;
    l->from[i] = from;
    return value_put(l, s, text, err);
}

static const struct conf_setting *find(const struct conf_table *table, const char *name,
                                       size_t size)
{
    for (size_t i = 0; i < table->count; i++)
        if (strlen(table->settings[i].name) == size && !memcmp(table->settings[i].name, name, size))
            return &table->settings[i];
    return NULL;
}

/* ---- where values come from ---- */

static bool is_flag(const char *arg) { return !strncmp(arg, "--", 2); }

/* The flags that every table has; true when arg is one of them. */
static bool common_flag(struct loading *l, const char *arg)
{
    bool *at = !strcmp(arg, "--help")           ? &l->help
               : !strcmp(arg, "--version")      ? &l->version
               : !strcmp(arg, "--print-config") ? &l->print
               : !strcmp(arg, "--check-config") ? &l->check
                                                : NULL;
    if (at)
        *at = true;
    return at != NULL;
}

static bool take_flag_values(struct loading *l, const struct conf_setting *s, int argc,
                             char *const *argv, int *at, struct err *err)
{
    bool more = *at + 1 < argc && !is_flag(argv[*at + 1]);
    if (s->type == CONF_FLAG && !more)
        return value_take(l, s, FROM_FLAG, "yes", err);
    if (!more)
        return err_set(err, ERR_INPUT, "needs %s", s->value);
    do {
        if (!value_take(l, s, FROM_FLAG, argv[++*at], err))
            return false;
    } while (s->type == CONF_LIST && *at + 1 < argc && !is_flag(argv[*at + 1]));
    return true;
}

static bool take_flag(struct loading *l, int argc, char *const *argv, int *at, struct err *err)
{
    const char *arg = argv[*at];
    if (!is_flag(arg))
        return err_set(err, ERR_INPUT, "'%s' is no flag; --help lists them", arg);
    const char *equals = strchr(arg, '=');
    size_t size = (equals ? (size_t)(equals - arg) : strlen(arg)) - 2;
    if (size == 6 && !memcmp(arg + 2, "config", 6)) {
        l->file = equals ? equals + 1 : *at + 1 < argc ? argv[++*at] : NULL;
        return l->file ? true : err_set(err, ERR_INPUT, "--config needs FILE");
    }
    const struct conf_setting *s = find(l->table, arg + 2, size);
    if (!s)
        return err_set(err, ERR_INPUT, "unknown flag %.*s; --help lists them", (int)size + 2, arg);
    bool ok = equals ? value_take(l, s, FROM_FLAG, equals + 1, err)
                     : take_flag_values(l, s, argc, argv, at, err);
    return ok || err_wrap(err, "--%s", s->name);
}

static void env_name(char out[64], const char *name)
{
    int n = snprintf(out, 64, ENV_PREFIX "%s", name);
    assert(n < 64);
    for (char *c = out; *c; c++)
        *c = *c == '-' ? '_' : (char)toupper((unsigned char)*c);
}

static bool take_env_list(struct loading *l, const struct conf_setting *s, const char *text,
                          struct err *err)
{
    AUTO(free) char *copy = text_copy(text);
    for (char *item = copy; item;) {
        char *end = strchr(item, ':');
        if (end)
            *end = 0;
        if (*item && !value_take(l, s, FROM_ENV, item, err))
            return false;
        item = end ? end + 1 : NULL;
    }
    return true;
}

static bool take_env(struct loading *l, struct err *err)
{
    for (size_t i = 0; i < l->table->count; i++) {
        const struct conf_setting *s = &l->table->settings[i];
        char name[64];
        env_name(name, s->name);
        const char *text = getenv(name);
        if (!text || !*text)
            continue;
        bool ok = s->type == CONF_LIST ? take_env_list(l, s, text, err)
                                       : value_take(l, s, FROM_ENV, text, err);
        if (!ok)
            return err_wrap(err, "environment %s", name);
    }
    return true;
}

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size && isspace((unsigned char)text[size - 1]))
        text[--size] = 0;
    return text;
}

static bool take_line(struct loading *l, char *line, struct err *err)
{
    char *text = trim(line);
    if (!*text || *text == '#')
        return true;
    char *equals = strchr(text, '=');
    if (!equals)
        return err_set(err, ERR_INPUT, "no '='");
    *equals = 0;
    char *name = trim(text);
    const struct conf_setting *s = find(l->table, name, strlen(name));
    if (!s)
        return err_set(err, ERR_INPUT, "unknown setting '%s'", name);
    return value_take(l, s, FROM_FILE, trim(equals + 1), err) || err_wrap(err, "%s", name);
}

static void file_close(FILE *file)
{
    if (file)
        fclose(file);
}
AUTO_FREES(FILE *, file_close)

static bool take_file(struct loading *l, const char *path, struct err *err)
{
    AUTO(file_close) FILE *file = fopen(path, "re");
    if (!file)
        return err_set(err, ERR_INPUT, "config %s: %s", path, strerror(errno));
    char line[LINE_MAX_BYTES];
    for (int no = 1; fgets(line, sizeof(line), file); no++) {
        if (strlen(line) == sizeof(line) - 1)
            return err_set(err, ERR_INPUT, "%s:%d: longer than %d bytes", path, no, LINE_MAX_BYTES);
        if (!take_line(l, line, err))
            return err_wrap(err, "%s:%d", path, no);
    }
    return true;
}

static bool take_defaults(struct loading *l, struct err *err)
{
    for (size_t i = 0; i < l->table->count; i++) {
        const struct conf_setting *s = &l->table->settings[i];
        if (s->fallback && !value_take(l, s, FROM_DEFAULT, s->fallback, err))
            return err_wrap(err, "default of %s", s->name);
    }
    return true;
}

/* ---- what is printed ---- */

static void print_help(const struct conf_table *table)
{
    printf("%s - %s\n\n", table->program, table->purpose);
    printf("usage: %s [--NAME VALUE]...\n\n", table->program);
    for (size_t i = 0; i < table->count; i++) {
        const struct conf_setting *s = &table->settings[i];
        char env[64];
        env_name(env, s->name);
        printf("  --%s %s%s\n      %s\n      environment %s", s->name, s->value,
               s->type == CONF_LIST ? "..." : "", s->help, env);
        printf(s->fallback ? ", default %s\n" : s->needed ? ", needed\n" : "\n", s->fallback);
    }
    printf("\n  --config FILE     lines of NAME = VALUE; environment KOEVAL_CONFIG\n"
           "  --print-config    the settings as such a file\n"
           "  --check-config    says what is wrong with them, or nothing\n"
           "  --version         build, schema, protocol\n"
           "  --help            this\n"
           "A flag wins over the environment, that over the file, that over the default.\n");
}

static void print_setting(const struct loading *l, const struct conf_setting *s)
{
    const void *field = l->settings + s->offset;
    const struct conf_list *list = field;
    bool unset =
        (s->type == CONF_TEXT && !*(char *const *)field) || (s->type == CONF_LIST && !list->count);
    printf("# %s\n", s->help);
    if (unset)
        printf("# %s =\n", s->name);
    else if (s->type == CONF_TEXT)
        printf("%s = %s\n", s->name, *(char *const *)field);
    else if (s->type == CONF_INT)
        printf("%s = %lld\n", s->name, (long long)*(const int64_t *)field);
    else if (s->type == CONF_FLAG)
        printf("%s = %s\n", s->name, *(const bool *)field ? "yes" : "no");
    for (int32_t i = 0; s->type == CONF_LIST && i < list->count; i++)
        printf("%s = %s\n", s->name, list->items[i]);
}

/* ---- together ---- */

static bool check_all(const struct loading *l, struct err *err)
{
    for (size_t i = 0; i < l->table->count; i++)
        if (l->table->settings[i].needed && !l->set[i])
            return err_set(err, ERR_INPUT, "--%s %s is needed", l->table->settings[i].name,
                           l->table->settings[i].value);
    return !l->table->check || l->table->check(l->settings, err);
}

static bool take_all(struct loading *l, int argc, char *const *argv, struct err *err)
{
    for (int i = 1; i < argc; i++)
        if (!common_flag(l, argv[i]) && !take_flag(l, argc, argv, &i, err))
            return false;
    if (l->help || l->version)
        return true;
    const char *file = l->file ? l->file : getenv(ENV_PREFIX "CONFIG");
    return take_env(l, err) && (!file || !*file || take_file(l, file, err)) &&
           take_defaults(l, err);
}

bool conf_load(void *settings, enum conf_outcome *outcome, const struct conf_table *table, int argc,
               char *const *argv, struct err *err)
{
    assert(table->count <= CONF_SETTINGS_MAX);
    struct loading l = { .table = table, .settings = settings };
    for (size_t i = 0; i < table->count; i++) /* only the fields that the table names are ours */
        memset(l.settings + table->settings[i].offset, 0,
               table->settings[i].type == CONF_FLAG   ? sizeof(bool)
               : table->settings[i].type == CONF_LIST ? sizeof(struct conf_list)
                                                      : sizeof(int64_t));
    if (!take_all(&l, argc, argv, err))
        return false;
    *outcome = l.help || l.version || l.print || l.check ? CONF_PRINTED : CONF_RUN;
    if (l.help) {
        print_help(table);
        return true;
    }
    if (l.version) {
        puts(table->version);
        return true;
    }
    if (l.print)
        for (size_t i = 0; i < table->count; i++)
            print_setting(&l, &table->settings[i]);
    return (l.print && !l.check) || check_all(&l, err);
}

void conf_free(void *settings, const struct conf_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        void *field = (char *)settings + table->settings[i].offset;
        if (table->settings[i].type == CONF_TEXT) {
            free(*(char **)field);
            *(char **)field = NULL;
        } else if (table->settings[i].type == CONF_LIST) {
            list_clear(field);
        }
    }
}
