/* probe.h - is vdpbf16ps the two FMAs that the class asks for?
 *
 * The manuals say so; a machine or an emulator that does otherwise would give other bits under the
 * same class.  So it is asked before the instruction is used, over all exponents, denormals,
 * infinities and NaN; where it differs, the machine runs as avx512. */
#ifndef PROBE_H
#define PROBE_H

#include "common/base.h"

/* Sixteen-lane trials that differ; only on a machine that has the instruction. */
int32_t probe_avx512_bf16(int32_t trials);

#endif
