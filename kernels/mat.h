/* mat.h - a view of device memory: rows of numbers.
 *
 * Passed by value; it owns nothing.  Rows lie one after the other without a gap, so a run of rows
 * of a mat is a mat again. */
#ifndef MAT_H
#define MAT_H

#include "common/base.h"

#ifdef __cplusplus
extern "C" {
#endif

/* How a number is stored.  In HF mode it is also what every op's result is rounded to. */
enum dtype { F32, BF16, F16 };

static inline int64_t dtype_bytes(enum dtype type) { return type == F32 ? 4 : 2; }

/* data[rows][cols].  An absent operand (no bias, no up-projection) is MAT_NONE. */
struct mat {
    void *data; /* device memory; aligned to its element at least */
    enum dtype type;
    int32_t rows, cols;
};

static const struct mat MAT_NONE = { NULL, F32, 0, 0 };

static inline int64_t mat_row_bytes(struct mat m) { return m.cols * dtype_bytes(m.type); }
static inline int64_t mat_bytes(struct mat m) { return m.rows * mat_row_bytes(m); }

static inline void *mat_row(struct mat m, int32_t row)
{
    return (char *)m.data + row * mat_row_bytes(m);
}

/* Rows [first, first + rows) of m. */
static inline struct mat mat_rows(struct mat m, int32_t first, int32_t rows)
{
    assert(first >= 0);
    assert(rows >= 0);
    assert(rows <= m.rows - first);
    m.data = mat_row(m, first);
    m.rows = rows;
    return m;
}

#ifdef __cplusplus
}
#endif
#endif
