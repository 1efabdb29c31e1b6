/* board_file.h - a board's YAML file as the definition that the database stores.
 *
 *     name: korean
 *     params: { mode: hf, limit: null }     # runs whose parameters contain these count
 *     categories: { reasoning: 2 }          # weights in the board's mean; 1 where not said
 *     tasks:
 *       - { task: kobest_copa, metric: acc, category: reasoning }
 *       - { group: kmmlu, metric: acc, category: knowledge, weight: size }
 *
 * Keys of a task: task or group, metric, category, weight (a number, or "size": its number of
 * items), filter, params (over the file's), version (leading digits of the digest).  Without a
 * limit in params only runs without one count: ranges need the same items from every model. */
#ifndef BOARD_FILE_H
#define BOARD_FILE_H

#include "common/err.h"
#include "common/text.h"

struct board_file {
    char *name, *definition; /* canonical JSON; both owned */
};

bool board_file_read(struct board_file *out, const char *path, struct err *err) MUST;
/* The same from text; name stands for the file in errors. */
bool board_file_parse(struct board_file *out, struct text text, const char *name,
                      struct err *err) MUST;
void board_file_free(struct board_file *file);
AUTO_ENDS(struct board_file, board_file_free)

#endif
