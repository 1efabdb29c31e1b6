/* fuzz_task.c - a task YAML, a column map, a definition with its item (split at a NUL): read, or
 * refused with a reason.  The first byte says which. */
#include "common/buf.h"
#include "coordinator/task/columns.h"
#include "coordinator/task/gold.h"
#include "coordinator/task/render.h"
#include "coordinator/task/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char item[] =
    "{\"q\":\"가 나\",\"a\":1,\"c\":[\"x\",\"y\"],\"d\":{\"k\":[1.5,null,true]}}";

static void fuzz_definition(struct text text)
{
    struct err err = { 0 };
    struct task *task = NULL;
    const char *zero = memchr(text.bytes, 0, text.size);
    struct text head = { text.bytes, zero ? (size_t)(zero - text.bytes) : text.size };
    struct text payload = text_of(item);
    if (zero)
        payload = (struct text){ zero + 1, text.size - head.size - 1 };
    if (task_open(&task, head.bytes, head.size, &err)) {
        struct rendered rendered = { 0 };
        struct buf gold = { 0 };
        if (!render_item(&rendered, task, payload, &payload, 1, &err))
            assert(err.text[0]);
        if (!gold_item(&gold, task, payload, &err))
            assert(err.text[0]);
        rendered_free(&rendered);
        buf_free(&gold);
    }
    task_free(task);
}

static void fuzz_source(const char *text)
{
    struct err err = { 0 };
    struct source *source = NULL;
    json_t *definition = NULL, *json = json_loads(item, 0, NULL);
    if (source_parse(&source, text, "f.yaml", &err) &&
        source_define(&definition, source, json, false, false, &err))
        json_decref(definition);
    else
        assert(err.text[0]);
    source_free(source);
    json_decref(json);
}

static void fuzz_columns(const char *text)
{
    struct err err = { 0 };
    struct columns *columns = NULL;
    json_t *document = NULL, *json = json_loads(item, 0, NULL);
    if (columns_parse(&columns, text, "f.yaml", &err) &&
        columns_apply(&document, columns, json, &err))
        json_decref(document);
    else
        assert(err.text[0]);
    columns_free(columns);
    json_decref(json);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    char *copy = must_calloc(1, size); /* NUL at the end, and nothing after it */
    memcpy(copy, data + 1, size - 1);
    if (data[0] % 3 == 0)
        fuzz_source(copy);
    else if (data[0] % 3 == 1)
        fuzz_columns(copy);
    else
        fuzz_definition((struct text){ copy, size - 1 });
    free(copy);
    return 0;
}
