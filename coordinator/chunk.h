/* chunk.h - items of a lease, rendered into one ItemChunk that fits a frame.
 *
 * Definitions are opened once and kept, the least recently used goes.  Rendering is pure per item,
 * so a chunk is a function of the definition, the payloads and where the last one ended. */
#ifndef CHUNK_H
#define CHUNK_H

#include "common/text.h"
#include "coordinator/task/definition.h"
#include "proto/arena.h"
#include "proto/wire.h"

#define TASKS_KEPT 256

struct tasks; /* definitions by task_version_id */

struct tasks *tasks_new(void);
void tasks_free(struct tasks *tasks);
/* NULL: not kept, tasks_put it first. */
const struct task *tasks_get(struct tasks *tasks, int32_t version);
bool tasks_put(struct tasks *tasks, int32_t version, const char *definition, size_t size,
               struct err *err) MUST;

struct chunk_item {
    int32_t item_no, plan_no;
    struct text payload;
    const struct text *shots;
    int32_t shots_count;
};

struct chunk_made {
    Koeval__ItemChunk *chunk; /* in the arena */
    int32_t taken;            /* how many of the items it covers, the one that fits nowhere too */
};

/* As many of the items, from the first on, as fit into bytes_max encoded.  An item that fits no
 * frame, or cannot be rendered, ends the chunk as its too_long_item or unrendered_item.  Cannot
 * fail. */
void chunk_make(struct chunk_made *out, struct arena *arena, const struct task *task,
                const struct chunk_item *items, int32_t count, int32_t bytes_max);

#endif
