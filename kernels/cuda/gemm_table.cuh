/* gemm_table.cuh - cuBLASLt algorithms by card, library and shape, as measured on such a card.
 *
 * An entry is part of the numerics class, by the table's digest.  What is not here is left to the
 * library's heuristic. */
#pragma once
#include "kernels/mat.h"

struct gemm_choice {
    int arch, sms;
    size_t version; /* of cuBLASLt: algorithms are opaque words of that version alone */
    enum dtype type;
    int32_t m, n, k;
    uint64_t algo[8];
};

/* clang-format off */
static const struct gemm_choice gemm_table[] = {
    { 0, 0, 0, F32, 0, 0, 0, { 0 } }, /* no card has been measured */
};
/* clang-format on */
