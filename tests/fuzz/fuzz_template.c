/* fuzz_template.c - any template over one document, and any Python literal: a text, or an error
 * with its reason.  The first byte says which. */
#include "common/buf.h"
#include "coordinator/task/jinja.h"

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
    if (!size)
        return 0;
    char *copy = must_calloc(1, size); /* NUL at the end, and nothing after it */
    memcpy(copy, data + 1, size - 1);
    struct text text = { copy, size - 1 };
    if (data[0] & 1)
        fuzz_literal(text);
    else
        fuzz_template(text);
    free(copy);
    return 0;
}
