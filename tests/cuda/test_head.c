/* Products, the head above them, weights that are streamed, and devices that are not there. */
#include "kernels/convert.h"
#include "tests/cuda/device.h"
#include "tests/ops/question.h"
#include "tests/test.h"

#include <math.h>

static struct mat product_on(struct dev *dev, struct mat x, struct mat w, struct mat bias)
{
    struct mat out = on_empty(dev, x.type, x.rows, w.rows);
    op_linear(dev, SITE_OTHER, out, on(dev, x), on_weight(dev, w, -1), on(dev, bias));
    return off(dev, out);
}

TEST(a_product_is_the_sum_of_products)
{
    for (int i = 0; i < 12; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct pair *pair = pair_get(type);
        int32_t k = random_in(1, 40) * 8, n = random_in(1, 12) * 8;
        struct mat x = random_mat(type, random_in(1, 50), k, TAME);
        struct mat w = random_mat(type, n, k, TAME);
        struct mat bias = i & 1 ? random_mat(type, 1, n, TAME) : MAT_NONE;
        double far = mats_distance(product_on(pair->dev, x, w, bias),
                                   product_on(pair->ref, x, w, bias), type_slack(type));
        device_clear();
        CHECK(far <= 0x1p-20 * k);
    }
}

TEST(a_row_has_the_same_bits_alone_and_among_any_number)
{
    for (int i = 0; i < 3; i++) {
        enum dtype type = (enum dtype)i;
        struct dev *dev = pair_get(type)->dev;
        struct mat x = random_mat(type, 37, 256, TAME), w = random_mat(type, 64, 256, TAME);
        struct mat all = product_on(dev, x, w, MAT_NONE);
        int64_t differ = 0;
        for (int32_t m = 1; m <= 37; m += 6) {
            int32_t at = random_in(0, 37 - m);
            differ +=
                mats_differ(product_on(dev, mat_rows(x, at, m), w, MAT_NONE), mat_rows(all, at, m));
        }
        device_clear();
        CHECK(differ == 0);
    }
}

/* Rows 3, 4, ... of a mat begin where no block of a product may: they have the same bits. */
TEST(rows_at_an_odd_place_have_the_same_bits)
{
    struct dev *dev = pair_get(BF16)->dev;
    struct mat x = random_mat(BF16, 43, 24, TAME), w = random_mat(BF16, 40, 24, TAME);
    struct mat whole = product_on(dev, x, w, MAT_NONE), out = on_empty(dev, BF16, 43, 40);

    op_linear(dev, SITE_OTHER, mat_rows(out, 3, 40), mat_rows(on(dev, x), 3, 40),
              on_weight(dev, w, -1), MAT_NONE);
    int64_t differ = mats_differ(mat_rows(off(dev, out), 3, 40), mat_rows(whole, 3, 40));
    device_clear();
    CHECK(differ == 0);
}

/* ---- the head ---- */

/* Rows [first, first + count) of the question, as the engine asks for a chunk. */
static void head_run(struct dev *dev, const struct question *q, int32_t first, int32_t count,
                     struct answers *out)
{
    struct head head = { q->target_at + first, q->target,           q->scale,  q->softcap,
                         out->lse + first,     out->argmax + first, out->logit };

    op_head(dev, on(dev, mat_rows(q->x, first, count)), on_weight(dev, q->w, -1), &head);
    if (!device_fine(dev))
        memset(out, 0xff, sizeof(*out));
}

TEST(the_head_answers_as_the_textbook)
{
    static struct question q;
    static struct answers ref, out;

    for (int i = 0; i < 9; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct pair *pair = pair_get(type);
        int32_t rows = random_in(1, 9);
        question_random(&q, type, rows, i < 6 ? random_in(1, 600) * 8 : 8192 + 8 * random_in(1, 99),
                        random_in(1, 8) * 8);
        memset(&out, 0, sizeof(out));
        memset(&ref, 0, sizeof(ref));
        head_run(pair->ref, &q, 0, rows, &ref);
        head_run(pair->dev, &q, 0, rows, &out);
        double slack = type_slack(type);
        double far = mats_distance(floats(out.lse, rows), floats(ref.lse, rows), slack);
        double off_by = mats_distance(floats(out.logit, q.target_at[rows]),
                                      floats(ref.logit, q.target_at[rows]), slack);
        bool top = memcmp(ref.argmax, out.argmax, sizeof(ref.argmax)) == 0;
        device_clear();
        CHECK(far < 1e-4);
        CHECK(off_by < 1e-4);
        CHECK(type != F32 || top);
    }
}

