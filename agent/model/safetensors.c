#include "agent/model/safetensors.h"

#include "common/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* clang-format off */
static const struct type {
    const char *name;
    int32_t bits;
    enum tensor_type type;
} types[] = {
    { "F32",         32, TENSOR_F32   },
    { "BF16",        16, TENSOR_BF16  },
    { "F16",         16, TENSOR_F16   },
    { "BOOL",         8, TENSOR_OTHER },
    { "U8",           8, TENSOR_OTHER },
    { "I8",           8, TENSOR_OTHER },
    { "I16",         16, TENSOR_OTHER },
    { "U16",         16, TENSOR_OTHER },
    { "I32",         32, TENSOR_OTHER },
    { "U32",         32, TENSOR_OTHER },
    { "I64",         64, TENSOR_OTHER },
    { "U64",         64, TENSOR_OTHER },
    { "F64",         64, TENSOR_OTHER },
    { "C64",         64, TENSOR_OTHER },
    { "F8_E5M2",      8, TENSOR_OTHER },
    { "F8_E4M3",      8, TENSOR_OTHER },
    { "F8_E8M0",      8, TENSOR_OTHER },
    { "F8_E4M3FNUZ",  8, TENSOR_OTHER },
    { "F8_E5M2FNUZ",  8, TENSOR_OTHER },
    { "F4",           4, TENSOR_OTHER },
    { "F6_E2M3",      6, TENSOR_OTHER },
    { "F6_E3M2",      6, TENSOR_OTHER },
};
/* clang-format on */

/* A tensor while the header is read. */
struct entry {
    size_t name_at; /* in reader.names */
    const struct type *type;
    int32_t rank;
    int64_t shape[TENSOR_RANK_MAX];
    int64_t begin, end;
    bool has_shape, has_offsets;
};

struct reader {
    struct json json;
    struct buf key, scratch;
    struct buf names; /* NUL after each */
    struct entry *entry;
    int32_t count, capacity;
};

static void reader_free(struct reader *r)
{
    buf_free(&r->key);
    buf_free(&r->scratch);
    buf_free(&r->names);
    free(r->entry);
}
AUTO_ENDS(struct reader, reader_free)

