/* endpoint.h - the addresses that daemons listen at and connect to, as a person may write them. */
#ifndef ENDPOINT_H
#define ENDPOINT_H

#include "common/err.h"

/* tcp://HOST:PORT with a port of 1 to 65535, or ipc://PATH, as libzmq takes them.  ERR_INPUT names
 * the endpoint and what is wrong with it. */
bool endpoint_check(const char *endpoint, struct err *err) MUST;

#endif
