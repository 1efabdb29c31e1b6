/* fuzz_safetensors.c - any file of tensors: refused with a reason, or what it says lies in it.
 *
 * An even first byte: the second is how many bytes of data follow the header that the rest is, so
 * that mutations get past the length.  An odd one: the rest is the whole file. */
#include <string.h>

#include "agent/model/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t file_make(uint8_t *file, const uint8_t *data, size_t size)
{
    if (data[0] & 1) {
        memcpy(file, data + 2, size - 2);
        return size - 2;
    }
    uint64_t header = size - 2;
    memcpy(file, &header, sizeof(header));
    memcpy(file + 8, data + 2, size - 2);
    memset(file + 8 + header, 0, data[1]);
    return 8 + header + data[1];
}

/* Every byte that a tensor claims is there to be read, and each is found by its name. */
static void look(const struct safetensors *st)
{
    unsigned sum = 0;
    for (int32_t i = 0; i < st->count; i++) {
        const struct tensor *t = &st->tensor[i];
        const uint8_t *bytes = t->data;
        for (int64_t k = 0; k < t->bytes; k++)
            sum += bytes[k];
        assert(t->rank >= 0 && t->rank <= TENSOR_RANK_MAX && t->type_name);
        assert(safetensors_find(st, t->name) == t);
    }
    assert(sum < UINT32_MAX); /* read for its own sake */
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct err err = { 0 };
    AUTO(safetensors_close) struct safetensors st = { 0 };
    if (size < 2)
        return 0;
    uint8_t *file = must_calloc(8 + size + data[1], 1);
    size_t bytes = file_make(file, data, size);
    uint8_t *exact = must_calloc(bytes ? bytes : 1, 1); /* nothing lies behind it */
    memcpy(exact, file, bytes);
    free(file);
    if (safetensors_read(&st, exact, bytes, &err))
        look(&st);
    else
        assert(err.code == ERR_INPUT && err.text[0]);
    safetensors_close(&st);
    st = (struct safetensors){ 0 };
    free(exact);
    return 0;
}
