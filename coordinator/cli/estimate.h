/* estimate.h - what a launch would ask for, before it asks.
 *
 * Items and requests are exact, characters are counted on the very prompts (where this user may
 * have them rendered), tokens and time are what earlier runs of the same tokenizer measured; what
 * nobody measured is `unknown` and never a guess. */
#ifndef ESTIMATE_H
#define ESTIMATE_H

#include <jansson.h>

#include "coordinator/cli/command.h"
#include "coordinator/store/db.h"

struct launch_task {
    int32_t version;
    char *name;
    int64_t items; /* after the limit */
    char *params;  /* canonical JSON */
};

/* A campaign with its names resolved. */
struct launch {
    int32_t models_count, tasks_count;
    int32_t *models; /* model_id */
    struct launch_task *tasks;
    int64_t shard_items;
    bool auto_dtype;
    char dtype[8];
    json_t *spec;
};

bool estimate_print(const struct launch *launch, struct cli *cli, struct db *db,
                    struct err *err) MUST;

#endif
