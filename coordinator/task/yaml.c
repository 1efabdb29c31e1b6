#include "coordinator/task/yaml.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <yaml.h>

#include "common/buf.h"
#include "coordinator/task/heap.h"
#include "coordinator/task/yaml_scalar.h"

#define YAML_HEAP_BYTES ((size_t)32 * 1024 * 1024)
#define YAML_NODES_MAX  100000

struct yaml_file {
    struct heap heap; /* the tree, its texts and the names of its files */
    struct yaml *root;
    int32_t nodes;
};

struct reader {
    struct yaml_file *file;
    const char *name; /* in the file's heap */
    yaml_document_t document;
    struct err *err;
};

bool yaml_fail(const struct yaml *node, struct err *err, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return err_set(err, ERR_INPUT, "%s:%d: %s", node->file, node->line, text);
}

const struct yaml *yaml_root(const struct yaml_file *file) { return file->root; }

const struct yaml *yaml_get(const struct yaml *map, const char *key)
{
    for (int32_t i = map->type == YAML_MAP ? map->count - 1 : -1; i >= 0; i--)
        if (text_is(map->keys[i], key))
            return map->items[i];
    return NULL;
}

bool yaml_is_text(const struct yaml *node, const char *text)
{
    return node && node->type == YAML_TEXT && text_is(node->text, text);
}

/* libyaml's tree becomes ours -------------------------------------------------------------------
 */

static bool read_node(struct yaml **out, struct reader *r, int number, int depth);

static bool node_fail(struct reader *r, const yaml_node_t *from, const char *what)
{
    return err_set(r->err, ERR_INPUT, "%s:%d: %s", r->name, (int)from->start_mark.line + 1, what);
}

static bool read_scalar(struct yaml *node, struct reader *r, const yaml_node_t *from)
{
    struct text raw = { (const char *)from->data.scalar.value, from->data.scalar.length };
    const char *tag = (const char *)from->tag;
    if (!heap_copy(&node->text, &r->file->heap, raw, r->err))
        return false;
    node->type = YAML_TEXT;
    if (!strcmp(tag, "!function"))
        node->type = YAML_FUNCTION;
    else if (strcmp(tag, YAML_STR_TAG))
        return node_fail(r, from, "the only tag known is !function");
    else if (from->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !yaml_scalar_resolve(node))
        return node_fail(r, from, "dates and numbers over 64 bits are not supported: quote it");
    return true;
}

static bool read_list(struct yaml *node, struct reader *r, const yaml_node_t *from, int depth)
{
    int32_t count = (int32_t)(from->data.sequence.items.top - from->data.sequence.items.start);
    node->type = YAML_LIST;
    node->count = count;
    if (!heap_take(&node->items, &r->file->heap, (size_t)count, sizeof *node->items, r->err))
        return false;
    for (int32_t i = 0; i < count; i++)
        if (!read_node(&node->items[i], r, from->data.sequence.items.start[i], depth + 1))
            return false;
    return true;
}

static bool read_map(struct yaml *node, struct reader *r, const yaml_node_t *from, int depth)
{
    int32_t count = (int32_t)(from->data.mapping.pairs.top - from->data.mapping.pairs.start);
    node->type = YAML_MAP;
    node->count = count;
    if (!heap_take(&node->items, &r->file->heap, (size_t)count, sizeof *node->items, r->err) ||
        !heap_take(&node->keys, &r->file->heap, (size_t)count, sizeof *node->keys, r->err))
        return false;
    for (int32_t i = 0; i < count; i++) {
        const yaml_node_pair_t *pair = &from->data.mapping.pairs.start[i];
        struct yaml *key = NULL;
        if (!read_node(&key, r, pair->key, depth + 1))
            return false;
        if (key->type == YAML_LIST || key->type == YAML_MAP)
            return yaml_fail(key, r->err, "a key must be a scalar");
        if (text_is(key->text, "<<"))
            return yaml_fail(key, r->err, "merge keys are not supported");
        node->keys[i] = key->text;
        if (!read_node(&node->items[i], r, pair->value, depth + 1))
            return false;
    }
    return true;
}

