/* table.h - one kernel table out of the files of this folder: included after the header that
 * defines the lanes, once in each kern_<set>.c. */
#include "kernels/convert.h"
#include "kernels/cpu/kern.h"
#include "kernels/cpu/lane/limits.h"
#include "kernels/tile.h"

#include <math.h>

/* In the order of use. */
/* clang-format off */
#include "kernels/cpu/lane/math16.h"
#include "kernels/cpu/lane/number.h"
#include "kernels/cpu/lane/tile16.h"
#include "kernels/cpu/lane/gemm.h"
#include "kernels/cpu/lane/norm.h"
#include "kernels/cpu/lane/act.h"
#include "kernels/cpu/lane/rotate.h"
#include "kernels/cpu/lane/lse.h"
#include "kernels/cpu/lane/attend.h"
/* clang-format on */

const struct kern V16_TABLE = {
    .name = V16_NAME,
    .gemm_rows = GEMM_ROWS,
    .gemm = gemm,
    .norm = norm_rows,
    .act = act_rows,
    .add = add,
    .scale = scale_rows,
    .rope = rope_heads,
    .guard = guard,
    .attend = attend_tile,
    .logit = logit_rows,
    .lse = lse_tile,
    .map = map,
};
