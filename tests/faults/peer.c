/* peer.c - a node with an admitted key that does not keep to the protocol.
 *
 *     fault_peer ENDPOINT SERVER_KEY KEY DEED [COUNT]
 *
 * oversize   COUNT frames of 2 MiB, above what the coordinator takes
 * garbage    COUNT frames of bytes that are no Envelope
 * parts      one message of COUNT frames of 1 KiB, and its end
 * version    COUNT Hellos of a protocol that nobody speaks
 *
 * Prints the codes of the answers and "done", and exits 0; 1 where it could not even connect. */
#include <czmq.h>
#include <stdio.h>
#include <string.h>

#include "common/base.h"
#include "proto/wire.h"

#define BIG        ((size_t)2 << 20)
#define LINGER_MS  60000 /* what was sent shall arrive; it ends at once with the other side */
#define CONNECT_MS 10000
#define SEND_MS    20000
#define ANSWER_MS  500

static void *connect_as(const char *endpoint, zcert_t *server, zcert_t *me)
{
    int linger = LINGER_MS, one = 1, send = SEND_MS, reconnect = 200;
    void *dealer = zmq_socket(zsys_init(), ZMQ_DEALER);
    zmq_setsockopt(dealer, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(dealer, ZMQ_IMMEDIATE, &one, sizeof(one));
    zmq_setsockopt(dealer, ZMQ_SNDTIMEO, &send, sizeof(send));
    zmq_setsockopt(dealer, ZMQ_RECONNECT_IVL, &reconnect, sizeof(reconnect));
    zmq_setsockopt(dealer, ZMQ_CURVE_SERVERKEY, zcert_public_key(server), 32);
    zmq_setsockopt(dealer, ZMQ_CURVE_PUBLICKEY, zcert_public_key(me), 32);
    zmq_setsockopt(dealer, ZMQ_CURVE_SECRETKEY, zcert_secret_key(me), 32);
    if (zmq_connect(dealer, endpoint))
        exit(2);
    return dealer;
}

/* IMMEDIATE: what can be sent has a connection whose handshake is over. */
static bool connected(void *dealer)
{
    zmq_pollitem_t poll = { dealer, 0, ZMQ_POLLOUT, 0 };
    return zmq_poll(&poll, 1, CONNECT_MS) > 0;
}

static void answers(void *dealer)
{
    zmq_pollitem_t poll = { dealer, 0, ZMQ_POLLIN, 0 };
    while (zmq_poll(&poll, 1, ANSWER_MS) > 0) {
        static uint8_t frame[WIRE_FRAME_MAX];
        AUTO(arena_reset) struct arena arena = { 0 };
        const Koeval__Envelope *env;
        struct err err = { 0 };
        int n = zmq_recv(dealer, frame, sizeof(frame), 0);
        bool good =
            n > 0 && wire_unpack(&env, &arena, WIRE_FROM_COORDINATOR, frame, (size_t)n, &err);
        if (good && env->body_case == KOEVAL__ENVELOPE__BODY_ERROR)
            printf("error %d\n", (int)env->error->code);
    }
}

static void frames(void *dealer, const void *bytes, size_t size, int count)
{
    for (int i = 0; i < count; i++) {
        int more = i + 1 < count ? ZMQ_SNDMORE : 0;
        if (zmq_send(dealer, bytes, size, more) < 0) {
            printf("stopped after %d\n", i);
            return;
        }
    }
}

static void alone(void *dealer, const void *bytes, size_t size, int count)
{
    for (int i = 0; i < count; i++) {
        (void)zmq_send(dealer, bytes, size, 0);
        answers(dealer);
    }
}

static size_t hello_pack(uint8_t *frame)
{
    static uint8_t digest[32] = { 1 }, incarnation[16] = { 2 };
    Koeval__Hello hello = KOEVAL__HELLO__INIT;
    Koeval__Envelope env = KOEVAL__ENVELOPE__INIT;
    hello.proto_min = hello.proto_max = 9;
    hello.build = hello.hostname = "peer";
    hello.incarnation = (ProtobufCBinaryData){ sizeof(incarnation), incarnation };
    hello.class_digest = (ProtobufCBinaryData){ sizeof(digest), digest };
    hello.shards_max = 1;
    env.version = 1;
    env.seq = 1;
    env.body_case = KOEVAL__ENVELOPE__BODY_HELLO;
    env.hello = &hello;
    return koeval__envelope__pack(&env, frame);
}

static void act(void *dealer, const char *deed, int count)
{
    static uint8_t big[BIG];
    memset(big, 0xff, sizeof(big));
    if (!strcmp(deed, "oversize"))
        alone(dealer, big, sizeof(big), count);
    else if (!strcmp(deed, "garbage"))
        alone(dealer, big, 1000, count);
    else if (!strcmp(deed, "parts"))
        frames(dealer, big, 1024, count);
    else
        alone(dealer, big, hello_pack(big), count);
    answers(dealer);
}

int main(int argc, char **argv)
{
    if (argc < 5)
        return 2;
    zsys_handler_set(NULL);
    zcert_t *server = zcert_load(argv[2]), *me = zcert_load(argv[3]);
    if (!server || !me)
        return 2;
    void *dealer = connect_as(argv[1], server, me);
    bool up = connected(dealer);
    if (up)
        act(dealer, argv[4], argc > 5 ? (int)strtol(argv[5], NULL, 10) : 1);
    printf(up ? "done\n" : "not connected\n");
    zmq_close(dealer);
    zcert_destroy(&server);
    zcert_destroy(&me);
    return up ? 0 : 1;
}