static const struct type *type_find(const char *name)
{
    for (size_t i = 0; i < COUNT(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

static void shape_read(struct reader *r, struct entry *e)
{
    e->has_shape = true;
    json_array(&r->json);
    while (json_item(&r->json)) {
        if (e->rank == TENSOR_RANK_MAX) {
            json_fail(&r->json, "more than %d dimensions", TENSOR_RANK_MAX);
            return;
        }
        e->shape[e->rank++] = json_int(&r->json, 0, TENSOR_DIM_MAX);
    }
}

static void offsets_read(struct reader *r, struct entry *e)
{
    const int64_t most = (int64_t)1 << 53;
    int64_t offset[2] = { 0 };
    int32_t count = 0;

    e->has_offsets = true;
    json_array(&r->json);
    for (; json_item(&r->json); count++) {
        int64_t value = json_int(&r->json, 0, most);
        if (count < 2)
            offset[count] = value;
    }
    if (count != 2)
        json_fail(&r->json, "data_offsets of %d numbers", count);
    e->begin = offset[0];
    e->end = offset[1];
}

static void entry_member_read(struct reader *r, struct entry *e)
{
    const char *key = buf_text(&r->key);

    if (strcmp(key, "dtype") == 0 && !e->type) {
        json_string(&r->json, &r->scratch);
        e->type = type_find(buf_text(&r->scratch));
        if (!e->type)
            json_fail(&r->json, "unknown dtype");
    } else if (strcmp(key, "shape") == 0 && !e->has_shape) {
        shape_read(r, e);
    } else if (strcmp(key, "data_offsets") == 0 && !e->has_offsets) {
        offsets_read(r, e);
    } else {
        json_fail(&r->json, "unexpected or repeated member of a tensor");
    }
}

/* The product of the shape times the bits of an element, in bytes; -1 when it is no whole number of
 * bytes or does not fit. */
static int64_t entry_bytes(const struct entry *e)
{
    int64_t bits = e->type->bits;
    for (int32_t i = 0; i < e->rank; i++)
        if (__builtin_mul_overflow(bits, e->shape[i], &bits))
            return -1;
    return bits % 8 ? -1 : bits / 8;
}

static void entry_check(struct reader *r, const struct entry *e)
{
    if (!json_ok(&r->json))
        return;
    if (!e->type || !e->has_shape || !e->has_offsets)
        json_fail(&r->json, "tensor without dtype, shape or data_offsets");
    else if (e->begin > e->end)
        json_fail(&r->json, "data_offsets end before they begin");
    else if (entry_bytes(e) != e->end - e->begin)
        json_fail(&r->json, "shape and data_offsets disagree");
}

static struct entry *entry_new(struct reader *r)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 64;
        r->entry = must_realloc(r->entry, (size_t)r->capacity, sizeof(*r->entry));
    }
    struct entry *e = &r->entry[r->count++];
    *e = (struct entry){ .name_at = r->names.size };
    return e;
}

static bool name_ok(const struct buf *name)
{
    for (size_t i = 0; i < name->size; i++)
        if ((unsigned char)name->bytes[i] < 0x20)
            return false;
    return name->size <= TENSOR_NAME_MAX;
}

static void entry_read(struct reader *r)
{
    if (r->count == SAFETENSORS_TENSORS_MAX || !name_ok(&r->key)) {
        json_fail(&r->json, "too many tensors, or a name too long or with a control character");
        return;
    }
    struct entry *e = entry_new(r);
    buf_put(&r->names, buf_text(&r->key), r->key.size + 1);
    json_object(&r->json);
    while (json_member(&r->json, &r->key))
        entry_member_read(r, e);
    entry_check(r, e);
}

/* "__metadata__": strings only. */
static void metadata_read(struct reader *r)
{
    json_object(&r->json);
    while (json_member(&r->json, &r->key))
        json_string(&r->json, &r->scratch);
}

static bool header_read(struct reader *r, const char *text, size_t size, struct err *err)
{
    bool metadata_seen = false;

    if (size == 0 || text[0] != '{')
        return err_set(err, ERR_INPUT, "the header does not begin with {");
    json_begin(&r->json, text, size);
    json_object(&r->json);
    while (json_member(&r->json, &r->key)) {
        if (strcmp(buf_text(&r->key), "__metadata__") != 0) {
            entry_read(r);
        } else {
            if (metadata_seen)
                json_fail(&r->json, "a second __metadata__");
            metadata_seen = true;
            metadata_read(r);
        }
    }
    if (!buf_ok(&r->names))
        return err_set(err, ERR_INPUT, "names too long");
    return json_end(&r->json, err);
}

static int by_begin(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int begin = (x->begin > y->begin) - (x->begin < y->begin);
    return begin ? begin : (x->end > y->end) - (x->end < y->end);
}

/* The tensors tile [0, data_size) exactly. */
static bool entries_tile(struct reader *r, int64_t data_size, struct err *err)
{
    int64_t at = 0;
    if (r->count > 0)
        qsort(r->entry, (size_t)r->count, sizeof(*r->entry), by_begin);
    for (int32_t i = 0; i < r->count; at = r->entry[i++].end)
        if (r->entry[i].begin != at)
            return err_set(err, ERR_INPUT, "tensor data has %s at byte %lld",
                           r->entry[i].begin > at ? "a hole" : "an overlap", (long long)at);
    if (at != data_size)
        return err_set(err, ERR_INPUT, "tensors end at byte %lld of %lld", (long long)at,
                       (long long)data_size);
    return true;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct tensor *)a)->name, ((const struct tensor *)b)->name);
}

