#include "coordinator/cli/cli.h"

int main(int argc, char **argv)
{
    return cli_run(commands_all(), argc - 1, (const char *const *)argv + 1);
}
