/* fuzz_task.c - hostile tasks and data: whatever the bytes are, an answer or an error, never a
 * crash.
 *
 * The first byte says what the rest is: a template, a definition with its item (split at a NUL), a
 * CSV, TSV or JSONL file, a YAML task, a column map, a Python literal.  Built by the preset fuzz.
 */
#include "common/buf.h"
#include "coordinator/task/columns.h"
#include "coordinator/task/dataset.h"
#include "coordinator/task/gold.h"
#include "coordinator/task/jinja.h"
#include "coordinator/task/render.h"
#include "coordinator/task/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char item[] =
    "{\"q\":\"가 나\",\"a\":1,\"c\":[\"x\",\"y\"],\"d\":{\"k\":[1.5,null,true]}}";

static void fuzz_template(struct text text)
{
    struct err err = { 0 };
    struct heap heap = { .max = 1 << 20 };
    struct buf out = { .max = 1 << 16 };
    struct template *template = NULL;
    struct value document;
    json_t *json = json_loads(item, 0, NULL);
    bool ok = template_compile(&template, text, &err) &&
              value_from_json(&document, json, &heap, &err) &&
              template_render(&out, template, &document, &heap, &err);
    assert(ok || err.text[0]);
    assert(!ok || pystr_valid((struct text){ buf_text(&out), out.size }));
    template_free(template);
    json_decref(json);
    heap_free(&heap);
    buf_free(&out);
}

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

static void fuzz_dataset(struct text text, const char *path)
{
    struct err err = { 0 };
    struct dataset dataset = { 0 };
    if (!dataset_parse(&dataset, text, path, NULL, &err))
        assert(err.text[0]);
    dataset_free(&dataset);
}

static void fuzz_yaml(const char *text)
{
    struct err err = { 0 };
    struct source *source = NULL;
    struct columns *columns = NULL;
    json_t *definition = NULL, *json = json_loads(item, 0, NULL);
    if (source_parse(&source, text, "f.yaml", &err) &&
        source_define(&definition, source, json, false, false, &err))
        json_decref(definition);
    source_free(source);
    if (columns_parse(&columns, text, "f.yaml", &err) &&
        columns_apply(&definition, columns, json, &err))
        json_decref(definition);
    columns_free(columns);
    json_decref(json);
}

static void fuzz_literal(struct text text)
{
    struct err err = { 0 };
    struct heap heap = { .max = 1 << 20 };
    struct value value, back;
    struct buf repr = { 0 };
    if (pystr_valid(text) && value_from_literal(&value, text, &heap, &err)) {
        value_put_repr(&repr, &value);
        bool same =
            value_from_literal(&back, (struct text){ buf_text(&repr), repr.size }, &heap, &err);
        assert(!same || value_equal(&value, &back) || value.type == VALUE_REAL ||
               strstr(buf_text(&repr), "nan"));
    }
    heap_free(&heap);
    buf_free(&repr);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[] = { "f.csv", "f.tsv", "f.jsonl" };
    if (!size)
        return 0;
    char *copy = must_calloc(1, size); /* NUL at the end, and nothing after it */
    memcpy(copy, data + 1, size - 1);
    struct text text = { copy, size - 1 };
    switch (data[0] % 8) {
    case 0:
        fuzz_template(text);
        break;
    case 1:
        fuzz_definition(text);
        break;
    case 2:
    case 3:
    case 4:
        fuzz_dataset(text, paths[data[0] % 8 - 2]);
        break;
    case 5:
        fuzz_yaml(copy);
        break;
    default:
        fuzz_literal(text);
    }
    free(copy);
    return 0;
}
