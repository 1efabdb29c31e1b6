/* conf.h - a daemon's settings as one table: flag, environment, file, default and help from one
 * row.
 *
 * A setting named "lease-ms" is the flag --lease-ms VALUE (or --lease-ms=VALUE), the environment
 * variable KOEVAL_LEASE_MS and the line "lease-ms = VALUE" of the file that --config or
 * KOEVAL_CONFIG names.  The flag wins over the environment, that over the file, that over the
 * default.  Every table also understands --help, --version, --print-config and --check-config.
 *
 *     struct settings { char *listen; int64_t lease_ms; struct conf_list models; bool once; };
 *     static const struct conf_setting table[] = {
 *         { "listen", CONF_TEXT, offsetof(struct settings, listen), "tcp://0.0.0.0:7411",
 * "ENDPOINT", "where agents connect", 0, 0 }, { "lease-ms", CONF_INT, offsetof(struct settings,
 * lease_ms), "60000", "MS", "how long a lease runs", 200, 3600000 },
 *     };
 *
 * A file has one "name = value" a line; # begins a comment; a list is its name repeated.  A list
 * flag takes all values up to the next flag; in the environment its values are separated by ':'. */
#ifndef CONF_H
#define CONF_H

#include "common/err.h"

enum conf_type {
    CONF_TEXT, /* char *, owned; NULL when not set and without a default */
    CONF_INT,  /* int64_t in [least, most]; K, M, G after it mean 2^10, 2^20, 2^30 */
    CONF_FLAG, /* bool: yes or no; the flag alone means yes */
    CONF_LIST, /* struct conf_list */
};

struct conf_list {
    char **items;
    int32_t count;
};

struct conf_setting {
    const char *name;
    enum conf_type type;
    size_t offset;        /* of the field in the caller's struct */
    const char *fallback; /* as it would be written in the file; NULL: not set */
    const char *value;    /* what --help calls the value */
    const char *help;
    int64_t least, most; /* CONF_INT */
    bool needed;         /* refused when nobody sets it */
};

struct conf_table {
    const char *program, *purpose; /* for --help */
    const char *version;           /* lines that --version prints, without the last newline */
    const struct conf_setting *settings;
    size_t count;
    /* What the table cannot say: rules between settings.  May be NULL. */
    bool (*check)(const void *settings, struct err *err);
};

enum conf_outcome {
    CONF_RUN,     /* settings are filled: go on */
    CONF_PRINTED, /* --help and the like were asked for and answered on stdout: exit 0 */
};

/* settings is zeroed and filled; ERR_INPUT names the setting and where it was set. */
bool conf_load(void *settings, enum conf_outcome *outcome, const struct conf_table *table, int argc,
               char *const *argv, struct err *err) MUST;

/* Frees texts and lists; settings may be half filled. */
void conf_free(void *settings, const struct conf_table *table);

#endif
