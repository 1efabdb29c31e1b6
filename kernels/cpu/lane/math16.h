/* math16.h - exp, tanh, erf on sixteen lanes.
 *
 * Polynomials are near-minimax (interpolation at Chebyshev nodes in 40 digits, rounded to fp32).
 * Bounds against double: exp 0.976 ulp over all floats (results under FLT_MIN may be 0); exp_neg
 * 0.934, tanh 1.361, erf 1.116 over every 7th float. */

/* x = n ln2 + r, |r| <= ln2 / 2; gives e^r and n. */
LANE_FUNCTION v16 exp_core(v16 x, i16 *n)
{
    v16 shift = v_set(0x1.8p23f), t = v_fma(x, v_set(0x1.715476p0f), shift);
    v16 nf = v_sub(t, shift);
    v16 r = v_fma(nf, v_set(-0x1.62e4p-1f), x);
    r = v_fma(nf, v_set(-0x1.7f7d1cp-20f), r);
    v16 p = v_fma(v_set(0x1.6d110ap-10f), r, v_set(0x1.120b6ep-7f));
    p = v_fma(p, r, v_set(0x1.55551ap-5f));
    p = v_fma(p, r, v_set(0x1.5554dcp-3f));
    p = v_fma(p, r, v_set(0.5f));
    p = v_fma(p, r, v_set(1));
    *n = i_sub(i_bits(t), i_set(0x4b400000));
    return v_fma(p, r, v_set(1));
}

/* 2^n is applied in two steps, since it alone may leave the range; max and min keep a NaN in x. */
LANE_FUNCTION v16 v_exp(v16 x)
{
    i16 n;
    v16 p = exp_core(v_min(v_set(89), v_max(v_set(-105), x)), &n);
    i16 half = i_sar(n, 1), rest = i_sub(n, half);
    p = v_mul(p, v_bits(i_shl(i_add(half, i_set(127)), 23)));
    return v_mul(p, v_bits(i_shl(i_add(rest, i_set(127)), 23)));
}

/* The same bits for x in [-87, 0]; 0 below.  One step, no clamp: -inf gives 0, NaN too. */
LANE_FUNCTION v16 v_exp_neg(v16 x)
{
    i16 n;
    v16 p = exp_core(x, &n);
    p = v_bits(i_add(i_bits(p), i_shl(n, 23)));
    return v_pick(v_lt(v_set(-87), x), p, v_set(0));
}

LANE_FUNCTION v16 v_abs(v16 x) { return v_bits(i_and(i_bits(x), i_set(0x7fffffff))); }

LANE_FUNCTION v16 v_sign_of(v16 x, v16 sign) /* x >= 0 */
{
    return v_bits(i_or(i_bits(x), i_and(i_bits(sign), i_set((int32_t)0x80000000))));
}

LANE_FUNCTION v16 v_tanh(v16 x)
{
    v16 a = v_abs(x), z = v_mul(x, x);
    v16 p = v_fma(v_set(-0x1.8f6b1ep-8f), z, v_set(0x1.57fe94p-6f));
    p = v_fma(p, z, v_set(-0x1.b924eap-5f));
    p = v_fma(p, z, v_set(0x1.110e1ap-3f));
    p = v_fma(p, z, v_set(-0x1.555552p-2f));
    p = v_fma(v_mul(p, z), a, a);
    v16 big = v_sub(v_set(1), v_div(v_set(2), v_add(v_exp(v_add(a, a)), v_set(1))));
    return v_sign_of(v_pick(v_lt(a, v_set(0.625f)), p, big), x);
}

LANE_FUNCTION v16 v_erf(v16 x)
{
    v16 a = v_abs(x), z = v_mul(x, x), t = v_min(v_set(4), a);
    v16 p = v_fma(v_set(0x1.5d955cp-14f), z, v_set(-0x1.aa7e38p-11f));
    p = v_fma(p, z, v_set(0x1.54cfb6p-8f));
    p = v_fma(p, z, v_set(-0x1.b80f72p-6f));
    p = v_fma(p, z, v_set(0x1.ce2e14p-4f));
    p = v_fma(p, z, v_set(-0x1.812744p-2f));
    p = v_fma(p, z, v_set(0x1.06eba8p-3f));
    p = v_fma(p, a, a);
    v16 q = v_fma(v_set(-0x1.b93140p-20f), t, v_set(0x1.835e50p-15f)); /* -log erfc(t) */
    q = v_fma(q, t, v_set(-0x1.3963c6p-11f));
    q = v_fma(q, t, v_set(0x1.382f88p-8f));
    q = v_fma(q, t, v_set(-0x1.b10bbap-6f));
    q = v_fma(q, t, v_set(0x1.c2f26ep-4f));
    q = v_fma(q, t, v_set(0x1.437d32p-1f));
    q = v_fma(q, t, v_set(0x1.215740p0f));
    q = v_fma(q, t, v_set(-0x1.5001dep-12f));
    v16 big = v_sub(v_set(1), v_exp(v_sub(v_set(0), q)));
    return v_sign_of(v_pick(v_lt(a, v_set(0.92f)), p, big), x);
}

static void map(float *out, const float *x, int64_t count, enum kern_fn fn)
{
    for (int64_t i = 0; i < count; i += LANES) {
        v16 v = v_load(x + i);
        v_store(out + i, fn == FN_EXP       ? v_exp(v)
                         : fn == FN_EXP_NEG ? v_exp_neg(v)
                         : fn == FN_TANH    ? v_tanh(v)
                                            : v_erf(v));
    }
}
