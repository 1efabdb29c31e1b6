/* Attention over pages: against the reference, and blind to whatever is not the row's own path. */
#include "tests/cuda/device.h"
#include "tests/ops/random.h"
#include "tests/ops/wave.h"
#include "tests/test.h"

#include <math.h>

static struct wave wave;

struct scene {
    enum dtype type;
    struct attention attention;
    struct mat q, k, v; /* host; of all rows of the wave, k and v with the zero row */
};

static struct scene scene_random(enum dtype type, int32_t dim)
{
    struct scene s = { .type = type };
    struct attention *a = &s.attention;
    int32_t rows = wave.pages.rows;

    a->kv_heads = random_in(1, 2);
    a->heads = a->kv_heads * random_in(1, 4);
    a->head_dim = dim;
    a->scale = 1 / sqrtf((float)dim);
    a->window = random_bits() & 1 ? random_in(1, 200) : 0;
    a->softcap = random_bits() & 3 ? 0 : 5;
    s.q = random_mat(type, rows, a->heads * dim, TAME);
    s.k = random_mat(type, rows + 1, a->kv_heads * dim, TAME);
    s.v = random_mat(type, rows + 1, a->kv_heads * dim, TAME);
    return s;
}

static uint8_t *marks_on(struct dev *dev, int32_t rows)
{
    return on_empty(dev, F32, 1, rows / 4 + 1).data;
}

static struct kv kv_on(struct dev *dev, const struct scene *s)
{
    struct kv kv = { on(dev, s->k), on(dev, s->v), marks_on(dev, s->k.rows) };
    op_wave_begin(dev, &wave.pages, &kv);
    return kv;
}

/* rows[count] of the scene, into the same rows of out (host). */
static void rows_attend(struct dev *dev, const struct scene *s, const struct kv *kv, struct mat out,
                        const int32_t *rows, int32_t count)
{
    struct mat q = random_mat_empty(s->type, count, s->q.cols);

    for (int32_t i = 0; i < count; i++)
        memcpy(mat_row(q, i), mat_row(s->q, rows[i]), (size_t)mat_row_bytes(q));
    struct mat o = on_empty(dev, s->type, count, s->q.cols);
    op_attend(dev, o, on(dev, q), kv, &s->attention, rows);
    struct mat host = off(dev, o);
    for (int32_t i = 0; i < count; i++)
        memcpy(mat_row(out, rows[i]), mat_row(host, i), (size_t)mat_row_bytes(host));
}

static struct mat scene_whole(struct dev *dev, const struct scene *s)
{
    struct mat out = random_mat_empty(s->type, s->q.rows, s->q.cols);
    struct kv kv = kv_on(dev, s);
    rows_attend(dev, s, &kv, out, wave.all, wave.pages.rows);
    return out;
}

/* Ascending lists with gaps, then the gaps; lists of one row among them. */
static struct mat scene_scattered(struct dev *dev, const struct scene *s)
{
    struct mat out = random_mat_empty(s->type, s->q.rows, s->q.cols);
    struct kv kv = kv_on(dev, s);
    int32_t most = random_in(1, 90);

    for (int32_t r = 0; r < wave.pages.rows;) {
        int32_t taken[WAVE_ROWS_MAX], left[WAVE_ROWS_MAX], n = 0, m = 0;
        for (; r < wave.pages.rows && n < most && m < most; r++)
            if (random_bits() & 3)
                taken[n++] = r;
            else
                left[m++] = r;
        if (n)
            rows_attend(dev, s, &kv, out, taken, n);
        if (m)
            rows_attend(dev, s, &kv, out, left, m);
    }
    return out;
}

static double tolerance(enum dtype type) { return type == F32 ? 2e-5 : type == F16 ? 4e-3 : 3e-2; }

static bool attention_holds(enum dtype type, int32_t dim, int32_t rows)
{
    struct pair *pair = pair_get(type);
    wave_random(&wave, rows);
    struct scene s = scene_random(type, dim);
    struct mat got = scene_whole(pair->dev, &s), want = scene_whole(pair->ref, &s);
    double far = mats_distance(got, want, type_slack(type));
    if (!(far < tolerance(type)))
        printf("type %d, dim %d, rows %d, heads %d / %d, window %d, softcap %g: off by %g\n", type,
               dim, wave.pages.rows, s.attention.heads, s.attention.kv_heads, s.attention.window,
               s.attention.softcap, far);
    device_clear();
    return far < tolerance(type);
}

