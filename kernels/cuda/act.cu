/* act.cu - out = T(T(act(gate)) up), or T(act(gate)).
 *
 * Bound: memory, two numbers read and one written; both operands are read as one stream of packs.
 */
#include "kernels/cuda/cuda.cuh"

enum { THREADS = 256 };

static __device__ __forceinline__ float act_value(float x, enum act act)
{
    if (act == ACT_SILU)
        return x / (1 + expf(-x));
    const float t = act == ACT_GELU ? erff(x * 0.70710678118654752f)
                                    : tanhf(0.79788456080286536f * fmaf(0.044715f * (x * x), x, x));
    return x * 0.5f * (1 + t);
}

template <typename T> struct act_args {
    T *out;
    const T *gate, *up; /* up: NULL, not gated */
    int64_t packs;
    enum act act;
};

template <typename T, int n>
static __global__ void __launch_bounds__(THREADS) act_kernel(const struct act_args<T> a)
{
    const int64_t i = (int64_t)blockIdx.x * THREADS + threadIdx.x;
    if (i >= a.packs)
        return;
    pack<T, n> x = ((const pack<T, n> *)a.gate)[i], up = x;
    if (a.up)
        up = ((const pack<T, n> *)a.up)[i];
    for (int j = 0; j < n; j++) {
        const float v = number_round<T>(act_value(number(x.at[j]), a.act));
        x.at[j] = number_to<T>(a.up ? v * number(up.at[j]) : v);
    }
    ((pack<T, n> *)a.out)[i] = x;
}

template <typename T, int n>
static void act_launch(struct cuda_dev *cuda, struct mat out, struct mat gate, struct mat up,
                       enum act act)
{
    const int64_t packs = (int64_t)out.rows * out.cols / n;
    const struct act_args<T> a = {
        (T *)out.data, (const T *)gate.data, (const T *)up.data, packs, act
    };
    cuda_launch(cuda, "act", act_kernel<T, n>, cuda_parts(packs, THREADS), THREADS, 0, a);
}

template <typename T>
static void act_typed(struct cuda_dev *cuda, struct mat out, struct mat gate, struct mat up,
                      enum act act)
{
    if (mat_bytes(out) % 16 == 0 && cuda_aligned(out.data) && cuda_aligned(gate.data) &&
        cuda_aligned(up.data))
        act_launch<T, 16 / sizeof(T)>(cuda, out, gate, up, act);
    else
        act_launch<T, 1>(cuda, out, gate, up, act);
}

void cuda_act_gate(struct dev *dev, struct mat out, struct mat gate, struct mat up, enum act act)
{
    CUDA_BY_TYPE(out.type, act_typed, cuda_of(dev), out, gate, up, act);
}
