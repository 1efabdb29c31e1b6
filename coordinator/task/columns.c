#include "coordinator/task/columns.h"

#include <errno.h>

#include "coordinator/task/pystr.h"
#include "coordinator/task/yaml.h"

#define COLUMNS_MAX    256
#define COLUMN_MAP_MAX 1024

enum column_type { COLUMN_AS_IS, COLUMN_TEXT, COLUMN_INT, COLUMN_REAL, COLUMN_BOOL, COLUMN_JSON };

struct column_rule {
    const char *name, *from;
    const struct yaml *map; /* NULL: none */
    enum column_type type;
    int64_t shift;
};

struct columns {
    struct yaml_file *file;
    const char *format;
    int32_t count;
    struct column_rule rules[COLUMNS_MAX];
};

static bool read_type(struct column_rule *rule, const struct yaml *node, struct err *err)
{
    static const char *const names[] = { [COLUMN_TEXT] = "text",
                                         [COLUMN_INT] = "int",
                                         [COLUMN_REAL] = "real",
                                         [COLUMN_BOOL] = "bool",
                                         [COLUMN_JSON] = "json" };
    for (size_t i = COLUMN_TEXT; i < COUNT(names); i++)
        if (yaml_is_text(node, names[i])) {
            rule->type = (enum column_type)i;
            return true;
        }
    return yaml_fail(node, err, "type: one of text, int, real, bool, json expected");
}

/* A column's name as it is written, even where YAML reads it as something else: No, 1. */
static bool is_name(const struct yaml *node)
{
    return node->type != YAML_LIST && node->type != YAML_MAP && node->type != YAML_FUNCTION &&
           node->text.size;
}

static bool read_rule_key(struct column_rule *rule, struct text key, const struct yaml *value,
                          struct err *err)
{
    if (text_is(key, "from") && is_name(value))
        rule->from = value->text.bytes;
    else if (text_is(key, "map") && value->type == YAML_MAP && value->count <= COLUMN_MAP_MAX)
        rule->map = value;
    else if (text_is(key, "shift") && value->type == YAML_INT)
        rule->shift = value->integer;
    else if (text_is(key, "type"))
        return read_type(rule, value, err);
    else
        return yaml_fail(value, err, "key '%.*s' is unknown here or has a wrong value",
                         (int)(key.size > 60 ? 60 : key.size), key.bytes);
    return true;
}

static bool read_rule(struct column_rule *rule, struct text name, const struct yaml *node,
                      struct err *err)
{
    *rule = (struct column_rule){ .name = name.bytes, .from = name.bytes };
    if (is_name(node)) {
        rule->from = node->text.bytes;
        return true;
    }
    if (node->type != YAML_MAP)
        return yaml_fail(node, err, "a column's name or {from, map, type, shift} expected");
    for (int32_t i = 0; i < node->count; i++)
        if (!read_rule_key(rule, node->keys[i], node->items[i], err))
            return false;
    return true;
}

static bool read_format(struct columns *columns, const struct yaml *node, struct err *err)
{
    static const char *const formats[] = { "csv", "tsv", "jsonl" };
    for (size_t i = 0; i < COUNT(formats); i++)
        if (yaml_is_text(node, formats[i])) {
            columns->format = formats[i];
            return true;
        }
    return yaml_fail(node, err, "format: one of csv, tsv, jsonl expected");
}

static bool read_columns(struct columns *columns, struct err *err)
{
    const struct yaml *root = yaml_root(columns->file), *list = yaml_get(root, "columns");
    for (int32_t i = 0; i < root->count; i++)
        if (!text_is(root->keys[i], "columns") && !text_is(root->keys[i], "format"))
            return yaml_fail(root->items[i], err, "a column map has the keys format and columns");
    const struct yaml *format = yaml_get(root, "format");
    if (format && !read_format(columns, format, err))
        return false;
    if (!list || list->type != YAML_MAP || !list->count || list->count > COLUMNS_MAX)
        return yaml_fail(root, err, "columns: a map of 1 to %d columns expected", COLUMNS_MAX);
    for (int32_t i = 0; i < list->count; i++)
        if (!read_rule(&columns->rules[columns->count++], list->keys[i], list->items[i], err))
            return false;
    return true;
}

static bool columns_of(struct columns **out, struct yaml_file *file, struct err *err)
{
    AUTO(columns_free) struct columns *columns = must_calloc(1, sizeof *columns);
    columns->file = file;
    if (!read_columns(columns, err))
        return false;
    *out = TAKE(columns);
    return true;
}

bool columns_open(struct columns **out, const char *path, struct err *err)
{
    struct yaml_file *file = NULL;
    return yaml_open(&file, path, err) && columns_of(out, file, err);
}

