/* store_task.h - tasks in the database: importing is one transaction, and reading is by view. */
#ifndef STORE_TASK_H
#define STORE_TASK_H

#include "coordinator/store/db.h"
#include "coordinator/task/import.h"

struct store_task {
    int64_t version;
    int32_t items, shots;
    bool fresh; /* false: the same content was imported before, and that version was returned */
};

/* Inside a transaction of the caller's, which rolls back when this fails: then no row is left. */
bool store_task_import(struct store_task *out, struct db *db, const struct import *import,
                       bool private_items, struct err *err) MUST;
/* definition is JSON; every task it names must be there. */
bool store_task_group_import(struct db *db, const char *name, const char *definition,
                             struct err *err) MUST;

#endif
