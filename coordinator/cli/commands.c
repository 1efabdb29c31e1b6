#include "common/version.h"
#include "coordinator/cli/command.h"

static bool version(struct cli *cli, struct err *err)
{
    (void)err;
    cli_field_text(cli, "koeval", KOEVAL_VERSION);
    return true;
}

static const struct command own_commands[] = {
    { .words = "version", .help = "what this program is", .run = version },
    { 0 },
};

/* A noun's array is defined in its cmd_<noun>.c. */

extern const struct command db_commands[];
extern const struct command task_commands[];
extern const struct command model_commands[];
extern const struct command campaign_commands[];
extern const struct command run_commands[];
extern const struct command node_commands[];
extern const struct command key_commands[];
extern const struct command job_commands[];
extern const struct command board_commands[];
extern const struct command status_commands[];
extern const struct command event_commands[];
extern const struct command doctor_commands[];
extern const struct command manual_commands[];

static const struct command *const all[] = {
    /* in the order that help shows */
    db_commands,    task_commands,   model_commands, campaign_commands, run_commands,
    board_commands, node_commands,   key_commands,   job_commands,      status_commands,
    event_commands, doctor_commands, own_commands,   manual_commands,   NULL,
};

const struct command *const *commands_all(void) { return all; }
