#include "agent/manifest.h"

#include "common/buf.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define READ_BYTES ((size_t)1 << 20)
#define PATH_BYTES 4096

static const char *const names[] = { "config.json",
                                     "tokenizer.json",
                                     "tokenizer_config.json",
                                     "generation_config.json",
                                     "special_tokens_map.json",
                                     "chat_template.jinja" };
static const char *const endings[] = { ".safetensors", ".safetensors.index.json" };

struct cached {
    dev_t device;
    ino_t inode;
    off_t bytes;
    struct timespec modified, changed;
    uint8_t sha256[32];
};

struct manifest_cache {
    int32_t count, capacity;
    struct cached *list;
};

struct manifest_cache *manifest_cache_new(void)
{
    return must_calloc(1, sizeof(struct manifest_cache));
}

void manifest_cache_free(struct manifest_cache *cache)
{
    if (!cache)
        return;
    free(cache->list);
    free(cache);
}

static bool time_same(struct timespec a, struct timespec b)
{
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

static bool stat_same(const struct cached *cached, const struct stat *st)
{
    return cached->device == st->st_dev && cached->inode == st->st_ino &&
           cached->bytes == st->st_size && time_same(cached->modified, st->st_mtim) &&
           time_same(cached->changed, st->st_ctim);
}

static const struct cached *cache_find(const struct manifest_cache *cache, const struct stat *st)
{
    for (int32_t i = 0; cache && i < cache->count; i++)
        if (stat_same(&cache->list[i], st))
            return &cache->list[i];
    return NULL;
}

static struct cached cached_of(const struct stat *st)
{
    return (struct cached){ .device = st->st_dev,
                            .inode = st->st_ino,
                            .bytes = st->st_size,
                            .modified = st->st_mtim,
                            .changed = st->st_ctim };
}

static void cache_put(struct manifest_cache *cache, struct cached entry)
{
    if (!cache)
        return;
    if (cache->count == cache->capacity) {
        cache->capacity = cache->capacity ? 2 * cache->capacity : 64;
        cache->list = must_realloc(cache->list, (size_t)cache->capacity, sizeof(*cache->list));
    }
    cache->list[cache->count++] = entry;
}

static void digest_end(EVP_MD_CTX *ctx) { EVP_MD_CTX_free(ctx); }
AUTO_FREES(EVP_MD_CTX *, digest_end)

static EVP_MD_CTX *digest_begin(void)
{
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    if (!ctx || !EVP_DigestInit_ex(ctx, EVP_sha256(), NULL))
        abort(); /* out of memory, or a library without SHA-256 */
    return ctx;
}

static void fd_close(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static bool file_open(int *out, struct stat *st, const char *dir, const char *name, struct err *err)
{
    char path[PATH_BYTES];
    if ((size_t)snprintf(path, sizeof(path), "%s/%s", dir, name) >= sizeof(path))
        return err_set(err, ERR_INPUT, "%s: the path is longer than %d bytes", name, PATH_BYTES);
    /* Not blocking: a pipe of that name would hold us for ever. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, errno == ELOOP ? ERR_INPUT : ERR_RETRY, "%s: %s", name,
                       strerror(errno));
    if (fstat(fd, st) < 0 || !S_ISREG(st->st_mode)) {
        close(fd);
        return err_set(err, ERR_INPUT, "%s is not a file", name);
    }
    *out = fd;
    return true;
}

static bool file_hash(uint8_t out[32], int fd, int64_t bytes, struct err *err)
{
    AUTO(digest_end) EVP_MD_CTX *ctx = digest_begin();
    AUTO(free) char *block = must_calloc(1, READ_BYTES);
    int64_t read_bytes = 0;
    ssize_t got;
    while ((got = read(fd, block, READ_BYTES)) > 0) {
        EVP_DigestUpdate(ctx, block, (size_t)got);
        read_bytes += got;
    }
    if (got < 0)
        return err_set(err, ERR_RETRY, "%s", strerror(errno));
    if (read_bytes != bytes)
        return err_set(err, ERR_RETRY, "changed while it was read");
    EVP_DigestFinal_ex(ctx, out, NULL);
    return true;
}

static bool file_read(struct manifest_file *file, const char *dir, struct manifest_cache *cache,
                      struct err *err)
{
    __attribute__((cleanup(fd_close))) int fd = -1;
    struct stat st, after;
    if (!file_open(&fd, &st, dir, file->name, err))
        return false;
    file->bytes = st.st_size;
    const struct cached *known = cache_find(cache, &st);
    if (known) {
        memcpy(file->sha256, known->sha256, sizeof(file->sha256));
        return true;
    }
    struct cached entry = cached_of(&st);
    if (!file_hash(file->sha256, fd, file->bytes, err))
        return err_wrap(err, "%s", file->name);
    if (fstat(fd, &after) < 0 || !stat_same(&entry, &after))
        return err_set(err, ERR_RETRY, "%s: changed while it was read", file->name);
    memcpy(entry.sha256, file->sha256, sizeof(entry.sha256));
    cache_put(cache, entry);
    return true;
}

static bool counts(const char *name)
{
    for (size_t i = 0; i < COUNT(names); i++)
        if (!strcmp(name, names[i]))
            return true;
    size_t size = strlen(name);
    for (size_t i = 0; i < COUNT(endings); i++) {
        size_t tail = strlen(endings[i]);
        if (size > tail && !strcmp(name + size - tail, endings[i]))
            return true;
    }
    return false;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct manifest_file *)a)->name, ((const struct manifest_file *)b)->name);
}

static void dir_close(DIR *dir)
{
    if (dir)
        closedir(dir);
}
AUTO_FREES(DIR *, dir_close)

static bool names_list(struct manifest *manifest, const char *path, struct err *err)
{
    AUTO(dir_close) DIR *dir = opendir(path);
    if (!dir)
        return err_set(err, errno == ENOENT || errno == ENOTDIR ? ERR_INPUT : ERR_RETRY, "%s",
                       strerror(errno));
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        if (!counts(entry->d_name))
            continue;
        if (manifest->files_count == MANIFEST_FILES_MAX)
            return err_set(err, ERR_INPUT, "more than %d files of a model", MANIFEST_FILES_MAX);
        struct manifest_file *file = &manifest->files[manifest->files_count++];
        snprintf(file->name, sizeof(file->name), "%s", entry->d_name);
    }
    qsort(manifest->files, (size_t)manifest->files_count, sizeof(*manifest->files), by_name);
    return true;
}

static bool names_check(const struct manifest *manifest, struct err *err)
{
    bool config = false, weights = false;
    for (int32_t i = 0; i < manifest->files_count; i++) {
        const char *name = manifest->files[i].name;
        config |= !strcmp(name, "config.json");
        weights |= !strcmp(strrchr(name, '.'), ".safetensors");
    }
    if (!config)
        return err_set(err, ERR_INPUT, "no config.json");
    if (!weights)
        return err_set(err, ERR_INPUT, "no *.safetensors (other weight formats are not read)");
    return true;
}

void manifest_hex(char out[MANIFEST_DIGEST_HEX], const uint8_t digest[32])
{
    for (int i = 0; i < 32; i++)
        snprintf(out + 2 * i, 3, "%02x", digest[i]);
}

static void digest_all(struct manifest *manifest)
{
    AUTO(digest_end) EVP_MD_CTX *ctx = digest_begin();
    for (int32_t i = 0; i < manifest->files_count; i++) {
        const struct manifest_file *file = &manifest->files[i];
        char hex[MANIFEST_DIGEST_HEX], line[sizeof(file->name) + 100];
        manifest_hex(hex, file->sha256);
        int size =
            snprintf(line, sizeof(line), "%s  %lld  %s\n", hex, (long long)file->bytes, file->name);
        EVP_DigestUpdate(ctx, line, (size_t)size);
    }
    EVP_DigestFinal_ex(ctx, manifest->digest, NULL);
}

static bool read_all(struct manifest *manifest, const char *dir, struct manifest_cache *cache,
                     struct err *err)
{
    if (!names_list(manifest, dir, err) || !names_check(manifest, err))
        return false;
    for (int32_t i = 0; i < manifest->files_count; i++)
        if (!file_read(&manifest->files[i], dir, cache, err))
            return false;
    digest_all(manifest);
    return true;
}

bool manifest_read_cached(struct manifest *out, const char *dir, struct manifest_cache *cache,
                          struct err *err)
{
    AUTO(manifest_free) struct manifest manifest = { 0 };
    manifest.files = must_calloc(MANIFEST_FILES_MAX, sizeof(*manifest.files));
    if (!read_all(&manifest, dir, cache, err))
        return err_wrap(err, "%s", dir);
    *out = manifest;
    manifest.files = NULL;
    return true;
}

bool manifest_read(struct manifest *out, const char *dir, struct err *err)
{
    return manifest_read_cached(out, dir, NULL, err);
}

void manifest_free(struct manifest *manifest)
{
    free(manifest->files);
    *manifest = (struct manifest){ 0 };
}
