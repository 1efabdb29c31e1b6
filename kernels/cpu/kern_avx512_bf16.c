/* kern_avx512_bf16.c - the kernels for AVX-512F with the dot product of bf16 pairs. */
#include <immintrin.h>

#define V16_TABLE kern_avx512_bf16
#define V16_NAME  "avx512_bf16"
#define V16_DOT
#include "kernels/cpu/lane/v16_avx512.h"

#include "kernels/cpu/lane/table.h"
