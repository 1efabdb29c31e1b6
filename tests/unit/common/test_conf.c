/* test_conf.c - who wins, and what is refused. */
#include "common/conf.h"
#include "tests/test.h"

#include <unistd.h>

struct settings {
    char *listen, *key;
    int64_t lease_ms;
    bool once;
    struct conf_list models;
};

#define AT(field) offsetof(struct settings, field)

static bool check(const void *settings, struct err *err)
{
    const struct settings *s = settings;
    return s->lease_ms != 13 || err_set(err, ERR_INPUT, "13 is unlucky");
}

static const struct conf_setting rows[] = {
    { "listen", CONF_TEXT, AT(listen), "here", "ENDPOINT", "where", 0, 0, false },
    { "key", CONF_TEXT, AT(key), NULL, "FILE", "a key", 0, 0, true },
    { "lease-ms", CONF_INT, AT(lease_ms), "60000", "MS", "a time", 10, 1 << 20, false },
    { "once", CONF_FLAG, AT(once), "no", "yes|no", "stop then", 0, 0, false },
    { "models", CONF_LIST, AT(models), NULL, "DIR", "folders", 0, 0, false },
};
static const struct conf_table table = { "prog", "does it", "1", rows, COUNT(rows), check };

static bool load(struct settings *s, struct err *err, int argc, char *const *argv)
{
    enum conf_outcome outcome;
    unsetenv("KOEVAL_CONFIG");
    return conf_load(s, &outcome, &table, argc, argv, err) && outcome == CONF_RUN;
}

#define LOAD(s, err, ...) \
    load(s, err, (int)COUNT(((char *[]){ "prog", __VA_ARGS__ })), (char *[]){ "prog", __VA_ARGS__ })

TEST(a_flag_wins_over_the_environment_and_that_over_the_default)
{
    struct settings s;
    struct err err = { 0 };
    setenv("KOEVAL_LEASE_MS", "70", 1);
    CHECK(LOAD(&s, &err, "--key", "k"));
    CHECK(s.lease_ms == 70 && !strcmp(s.listen, "here") && !strcmp(s.key, "k") && !s.once);
    conf_free(&s, &table);
    CHECK(LOAD(&s, &err, "--key=k", "--lease-ms", "2K", "--once", "--listen=there"));
    CHECK(s.lease_ms == 2048 && s.once && !strcmp(s.listen, "there"));
    conf_free(&s, &table);
    unsetenv("KOEVAL_LEASE_MS");
}

TEST(a_list_takes_values_up_to_the_next_flag_and_is_never_mixed)
{
    struct settings s;
    struct err err = { 0 };
    setenv("KOEVAL_MODELS", "x:y", 1);
    CHECK(LOAD(&s, &err, "--models", "a", "b", "--key", "k", "--models", "c"));
    CHECK(s.models.count == 3 && !strcmp(s.models.items[2], "c"));
    conf_free(&s, &table);
    CHECK(LOAD(&s, &err, "--key", "k"));
    CHECK(s.models.count == 2 && !strcmp(s.models.items[0], "x"));
    conf_free(&s, &table);
    unsetenv("KOEVAL_MODELS");
}

static bool file_says(const char *text, struct settings *s, struct err *err)
{
    char path[] = "/tmp/koeval_conf_XXXXXX";
    int fd = mkstemp(path);
    bool wrote = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
    close(fd);
    bool ok = wrote && LOAD(s, err, "--config", path, "--listen", "flag");
    unlink(path);
    return ok;
}

TEST(a_file_stands_between_environment_and_default)
{
    struct settings s;
    struct err err = { 0 };
    setenv("KOEVAL_KEY", "env", 1);
    CHECK(file_says("# c\n\n key = file \nlease-ms=99\nmodels = a b\nmodels = c\nlisten = x\n", &s,
                    &err));
    CHECK(!strcmp(s.key, "env") && s.lease_ms == 99 && s.models.count == 2);
    CHECK(!strcmp(s.models.items[0], "a b") && !strcmp(s.listen, "flag"));
    conf_free(&s, &table);
    CHECK(!file_says("lease-ms=99\nlaese-ms=3\n", &s, &err) && strstr(err.text, ":2: unknown"));
    conf_free(&s, &table);
    unsetenv("KOEVAL_KEY");
}

#define REFUSED(part, ...)                                                \
    do {                                                                  \
        struct settings s_;                                               \
        struct err err_ = { 0 };                                          \
        CHECK(!LOAD(&s_, &err_, __VA_ARGS__) && strstr(err_.text, part)); \
        conf_free(&s_, &table);                                           \
    } while (0)

TEST(what_is_wrong_is_refused_by_name)
{
    REFUSED("--key FILE is needed", "--once");
    REFUSED("--lease-ms: '12x' is no whole number", "--key", "k", "--lease-ms", "12x");
    REFUSED("--lease-ms: 9 is not in 10..1048576", "--key", "k", "--lease-ms", "9");
    REFUSED("--lease-ms: needs MS", "--key", "k", "--lease-ms", "--once");
    REFUSED("unknown flag --lease", "--key", "k", "--lease", "9");
    REFUSED("'stray' is no flag", "--key", "k", "stray");
    REFUSED("neither yes nor no", "--key", "k", "--once", "maybe");
    REFUSED("13 is unlucky", "--key", "k", "--lease-ms", "13");
    REFUSED("No such file", "--key", "k", "--config", "/nowhere/file");
}
