/* codec.h - between the Envelope on the wire and the flat message of the cores.
 *
 * Reading cannot fail on what wire_unpack let through, except that a body may be of another
 * version.  Writing fills a copy of the body given for the heavy part with what the core decided,
 * so the loop builds HELLO's facts, a batch's columns or a chunk's items once and the core's
 * numbers always win:
 *
 *     HELLO          hello: build, incarnation, hostname, class, gpus, models, launcher
 *     HEARTBEAT      heartbeat: loading_model, gpu, node          (may be NULL)
 *     CREDIT         hello: its models are said again             (may be NULL)
 *     RESULTS        results: all columns
 *     GRANT          params
 *     CHUNK          chunk: items, too_long_item
 *
 * Models travel as digests and are numbers in struct msg, by the caller's table. */
#ifndef CODEC_H
#define CODEC_H

#include "proto/digest.h"
#include "proto/msg.h"
#include "proto/wire.h"

struct body {
    const Koeval__Hello *hello;
    const Koeval__Heartbeat *heartbeat;
    const Koeval__ResultBatch *results;
    const Koeval__Params *params;
    const Koeval__ItemChunk *chunk;
};

/* What reading and writing need besides the message; one for each thread, zeroed. */
struct codec {
    struct digests *models;
    int32_t disk[DISK_MAX];
    ProtobufCBinaryData resident[RESIDENT_MAX];
    Koeval__Lease leases[HELD_MAX + 1], *leases_at[HELD_MAX];
    uint64_t progress[HELD_MAX];
};

/* False: a body of another version, or one that the cores do not know.  body's parts are borrowed
 * from env and may be passed as NULL when nobody asks. */
bool codec_read(struct msg *msg, struct body *body, struct codec *codec,
                const Koeval__Envelope *env);

/* frame holds WIRE_FRAME_MAX bytes.  ERR_INPUT when the result breaks a rule of wire.h. */
bool codec_write(size_t *size, void *frame, struct codec *codec, const struct msg *msg,
                 const struct body *body, struct err *err) MUST;

#endif