static bool read_node(struct yaml **out, struct reader *r, int number, int depth)
{
    const yaml_node_t *from = yaml_document_get_node(&r->document, number);
    /* libyaml resolves aliases into shared nodes: the count bounds what they unfold to. */
    if (depth > YAML_DEPTH_MAX || ++r->file->nodes > YAML_NODES_MAX)
        return node_fail(r, from, "nested too deep or too large");
    struct yaml *node = NULL;
    if (!heap_take(&node, &r->file->heap, 1, sizeof *node, r->err))
        return false;
    node->file = r->name;
    node->line = (int32_t)from->start_mark.line + 1;
    *out = node;
    if (from->type == YAML_SCALAR_NODE)
        return read_scalar(node, r, from);
    return from->type == YAML_SEQUENCE_NODE ? read_list(node, r, from, depth)
                                            : read_map(node, r, from, depth);
}

static bool read_document(struct reader *r, yaml_parser_t *parser)
{
    if (!yaml_parser_load(parser, &r->document))
        return err_set(r->err, ERR_INPUT, "%s:%d: %s", r->name, (int)parser->problem_mark.line + 1,
                       parser->problem ? parser->problem : "no YAML");
    const yaml_node_t *root = yaml_document_get_root_node(&r->document);
    bool ok = root && root->type == YAML_MAPPING_NODE;
    if (ok)
        ok = read_node(&r->file->root, r, 1, 0);
    else
        err_set(r->err, ERR_INPUT, "%s:1: a map of keys and values expected", r->name);
    yaml_document_delete(&r->document);
    return ok;
}

static bool read_text(struct yaml_file *file, struct text text, const char *name, struct err *err)
{
    struct text kept;
    if (!heap_copy(&kept, &file->heap, text_of(name), err))
        return false;
    struct reader r = { .file = file, .name = kept.bytes, .err = err };
    yaml_parser_t parser;
    if (!yaml_parser_initialize(&parser))
        abort();
    yaml_parser_set_input_string(&parser, (const unsigned char *)text.bytes, text.size);
    bool ok = read_document(&r, &parser);
    yaml_parser_delete(&parser);
    return ok;
}

static struct yaml_file *file_new(void)
{
    struct yaml_file *file = must_calloc(1, sizeof *file);
    file->heap.max = YAML_HEAP_BYTES;
    return file;
}

void yaml_close(struct yaml_file *file)
{
    if (file)
        heap_free(&file->heap);
    free(file);
}

bool yaml_parse(struct yaml_file **out, struct text text, const char *name, struct err *err)
{
    AUTO(yaml_close) struct yaml_file *file = file_new();
    if (!read_text(file, text, name, err))
        return false;
    *out = TAKE(file);
    return true;
}

static bool read_path(struct yaml_file *file, const char *path, struct err *err)
{
    FILE *in = fopen(path, "rb");
    if (!in)
        return err_set(err, ERR_INPUT, "%s: %s", path, strerror(errno));
    AUTO(free) char *bytes = must_calloc(1, YAML_BYTES_MAX + 1);
    size_t size = fread(bytes, 1, YAML_BYTES_MAX + 1, in);
    bool failed = ferror(in);
    fclose(in);
    if (failed || size > YAML_BYTES_MAX)
        return err_set(err, ERR_INPUT, "%s: %s", path,
                       failed ? "cannot be read" : "larger than 1 MiB");
    return read_text(file, (struct text){ bytes, size }, path, err);
}

bool yaml_open(struct yaml_file **out, const char *path, struct err *err)
{
    AUTO(yaml_close) struct yaml_file *file = file_new();
    if (!read_path(file, path, err))
        return false;
    *out = TAKE(file);
    return true;
}

/* Includes --------------------------------------------------------------------------------------
 */

static bool open_merged(struct yaml_file *file, const char *path, const struct yaml *by, int depth,
                        struct err *err);

