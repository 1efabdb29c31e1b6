/* fuzz_data.c - any published file: documents, or an error with its reason.  The first byte says
 * whether it is CSV, TSV or JSONL. */
#include "coordinator/task/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fuzz_dataset(struct text text, const char *path)
{
    struct err err = { 0 };
    struct dataset dataset = { 0 };
    if (!dataset_parse(&dataset, text, path, NULL, &err))
        assert(err.text[0]);
    dataset_free(&dataset);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!size)
        return 0;
    char *copy = must_calloc(1, size); /* NUL at the end, and nothing after it */
    memcpy(copy, data + 1, size - 1);
    static const char *const paths[] = { "f.csv", "f.tsv", "f.jsonl" };
    fuzz_dataset((struct text){ copy, size - 1 }, paths[data[0] % 3]);
    free(copy);
    return 0;
}
