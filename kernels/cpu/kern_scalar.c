/* kern_scalar.c - the kernels for any x86-64, FMA in software. */
#include "kernels/cpu/lane/v16_scalar.h"

#include "kernels/cpu/lane/table.h"
