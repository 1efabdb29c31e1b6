/* act.h - activations, element by element, and the product with the up-projection. */

LANE_FUNCTION v16 act_value(v16 x, enum act act)
{
    if (act == ACT_SILU)
        return v_div(x, v_add(v_exp(v_sub(v_set(0), x)), v_set(1)));
    v16 half = v_mul(x, v_set(0.5f)), t;
    if (act == ACT_GELU)
        t = v_erf(v_mul(x, v_set(0.70710678118654752f)));
    else
        t = v_tanh(
            v_mul(v_set(0.79788456080286536f), v_fma(v_mul(v_set(0.044715f), v_mul(x, x)), x, x)));
    return v_mul(half, v_add(t, v_set(1)));
}

static void act_rows(struct mat out, struct mat gate, struct mat up, enum act act)
{
    for (int32_t r = 0; r < gate.rows; r++)
        for (int32_t i = 0; i < gate.cols; i += LANES) {
            v16 v = act_value(row_load(mat_row(gate, r), gate.type, i, gate.cols), act);
            v = round_to(v, out.type);
            if (up.data)
                v = v_mul(v, row_load(mat_row(up, r), up.type, i, gate.cols));
            row_store(mat_row(out, r), out.type, i, gate.cols, v);
        }
}
