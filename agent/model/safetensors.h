/* safetensors.h - one file of tensors: 8 bytes of header length N, little endian; N bytes of JSON
 * {"name": {"dtype", "shape", "data_offsets": [begin, end]}, ...}, perhaps followed by spaces; then
 * the data, to which the offsets are relative.
 *
 * Files are untrusted.  A file is taken only if its tensors tile the data exactly, in some order,
 * without a hole, an overlap or a byte left over, and every shape's product agrees with its extent;
 * memory taken while reading is bounded by the header that is really there.  Nothing may be assumed
 * about alignment. */
#ifndef SAFETENSORS_H
#define SAFETENSORS_H

#include "common/err.h"

#define TENSOR_RANK_MAX         8
#define TENSOR_DIM_MAX          ((int64_t)1 << 48)
#define TENSOR_NAME_MAX         4096
#define SAFETENSORS_HEADER_MAX  100000000
#define SAFETENSORS_TENSORS_MAX 1000000

/* The three that weights may have; whatever else the format knows is TENSOR_OTHER. */
enum tensor_type { TENSOR_F32, TENSOR_BF16, TENSOR_F16, TENSOR_OTHER };

struct tensor {
    const char *name;      /* owned by the file */
    const char *type_name; /* as the format spells it, static */
    enum tensor_type type;
    int32_t rank;
    int64_t shape[TENSOR_RANK_MAX];
    const void *data; /* row-major, little endian, perhaps unaligned */
    int64_t bytes;
};

struct safetensors {
    struct tensor *tensor; /* [count], ascending by name */
    int32_t count;
    char *names; /* owned; the tensors' names lie here */
    void *map;   /* the file, read-only, or NULL */
    size_t map_size;
};

/* Reads the tensors of a whole file that lies at bytes, which stay borrowed. */
bool safetensors_read(struct safetensors *out, const void *bytes, size_t size,
                      struct err *err) MUST;
/* Maps a file.  The error names no path: the caller does. */
bool safetensors_open(struct safetensors *out, const char *path, struct err *err) MUST;
void safetensors_close(struct safetensors *file);
AUTO_ENDS(struct safetensors, safetensors_close)

/* Gives the memory back that holds the file's bytes of a tensor; reading them again reads the file.
 * Only for tensors of a file that was opened. */
void tensor_forget(const struct tensor *tensor);

/* NULL when it is not there. */
const struct tensor *safetensors_find(const struct safetensors *file, const char *name);

#endif
