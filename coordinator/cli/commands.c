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

static const struct command *const all[] = {
    /* in the order that help shows */
    db_commands,
    own_commands,
    NULL,
};

const struct command *const *commands_all(void) { return all; }
