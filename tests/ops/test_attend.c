/* Attention over pages: against the textbook, and blind to whatever is not the
 * row's own path. */
#include "tests/ops/devices.h"
#include "tests/ops/random.h"
#include "tests/ops/wave.h"
#include "tests/test.h"

#include <math.h>

static struct wave wave;
static uint8_t marks[WAVE_ROWS_MAX + 1];

struct scene {
    enum dtype type;
    struct attention attention;
    struct mat q;
    struct kv kv;
};

static struct scene scene_random(enum dtype type, enum kind kind)
{
    static const int32_t dims[] = { 64, 128, 80, 96, 16, 34 };
    struct attention *a = &(struct attention){ 0 };

    a->kv_heads = random_in(1, 2);
    a->heads = a->kv_heads * random_in(1, 4);
    a->head_dim = dims[random_bits() % COUNT(dims)];
    a->scale = 1 / sqrtf((float)a->head_dim);
    a->window = random_bits() & 1 ? random_in(1, 200) : 0;
    a->softcap = random_bits() & 3 ? 0 : 5;
    int32_t rows = wave.pages.rows, width = a->kv_heads * a->head_dim;
    struct kv kv = { random_mat(type, rows + 1, width, kind),
                     random_mat(type, rows + 1, width, kind), marks };
    return (struct scene){ type, *a, random_mat(type, rows, a->heads * a->head_dim, kind), kv };
}

/* rows[count] of the scene, into the same rows of out. */
static void scene_attend(struct dev *dev, const struct scene *s, struct mat out,
                         const int32_t *rows, int32_t count)
{
    struct mat q = random_mat_empty(s->type, count, s->q.cols);
    struct mat o = random_mat_empty(s->type, count, s->q.cols);

    for (int32_t i = 0; i < count; i++)
        memcpy(mat_row(q, i), mat_row(s->q, rows[i]), (size_t)mat_row_bytes(q));
    op_attend(dev, o, q, &s->kv, &s->attention, rows);
    for (int32_t i = 0; i < count; i++)
        memcpy(mat_row(out, rows[i]), mat_row(o, i), (size_t)mat_row_bytes(q));
}

static struct mat scene_whole(struct dev *dev, const struct scene *s)
{
    struct mat out = random_mat_empty(s->type, s->q.rows, s->q.cols);
    op_wave_begin(dev, &wave.pages, &s->kv);
    scene_attend(dev, s, out, wave.all, wave.pages.rows);
    return out;
}

static struct mat scene_alone(struct dev *dev, const struct scene *s)
{
    struct mat out = random_mat_empty(s->type, s->q.rows, s->q.cols);
    op_wave_begin(dev, &wave.pages, &s->kv);
    for (int32_t r = 0; r < wave.pages.rows; r++)
        scene_attend(dev, s, out, &wave.all[r], 1);
    return out;
}

/* Ascending lists with gaps, then the gaps. */
static struct mat scene_scattered(struct dev *dev, const struct scene *s)
{
    struct mat out = random_mat_empty(s->type, s->q.rows, s->q.cols);
    int32_t most = random_in(1, 300);

    op_wave_begin(dev, &wave.pages, &s->kv);
    for (int32_t r = 0; r < wave.pages.rows;) {
        int32_t taken[WAVE_ROWS_MAX], left[WAVE_ROWS_MAX], n = 0, m = 0;
        for (; r < wave.pages.rows && n < most && m < most; r++)
            if (random_bits() & 3)
                taken[n++] = r;
            else
                left[m++] = r;
        if (n)
            scene_attend(dev, s, out, taken, n);
        if (m)
            scene_attend(dev, s, out, left, m);
    }
    return out;
}

TEST(attention_is_softmax_over_the_rows_path)
{
    for (int i = 0; i < 18; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct devices *devices = devices_get(type);
        wave_random(&wave, random_in(1, 200));
        struct scene s = scene_random(type, TAME);
        struct mat ref = scene_whole(devices->ref, &s), out = scene_whole(devices->cpu[1], &s);
        double far = mats_distance(out, ref, type_slack(type));
        random_pool_clear();
        CHECK(far < (type == F32 ? 2e-5 : type == F16 ? 4e-3 : 3e-2));
    }
}

TEST(tiles_threads_and_instruction_sets_leave_attention_alone)
{
    for (int i = 0; i < 18; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct devices *devices = devices_get(type);
        if (i % 2)
            wave_random(&wave, random_in(1, 220));
        else
            wave_arms(&wave, random_in(150, 250));
        struct scene s = scene_random(type, i < 12 ? TAME : i < 15 ? WIDE : TINY);
        struct mat alone = scene_alone(devices->cpu[i % 2], &s);
        int64_t differ = 0;
        for (int32_t c = 0; c < CPUS; c++) {
            differ += mats_differ(alone, scene_scattered(devices->cpu[c], &s));
            differ += mats_differ(alone, scene_whole(devices->cpu[c], &s));
        }
        random_pool_clear();
        CHECK(differ == 0);
    }
}

