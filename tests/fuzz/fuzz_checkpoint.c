/* fuzz_checkpoint.c - any model.safetensors.index.json beside two good files: refused with a
 * reason, or every tensor lies in one of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/model/checkpoint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void file_write(const char *dir, const char *name, const void *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || write(fd, bytes, size) != (ssize_t)size || close(fd))
        abort();
}

static void shard_write(const char *dir, const char *file, const char *tensor)
{
    char bytes[256] = { 0 };
    int n = snprintf(bytes + 8, sizeof(bytes) - 16,
                     "{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", tensor);
    uint64_t length = (uint64_t)n;
    memcpy(bytes, &length, sizeof(length));
    memset(bytes + 8 + n, 0, 4);
    file_write(dir, file, bytes, 8 + (size_t)n + 4);
}

/* One a process, in memory where there is such a folder. */
static const char *folder(void)
{
    static char dir[64];
    if (dir[0])
        return dir;
    snprintf(dir, sizeof(dir), "%s/fuzz_checkpoint.%d",
             access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm", (int)getpid());
    if (mkdir(dir, 0700) && errno != EEXIST)
        abort();
    shard_write(dir, "a.safetensors", "a");
    shard_write(dir, "b.safetensors", "b");
    return dir;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    AUTO(checkpoint_close) struct checkpoint checkpoint = { 0 };
    file_write(folder(), "model.safetensors.index.json", data, size);
    if (!checkpoint_open(&checkpoint, folder(), &err)) {
        assert(err.text[0]);
        return 0;
    }
    assert(checkpoint.count >= 1 && checkpoint.count <= 2);
    assert(checkpoint_find(&checkpoint, "a") || checkpoint_find(&checkpoint, "b"));
    return 0;
}
