#include "coordinator/store/arg.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Type oids are fixed for ever in PostgreSQL's catalogue (pg_type.dat). */
enum {
    OID_BYTEA = 17,
    OID_BOOLS = 1000,
    OID_BYTEAS = 1001,
    OID_CHARS = 1002,
    OID_I32S = 1007,
    OID_TEXTS = 1009,
    OID_I64S = 1016,
    OID_F64S = 1022,
};

/* clang-format off */
static const struct array_type {
    unsigned array, element;
    int width; /* bytes of an element, 0: it varies */
} array_types[] = {
    [ARG_I32S]   = { OID_I32S,   23,  4 },
    [ARG_I64S]   = { OID_I64S,   20,  8 },
    [ARG_F64S]   = { OID_F64S,   701, 8 },
    [ARG_BOOLS]  = { OID_BOOLS,  16,  1 },
    [ARG_CHARS]  = { OID_CHARS,  18,  1 },
    [ARG_TEXTS]  = { OID_TEXTS,  25,  0 },
    [ARG_BYTESS] = { OID_BYTEAS, 17,  0 },
};
/* clang-format on */

static char *put_u32(char *at, uint32_t x)
{
    for (int i = 0; i < 4; i++)
        *at++ = (char)(x >> (24 - 8 * i));
    return at;
}

/* An element of a fixed width: native to network byte order. */
static char *put_fixed(char *at, const struct arg *arg, int width, size_t i)
{
    const char *from = (const char *)arg->data + i * (size_t)width;
    for (int k = width - 1; k >= 0; k--)
        *at++ = from[k];
    return at;
}

static bool element_null(const struct arg *arg, size_t i)
{
    if (arg->null && arg->null[i])
        return true;
    return array_types[arg->type].width == 0 && !((const void *const *)arg->data)[i];
}

static size_t element_size(const struct arg *arg, size_t i)
{
    if (element_null(arg, i))
        return 0;
    if (arg->type == ARG_TEXTS)
        return strlen(((const char *const *)arg->data)[i]);
    if (arg->type == ARG_BYTESS)
        return arg->size[i];
    return (size_t)array_types[arg->type].width;
}

static char *put_element(char *at, const struct arg *arg, size_t i)
{
    if (element_null(arg, i))
        return put_u32(at, UINT32_MAX);
    size_t size = element_size(arg, i);
    at = put_u32(at, (uint32_t)size);
    if (array_types[arg->type].width)
        return put_fixed(at, arg, array_types[arg->type].width, i);
    if (size)
        memcpy(at, ((const void *const *)arg->data)[i], size);
    return at + size;
}

/* PostgreSQL's array_recv: dimensions, has-nulls flag, element type, then size and lower bound of
 * the one dimension, then length and bytes of each element.  An empty array has no dimension. */
static char *array_pack(const struct arg *arg, int *length)
{
    const struct array_type *type = &array_types[arg->type];
    size_t bytes = 20;
    for (size_t i = 0; i < arg->count; i++)
        bytes += 4 + element_size(arg, i);
    assert(bytes < INT32_MAX);

    char *packed = must_calloc(bytes, 1), *at = packed;
    at = put_u32(at, arg->count > 0);
    at = put_u32(at, 1);
    at = put_u32(at, type->element);
    if (arg->count) {
        at = put_u32(at, (uint32_t)arg->count);
        at = put_u32(at, 1);
    }
    for (size_t i = 0; i < arg->count; i++)
        at = put_element(at, arg, i);
    *length = (int)(at - packed);
    return packed;
}

static void bind_scalar(struct args_bound *out, int n, const struct arg *arg)
{
    char *digits = out->digits[n];
    out->values[n] = digits;
    if (arg->type == ARG_NULL)
        out->values[n] = NULL;
    else if (arg->type == ARG_I64)
        snprintf(digits, sizeof(out->digits[n]), "%" PRId64, arg->i64);
    else if (arg->type == ARG_F64)
        snprintf(digits, sizeof(out->digits[n]), "%.17g", arg->f64);
    else if (arg->type == ARG_BOOL)
        snprintf(digits, sizeof(out->digits[n]), "%s", arg->i64 ? "true" : "false");
    else
        out->values[n] = arg->data;
}

static void bind_bytes(struct args_bound *out, int n, const struct arg *arg)
{
    assert(arg->count < INT32_MAX);
    out->types[n] = OID_BYTEA;
    out->formats[n] = 1;
    out->values[n] = arg->data;
    out->lengths[n] = (int)arg->count;
}

static void bind_array(struct args_bound *out, int n, const struct arg *arg)
{
    assert(arg->data || !arg->count);
    out->types[n] = array_types[arg->type].array;
    out->formats[n] = 1;
    out->arrays[n] = array_pack(arg, &out->lengths[n]);
    out->values[n] = out->arrays[n];
}

void args_bind(struct args_bound *out, const struct arg *args)
{
    memset(out, 0, sizeof(*out));
    for (int n = 0; args[n].type != ARG_END; n++) {
        assert(n < ARGS_MAX);
        if (args[n].type == ARG_BYTES)
            bind_bytes(out, n, &args[n]);
        else if (args[n].type >= ARG_I32S)
            bind_array(out, n, &args[n]);
        else
            bind_scalar(out, n, &args[n]);
        out->count++;
    }
}

void args_end(struct args_bound *bound)
{
    for (int i = 0; i < bound->count; i++)
        free(bound->arrays[i]);
    bound->count = 0;
}