bool columns_parse(struct columns **out, const char *text, const char *name, struct err *err)
{
    struct yaml_file *file = NULL;
    return yaml_parse(&file, text_of(text), name, err) && columns_of(out, file, err);
}

void columns_free(struct columns *columns)
{
    if (columns)
        yaml_close(columns->file);
    free(columns);
}

const char *columns_format(const struct columns *columns) { return columns->format; }

/* What a map looks up: a text as it is, anything else as JSON writes it. */
static bool look_up(json_t **out, const struct column_rule *rule, const json_t *cell)
{
    AUTO(free) char *dumped = NULL;
    const char *key = json_string_value(cell);
    if (!key)
        key = dumped = json_dumps(cell, JSON_ENCODE_ANY | JSON_COMPACT);
    const struct yaml *found = key ? yaml_get(rule->map, key) : NULL;
    if (!found)
        return false;
    *out = yaml_to_json(found);
    return true;
}

static json_t *integer_of(const json_t *cell)
{
    if (json_is_integer(cell))
        return json_integer(json_integer_value(cell));
    if (json_is_boolean(cell))
        return json_integer(json_is_true(cell));
    struct text text = { json_string_value(cell), json_string_length(cell) };
    if (!text.bytes)
        return NULL;
    text = pystr_strip(text, PYSTR_BOTH, NULL);
    bool negative = text.size && text.bytes[0] == '-';
    struct text digits = { text.bytes + negative, text.size - negative };
    if (!pystr_is_digits(digits) || digits.size > 18)
        return NULL;
    long long value = strtoll(digits.bytes, NULL, 10);
    return json_integer(negative ? -value : value);
}

static json_t *real_of(const json_t *cell)
{
    if (json_is_number(cell))
        return json_real(json_number_value(cell));
    const char *text = json_string_value(cell);
    char *end = NULL;
    double real = text && *text ? strtod(text, &end) : 0;
    return end && !*end ? json_real(real) : NULL; /* NULL for nan and inf too */
}

static json_t *bool_of(const json_t *cell)
{
    static const char *const words[2][3] = { { "false", "False", "FALSE" },
                                             { "true", "True", "TRUE" } };
    if (json_is_boolean(cell))
        return json_boolean(json_is_true(cell));
    const char *text = json_string_value(cell);
    for (int value = 0; text && value < 2; value++)
        for (int i = 0; i < 3; i++)
            if (!strcmp(text, words[value][i]))
                return json_boolean(value);
    return NULL;
}

/* A new reference, or NULL when the cell does not read as the type. */
static json_t *typed(json_t *cell, enum column_type type)
{
    switch (type) {
    case COLUMN_TEXT:
        return json_is_string(cell) ? json_incref(cell) : NULL;
    case COLUMN_INT:
        return integer_of(cell);
    case COLUMN_REAL:
        return real_of(cell);
    case COLUMN_BOOL:
        return bool_of(cell);
    case COLUMN_JSON:
        return json_is_string(cell) ? json_loadb(json_string_value(cell), json_string_length(cell),
                                                 JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL)
                                    : json_incref(cell);
    default:
        return json_incref(cell);
    }
}

static bool apply_rule(json_t **out, const struct column_rule *rule, json_t *cell, struct err *err)
{
    json_t *mapped = NULL;
    if (rule->map && !look_up(&mapped, rule, cell))
        return err_set(err, ERR_INPUT, "column '%s': a value that its map does not list",
                       rule->from);
    json_t *value = typed(mapped ? mapped : cell, rule->type);
    json_decref(mapped);
    if (!value)
        return err_set(err, ERR_INPUT, "column '%s': a value that is not of its type", rule->from);
    if (rule->shift && !json_is_integer(value)) {
        json_decref(value);
        return err_set(err, ERR_INPUT, "column '%s': shift needs type: int", rule->from);
    }
    if (rule->shift)
        json_integer_set(value, json_integer_value(value) + rule->shift);
    *out = value;
    return true;
}

bool columns_apply(json_t **out, const struct columns *columns, const json_t *row, struct err *err)
{
    json_t *document = json_object();
    for (int32_t i = 0; i < columns->count; i++) {
        const struct column_rule *rule = &columns->rules[i];
        json_t *cell = json_object_get(row, rule->from), *value = NULL;
        bool ok = cell ? apply_rule(&value, rule, cell, err)
                       : err_set(err, ERR_INPUT, "column '%s' is not in the file", rule->from);
        if (!ok) {
            json_decref(document);
            return false;
        }
        json_object_set_new(document, rule->name, value);
    }
    *out = document;
    return true;
}
