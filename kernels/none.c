/* none.c - in the place of the backends that this build lacks. */
#include "kernels/cuda/cuda.h"

bool cuda_open(struct dev **out, const char *number, struct err *err)
{
    (void)out;
    return err_set(err, ERR_INPUT, "cuda:%s: this program was built without CUDA", number);
}
