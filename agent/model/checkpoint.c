#include "agent/model/checkpoint.h"

#include "common/json.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INDEX_BYTES_MAX ((size_t)64 << 20)

static bool path_make(char path[PATH_MAX], const char *dir, const char *name, struct err *err)
{
    if (snprintf(path, PATH_MAX, "%s/%s", dir, name) >= PATH_MAX)
        return err_set(err, ERR_INPUT, "path too long");
    return true;
}

/* Does `path` lie right in folder `dir`?  Both real paths. */
static bool lies_in(const char *path, const char *dir)
{
    const char *slash = strrchr(path, '/');
    return slash && (size_t)(slash - path) == strlen(dir) &&
           memcmp(path, dir, (size_t)(slash - path)) == 0;
}

/* The blobs that belong to .../snapshots/REVISION, or "" where dir is no hub cache. */
static void blobs_of(char blobs[PATH_MAX], const char *dir)
{
    char copy[PATH_MAX];
    snprintf(copy, sizeof(copy), "%s", dir);
    blobs[0] = 0;
    for (int i = 0; i < 2; i++) {
        char *slash = strrchr(copy, '/');
        if (!slash || (i == 1 && strcmp(slash, "/snapshots") != 0))
            return;
        *slash = 0;
    }
    snprintf(blobs, PATH_MAX, "%.*s/blobs", PATH_MAX - 8, copy);
}

/* The real path of a file of the folder. */
static bool path_resolve(char real[PATH_MAX], const char *dir, const char *name, struct err *err)
{
    char path[PATH_MAX], real_dir[PATH_MAX], blobs[PATH_MAX];

    if (!path_make(path, dir, name, err))
        return false;
    if (!realpath(dir, real_dir))
        return err_set(err, ERR_INPUT, "folder: %s", strerror(errno));
    if (!realpath(path, real))
        return err_set(err, ERR_INPUT, "%.100s: %s", name, strerror(errno));
    blobs_of(blobs, real_dir);
    if (!lies_in(real, real_dir) && !lies_in(real, blobs))
        return err_set(err, ERR_INPUT, "%.100s: the link leaves the folder", name);
    return true;
}

static bool stream_read(char **text, size_t *size, FILE *stream, size_t most, struct err *err)
{
    AUTO(buf_free) struct buf buf = { .max = most };
    char block[4096];
    size_t got;

    while ((got = fread(block, 1, sizeof(block), stream)) > 0)
        buf_put(&buf, block, got);
    if (ferror(stream))
        return err_set(err, ERR_RETRY, "cannot read it");
    if (!buf_ok(&buf))
        return err_set(err, ERR_INPUT, "more than %zu bytes", most);
    buf_put(&buf, "", 0);
    *size = buf.size;
    *text = buf.bytes ? TAKE(buf.bytes) : must_calloc(1, 1);
    return true;
}

bool model_file_read(char **text, size_t *size, const char *dir, const char *name, size_t most,
                     struct err *err)
{
    char real[PATH_MAX];
    if (!path_resolve(real, dir, name, err))
        return false;
    struct stat st;
    FILE *stream = stat(real, &st) == 0 && S_ISREG(st.st_mode) ? fopen(real, "rbe") : NULL;
    if (!stream)
        return err_set(err, ERR_INPUT, "%.100s: %s", name, strerror(errno));
    bool read = stream_read(text, size, stream, most, err);
    fclose(stream);
    return read || err_wrap(err, "%.100s", name);
}

/* A base name that ends in .safetensors. */
static bool shard_name_ok(const char *name, size_t size)
{
    static const char end[] = ".safetensors";
    size_t end_size = sizeof(end) - 1;
    return size > end_size && size < NAME_MAX && !memchr(name, 0, size) && name[0] != '.' &&
           !strpbrk(name, "/\\") && strcmp(name + size - end_size, end) == 0;
}

/* The distinct files of the index, in the order in which they first occur. */
struct shards {
    char *name[CHECKPOINT_FILES_MAX];
    int32_t count;
};

static void shards_free(struct shards *s)
{
    for (int32_t i = 0; i < s->count; i++)
        free(s->name[i]);
}
AUTO_ENDS(struct shards, shards_free)

static char *name_copy(const char *name, size_t size)
{
    char *copy = must_calloc(size + 1, 1);
    memcpy(copy, name, size);
    return copy;
}

