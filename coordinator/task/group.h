/* group.h - a group YAML of lm-evaluation-harness: which tasks it holds and how they are summed up.
 *
 * Members are named: tasks, tags and other groups, looked for among the YAML files of the group's
 * own folder.  A tag stands for its tasks, sorted by name. */
#ifndef GROUP_H
#define GROUP_H

#include <jansson.h>

#include "common/err.h"

#define GROUP_TASKS_MAX 1024

struct group_task {
    char *name, *path; /* its YAML file */
};

/* One group and every group below it, innermost first; each definition is
 *   {"tasks":[leaf names],"members":[as the YAML names them],"version":...,
 *    "metrics":[{"metric","filter","weight_by_size"}]} */
struct group {
    struct group_task *tasks; /* all leaves, each once, in order */
    int32_t tasks_count;
    char **names;
    json_t **definitions;
    int32_t groups_count;
};

/* Whether the file is a group at all. */
bool group_is(bool *out, const char *path, struct err *err) MUST;
bool group_open(struct group **out, const char *path, struct err *err) MUST;
void group_free(struct group *group);
AUTO_FREES(struct group *, group_free)

#endif
