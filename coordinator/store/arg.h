/* arg.h - the arguments of one SQL call, typed in C and turned into what libpq sends.
 *
 *     ARGS(I64(shard), TEXT(name), BYTES(digest, 32), F64S(loglik, count))
 *
 * Scalars travel as text and take whatever type the function declares (an int8 here may be an int4
 * there), except BYTES; arrays travel in PostgreSQL's binary array format with their exact type, so
 * a float8[] is bit-exact and NULs in a bytea[] are bytes.  Enums, jsonb and the like: pass TEXT or
 * TEXTS and cast in the SQL ($3::text[]::fail_reason[]).  A NULL pointer is SQL's null. */
#ifndef ARG_H
#define ARG_H

#include "common/base.h"

enum arg_type {
    ARG_END,
    ARG_NULL,
    ARG_I64,
    ARG_F64,
    ARG_BOOL,
    ARG_TEXT,
    ARG_BYTES,
    ARG_I32S,
    ARG_I64S,
    ARG_F64S,
    ARG_BOOLS,
    ARG_CHARS,
    ARG_TEXTS,
    ARG_BYTESS,
};

struct arg {
    enum arg_type type;
    int64_t i64;
    double f64;
    const void *data;   /* the text, the bytes, or the first element */
    size_t count;       /* bytes, or elements */
    const size_t *size; /* ARG_BYTESS: bytes of each element */
    const bool *null;   /* arrays: which elements are null; NULL: none */
};

/* clang-format off */
#define NULLED               { ARG_NULL, .i64 = 0 }
#define I64(x)               { ARG_I64, .i64 = (x) }
#define F64(x)               { ARG_F64, .f64 = (x) }
#define BOOL(x)              { ARG_BOOL, .i64 = (x) }
#define TEXT(x)              { ARG_TEXT, .data = (x) }
#define BYTES(p, n)          { ARG_BYTES, .data = (p), .count = (n) }
#define I32S(p, n)           { ARG_I32S, .data = (p), .count = (n) }
#define I32S_NULLS(p, n, z)  { ARG_I32S, .data = (p), .count = (n), .null = (z) }
#define I64S(p, n)           { ARG_I64S, .data = (p), .count = (n) }
#define I64S_NULLS(p, n, z)  { ARG_I64S, .data = (p), .count = (n), .null = (z) }
#define F64S(p, n)           { ARG_F64S, .data = (p), .count = (n) }
#define F64S_NULLS(p, n, z)  { ARG_F64S, .data = (p), .count = (n), .null = (z) }
#define BOOLS(p, n)          { ARG_BOOLS, .data = (p), .count = (n) }
#define CHARS(p, n)          { ARG_CHARS, .data = (p), .count = (n) } /* "char"[] */
#define TEXTS(p, n)          { ARG_TEXTS, .data = (p), .count = (n) } /* a NULL element is null */
#define BYTESS(p, sizes, n)  { ARG_BYTESS, .data = (p), .size = (sizes), .count = (n) }

#define ARGS(...) ((const struct arg[]){ __VA_ARGS__, { ARG_END, .i64 = 0 } })
#define NO_ARGS   ((const struct arg[]){ { ARG_END, .i64 = 0 } })
/* clang-format on */

#define ARGS_MAX 32

/* What PQexecParams and PQsendQueryParams take.  Borrows the texts and BYTES of the arguments. */
struct args_bound {
    int count;
    unsigned types[ARGS_MAX]; /* type oids, 0: the server's guess */
    const char *values[ARGS_MAX];
    int lengths[ARGS_MAX];
    int formats[ARGS_MAX]; /* 1: binary */
    char digits[ARGS_MAX][32];
    char *arrays[ARGS_MAX];
};

void args_bind(struct args_bound *out, const struct arg *args);
void args_end(struct args_bound *bound);
AUTO_ENDS(struct args_bound, args_end)

#endif