static bool tensors_make(struct safetensors *out, struct reader *r, const char *data,
                         struct err *err)
{
    out->count = r->count;
    out->tensor = must_calloc((size_t)r->count, sizeof(*out->tensor));
    out->names = TAKE(r->names.bytes);
    for (int32_t i = 0; i < r->count; i++) {
        const struct entry *e = &r->entry[i];
        struct tensor *t = &out->tensor[i];
        *t = (struct tensor){ .name = out->names + e->name_at,
                              .type_name = e->type->name,
                              .type = e->type->type,
                              .rank = e->rank,
                              .data = data + e->begin,
                              .bytes = e->end - e->begin };
        memcpy(t->shape, e->shape, sizeof(t->shape));
    }
    qsort(out->tensor, (size_t)r->count, sizeof(*out->tensor), by_name);
    for (int32_t i = 1; i < r->count; i++)
        if (strcmp(out->tensor[i - 1].name, out->tensor[i].name) == 0)
            return err_set(err, ERR_INPUT, "tensor %.100s occurs twice", out->tensor[i].name);
    return true;
}

bool safetensors_read(struct safetensors *out, const void *bytes, size_t size, struct err *err)
{
    const unsigned char *byte = bytes;
    uint64_t header = 0;

    if (size < 8)
        return err_set(err, ERR_INPUT, "%zu bytes are no safetensors file", size);
    for (int i = 7; i >= 0; i--)
        header = header << 8 | byte[i];
    if (header > SAFETENSORS_HEADER_MAX || header > size - 8)
        return err_set(err, ERR_INPUT, "a header of %llu bytes in a file of %zu",
                       (unsigned long long)header, size);

    AUTO(reader_free) struct reader r = { 0 };
    const char *text = (const char *)bytes + 8;
    if (!header_read(&r, text, header, err) || !entries_tile(&r, (int64_t)(size - 8 - header), err))
        return err_wrap(err, "safetensors header");

    AUTO(safetensors_close) struct safetensors file = { 0 };
    if (!tensors_make(&file, &r, text + header, err))
        return false;
    *out = file;
    file = (struct safetensors){ 0 };
    return true;
}

/* The size is asked again once the file is mapped: what a writer cuts off under us would be a bus
 * error later. */
static bool file_map(void **map, size_t *size, int fd, struct err *err)
{
    struct stat before, after;

    if (fstat(fd, &before) != 0 || !S_ISREG(before.st_mode))
        return err_set(err, ERR_INPUT, "not a regular file");
    if (before.st_size < 8)
        return err_set(err, ERR_INPUT, "%lld bytes are no safetensors file",
                       (long long)before.st_size);
    void *at = mmap(NULL, (size_t)before.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (at == MAP_FAILED)
        return err_set(err, ERR_RETRY, "cannot map it: %s", strerror(errno));
    if (fstat(fd, &after) != 0 || after.st_size != before.st_size) {
        munmap(at, (size_t)before.st_size);
        return err_set(err, ERR_RETRY, "its size changes");
    }
    /* A process that keeps itself out of swap need not keep what a file holds anyway. */
    munlock(at, (size_t)before.st_size);
    *map = at;
    *size = (size_t)before.st_size;
    return true;
}

bool safetensors_open(struct safetensors *out, const char *path, struct err *err)
{
    /* Whatever lies there, opening it does not wait. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return err_set(err, ERR_INPUT, "cannot open it: %s", strerror(errno));
    void *map;
    size_t size;
    bool mapped = file_map(&map, &size, fd, err);
    close(fd);
    if (!mapped)
        return false;
    if (!safetensors_read(out, map, size, err)) {
        munmap(map, size);
        return false;
    }
    out->map = map;
    out->map_size = size;
    return true;
}

void safetensors_close(struct safetensors *file)
{
    free(file->tensor);
    free(file->names);
    if (file->map)
        munmap(file->map, file->map_size);
    *file = (struct safetensors){ 0 };
}

const struct tensor *safetensors_find(const struct safetensors *file, const char *name)
{
    struct tensor key = { .name = name };
    return bsearch(&key, file->tensor, (size_t)file->count, sizeof(key), by_name);
}

void tensor_forget(const struct tensor *tensor)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE), begin = (uintptr_t)tensor->data;
    uintptr_t first = (begin + page - 1) / page * page;
    uintptr_t last = (begin + (uintptr_t)tensor->bytes) / page * page;

    if (first < last)
        madvise((void *)first, last - first, MADV_DONTNEED);
}
