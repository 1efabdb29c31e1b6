/* wire.h - one Envelope in one frame, and nothing in it that was not checked.
 *
 * Bytes come from the network, so decoding is bounded twice: by WIRE_FRAME_MAX and by an arena that
 * refuses beyond ARENA_MAX (a MiB of empty submessages would ask for 75).  What wire_unpack returns
 * lives in the arena and dies with it.  After it returned true, counts fit each other, enums are
 * known where they are stored, floats are finite, text is UTF-8: readers check nothing again.
 * Never pack a decoded Envelope again to forward it: unknown fields may not survive. */
#ifndef WIRE_H
#define WIRE_H

#include "common/err.h"
#include "proto/arena.h"
#include "proto/koeval.pb-c.h"

#define WIRE_VERSION           1
#define WIRE_FRAME_MAX         ((1u << 20) - 64) /* MAXMSGSIZE 1 MiB counts CURVE's 33 bytes too */
#define WIRE_ITEMS_MAX         2000
#define WIRE_REQUESTS_MAX      100000
#define WIRE_REQUESTS_ITEM_MAX 256
#define WIRE_HELD_MAX          16
#define WIRE_MODELS_MAX        256
#define WIRE_GPUS_MAX          16
enum wire_side { WIRE_FROM_AGENT, WIRE_FROM_COORDINATOR };

/* ERR_INPUT.  An unknown body is no error: body_case is then BODY__NOT_SET, and the caller answers.
 */
bool wire_unpack(const Koeval__Envelope **out, struct arena *arena, enum wire_side from,
                 const void *frame, size_t size, struct err *err) MUST;

/* Checks what it packs by the same rules, ERR_INPUT; frame must hold WIRE_FRAME_MAX bytes. */
bool wire_pack(size_t *size, void *frame, enum wire_side from, const Koeval__Envelope *env,
               struct err *err) MUST;

bool wire_utf8(const void *text, size_t size);

#endif