TEST(keys_of_other_paths_have_no_influence)
{
    for (int i = 0; i < 12; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct dev *dev = devices_get(type)->cpu[i % CPUS];
        wave_random(&wave, random_in(100, 250));
        struct scene s = scene_random(type, TAME), other = s;
        int32_t row = random_in(0, wave.pages.rows - 1), innocent = 0;
        other.kv.k = random_copy(s.kv.k);
        other.kv.v = random_copy(s.kv.v);
        struct mat change = random_mat(type, 2, s.kv.k.cols, type == F16 ? TAME : WIDE);
        memcpy(mat_row(other.kv.k, row), mat_row(change, 0), (size_t)mat_row_bytes(change));
        memcpy(mat_row(other.kv.v, row), mat_row(change, 1), (size_t)mat_row_bytes(change));
        struct mat a = scene_whole(dev, &s), b = scene_whole(dev, &other);
        for (int32_t r = 0; r < wave.pages.rows; r++)
            innocent += !wave_below(&wave, r, row) &&
                        mats_differ(mat_rows(a, r, 1), mat_rows(b, r, 1)) != 0;
        random_pool_clear();
        CHECK(innocent == 0);
    }
}

/* K and V of all rows stored, those of `row` as they are given. */
static void guarded_store(struct dev *dev, const struct scene *s, struct kv *kv)
{
    struct rope none = { 0 };
    struct qkv qkv = { .k = mat_rows(s->kv.k, 0, wave.pages.rows),
                       .v = mat_rows(s->kv.v, 0, wave.pages.rows),
                       .head_dim = s->attention.head_dim,
                       .rope = &none };

    op_wave_begin(dev, &wave.pages, kv);
    op_qk_rope_kv(dev, &qkv, kv, wave.all, wave.pages.rows);
}

static void poison(struct mat m, int32_t row, float value)
{
    int32_t at = random_in(0, m.cols - 1);
    if (m.type == F32)
        ((float *)mat_row(m, row))[at] = value;
    else
        ((uint16_t *)mat_row(m, row))[at] = value != value   ? 0x7fff
                                            : m.type == BF16 ? 0x7f80
                                                             : 0x7c00;
}

TEST(a_value_that_is_not_finite_marks_its_row_and_spoils_no_other_path)
{
    for (int i = 0; i < 12; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct dev *dev = devices_get(type)->cpu[i % CPUS];
        wave_random(&wave, random_in(100, 250));
        struct scene s = scene_random(type, TAME), bad = s;
        int32_t rows = wave.pages.rows, row = random_in(0, rows - 1), wrong = 0;
        bad.kv.k = random_copy(s.kv.k);
        bad.kv.v = random_copy(s.kv.v);
        poison(i & 1 ? bad.kv.k : bad.kv.v, row, i & 2 ? NAN : INFINITY);

        struct scene clean = s, spoilt = s;
        clean.kv.k = random_mat_empty(type, rows + 1, s.kv.k.cols);
        clean.kv.v = random_mat_empty(type, rows + 1, s.kv.k.cols);
        spoilt.kv.k = random_mat_empty(type, rows + 1, s.kv.k.cols);
        spoilt.kv.v = random_mat_empty(type, rows + 1, s.kv.k.cols);
        guarded_store(dev, &s, &clean.kv);
        for (int32_t r = 0; r < rows; r++)
            wrong += marks[r] != 0;
        struct mat a = random_mat_empty(type, rows, s.q.cols);
        struct mat b = random_mat_empty(type, rows, s.q.cols);
        scene_attend(dev, &clean, a, wave.all, rows);
        guarded_store(dev, &bad, &spoilt.kv);
        scene_attend(dev, &spoilt, b, wave.all, rows);
        for (int32_t r = 0; r < rows; r++) {
            wrong += (marks[r] != 0) != (r == row);
            wrong += !wave_below(&wave, r, row) &&
                     mats_differ(mat_rows(a, r, 1), mat_rows(b, r, 1)) != 0;
            wrong += mats_distance(mat_rows(b, r, 1), mat_rows(b, r, 1), 0) != 0;
        }
        random_pool_clear();
        CHECK(wrong == 0);
    }
}

TEST(a_long_chain_is_exact_in_its_last_row)
{
    struct devices *devices = devices_get(F32);
    wave_chain(&wave, 513);
    struct scene s = scene_random(F32, TAME);
    s.attention.window = 0;
    struct mat ref = scene_whole(devices->ref, &s), out = scene_whole(devices->cpu[2], &s);
    double far = mats_distance(out, ref, 0);
    random_pool_clear();
    CHECK(far < 1e-5);
}
