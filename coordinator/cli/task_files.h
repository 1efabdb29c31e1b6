/* task_files.h - the files a task command names: YAML, data, column map.
 *
 * --data takes SPLIT=FILE; in FILE {dataset_name} and {task} stand for what the YAML says, so that
 * one command line serves every member of a group. */
#ifndef TASK_FILES_H
#define TASK_FILES_H

#include "coordinator/cli/command.h"
#include "coordinator/task/import.h"

#define TASK_DATA_MAX 16

struct task_files {
    struct columns *columns; /* NULL: none was given */
    struct source *source;
    struct import *import;
};

/* Options that the commands share; a command's table begins with them. */
/* clang-format off */
#define TASK_FILES_OPTIONS \
    { OPTION_LIST, "data",    "SPLIT=FILE", NULL, "data of a split: .jsonl, .csv or .tsv" }, \
    { OPTION_TEXT, "columns", "MAP.yaml",   NULL, "how the file's columns become the task's" }
/* clang-format on */

/* Reads the YAML at path and its data, as the command line says. */
bool task_files_open(struct task_files *out, struct cli *cli, const char *path,
                     struct err *err) MUST;
void task_files_close(struct task_files *files);
AUTO_ENDS(struct task_files, task_files_close)

#endif
