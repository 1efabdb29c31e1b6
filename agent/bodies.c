#include "agent/bodies.h"

int32_t body_put(struct bodies *bodies, enum body_kind kind, void *heavy, body_free *free)
{
    for (int32_t i = 1; i < BODIES_MAX; i++) {
        if (bodies->list[i].kind)
            continue;
        bodies->list[i].kind = kind;
        bodies->list[i].heavy = heavy;
        bodies->list[i].free = free;
        bodies->count++;
        return i;
    }
    return 0;
}

void *body_get(const struct bodies *bodies, int32_t body, enum body_kind kind)
{
    assert(body > 0 && body < BODIES_MAX);
    assert(bodies->list[body].kind == kind);
    return bodies->list[body].heavy;
}

void *body_take(struct bodies *bodies, int32_t body, enum body_kind kind)
{
    void *heavy = body_get(bodies, body, kind);
    bodies->list[body].kind = BODY_NONE;
    bodies->count--;
    return heavy;
}

void body_drop(struct bodies *bodies, int32_t body)
{
    assert(body > 0 && body < BODIES_MAX);
    bodies->list[body].free(body_take(bodies, body, bodies->list[body].kind));
}

void bodies_free(struct bodies *bodies)
{
    for (int32_t i = 1; i < BODIES_MAX; i++)
        if (bodies->list[i].kind)
            body_drop(bodies, i);
}
