#include "coordinator/chunk.h"

#include <string.h>

#include "coordinator/task/render.h"

#define ENVELOPE_BYTES   96    /* what stands around the items, more than enough */
#define PROMPTS_ITEM_MAX 64    /* as wire.h checks */
#define PARTS_MAX        16384 /* prompts and requests of a chunk: each costs the reader a struct */

/* ---- definitions ---- */

struct tasks {
    struct kept {
        int32_t version;
        int64_t used; /* when, by count */
        struct task *task;
    } list[TASKS_KEPT];
    int64_t uses;
};

struct tasks *tasks_new(void) { return must_calloc(1, sizeof(struct tasks)); }

void tasks_free(struct tasks *tasks)
{
    if (!tasks)
        return;
    for (int32_t i = 0; i < TASKS_KEPT; i++)
        task_free(tasks->list[i].task);
    free(tasks);
}

const struct task *tasks_get(struct tasks *tasks, int32_t version)
{
    for (int32_t i = 0; i < TASKS_KEPT; i++) {
        struct kept *k = &tasks->list[i];
        if (!k->task || k->version != version)
            continue;
        k->used = ++tasks->uses;
        return k->task;
    }
    return NULL;
}

bool tasks_put(struct tasks *tasks, int32_t version, const char *definition, size_t size,
               struct err *err)
{
    AUTO(task_free) struct task *task = NULL;
    if (!task_open(&task, definition, size, err))
        return err_wrap(err, "task version %d", version);
    struct kept *oldest = &tasks->list[0];
    for (int32_t i = 1; i < TASKS_KEPT; i++)
        if (tasks->list[i].used < oldest->used)
            oldest = &tasks->list[i];
    task_free(oldest->task);
    *oldest = (struct kept){ .version = version, .used = ++tasks->uses, .task = TAKE(task) };
    return true;
}

/* ---- chunks ---- */

/* The arena is far larger than a chunk may become, so it cannot run out. */
static void *get(struct arena *arena, size_t count, size_t size)
{
    void *p = arena_get(arena, count * size);
    assert(p);
    memset(p, 0, count * size);
    return p;
}

static ProtobufCBinaryData text_keep(struct arena *arena, struct text text)
{
    uint8_t *bytes = get(arena, text.size ? text.size : 1, 1);
    memcpy(bytes, text.bytes, text.size);
    return (ProtobufCBinaryData){ text.size, bytes };
}

static size_t rendered_bytes(const struct rendered *r)
{
    size_t bytes = 0;
    for (int32_t i = 0; i < r->prompts_count; i++)
        bytes += r->prompts[i].size;
    for (int32_t i = 0; i < r->requests_count; i++)
        bytes += r->requests[i].continuation.size;
    return bytes;
}

static Koeval__Item *item_make(struct arena *arena, const struct chunk_item *from,
                               const struct rendered *r)
{
    Koeval__Item *item = get(arena, 1, sizeof(*item));
    koeval__item__init(item);
    item->item_no = (uint32_t)from->item_no;
    item->plan_no = (uint32_t)from->plan_no;
    item->n_prompts = (size_t)r->prompts_count;
    item->prompts = get(arena, item->n_prompts, sizeof(*item->prompts));
    for (size_t i = 0; i < item->n_prompts; i++) {
        item->prompts[i] = get(arena, 1, sizeof(**item->prompts));
        koeval__prompt__init(item->prompts[i]);
        item->prompts[i]->text = text_keep(arena, r->prompts[i]);
    }
    item->n_requests = (size_t)r->requests_count;
    item->requests = get(arena, item->n_requests, sizeof(*item->requests));
    for (size_t i = 0; i < item->n_requests; i++) {
        item->requests[i] = get(arena, 1, sizeof(**item->requests));
        koeval__request__init(item->requests[i]);
        item->requests[i]->prompt = (uint32_t)r->requests[i].prompt;
        item->requests[i]->continuation = text_keep(arena, r->requests[i].continuation);
    }
    return item;
}

/* The item; NULL when it could not be rendered, or when it was and no frame would hold it. */
static Koeval__Item *item_render(struct arena *arena, bool *rendered, const struct task *task,
                                 const struct chunk_item *from)
{
    AUTO(rendered_free) struct rendered r = { 0 };
    struct err err = { 0 };
    *rendered = render_item(&r, task, from->payload, from->shots, from->shots_count, &err);
    bool fits = *rendered && r.prompts_count <= PROMPTS_ITEM_MAX &&
                r.requests_count <= WIRE_REQUESTS_ITEM_MAX &&
                rendered_bytes(&r) < WIRE_FRAME_MAX - ENVELOPE_BYTES;
    return fits ? item_make(arena, from, &r) : NULL;
}

/* Encoded as a field of the chunk: key and length before it. */
static size_t item_bytes(const Koeval__Item *item)
{
    return koeval__item__get_packed_size(item) + 6;
}

void chunk_make(struct chunk_made *out, struct arena *arena, const struct task *task,
                const struct chunk_item *items, int32_t count, int32_t bytes_max)
{
    size_t bytes = ENVELOPE_BYTES, parts = 0, most = (size_t)bytes_max;
    Koeval__ItemChunk *chunk = get(arena, 1, sizeof(*chunk));
    koeval__item_chunk__init(chunk);
    chunk->items = get(arena, (size_t)count + 1, sizeof(*chunk->items));
    *out = (struct chunk_made){ .chunk = chunk };
    if (most > WIRE_FRAME_MAX)
        most = WIRE_FRAME_MAX;

    for (; out->taken < count && chunk->n_items < WIRE_ITEMS_MAX; out->taken++) {
        const struct chunk_item *from = &items[out->taken];
        bool rendered = false;
        Koeval__Item *item = item_render(arena, &rendered, task, from);
        size_t more = item ? item_bytes(item) : SIZE_MAX;
        if (more > WIRE_FRAME_MAX - ENVELOPE_BYTES) { /* alone it would not fit either */
            *(rendered ? &chunk->too_long_item : &chunk->unrendered_item) =
                1 + (uint32_t)from->item_no;
            out->taken++;
            return;
        }
        parts += item->n_prompts + item->n_requests;
        if (chunk->n_items && (bytes + more > most || parts > PARTS_MAX))
            return;
        chunk->items[chunk->n_items++] = item;
        bytes += more;
    }
}