/* Under: the keys of `more`, then ours, so that ours win; without `include` and `task_list`. */
static bool merge(struct yaml_file *file, const struct yaml *under, const struct yaml *over,
                  struct err *err)
{
    struct yaml *merged = NULL;
    size_t room = (size_t)(under ? under->count : 0) + (size_t)over->count;
    if (!heap_take(&merged, &file->heap, 1, sizeof *merged, err))
        return false;
    *merged = *over;
    merged->count = 0;
    if (!heap_take(&merged->items, &file->heap, room, sizeof *merged->items, err) ||
        !heap_take(&merged->keys, &file->heap, room, sizeof *merged->keys, err))
        return false;
    const struct yaml *const parts[2] = { under, over };
    for (int part = 0; part < 2; part++)
        for (int32_t i = 0; parts[part] && i < parts[part]->count; i++) {
            struct text key = parts[part]->keys[i];
            if (text_is(key, "include") || (part == 0 && text_is(key, "task_list")))
                continue;
            merged->keys[merged->count] = key;
            merged->items[merged->count++] = parts[part]->items[i];
        }
    file->root = merged;
    return true;
}

static bool include_path(struct buf *out, const char *path, const struct yaml *include,
                         struct err *err)
{
    if (include->type != YAML_TEXT || !include->text.size ||
        memchr(include->text.bytes, 0, include->text.size))
        return yaml_fail(include, err, "include: a path expected");
    const char *slash = strrchr(path, '/');
    if (slash && include->text.bytes[0] != '/')
        buf_put(out, path, (size_t)(slash + 1 - path));
    buf_put(out, include->text.bytes, include->text.size);
    return true;
}

/* Merges every included file, later ones over earlier ones, and the file's own keys over all. */
static bool merge_includes(struct yaml_file *file, const char *path, const struct yaml *own,
                           int depth, struct err *err)
{
    const struct yaml *include = yaml_get(own, "include");
    const struct yaml *under = NULL;
    int32_t count = include->type == YAML_LIST ? include->count : 1;
    for (int32_t i = 0; i < count; i++) {
        const struct yaml *one = include->type == YAML_LIST ? include->items[i] : include;
        AUTO(buf_free) struct buf included = { 0 };
        if (!include_path(&included, path, one, err) ||
            !open_merged(file, buf_text(&included), one, depth + 1, err) ||
            !merge(file, under, file->root, err))
            return false;
        under = file->root;
    }
    return merge(file, under, own, err);
}

/* by: the entry that includes it, NULL the first file of all. */
static bool open_merged(struct yaml_file *file, const char *path, const struct yaml *by, int depth,
                        struct err *err)
{
    if (depth > YAML_DEPTH_MAX)
        return err_set(err, ERR_INPUT, "%s: includes itself or nests too deep", path);
    if (!read_path(file, path, err))
        return by ? err_wrap(err, "%s:%d: include", by->file, by->line) : false;
    const struct yaml *own = file->root;
    return !yaml_get(own, "include") || merge_includes(file, path, own, depth, err);
}

bool yaml_open_with_includes(struct yaml_file **out, const char *path, struct err *err)
{
    AUTO(yaml_close) struct yaml_file *file = file_new();
    if (!open_merged(file, path, NULL, 0, err))
        return false;
    *out = TAKE(file);
    return true;
}

static json_t *collection_to_json(const struct yaml *node)
{
    json_t *json = node->type == YAML_LIST ? json_array() : json_object();
    for (int32_t i = 0; i < node->count; i++) {
        json_t *item = yaml_to_json(node->items[i]);
        if (node->type == YAML_LIST)
            json_array_append_new(json, item);
        else
            json_object_setn_new(json, node->keys[i].bytes, node->keys[i].size, item);
    }
    return json;
}

json_t *yaml_to_json(const struct yaml *node)
{
    switch (node->type) {
    case YAML_NULL:
        return json_null();
    case YAML_BOOL:
        return json_boolean(node->boolean);
    case YAML_INT:
        return json_integer(node->integer);
    case YAML_REAL:
        return json_real(node->real);
    case YAML_TEXT:
    case YAML_FUNCTION:
        return json_stringn(node->text.bytes, node->text.size);
    default:
        return collection_to_json(node);
    }
}