TEST(rows_are_answered_alike_in_one_call_or_many)
{
    static struct question q;
    static struct answers all, out;

    for (int i = 0; i < 3; i++) {
        struct dev *dev = pair_get((enum dtype)i)->dev;
        int32_t rows = i == 0 ? 530 : 21;
        question_random(&q, (enum dtype)i, rows, 1600, 16);
        memset(&all, 0, sizeof(all));
        memset(&out, 0, sizeof(out));
        head_run(dev, &q, 0, rows, &all);
        for (int32_t r = 0, n; r < rows; r += n) {
            n = random_in(1, rows);
            n = n < rows - r ? n : rows - r;
            head_run(dev, &q, r, n, &out);
        }
        bool same = answers_same(&all, &out);
        device_clear();
        CHECK(same);
    }
}

/* A head whose logit n is value[n]: x is 1, then zeros up to a width that every product takes. */
static void logits_answer(struct dev *dev, const float *value, int32_t vocab, struct answers *out)
{
    static struct question q;
    struct mat x = random_mat_empty(F32, 1, 8), w = random_mat_empty(F32, vocab, 8);

    memset(&q, 0, sizeof(q));
    ((float *)x.data)[0] = 1;
    for (int32_t n = 0; n < vocab; n++)
        ((float *)w.data)[n * 8] = value[n];
    q.x = x;
    q.w = w;
    q.scale = 1;
    head_run(dev, &q, 0, 1, out);
    device_clear();
}

TEST(of_equal_logits_the_lowest_id_is_the_greedy_one)
{
    static struct answers out;
    static float value[9000];

    for (int i = 0; i < 4; i++) {
        int32_t first = i == 3 ? 8500 : random_in(0, 8000), vocab = 9000;
        for (int32_t n = 0; n < vocab; n++)
            value[n] = n < first ? -1 : (float)(n == first || random_in(0, 99) == 0);
        logits_answer(pair_get(F32)->dev, value, vocab, &out);
        CHECK(out.argmax[0] == first);
    }
}

TEST(sums_of_parts_are_brought_to_one_maximum)
{
    static struct answers out;
    static float value[9000];

    for (int later = 0; later < 2; later++) {
        for (int32_t n = 0; n < 9000; n++)
            value[n] = (n >= 8192) == later ? 3 : 0;
        logits_answer(pair_get(F32)->dev, value, 9000, &out);
        double high = later ? 808 : 8192;
        CHECK(fabs(out.lse[0] - log(high * exp(3) + (9000 - high))) < 1e-5);
    }
}

TEST(infinities_and_nans_among_the_logits_stay_visible)
{
    static struct answers out;
    static float value[9000];
    struct dev *dev = pair_get(F32)->dev;

    for (int32_t n = 0; n < 9000; n++)
        value[n] = n < 8500 ? -INFINITY : 1;
    logits_answer(dev, value, 9000, &out);
    CHECK(out.argmax[0] == 8500);
    CHECK(fabsf(out.lse[0] - (1 + logf(500))) < 1e-5f);
    logits_answer(dev, value, 8496, &out);
    CHECK(out.argmax[0] == -1);
    CHECK(out.lse[0] == -INFINITY);
    value[700] = NAN;
    logits_answer(dev, value, 9000, &out);
    CHECK(isnan(out.lse[0]));
}

TEST(logits_for_sampling_are_the_heads)
{
    static struct question q;
    static struct answers out;

    for (int i = 0; i < 3; i++) {
        enum dtype type = (enum dtype)i;
        struct dev *dev = pair_get(type)->dev;
        question_random(&q, type, 7, 800, 32);
        head_run(dev, &q, 0, 7, &out);
        struct head head = { .scale = q.scale, .softcap = q.softcap };
        struct mat z = on_empty(dev, type, 7, 800);
        op_logits(dev, z, on(dev, q.x), on_weight(dev, q.w, -1), &head);
        struct mat host = off(dev, z);
        int32_t wrong = 0;
        for (int32_t r = 0; r < 7; r++)
            for (int32_t t = q.target_at[r]; t < q.target_at[r + 1]; t++)
                wrong += convert_load(mat_row(host, r), type, q.target[t]) != out.logit[t];
        device_clear();
        CHECK(wrong == 0);
    }
}

