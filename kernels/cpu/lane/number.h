/* number.h - between stored numbers and lanes: bf16 and f16 by integer arithmetic, rows by
 * sixteens.
 *
 * A row's last lanes, past its columns, load as zero and are not stored. */

/* Nearest even, as the low halves of words; a NaN stays one. */
LANE_FUNCTION i16 bf16_bits(v16 x)
{
    i16 u = i_bits(x), odd = i_and(i_shr(u, 16), i_set(1));
    i16 r = i_add(u, i_add(i_set(0x7fff), odd));
    m16 nan = i_gt(i_and(u, i_set(0x7fffffff)), i_set(0x7f800000));
    return i_shr(i_bits(v_pick(nan, v_bits(i_or(u, i_set(0x400000))), v_bits(r))), 16);
}

LANE_FUNCTION i16 i_pick(m16 m, i16 yes, i16 no)
{
    return i_bits(v_pick(m, v_bits(yes), v_bits(no)));
}

/* Nearest even.  A denormal half is a multiple of 2^-24, which is the last place of [0.5, 1):
 * adding 0.5 rounds there. */
LANE_FUNCTION i16 f16_bits(v16 x)
{
    i16 u = i_bits(x), a = i_and(u, i_set(0x7fffffff)), sign = i_and(i_shr(u, 16), i_set(0x8000));
    i16 odd = i_and(i_shr(a, 13), i_set(1));
    i16 r = i_shr(i_sub(i_add(a, i_add(i_set(0xfff), odd)), i_set(0x38000000)), 13);
    i16 tiny = i_sub(i_bits(v_add(v_bits(a), v_set(0.5f))), i_set(0x3f000000));

    r = i_pick(i_gt(i_set(0x38800000), a), tiny, r);
    r = i_pick(i_gt(a, i_set(0x477fefff)), i_set(0x7c00), r); /* rounds past the greatest half */
    r = i_pick(i_gt(a, i_set(0x7f800000)), i_set(0x7e00), r);
    return i_or(r, sign);
}

/* Words that hold halves. */
LANE_FUNCTION v16 f16_floats(i16 h)
{
    i16 sign = i_shl(i_and(h, i_set(0x8000)), 16), a = i_and(h, i_set(0x7fff));
    i16 r = i_add(i_shl(a, 13), i_set(112 << 23));
    i16 tiny = i_bits(v_sub(v_bits(i_or(a, i_set(0x3f000000))), v_set(0.5f)));

    r = i_pick(i_gt(a, i_set(0x7bff)), i_add(r, i_set(112 << 23)), r);
    r = i_pick(i_gt(i_set(0x400), a), tiny, r);
    return v_bits(i_or(r, sign));
}

LANE_FUNCTION v16 round_to(v16 x, enum dtype type)
{
    return type == F32    ? x
           : type == BF16 ? v_bits(i_shl(bf16_bits(x), 16))
                          : f16_floats(f16_bits(x));
}

LANE_FUNCTION v16 row_load(const void *p, enum dtype type, int32_t i, int32_t cols)
{
    uint32_t pad[LANES] = { 0 };
    int64_t size = dtype_bytes(type);
    const char *at = (const char *)p + i * size;

    if (cols - i < LANES)
        at = memcpy(pad, at, (size_t)((cols - i) * size));
    if (type == F32)
        return v_load((const float *)at);
    i16 h = i_widen((const uint16_t *)at);
    return type == BF16 ? v_bits(i_shl(h, 16)) : f16_floats(h);
}

LANE_FUNCTION void row_store(void *p, enum dtype type, int32_t i, int32_t cols, v16 x)
{
    uint32_t pad[LANES];
    int64_t size = dtype_bytes(type);
    char *at = (char *)p + i * size;
    void *to = cols - i < LANES ? (void *)pad : at;

    if (type == F32)
        v_store(to, x);
    else
        i_narrow(to, type == BF16 ? bf16_bits(x) : f16_bits(x));
    if (cols - i < LANES)
        memcpy(at, pad, (size_t)((cols - i) * size));
}

/* clang-format off */
static const int32_t lane_numbers[LANES] = { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
/* clang-format on */

/* x where the column exists, else the filler. */
LANE_FUNCTION v16 row_only(v16 x, int32_t i, int32_t cols, float filler)
{
    if (cols - i >= LANES)
        return x;
    return v_pick(i_gt(i_set(cols - i), i_load(lane_numbers)), x, v_set(filler));
}
