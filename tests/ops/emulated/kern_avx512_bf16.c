/* kern_avx512_bf16.c - the table of that name, emulated: the same source, another avx512.h. */
#include "tests/ops/emulated/avx512.h"

#define V16_TABLE kern_avx512_bf16_emulated
#define V16_NAME  "avx512_bf16-emulated"
#define V16_DOT
#include "kernels/cpu/lane/v16_avx512.h"

#include "kernels/cpu/lane/table.h"
