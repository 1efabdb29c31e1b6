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

static bool file_read(struct manifest_file *file, const char *dir, struct err *err)
{
    __attribute__((cleanup(fd_close))) int fd = -1;
    struct stat st;
    if (!file_open(&fd, &st, dir, file->name, err))
        return false;
    file->bytes = st.st_size;
    if (!file_hash(file->sha256, fd, file->bytes, err))
        return err_wrap(err, "%s", file->name);
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

/* What stat says of a file, without the padding between fields. */
static void stamp_put(EVP_MD_CTX *ctx, const char *name, const struct stat *st)
{
    int64_t facts[] = { (int64_t)st->st_dev,  (int64_t)st->st_ino,
                        (int64_t)st->st_size, (int64_t)st->st_mtim.tv_sec,
                        st->st_mtim.tv_nsec,  (int64_t)st->st_ctim.tv_sec,
                        st->st_ctim.tv_nsec };
    EVP_DigestUpdate(ctx, name, strlen(name) + 1);
    EVP_DigestUpdate(ctx, facts, sizeof(facts));
}

static bool stamp_of(uint64_t *out, const struct manifest *listed, const char *dir, struct err *err)
{
    AUTO(digest_end) EVP_MD_CTX *ctx = digest_begin();
    uint8_t digest[32];
    for (int32_t i = 0; i < listed->files_count; i++) {
        __attribute__((cleanup(fd_close))) int fd = -1;
        struct stat st;
        if (!file_open(&fd, &st, dir, listed->files[i].name, err))
            return false;
        stamp_put(ctx, listed->files[i].name, &st);
    }
    EVP_DigestFinal_ex(ctx, digest, NULL);
    memcpy(out, digest, sizeof(*out));
    return true;
}

static bool list(struct manifest *manifest, const char *dir, struct err *err)
{
    manifest->files = must_calloc(MANIFEST_FILES_MAX, sizeof(*manifest->files));
    return names_list(manifest, dir, err) && names_check(manifest, err) &&
           stamp_of(&manifest->stamp, manifest, dir, err);
}

static bool read_all(struct manifest *manifest, const char *dir, struct err *err)
{
    uint64_t after;
    if (!list(manifest, dir, err))
        return false;
    for (int32_t i = 0; i < manifest->files_count; i++)
        if (!file_read(&manifest->files[i], dir, err))
            return false;
    if (!manifest_stamp(&after, dir, err))
        return false;
    if (after != manifest->stamp)
        return err_set(err, ERR_RETRY, "changed while it was read");
    digest_all(manifest);
    return true;
}

bool manifest_read(struct manifest *out, const char *dir, struct err *err)
{
    AUTO(manifest_free) struct manifest manifest = { 0 };
    if (!read_all(&manifest, dir, err))
        return err_wrap(err, "%s", dir);
    *out = manifest;
    manifest.files = NULL;
    return true;
}

bool manifest_stamp(uint64_t *out, const char *dir, struct err *err)
{
    AUTO(manifest_free) struct manifest manifest = { 0 };
    if (!list(&manifest, dir, err))
        return err_wrap(err, "%s", dir);
    *out = manifest.stamp;
    return true;
}

void manifest_free(struct manifest *manifest)
{
    free(manifest->files);
    *manifest = (struct manifest){ 0 };
}
