/* yaml.h - a YAML file as a tree that remembers where each node stood.
 *
 * libyaml reads, this file resolves: plain scalars as YAML 1.1 and PyYAML's safe loader do (`yes`
 * is a bool, `017` is fifteen), a repeated key's last value wins, `include:` merges other files
 * under this one.  The one tag known is !function.  Aliases and merge keys are refused. */
#ifndef TASK_YAML_H /* libyaml's own header has YAML_H */
#define TASK_YAML_H

#include <jansson.h>

#include "common/err.h"
#include "common/text.h"

enum yaml_type {
    YAML_NULL,
    YAML_BOOL,
    YAML_INT,
    YAML_REAL,
    YAML_TEXT,
    YAML_FUNCTION, /* text: "utils.name" */
    YAML_LIST,
    YAML_MAP, /* items and keys */
};

struct yaml {
    enum yaml_type type;
    int32_t line;     /* from 1 */
    const char *file; /* where it stands; lives as long as the tree's owner */
    bool boolean;
    int64_t integer;
    double real;
    struct text text; /* YAML_TEXT, YAML_FUNCTION; every scalar's text as written */
    struct yaml **items;
    struct text *keys;
    int32_t count;
};

struct yaml_file;

#define YAML_BYTES_MAX (1024 * 1024)
#define YAML_DEPTH_MAX 24

/* Reads one file without its includes; the root is a map. */
bool yaml_open(struct yaml_file **out, const char *path, struct err *err) MUST;
/* The same from bytes; name stands for the file in errors. */
bool yaml_parse(struct yaml_file **out, struct text text, const char *name, struct err *err) MUST;
/* Reads the file and what it includes (relative to its folder, recursively); keys of the including
 * file win, the root's key `include` is gone. */
bool yaml_open_with_includes(struct yaml_file **out, const char *path, struct err *err) MUST;
void yaml_close(struct yaml_file *file);
AUTO_FREES(struct yaml_file *, yaml_close)

const struct yaml *yaml_root(const struct yaml_file *file);

/* The value under a key of a map, or NULL. */
const struct yaml *yaml_get(const struct yaml *map, const char *key);
bool yaml_is_text(const struct yaml *node, const char *text);
/* ERR_INPUT "file:line: message". */
bool yaml_fail(const struct yaml *node, struct err *err, const char *fmt, ...) PRINTF(3, 4);
/* A new reference; functions are texts. */
json_t *yaml_to_json(const struct yaml *node);

#endif