TEST(attention_is_softmax_over_the_rows_path)
{
    static const int32_t dims[] = { 16, 32, 64, 80, 96, 128, 256, 34 };

    for (size_t i = 0; i < COUNT(dims); i++) {
        CHECK(attention_holds(BF16, dims[i], random_in(1, 160)));
        CHECK(attention_holds(F16, dims[i], random_in(1, 120)));
    }
    for (int i = 0; i < 4; i++)
        CHECK(attention_holds(F32, dims[i * 2], random_in(1, 100)));
}

TEST(tiles_leave_attention_alone)
{
    static const int32_t dims[] = { 64, 128, 34, 80, 16, 256 };

    for (size_t i = 0; i < COUNT(dims); i++) {
        enum dtype type = i % 3 == 2 ? F32 : i % 3 == 1 ? F16 : BF16;
        struct dev *dev = pair_get(type)->dev;
        if (i % 2)
            wave_random(&wave, random_in(1, 150));
        else
            wave_arms(&wave, random_in(100, 170));
        struct scene s = scene_random(type, dims[i]);
        int64_t differ = mats_differ(scene_whole(dev, &s), scene_scattered(dev, &s));
        device_clear();
        CHECK(differ == 0);
    }
}

TEST(keys_of_other_paths_have_no_influence)
{
    for (int i = 0; i < 4; i++) {
        enum dtype type = i % 2 ? BF16 : F32;
        struct dev *dev = pair_get(type)->dev;
        wave_random(&wave, random_in(60, 140));
        struct scene s = scene_random(type, 64), other = s;
        int32_t row = random_in(0, wave.pages.rows - 1), innocent = 0, touched = 0;
        other.k = random_copy(s.k);
        other.v = random_copy(s.v);
        struct mat change = random_mat(type, 2, s.k.cols, WIDE);
        memcpy(mat_row(other.k, row), mat_row(change, 0), (size_t)mat_row_bytes(change));
        memcpy(mat_row(other.v, row), mat_row(change, 1), (size_t)mat_row_bytes(change));
        struct mat a = scene_whole(dev, &s), b = scene_whole(dev, &other);
        for (int32_t r = 0; r < wave.pages.rows; r++) {
            bool differ = mats_differ(mat_rows(a, r, 1), mat_rows(b, r, 1)) != 0;
            innocent += !wave_below(&wave, r, row) && differ;
            touched += differ;
        }
        device_clear();
        CHECK(innocent == 0);
        CHECK(touched > 0);
    }
}

/* One path of several pages: the last row sees all of them, and a window's edge falls inside one.
 */
TEST(a_long_path_is_exact_in_its_last_rows)
{
    for (int i = 0; i < 4; i++) {
        enum dtype type = i % 2 ? F32 : BF16;
        struct pair *pair = pair_get(type);
        wave_chain(&wave, 330);
        struct scene s = scene_random(type, 64);
        s.attention.window = i < 2 ? 0 : 100;
        s.attention.softcap = 0;
        struct mat out = random_mat_empty(type, s.q.rows, s.q.cols);
        struct mat want = random_mat_empty(type, s.q.rows, s.q.cols);
        struct kv kv = kv_on(pair->dev, &s), ref = kv_on(pair->ref, &s);
        rows_attend(pair->dev, &s, &kv, out, wave.all + 320, 10);
        rows_attend(pair->ref, &s, &ref, want, wave.all + 320, 10);
        double far = mats_distance(out, want, type_slack(type));
        device_clear();
        CHECK(far < tolerance(type));
    }
}

TEST(lists_of_rows_are_made_anew_when_their_array_may_have_changed)
{
    struct pair *pair = pair_get(F32);
    wave_arms(&wave, 100);
    struct scene s = scene_random(F32, 64);
    struct mat got = random_mat_empty(F32, s.q.rows, s.q.cols);
    struct mat want = scene_whole(pair->ref, &s);
    struct kv kv = kv_on(pair->dev, &s);
    int32_t rows[20], wrong = 0;

    for (int turn = 0; turn < 2; turn++) {
        for (int32_t i = 0; i < 20; i++)
            rows[i] = turn * 50 + 2 * i;
        rows_attend(pair->dev, &s, &kv, got, rows, 20);
        for (int32_t i = 0; i < 20; i++)
            wrong +=
                mats_distance(mat_rows(got, rows[i], 1), mat_rows(want, rows[i], 1), 1e-6) > 2e-5;
    }
    device_clear();
    CHECK(wrong == 0);
}
