#include "coordinator/store/store_task.h"

/* Items of one call: bounded by number and by bytes, so that no message is huge. */
#define SLICE_ITEMS 2000
#define SLICE_BYTES ((size_t)4 * 1024 * 1024)

static int32_t slice_count(const struct import_items *items, int32_t first)
{
    size_t bytes = 0;
    int32_t count = 0;
    while (first + count < items->count && count < SLICE_ITEMS) {
        bytes += items->payloads[first + count].size + items->golds[first + count].size;
        if (count && bytes > SLICE_BYTES)
            break;
        count++;
    }
    return count;
}

static bool send_slice(struct db *db, int64_t version, const char *role, int32_t first,
                       const struct import_items *items, int32_t count, struct err *err)
{
    AUTO(free) const void **payloads = must_calloc((size_t)count, sizeof(void *));
    AUTO(free) const void **golds = must_calloc((size_t)count, sizeof(void *));
    AUTO(free) size_t *payload_sizes = must_calloc((size_t)count, sizeof(size_t));
    AUTO(free) size_t *gold_sizes = must_calloc((size_t)count, sizeof(size_t));
    for (int32_t i = 0; i < count; i++) {
        payloads[i] = items->payloads[first + i].bytes;
        payload_sizes[i] = items->payloads[first + i].size;
        golds[i] = items->golds[first + i].bytes;
        gold_sizes[i] = items->golds[first + i].size;
    }
    return db_call(NULL, db, "select item_import($1, $2, $3, $4, $5)",
                   ARGS(I64(version), TEXT(role), I64(first),
                        BYTESS(payloads, payload_sizes, (size_t)count),
                        BYTESS(golds, gold_sizes, (size_t)count)),
                   err);
}

static bool send_items(struct db *db, int64_t version, const char *role,
                       const struct import_items *items, struct err *err)
{
    for (int32_t first = 0; first < items->count;) {
        int32_t count = slice_count(items, first);
        if (!send_slice(db, version, role, first, items, count, err))
            return false;
        first += count;
    }
    return true;
}

bool store_task_import(struct store_task *out, struct db *db, const struct import *import,
                       bool private_items, struct err *err)
{
    AUTO(rows_free) struct rows *opened = NULL;
    AUTO(rows_free) struct rows *sealed = NULL;
    if (!db_call(&opened, db, "select task_import($1, $2, $3, $4) as version",
                 ARGS(TEXT(task_name(import->task)), TEXT(import->definition.bytes),
                      TEXT(import->split), BOOL(private_items)),
                 err))
        return false;
    int64_t version = rows_i64(opened, 0, "version");
    if (!send_items(db, version, "e", &import->evaluated, err) ||
        !send_items(db, version, "s", &import->shots, err) ||
        !db_call(&sealed, db, "select * from task_seal($1)", ARGS(I64(version)), err))
        return false;
    *out = (struct store_task){
        .version = rows_i64(sealed, 0, "task_version_id"),
        .items = (int32_t)rows_i64(sealed, 0, "n_item"),
        .shots = (int32_t)rows_i64(sealed, 0, "n_shot"),
        .fresh = rows_bool(sealed, 0, "fresh"),
    };
    return true;
}

bool store_task_group_import(struct db *db, const char *name, const char *definition,
                             struct err *err)
{
    return db_call(NULL, db, "select task_group_import($1, $2::jsonb)",
                   ARGS(TEXT(name), TEXT(definition)), err);
}
