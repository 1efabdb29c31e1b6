/* kern_avx512.c - the kernels for AVX-512F. */
#include <immintrin.h>

#define V16_TABLE kern_avx512
#define V16_NAME  "avx512"
#include "kernels/cpu/lane/v16_avx512.h"

#include "kernels/cpu/lane/table.h"
