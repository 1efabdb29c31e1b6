/* store.h - packed weights in one mapped file, shared by all processes of a host.
 *
 * The file is a cache: it is built where it is not there, built anew where it is torn (its size or
 * the checksum over its weights is wrong), and may be removed at any time, also while it is mapped.
 * Builders write beside it and rename, so that nobody ever maps half a file under its name.
 *
 *     4096 bytes: "koevalpk", format, bytes that follow, their checksum (uint64 each)
 *     weights as kern.h packs them, in the order that they are made; each layer begins a page */
#ifndef STORE_H
#define STORE_H

#include "common/err.h"

struct store;

/* bytes: of all weights together, store_bytes() of it are taken on the disk.  ERR_RETRY: the file
 * can neither be read nor built. */
bool store_open(struct store **out, const char *path, int64_t bytes, int32_t layers,
                struct err *err) MUST;
void store_close(struct store *store); /* an unfinished file goes */
AUTO_FREES(struct store *, store_close)

bool store_building(const struct store *store);
/* The place of the next weight, 64-byte aligned; layer -1 or rising.  NULL: more than `bytes`. */
void *store_take(struct store *store, int32_t layer, int64_t bytes);
/* All weights are made: a file that was built gets its name. */
bool store_finish(struct store *store, struct err *err) MUST;

/* Streaming: layer comes into memory beside whoever computes; the layer two before goes. */
void store_stream(struct store *store, bool on);
void store_prefetch(struct store *store, int32_t layer);

#endif
