/* campaign.h - what the files of `koeval campaign` share: the lookup by name, the larger verbs. */
#ifndef CAMPAIGN_H
#define CAMPAIGN_H

#include "coordinator/cli/command.h"
#include "coordinator/store/db.h"

/* By name; not found says which there are. */
bool campaign_id(int64_t *out, struct cli *cli, struct db *db, const char *name,
                 struct err *err) MUST;

/* cmd_launch.c */
extern const struct option launch_options[];
bool campaign_launch(struct cli *cli, struct err *err) MUST;

/* cmd_watch.c */
extern const struct option watch_options[];
bool campaign_watch(struct cli *cli, struct err *err) MUST;

#endif
