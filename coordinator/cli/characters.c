#include "coordinator/cli/characters.h"

#include <string.h>

#include "common/buf.h"

/* The requests of one shard, prompt and continuation in one. */
struct requests {
    struct buf *texts;
    int32_t count, capacity;
};

static void requests_clear(struct requests *requests)
{
    for (int32_t i = 0; i < requests->count; i++)
        buf_free(&requests->texts[i]);
    requests->count = 0;
}

static void requests_free(struct requests *requests)
{
    requests_clear(requests);
    free(requests->texts);
}
AUTO_ENDS(struct requests, requests_free)

static void add_item(struct requests *requests, const struct rendered *rendered)
{
    for (int32_t i = 0; i < rendered->requests_count; i++) {
        const struct rendered_request *r = &rendered->requests[i];
        struct text prompt = rendered->prompts[r->prompt];
        if (requests->count == requests->capacity) {
            requests->capacity = requests->capacity ? 2 * requests->capacity : 256;
            requests->texts =
                must_realloc(requests->texts, (size_t)requests->capacity, sizeof(*requests->texts));
        }
        struct buf *text = &requests->texts[requests->count++];
        *text = (struct buf){ 0 };
        buf_put(text, prompt.bytes, prompt.size);
        buf_put(text, r->continuation.bytes, r->continuation.size);
    }
}

/* A byte that does not go on with the code point before it. */
static bool begins_point(char byte) { return ((unsigned char)byte & 0xc0) != 0x80; }

static int64_t points(const char *bytes, size_t size)
{
    int64_t count = 0;
    for (size_t i = 0; i < size; i++)
        count += begins_point(bytes[i]);
    return count;
}

static int by_bytes(const void *a, const void *b)
{
    const struct buf *x = a, *y = b;
    size_t size = x->size < y->size ? x->size : y->size;
    int order = size ? memcmp(x->bytes, y->bytes, size) : 0;
    return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* Bytes that two texts begin with alike, whole code points only. */
static size_t shared_bytes(const struct buf *a, const struct buf *b)
{
    size_t size = 0;
    while (size < a->size && size < b->size && a->bytes[size] == b->bytes[size])
        size++;
    while (size > 0 && size < b->size && !begins_point(b->bytes[size]))
        size--;
    return size;
}

static void count_shard(struct characters *sum, struct requests *requests)
{
    if (requests->count)
        qsort(requests->texts, (size_t)requests->count, sizeof(*requests->texts), by_bytes);
    for (int32_t i = 0; i < requests->count; i++) {
        const struct buf *text = &requests->texts[i];
        size_t shared = i ? shared_bytes(&requests->texts[i - 1], text) : 0;
        sum->naive += points(buf_text(text), text->size);
        sum->unique += points(buf_text(text) + shared, text->size - shared);
    }
    requests_clear(requests);
}

static bool add_rendered(struct requests *requests, const struct task *task,
                         const struct documents *documents, int32_t item, const int32_t *shots,
                         int32_t shots_count, struct err *err)
{
    AUTO(rendered_free) struct rendered rendered = { 0 };
    AUTO(free) struct text *texts = must_calloc((size_t)shots_count, sizeof(*texts));
    for (int32_t s = 0; s < shots_count; s++)
        texts[s] = documents->pool[shots[s]];
    if (!render_item(&rendered, task, documents->items[item], texts, shots_count, err))
        return err_wrap(err, "item %d", item);
    add_item(requests, &rendered);
    return true;
}

bool characters_count(struct characters *out, const struct task *task,
                      const struct documents *documents, const struct fewshot *fewshot,
                      int32_t shard_items, struct err *err)
{
    int32_t n = documents->items_count, k = fewshot->shots;
    struct characters sum = { 0, 0 };
    AUTO(requests_free) struct requests requests = { 0 };
    AUTO(free) int32_t *shots = must_calloc((size_t)n * (size_t)k, sizeof(*shots));
    AUTO(free) int32_t *order = must_calloc((size_t)n, sizeof(*order));
    if (!fewshot_draw(shots, fewshot, documents->item_ids, n, documents->pool_ids,
                      documents->pool_count, err))
        return false;
    fewshot_order(order, shots, k, n);
    for (int32_t i = 0; i < n; i++) {
        const int32_t *mine = shots + (size_t)order[i] * (size_t)k;
        if (!add_rendered(&requests, task, documents, order[i], mine, k, err))
            return false;
        if ((i + 1) % shard_items == 0 || i + 1 == n)
            count_shard(&sum, &requests);
    }
    *out = sum;
    return true;
}
