/* test_zap.c - who gets in, and who is heard, over real CURVE on 127.0.0.1. */
#include "coordinator/zap.h"
#include "tests/test.h"

#include <unistd.h>

struct pair {
    uint8_t pub[32], sec[32];
};

static struct pair keys(void)
{
    struct pair p;
    char pub[41], sec[41];
    assert(!zmq_curve_keypair(pub, sec) && zmq_z85_decode(p.pub, pub) &&
           zmq_z85_decode(p.sec, sec));
    return p;
}

static void *server(const struct pair *me, char *endpoint, bool guarded)
{
    struct err err = { 0 };
    int one = 1, linger = 0;
    void *s = zmq_socket(zsys_init(), ZMQ_ROUTER);
    zmq_setsockopt(s, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(s, ZMQ_ROUTER_MANDATORY, &one, sizeof(one));
    if (guarded) {
        assert(zap_guard(s, me->sec, &err));
    } else {
        zmq_setsockopt(s, ZMQ_CURVE_SERVER, &one, sizeof(one));
        zmq_setsockopt(s, ZMQ_CURVE_SECRETKEY, me->sec, 32);
    }
    size_t size = 64;
    assert(!zmq_bind(s, "tcp://127.0.0.1:*") &&
           !zmq_getsockopt(s, ZMQ_LAST_ENDPOINT, endpoint, &size));
    return s;
}

static void *client(const struct pair *me, const struct pair *srv, const char *endpoint)
{
    int linger = 0, handshake = 300, one = 1;
    void *c = zmq_socket(zsys_init(), ZMQ_DEALER);
    zmq_setsockopt(c, ZMQ_LINGER, &linger, sizeof(linger));
    zmq_setsockopt(c, ZMQ_HANDSHAKE_IVL, &handshake, sizeof(handshake));
    zmq_setsockopt(c, ZMQ_IMMEDIATE, &one, sizeof(one));
    zmq_setsockopt(c, ZMQ_CURVE_SERVERKEY, srv->pub, 32);
    zmq_setsockopt(c, ZMQ_CURVE_PUBLICKEY, me->pub, 32);
    zmq_setsockopt(c, ZMQ_CURVE_SECRETKEY, me->sec, 32);
    assert(!zmq_connect(c, endpoint));
    return c;
}

/* Sends until it goes, then the key number the server sees; -1: nothing arrived in ms. */
static int32_t heard(void *c, void *s, int ms)
{
    for (int64_t until = zclock_mono() + ms; zclock_mono() < until;) {
        zmq_send(c, "hi", 2, ZMQ_DONTWAIT);
        zmq_pollitem_t poll = { s, 0, ZMQ_POLLIN, 0 };
        if (zmq_poll(&poll, 1, 20) <= 0)
            continue;
        zmq_msg_t id, body;
        zmq_msg_init(&id);
        zmq_msg_init(&body);
        zmq_msg_recv(&id, s, 0);
        zmq_msg_recv(&body, s, 0);
        int32_t user = zap_user(&body);
        zmq_msg_close(&id);
        zmq_msg_close(&body);
        return user;
    }
    return -1;
}

TEST(a_known_key_is_let_in_and_an_unknown_one_is_not)
{
    struct err err = { 0 };
    struct pair srv = keys(), a = keys(), b = keys();
    zactor_t *zap = NULL;
    char at[64];
    CHECK(zap_open(&zap, &err));
    struct zap_key table[] = { { .key_id = 7 } };
    memcpy(table[0].key, a.pub, 32);
    zap_load(zap, table, 1);
    void *s = server(&srv, at, true), *ca = client(&a, &srv, at), *cb = client(&b, &srv, at);
    CHECK(heard(ca, s, 2000) == 7);
    CHECK(heard(cb, s, 1000) == -1);
    zmq_close(ca), zmq_close(cb), zmq_close(s);
    zactor_destroy(&zap);
}

TEST(a_wrong_server_key_meets_nobody)
{
    struct err err = { 0 };
    struct pair srv = keys(), other = keys(), a = keys();
    zactor_t *zap = NULL;
    char at[64];
    CHECK(zap_open(&zap, &err));
    struct zap_key table[] = { { .key_id = 7 } };
    memcpy(table[0].key, a.pub, 32);
    zap_load(zap, table, 1);
    void *s = server(&srv, at, true), *c = client(&a, &other, at);
    CHECK(heard(c, s, 1000) == -1);
    zmq_close(c), zmq_close(s);
    zactor_destroy(&zap);
}

TEST(no_table_yet_is_a_300_and_the_same_client_gets_in_later)
{
    struct err err = { 0 };
    struct pair srv = keys(), a = keys();
    zactor_t *zap = NULL;
    char at[64];
    CHECK(zap_open(&zap, &err));
    void *s = server(&srv, at, true), *c = client(&a, &srv, at);
    CHECK(heard(c, s, 700) == -1);
    struct zap_key table[] = { { .key_id = 9 } };
    memcpy(table[0].key, a.pub, 32);
    zap_load(zap, table, 1);
    int64_t began = zclock_mono();
    CHECK(heard(c, s, 5000) == 9);
    printf("  accepted %lld ms after the table came (HANDSHAKE_IVL 300)\n",
           (long long)(zclock_mono() - began));
    zmq_close(c), zmq_close(s);
    zactor_destroy(&zap);
}

TEST(a_400_is_for_ever_until_the_client_makes_a_new_socket)
{
    struct err err = { 0 };
    struct pair srv = keys(), a = keys();
    zactor_t *zap = NULL;
    char at[64];
    CHECK(zap_open(&zap, &err));
    zap_load(zap, NULL, 0);
    void *s = server(&srv, at, true), *c = client(&a, &srv, at);
    CHECK(heard(c, s, 700) == -1);
    struct zap_key table[] = { { .key_id = 9 } };
    memcpy(table[0].key, a.pub, 32);
    zap_load(zap, table, 1);
    CHECK(heard(c, s, 1500) == -1);
    void *again = client(&a, &srv, at);
    CHECK(heard(again, s, 2000) == 9);
    zmq_close(c), zmq_close(again), zmq_close(s);
    zactor_destroy(&zap);
}

TEST(a_revoked_key_keeps_its_connection_so_each_message_is_judged)
{
    struct err err = { 0 };
    struct pair srv = keys(), a = keys();
    zactor_t *zap = NULL;
    char at[64];
    CHECK(zap_open(&zap, &err));
    struct zap_key table[] = { { .key_id = 7 } };
    memcpy(table[0].key, a.pub, 32);
    zap_load(zap, table, 1);
    void *s = server(&srv, at, true), *c = client(&a, &srv, at);
    CHECK(heard(c, s, 2000) == 7);
    zap_load(zap, NULL, 0); /* revoked now */
    CHECK(heard(c, s, 500) ==
          7); /* libzmq still delivers: the coordinator must drop by key number */
    void *again = client(&a, &srv, at);
    zmq_close(c);
    usleep(100000);
    while (heard(again, s, 100) == 7) /* what the first one had on the way */
        ;
    CHECK(heard(again, s, 700) == -1); /* and it does not come back */
    zmq_close(again), zmq_close(s);
    zactor_destroy(&zap);
}

TEST(without_the_handler_nobody_gets_in)
{
    struct err err = { 0 };
    struct pair srv = keys(), a = keys();
    zactor_t *zap = NULL;
    char at[64];
    CHECK(zap_open(&zap, &err));
    struct zap_key table[] = { { .key_id = 7 } };
    memcpy(table[0].key, a.pub, 32);
    zap_load(zap, table, 1);
    void *s = server(&srv, at, true), *c = client(&a, &srv, at);
    CHECK(heard(c, s, 2000) == 7);
    zactor_destroy(&zap); /* the thread dies */
    void *late = client(&a, &srv, at);
    zmq_close(c);
    usleep(100000);
    while (heard(late, s, 100) == 7)
        ;
    CHECK(heard(late, s, 1000) == -1);
    zmq_close(late), zmq_close(s);
}

TEST(control_an_unguarded_curve_server_without_handler_lets_anybody_in)
{
    struct pair srv = keys(), a = keys();
    char at[64];
    void *s = server(&srv, at, false), *c = client(&a, &srv, at);
    CHECK(heard(c, s, 2000) == 0);
    zmq_close(c), zmq_close(s);
}
