/* fuzz_wire.c - any bytes: refused, or accepted, read by the codec, and packed and unpacked to the
 * same bytes.  The first byte says which side the frame comes from. */
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool unknown(const ProtobufCMessage *m);

static bool unknown_in_field(const ProtobufCMessage *m, const ProtobufCFieldDescriptor *f)
{
    const char *at = (const char *)m + f->offset;
    const void *quantifier = (const char *)m + f->quantifier_offset;
    bool many = f->label == PROTOBUF_C_LABEL_REPEATED;
    bool other = (f->flags & PROTOBUF_C_FIELD_FLAG_ONEOF) && *(const uint32_t *)quantifier != f->id;
    if (f->type != PROTOBUF_C_TYPE_MESSAGE || other)
        return false;
    size_t n = many ? *(const size_t *)quantifier : *(void *const *)at != NULL;
    ProtobufCMessage *const *list =
        many ? *(ProtobufCMessage *const *const *)at : (ProtobufCMessage *const *)at;
    for (size_t k = 0; k < n; k++)
        if (unknown(list[k]))
            return true;
    return false;
}

/* protobuf-c 1.4.1 takes field number 0 in a long tag and cannot read back what it then packs, so
 * only frames without unknown fields are asked to survive the round trip. */
static bool unknown(const ProtobufCMessage *m)
{
    if (m->n_unknown_fields)
        return true;
    for (unsigned i = 0; i < m->descriptor->n_fields; i++)
        if (unknown_in_field(m, &m->descriptor->fields[i]))
            return true;
    return false;
}

static bool survives(enum wire_side from, const Koeval__Envelope *env)
{
    static uint8_t once[WIRE_FRAME_MAX], again[WIRE_FRAME_MAX];
    AUTO(arena_reset) struct arena arena = { 0 };
    const Koeval__Envelope *env2 = NULL;
    struct err err = { 0 };
    size_t n = 0, n2 = 0;
    if (!wire_pack(&n, once, from, env, &err))
        return true; /* defaults made it longer than a frame */
    return wire_unpack(&env2, &arena, from, once, n, &err) &&
           wire_pack(&n2, again, from, env2, &err) && n == n2 && !memcmp(once, again, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct digests models;
    static struct codec codec = { .models = &models };
    AUTO(arena_reset) struct arena arena = { 0 };
    const Koeval__Envelope *env = NULL;
    struct err err = { 0 };
    if (size < 1)
        return 0;
    enum wire_side from = data[0] & 1 ? WIRE_FROM_COORDINATOR : WIRE_FROM_AGENT;
    if (wire_unpack(&env, &arena, from, data + 1, size - 1, &err)) {
        struct msg msg;
        struct body body;
        (void)codec_read(&msg, &body, &codec, env);
        if (!survives(from, env) && !unknown(&env->base))
            abort();
    }
    if (arena.total > ARENA_MAX)
        abort();
    return 0;
}
