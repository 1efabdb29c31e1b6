/* params.h - a run's params, JSON in the database, as they stand in a Grant. */
#ifndef PARAMS_H
#define PARAMS_H

#include "common/err.h"
#include "proto/wire.h"

/* Keys that concern only the plan (shots, seed, limit, sampler) are passed over, unknown ones are
 * an error: a parameter that nobody reads would change nothing in silence. */
bool params_read(Koeval__Params *out, const char *json, size_t size, struct err *err) MUST;

#endif
