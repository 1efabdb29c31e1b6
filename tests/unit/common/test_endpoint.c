/* test_endpoint.c - what a daemon takes for an endpoint. */
#include "common/endpoint.h"
#include "tests/test.h"

TEST(hosts_names_wildcards_and_sockets_are_endpoints)
{
    static const char *const good[] = { "tcp://127.0.0.1:7411", "tcp://*:7411", "tcp://[::1]:1",
                                        "tcp://coordinator.example:65535", "ipc:///run/koeval" };
    struct err err = { 0 };
    for (size_t i = 0; i < COUNT(good); i++)
        CHECK(endpoint_check(good[i], &err));
}

TEST(what_lacks_a_part_is_named_with_what_to_write)
{
    static const char *const bad[][2] = {
        { "bogus", "write tcp://HOST:PORT" },
        { "", "write tcp://HOST:PORT" },
        { "tcp://", "lacks a host or a port" },
        { "tcp://:7411", "lacks a host or a port" },
        { "tcp://host", "lacks a host or a port" },
        { "tcp://host:", "1 to 65535" },
        { "tcp://host:0", "1 to 65535" },
        { "tcp://host:65536", "1 to 65535" },
        { "tcp://host:74x", "1 to 65535" },
        { "ipc://", "write tcp://HOST:PORT" },
        { "http://host:80", "write tcp://HOST:PORT" },
    };
    for (size_t i = 0; i < COUNT(bad); i++) {
        struct err err = { 0 };
        CHECK(!endpoint_check(bad[i][0], &err) && err.code == ERR_INPUT);
        CHECK(strstr(err.text, bad[i][1]));
    }
}