static void shard_add(struct shards *s, struct json *json, const struct buf *name)
{
    if (!json_ok(json))
        return;
    if (!shard_name_ok(buf_text(name), name->size)) {
        json_fail(json, "weight_map names no *.safetensors of the folder");
        return;
    }
    /* Neighbours in the map mostly share a file. */
    for (int32_t i = s->count - 1; i >= 0; i--)
        if (strcmp(s->name[i], buf_text(name)) == 0)
            return;
    if (s->count == CHECKPOINT_FILES_MAX)
        json_fail(json, "more than %d files", CHECKPOINT_FILES_MAX);
    else
        s->name[s->count++] = name_copy(buf_text(name), name->size);
}

static bool index_read(struct shards *out, const char *text, size_t size, struct err *err)
{
    AUTO(buf_free) struct buf key = { 0 };
    AUTO(buf_free) struct buf name = { 0 };
    struct json json;

    json_begin(&json, text, size);
    json_object(&json);
    while (json_member(&json, &key)) {
        if (strcmp(buf_text(&key), "weight_map") != 0) {
            json_skip(&json);
            continue;
        }
        json_object(&json);
        while (json_member(&json, &key)) {
            json_string(&json, &name);
            shard_add(out, &json, &name);
        }
    }
    if (!json_end(&json, err))
        return false;
    return out->count > 0 || err_set(err, ERR_INPUT, "no weight_map");
}

static bool file_add(struct checkpoint *c, const char *dir, const char *name, struct err *err)
{
    char real[PATH_MAX];
    if (!path_resolve(real, dir, name, err))
        return false;
    if (!safetensors_open(&c->file[c->count], real, err))
        return err_wrap(err, "%.100s", name);
    c->count++;
    return true;
}

/* Shards are few and sorted by name: each name is looked up in the files after its own. */
static bool names_are_distinct(const struct checkpoint *c, struct err *err)
{
    for (int32_t i = 0; i < c->count; i++)
        for (int32_t t = 0; t < c->file[i].count; t++)
            for (int32_t j = i + 1; j < c->count; j++)
                if (safetensors_find(&c->file[j], c->file[i].tensor[t].name))
                    return err_set(err, ERR_INPUT, "tensor %.100s stands in two files",
                                   c->file[i].tensor[t].name);
    return true;
}

static bool files_open(struct checkpoint *c, const char *dir, const struct shards *shards,
                       struct err *err)
{
    c->file = must_calloc((size_t)shards->count, sizeof(*c->file));
    for (int32_t i = 0; i < shards->count; i++)
        if (!file_add(c, dir, shards->name[i], err))
            return false;
    return names_are_distinct(c, err);
}

/* Which files hold the weights: the single file wins over an index, as in transformers. */
static bool shards_find(struct shards *out, const char *dir, struct err *err)
{
    static const char single[] = "model.safetensors", index[] = "model.safetensors.index.json";
    char path[PATH_MAX];

    if (!path_make(path, dir, single, err))
        return false;
    if (access(path, F_OK) == 0) {
        out->name[out->count++] = name_copy(single, sizeof(single) - 1);
        return true;
    }
    if (!path_make(path, dir, index, err))
        return false;
    if (access(path, F_OK) != 0)
        return err_set(err, ERR_INPUT, "neither %s nor %s is there", single, index);
    AUTO(free) char *text = NULL;
    size_t size;
    if (!model_file_read(&text, &size, dir, index, INDEX_BYTES_MAX, err))
        return false;
    return index_read(out, text, size, err) || err_wrap(err, "%s", index);
}

bool checkpoint_open(struct checkpoint *out, const char *dir, struct err *err)
{
    AUTO(shards_free) struct shards shards = { .count = 0 };
    AUTO(checkpoint_close) struct checkpoint c = { 0 };

    if (!shards_find(&shards, dir, err) || !files_open(&c, dir, &shards, err))
        return false;
    *out = c;
    c = (struct checkpoint){ 0 };
    return true;
}

void checkpoint_close(struct checkpoint *checkpoint)
{
    for (int32_t i = 0; i < checkpoint->count; i++)
        safetensors_close(&checkpoint->file[i]);
    free(checkpoint->file);
    *checkpoint = (struct checkpoint){ 0 };
}

const struct tensor *checkpoint_find(const struct checkpoint *checkpoint, const char *name)
{
    for (int32_t i = 0; i < checkpoint->count; i++) {
        const struct tensor *t = safetensors_find(&checkpoint->file[i], name);
        if (t)
            return t;
    }
    return NULL;
}
