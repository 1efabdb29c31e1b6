#include <stdio.h>

#include "common/secret.h"
#include "coordinator/cli/cli.h"

int main(int argc, char **argv)
{
    struct err err = { 0 };
    /* Imports and jobs hold items and golds. */
    if (!secret_begin(&err)) {
        fprintf(stderr, "koeval: %s\n", err.text);
        return CLI_FAILED;
    }
    return cli_run(commands_all(), argc - 1, (const char *const *)argv + 1);
}
