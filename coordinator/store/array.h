/* array.h - PostgreSQL's text form of a one-dimensional array: {1,NULL,"a \"b\""}.
 *
 * The text comes from the server's own output function, so a malformed one is no input error but a
 * programmer's: reading a column as what it is not.  It asserts. */
#ifndef ARRAY_H
#define ARRAY_H

#include "common/base.h"

/* Splits in one pass: items[i] points into storage, unescaped and NUL-terminated, or is NULL for
 * null.  Both belong to the caller (free). */
void array_split(char ***items, char **storage, int32_t *count, const char *text);

/* "\x..." of bytea_output = hex into bytes; returns how many.  out has room for half of the text.
 */
size_t bytes_unhex(void *out, const char *text);

#endif
