#include "agent/shelf.h"

#include "agent/manifest.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* One scan. */
struct scan {
    struct shelf *shelf;
    shelf_tell *tell;
    void *self;
    bool (*stop)(void *self);
};

void shelf_init(struct shelf *shelf, char *const *roots, int32_t roots_count)
{
    *shelf = (struct shelf){ .roots = roots, .roots_count = roots_count };
}

void shelf_free(struct shelf *shelf)
{
    for (int32_t i = 0; i < shelf->count; i++)
        free(shelf->models[i].dir);
    *shelf = (struct shelf){ 0 };
}

static struct shelf_model *model_at(struct shelf *shelf, const char *dir)
{
    for (int32_t i = 0; i < shelf->count; i++)
        if (!strcmp(shelf->models[i].dir, dir))
            return &shelf->models[i];
    return NULL;
}

/* The same model in two folders is one: it goes when the last of them does. */
static bool elsewhere(const struct shelf *shelf, const struct shelf_model *model)
{
    for (int32_t i = 0; i < shelf->count; i++) {
        const struct shelf_model *other = &shelf->models[i];
        if (other != model && other->good && !memcmp(other->digest, model->digest, 32))
            return true;
    }
    return false;
}

static void tell_found(const struct scan *scan, struct shelf_model *model,
                       const struct manifest *manifest)
{
    memcpy(model->digest, manifest->digest, sizeof(model->digest));
    model->stamp = manifest->stamp;
    model->good = true;
    scan->tell(scan->self, SHELF_FOUND, model, NULL);
}

static void tell_gone(const struct scan *scan, struct shelf_model *model)
{
    if (model->good && !elsewhere(scan->shelf, model))
        scan->tell(scan->self, SHELF_GONE, model, NULL);
    model->good = false;
}

static void folder_read(const struct scan *scan, struct shelf_model *model, uint64_t stamp)
{
    struct err err = { 0 };
    AUTO(manifest_free) struct manifest manifest = { 0 };
    tell_gone(scan, model);
    if (manifest_read(&manifest, model->dir, &err)) {
        tell_found(scan, model, &manifest);
    } else {
        model->stamp = stamp;
        scan->tell(scan->self, SHELF_BAD, model, &err);
    }
}

static struct shelf_model *model_new(struct shelf *shelf, const char *dir)
{
    if (shelf->count == SHELF_MODELS_MAX)
        return NULL;
    struct shelf_model *model = &shelf->models[shelf->count++];
    *model = (struct shelf_model){ .dir = strdup(dir) };
    return model;
}

static void folder_look(const struct scan *scan, const char *dir)
{
    struct err err = { 0 };
    uint64_t stamp = 0;
    struct shelf_model *model = model_at(scan->shelf, dir);
    /* Half a copy has no weights yet: its stamp is 0 until it can be listed. */
    if (!manifest_stamp(&stamp, dir, &err))
        stamp = 0;
    bool known = model && model->stamp == stamp;
    if (!model)
        model = model_new(scan->shelf, dir);
    if (!model)
        return;
    model->seen = true;
    if (!known)
        folder_read(scan, model, stamp);
}

static bool has_config(const char *dir)
{
    char path[PATH_BYTES + 16];
    snprintf(path, sizeof(path), "%s/config.json", dir);
    return access(path, F_OK) == 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

struct names {
    char **list;
    int32_t count;
};

static void names_free(struct names *names)
{
    for (int32_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
}
AUTO_ENDS(struct names, names_free)

static bool folder_names(struct names *names, const char *root, struct err *err)
{
    DIR *dir = opendir(root);
    const struct dirent *entry;
    if (!dir)
        return err_set(err, ERR_RETRY, "%s: %s", root, strerror(errno));
    while ((entry = readdir(dir)))
        if (entry->d_name[0] != '.') {
            names->list = must_realloc(names->list, (size_t)names->count + 1, sizeof(char *));
            names->list[names->count++] = strdup(entry->d_name);
        }
    closedir(dir);
    if (names->count)
        qsort(names->list, (size_t)names->count, sizeof(char *), by_name);
    return true;
}

static void root_look(const struct scan *scan, const char *root)
{
    struct err err = { 0 };
    AUTO(names_free) struct names names = { 0 };
    if (has_config(root)) {
        folder_look(scan, root);
        return;
    }
    if (!folder_names(&names, root, &err))
        scan->tell(scan->self, SHELF_BAD, NULL, &err);
    for (int32_t i = 0; i < names.count && !(scan->stop && scan->stop(scan->self)); i++) {
        char path[PATH_BYTES];
        bool fits =
            (size_t)snprintf(path, sizeof(path), "%s/%s", root, names.list[i]) < sizeof(path);
        if (fits && has_config(path))
            folder_look(scan, path);
    }
}

static void drop_unseen(const struct scan *scan)
{
    struct shelf *shelf = scan->shelf;
    for (int32_t i = shelf->count - 1; i >= 0; i--) {
        if (shelf->models[i].seen)
            continue;
        tell_gone(scan, &shelf->models[i]);
        free(shelf->models[i].dir);
        shelf->models[i] = shelf->models[--shelf->count];
    }
}

void shelf_scan(struct shelf *shelf, shelf_tell *tell, void *self, bool (*stop)(void *self))
{
    struct scan scan = { .shelf = shelf, .tell = tell, .self = self, .stop = stop };
    for (int32_t i = 0; i < shelf->count; i++)
        shelf->models[i].seen = false;
    for (int32_t i = 0; i < shelf->roots_count; i++)
        root_look(&scan, shelf->roots[i]);
    if (!stop || !stop(self))
        drop_unseen(&scan);
}

bool shelf_still(const char *dir, uint64_t stamp, struct err *err)
{
    uint64_t now;
    if (!manifest_stamp(&now, dir, err))
        return false;
    if (now != stamp)
        return err_set(err, ERR_RETRY, "%s: changed since it was verified", dir);
    return true;
}
