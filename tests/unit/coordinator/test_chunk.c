#include "common/buf.h"
#include "coordinator/chunk.h"
#include "coordinator/task/source.h"
#include "tests/test.h"

#include <jansson.h>

static const char YAML[] = "task: t\noutput_type: multiple_choice\ntest_split: test\n"
                           "doc_to_text: '{{q}}'\ndoc_to_target: a\ndoc_to_choice: [x, z]\n";

static char *definition(void)
{
    struct err err = { 0 };
    AUTO(source_free) struct source *source = NULL;
    json_t *document = json_loads("{\"q\":\"1\",\"a\":0}", 0, NULL), *json = NULL;
    if (!source_parse(&source, YAML, "t.yaml", &err) ||
        !source_define(&json, source, document, false, false, &err))
        abort();
    char *text = json_dumps(json, JSON_SORT_KEYS | JSON_COMPACT);
    json_decref(json);
    json_decref(document);
    return text;
}

static const struct task *task_in(struct tasks *tasks, int32_t version)
{
    struct err err = { 0 };
    AUTO(free) char *text = definition();
    if (!tasks_put(tasks, version, text, strlen(text), &err))
        abort();
    return tasks_get(tasks, version);
}

#define ITEMS_MOST 8

/* Items with questions of so many bytes; 0: a payload that is none. */
struct world {
    struct arena arena;
    struct tasks *tasks;
    struct buf payloads[ITEMS_MOST];
    struct chunk_item items[ITEMS_MOST];
    struct chunk_made made;
};

static void world_close(struct world *w)
{
    arena_reset(&w->arena);
    tasks_free(w->tasks);
    for (int i = 0; i < ITEMS_MOST; i++)
        buf_free(&w->payloads[i]);
}
AUTO_ENDS(struct world, world_close)

static void make(struct world *w, const size_t *sizes, int32_t count, int32_t bytes_max)
{
    w->tasks = tasks_new();
    for (int32_t i = 0; i < count; i++) {
        struct buf *b = &w->payloads[i];
        buf_put_text(b, "{\"a\":0,\"q\":\"");
        for (size_t k = 0; k < sizes[i]; k++)
            buf_put_char(b, 'q');
        buf_put_text(b, sizes[i] ? "\"}" : "");
        w->items[i] = (struct chunk_item){ .item_no = 10 + i,
                                           .plan_no = 20 + i,
                                           .payload = { b->bytes, b->size } };
    }
    chunk_make(&w->made, &w->arena, task_in(w->tasks, 1), w->items, count, bytes_max);
}

TEST(items_are_rendered_in_order_until_the_bytes_are_full)
{
    AUTO(world_close) struct world w = { 0 };
    make(&w, (size_t[]){ 300, 300, 300 }, 3, 1000);
    const Koeval__ItemChunk *c = w.made.chunk;
    CHECK(c->n_items == 2 && w.made.taken == 2 && !c->too_long_item && !c->unrendered_item);
    CHECK(c->items[0]->item_no == 10 && c->items[1]->plan_no == 21);
    CHECK(c->items[0]->n_prompts == 1 && c->items[0]->prompts[0]->text.len == 300);
    CHECK(c->items[0]->n_requests == 2);
    CHECK(!memcmp(c->items[0]->requests[1]->continuation.data, " z", 2));
    CHECK(koeval__item_chunk__get_packed_size(c) <= 1000);
}

TEST(the_first_item_goes_even_where_it_is_larger_than_was_asked_for)
{
    AUTO(world_close) struct world w = { 0 };
    make(&w, (size_t[]){ 5000, 10 }, 2, 100);
    CHECK(w.made.chunk->n_items == 1 && w.made.taken == 1 && !w.made.chunk->too_long_item);
}

TEST(an_item_that_fits_no_frame_ends_the_chunk_as_too_long)
{
    AUTO(world_close) struct world w = { 0 };
    make(&w, (size_t[]){ 10, WIRE_FRAME_MAX, 10 }, 3, 1 << 20);
    CHECK(w.made.chunk->n_items == 1 && w.made.taken == 2);
    CHECK(w.made.chunk->too_long_item == 1 + 11 && !w.made.chunk->unrendered_item);
}

TEST(an_item_that_cannot_be_rendered_ends_the_chunk_as_that)
{
    AUTO(world_close) struct world w = { 0 };
    make(&w, (size_t[]){ 10, 0, 10 }, 3, 1 << 20);
    CHECK(w.made.chunk->n_items == 1 && w.made.taken == 2);
    CHECK(w.made.chunk->unrendered_item == 1 + 11 && !w.made.chunk->too_long_item);
}

TEST(no_items_are_an_empty_chunk)
{
    AUTO(world_close) struct world w = { 0 };
    make(&w, NULL, 0, 1000);
    CHECK(w.made.chunk->n_items == 0 && w.made.taken == 0);
}

TEST(definitions_are_kept_and_the_one_unused_for_longest_goes)
{
    struct tasks *tasks = tasks_new();
    for (int32_t version = 1; version <= TASKS_KEPT; version++)
        task_in(tasks, version);
    bool kept = tasks_get(tasks, 1) != NULL;
    task_in(tasks, TASKS_KEPT + 1);
    bool right = tasks_get(tasks, 1) && !tasks_get(tasks, 2) && tasks_get(tasks, TASKS_KEPT + 1);
    tasks_free(tasks);
    CHECK(kept && right);
}

TEST(a_definition_that_is_none_is_an_error_with_its_version)
{
    struct err err = { 0 };
    struct tasks *tasks = tasks_new();
    bool taken = tasks_put(tasks, 9, "{}", 2, &err);
    bool none = !tasks_get(tasks, 9);
    tasks_free(tasks);
    CHECK(!taken && none && strstr(err.text, "task version 9"));
}
