/* kern_avx2.c - the kernels for AVX2 and FMA. */
#include "kernels/cpu/lane/v16_avx2.h"

#include "kernels/cpu/lane/table.h"