/* ---- streaming, and what goes wrong ---- */

enum { LAYERS = 5, WIDTH = 64, ROWS = 7 };

/* x through the weights of all layers, twice, as two waves would. */
static void layers_run(float out[ROWS * WIDTH], struct dev *dev, struct mat x, struct mat w[LAYERS],
                       bool prefetch)
{
    struct weight *weight[LAYERS];
    struct mat a = on(dev, x), b = on_empty(dev, F32, ROWS, WIDTH);

    for (int32_t l = 0; l < LAYERS; l++)
        weight[l] = on_weight(dev, w[l], l);
    for (int wave = 0; wave < 2; wave++)
        for (int32_t l = 0; l < LAYERS; l++) {
            if (prefetch && l + 1 < LAYERS)
                op_layer_prefetch(dev, l + 1);
            op_linear(dev, SITE_UP, b, a, weight[l], MAT_NONE);
            op_linear(dev, SITE_DOWN, a, b, weight[l], MAT_NONE);
        }
    memcpy(out, off(dev, a).data, sizeof(float) * ROWS * WIDTH);
    device_clear();
}

TEST(streamed_weights_give_the_bits_of_resident_ones)
{
    static float out[3][ROWS * WIDTH], numbers[LAYERS][WIDTH * WIDTH], first[ROWS * WIDTH];
    struct mat w[LAYERS], x = { first, F32, ROWS, WIDTH };
    struct dev *dev = pair_get(F32)->dev;

    for (int l = 0; l < LAYERS; l++) {
        w[l] = (struct mat){ numbers[l], F32, WIDTH, WIDTH };
        for (int i = 0; i < WIDTH * WIDTH; i++)
            numbers[l][i] = random_value(TAME) / 4;
    }
    for (int i = 0; i < ROWS * WIDTH; i++)
        first[i] = random_value(TAME);
    for (int how = 0; how < 3; how++) {
        CHECK(dev_stream(dev, how > 0) == (how > 0));
        layers_run(out[how], dev, x, w, how == 2);
    }
    CHECK(!dev_stream(dev, false));
    CHECK(isfinite(out[0][0]) && out[0][0] != 0);
    CHECK(memcmp(out[0], out[1], sizeof(out[0])) == 0);
    CHECK(memcmp(out[0], out[2], sizeof(out[0])) == 0);
}

TEST(there_is_no_device_in_the_place_of_another)
{
    static const char *const bad[] = { "cuda:", "cuda:x", "cuda:0x", "cuda:-1", "cuda:77" };
    struct err err;

    for (size_t i = 0; i < COUNT(bad); i++) {
        struct dev *dev = NULL;
        err.text[0] = 0;
        CHECK(!dev_open(&dev, bad[i], 1, &err));
        CHECK(dev == NULL && strstr(err.text, bad[i]));
        CHECK(err.code == (i == 4 ? ERR_DEVICE : ERR_INPUT));
    }
}

TEST(memory_that_is_not_there_is_an_error_and_harms_nothing)
{
    struct dev *dev = pair_get(F32)->dev;
    struct mat m;
    struct err err;

    CHECK(!mat_alloc(&m, dev, F32, 2000000000, 2000, &err));
    CHECK(err.code == ERR_DEVICE);
    struct mat x = random_mat(F32, 3, 16, TAME), y = on(dev, x);
    op_add(dev, y, on(dev, x));
    double far = mats_distance(off(dev, y), off(dev, y), 0);
    bool fine = device_fine(dev);
    device_clear();
    CHECK(fine && far == 0);
}

TEST(the_class_names_what_bits_depend_on)
{
    struct dev *dev = pair_get(F32)->dev;
    CHECK(strstr(dev->facts, "\"backend\":\"cuda\"") && strstr(dev->facts, "\"arch\":\"sm_"));
    CHECK(strstr(dev->facts, "\"sms\":") && strstr(dev->facts, "\"numerics\":"));
    CHECK(strlen(dev->facts) + 1 < sizeof(dev->facts));
}
