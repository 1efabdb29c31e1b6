#include "kernels/cpu/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define STORE_MAGIC  UINT64_C(0x6b706c6176656f6b) /* "koevalpk" */
#define STORE_FORMAT 1
#define STORE_PAGE   ((int64_t)4096)
#define STORE_SLICE  ((int64_t)16 << 20) /* what a checksum holds in memory at once */

struct store_header {
    uint64_t magic, format, bytes, sum;
};

struct store {
    char path[4096], built[4096 + 48]; /* built: where it is being written, or "" */
    char *map;
    int64_t size, at; /* of the file; where the next weight goes */
    int32_t layers, layer;
    int64_t *begin; /* [layers + 1]: where each layer lies */
    bool streamed;
};

static int64_t round_up(int64_t x, int64_t unit) { return (x + unit - 1) / unit * unit; }

/* Every layer may leave most of a page unused. */
static int64_t size_of(int64_t bytes, int32_t layers)
{
    return STORE_PAGE * (layers + 3) + round_up(bytes, STORE_PAGE);
}

static void forget(const struct store *s, int64_t begin, int64_t end)
{
    if (end > begin)
        madvise(s->map + begin, (size_t)(end - begin), MADV_DONTNEED);
}

/* Four sums of products in turn, so that one does not wait for the other. */
static uint64_t sum_of(const struct store *s)
{
    uint64_t sum[4] = { 1, 2, 3, 4 };

    for (int64_t at = STORE_PAGE; at < s->size; at += STORE_SLICE) {
        int64_t end = at + STORE_SLICE < s->size ? at + STORE_SLICE : s->size;
        const uint64_t *word = (const uint64_t *)(s->map + at);
        for (int64_t i = 0; i < (end - at) / 32; i++, word += 4)
            for (int l = 0; l < 4; l++)
                sum[l] = (sum[l] ^ word[l]) * UINT64_C(0x9e3779b97f4a7c15) + (sum[l] >> 29);
        forget(s, at, end); /* a model larger than memory passes through */
    }
    return sum[0] ^ sum[1] * 3 ^ sum[2] * 5 ^ sum[3] * 7;
}

static bool map_file(struct store *s, int fd, int protection)
{
    s->map = mmap(NULL, (size_t)s->size, protection, MAP_SHARED, fd, 0);
    if (s->map == MAP_FAILED)
        s->map = NULL;
    else /* weights are no secret, and pages that a process locks cannot be given back */
        munlock(s->map, (size_t)s->size);
    return s->map != NULL;
}

static void unmap(struct store *s)
{
    if (s->map)
        munmap(s->map, (size_t)s->size);
    s->map = NULL;
}

/* Maps a whole file of the right size and content; false: there is none. */
static bool open_whole(struct store *s)
{
    int fd = open(s->path, O_RDONLY | O_CLOEXEC);
    struct stat status;

    if (fd < 0)
        return false;
    bool mapped =
        fstat(fd, &status) == 0 && status.st_size == s->size && map_file(s, fd, PROT_READ);
    close(fd);
    if (!mapped)
        return false;
    const struct store_header *h = (const void *)s->map;
    if (h->magic == STORE_MAGIC && h->format == STORE_FORMAT &&
        h->bytes == (uint64_t)(s->size - STORE_PAGE) && h->sum == sum_of(s))
        return true;
    unmap(s);
    return false;
}

static bool failed(struct err *err, const char *what)
{
    return err_set(err, ERR_RETRY, "packed weights: %s: %s", what, strerror(errno));
}

/* All blocks are there before anything is written: a full disk is an error and no signal. */
static bool open_new(struct store *s, struct err *err)
{
    int fd = -1;

    /* A process that died may have left one of the same name. */
    for (int i = 0; fd < 0 && (i == 0 || errno == EEXIST); i++) {
        snprintf(s->built, sizeof(s->built), "%s.%ld-%d", s->path, (long)getpid(), i);
        fd = open(s->built, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    }
    if (fd < 0) {
        s->built[0] = 0;
        return failed(err, "a new file");
    }
    errno = posix_fallocate(fd, 0, s->size);
    bool good = !errno && map_file(s, fd, PROT_READ | PROT_WRITE);
    close(fd);
    return good || failed(err, "room for it");
}

bool store_open(struct store **out, const char *path, int64_t bytes, int32_t layers,
                struct err *err)
{
    AUTO(store_close) struct store *s = must_calloc(1, sizeof(*s));

    s->size = size_of(bytes, layers);
    s->layers = layers;
    s->layer = -1;
    s->at = STORE_PAGE;
    s->begin = must_calloc((size_t)layers + 1, sizeof(*s->begin));
    if (snprintf(s->path, sizeof(s->path), "%s", path) >= (int)sizeof(s->path))
        return err_set(err, ERR_RETRY, "packed weights: a path too long");
    if (!open_whole(s) && !open_new(s, err))
        return false;
    *out = TAKE(s);
    return true;
}

void store_close(struct store *store)
{
    if (!store)
        return;
    unmap(store);
    if (store->built[0])
        unlink(store->built);
    free(store->begin);
    free(store);
}

bool store_building(const struct store *store) { return store->built[0] != 0; }

void *store_take(struct store *s, int32_t layer, int64_t bytes)
{
    int64_t from = s->layer >= 0 ? s->begin[s->layer] : STORE_PAGE;

    assert(layer >= s->layer && layer < s->layers);
    if (store_building(s) && layer > s->layer) /* what is packed need not stay in memory */
        forget(s, from / STORE_PAGE * STORE_PAGE, s->at / STORE_PAGE * STORE_PAGE);
    for (; s->layer < layer; s->begin[++s->layer] = s->at)
        s->at = round_up(s->at, STORE_PAGE);
    if (bytes > s->size - s->at)
        return NULL;
    void *place = s->map + s->at;
    s->at += round_up(bytes, 64);
    return place;
}

bool store_finish(struct store *s, struct err *err)
{
    for (; s->layer < s->layers; s->begin[++s->layer] = s->at)
        s->at = round_up(s->at, STORE_PAGE);
    if (!store_building(s))
        return true;
    struct store_header *h = (void *)s->map;
    *h = (struct store_header){ STORE_MAGIC, STORE_FORMAT, (uint64_t)(s->size - STORE_PAGE),
                                sum_of(s) };
    if (msync(s->map, (size_t)s->size, MS_SYNC) || mprotect(s->map, (size_t)s->size, PROT_READ) ||
        rename(s->built, s->path))
        return failed(err, "writing it");
    s->built[0] = 0;
    return true;
}

void store_stream(struct store *store, bool on) { store->streamed = on; }

void store_prefetch(struct store *s, int32_t layer)
{
    int32_t gone = (layer + s->layers - 2) % s->layers;

    if (!s->streamed || s->layers < 3)
        return;
    forget(s, s->begin[gone], s->begin[gone + 1]);
    madvise(s->map + s->begin[layer], (size_t)(s->begin[layer + 1] - s->begin[layer]),
            MADV_WILLNEED);
}
