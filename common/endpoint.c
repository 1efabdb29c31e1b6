#include "common/endpoint.h"

#include <stdlib.h>
#include <string.h>

static bool port_good(const char *text)
{
    char *end;
    long port = strtol(text, &end, 10);
    return *text >= '0' && *text <= '9' && !*end && port >= 1 && port <= 65535;
}

bool endpoint_check(const char *endpoint, struct err *err)
{
    static const char tcp[] = "tcp://", ipc[] = "ipc://";
    const char *host = endpoint + strlen(tcp), *colon = strrchr(endpoint, ':');
    if (!strncmp(endpoint, ipc, strlen(ipc)) && endpoint[strlen(ipc)])
        return true;
    if (strncmp(endpoint, tcp, strlen(tcp)))
        return err_set(err, ERR_INPUT, "'%s' is no endpoint: write tcp://HOST:PORT", endpoint);
    if (colon <= host)
        return err_set(err, ERR_INPUT, "'%s' lacks a host or a port: write tcp://HOST:PORT",
                       endpoint);
    if (!port_good(colon + 1))
        return err_set(err, ERR_INPUT, "'%s': the port is 1 to 65535", endpoint);
    return true;
}
