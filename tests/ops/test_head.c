/* The head: log-sum-exp, argmax and target logits without a matrix of logits.
 */
#include "kernels/convert.h"
#include "kernels/cpu/kern.h"
#include "tests/ops/devices.h"
#include "tests/ops/question.h"
#include "tests/test.h"

#include <math.h>

static void head_run(struct dev *dev, const struct question *q, struct answers *out)
{
    struct head head = { q->target_at, q->target,   q->scale,  q->softcap,
                         out->lse,     out->argmax, out->logit };
    struct weight *w = device_weight(dev, q->w);

    memset(out, 0, sizeof(*out));
    op_head(dev, q->x, w, &head);
    weight_free(dev, w);
}

TEST(the_head_answers_as_the_textbook)
{
    static struct question q;
    static struct answers ref, out;

    for (int i = 0; i < 12; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct devices *devices = devices_get(type);
        question_random(&q, type, random_in(1, 9), random_in(1, 5000), random_in(1, 70));
        head_run(devices->ref, &q, &ref);
        head_run(devices->cpu[1], &q, &out);
        double slack = type_slack(type);
        double far = mats_distance(floats(out.lse, ROWS_MAX), floats(ref.lse, ROWS_MAX), slack);
        double off =
            mats_distance(floats(out.logit, TARGETS_MAX), floats(ref.logit, TARGETS_MAX), slack);
        random_pool_clear();
        CHECK(far < 1e-4);
        CHECK(off < 1e-4);
        CHECK(type != F32 || !memcmp(ref.argmax, out.argmax, sizeof(ref.argmax)));
    }
}

TEST(rows_threads_and_instruction_sets_leave_the_answers_alone)
{
    static struct question q;
    static struct answers first, out;

    for (int i = 0; i < 9; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct devices *devices = devices_get(type);
        question_random(&q, type, i < 3 ? random_in(513, ROWS_MAX) : random_in(1, 30),
                        random_in(2000, 9000), random_in(1, 40));
        head_run(devices->cpu[1], &q, &first);
        for (int32_t c = i < 3 ? 2 : 0; c < (i < 3 ? 3 : CPUS); c++) {
            head_run(devices->cpu[c], &q, &out);
            CHECK(answers_same(&first, &out));
        }
        random_pool_clear();
    }
}

/* The answer hides most of a wrong last place of the sum: here it is looked at
 * itself. */
TEST(the_sum_over_tiles_has_the_same_bits_on_every_instruction_set)
{
    const struct kern *fast = kern_pick(NULL);

    for (int i = 0; i < 60; i++) {
        struct mat z = random_mat((enum dtype)(i % 3), 1, random_in(1, 300), TAME);
        struct lse a = LSE_BEGIN, b = LSE_BEGIN;
        int32_t wrong = 0;
        for (int tile = 0; tile < 8; tile++) {
            struct mat part = random_mat(z.type, 1, z.cols, TAME);
            kern_scalar.lse(&a, part, tile * z.cols);
            fast->lse(&b, part, tile * z.cols);
            wrong += memcmp(&a, &b, sizeof(a)) != 0;
        }
        random_pool_clear();
        CHECK(wrong == 0);
    }
}

TEST(a_row_is_answered_alone_as_among_others)
{
    static struct question q, one;
    static struct answers all, out;

    for (int i = 0; i < 3; i++) {
        enum dtype type = (enum dtype)i;
        struct dev *dev = devices_get(type)->cpu[2];
        question_random(&q, type, 40, 4321, 33);
        head_run(dev, &q, &all);
        for (int32_t r = 0; r < 40; r += 3) {
            one = q;
            one.x = mat_rows(q.x, r, 1);
            one.target_at[1] = q.target_at[r + 1] - q.target_at[r];
            memcpy(one.target, q.target + q.target_at[r],
                   sizeof(int32_t) * (size_t)one.target_at[1]);
            head_run(dev, &one, &out);
            CHECK(out.argmax[0] == all.argmax[r]);
            CHECK(!mats_differ(floats(out.lse, 1), floats(&all.lse[r], 1)));
            CHECK(!mats_differ(floats(out.logit, one.target_at[1]),
                               floats(&all.logit[q.target_at[r]], one.target_at[1])));
        }
        random_pool_clear();
    }
}

/* A head whose logit n is value[n] for x = 1. */
static void logits_answer(struct dev *dev, const float *value, int32_t vocab, struct answers *out)
{
    static struct question q;
    static float one = 1;

    memset(&q, 0, sizeof(q));
    q.x = (struct mat){ &one, F32, 1, 1 };
    q.w = (struct mat){ (void *)value, F32, vocab, 1 };
    q.scale = 1;
    head_run(dev, &q, out);
}

TEST(of_equal_logits_the_lowest_id_is_the_greedy_one)
{
    static struct answers out;
    static float value[6000];

    for (int32_t c = 0; c < CPUS; c++)
        for (int i = 0; i < 20; i++) {
            int32_t first = random_in(0, 5998), vocab = 6000;
            for (int32_t n = 0; n < vocab; n++)
                value[n] = n < first ? -1 : (float)(n == first || random_in(0, 99) == 0);
            logits_answer(devices_get(F32)->cpu[c], value, vocab, &out);
            CHECK(out.argmax[0] == first);
        }
}

TEST(infinities_and_nans_among_the_logits_stay_visible)
{
    static struct answers out;
    static float value[3000];

    for (int32_t c = 0; c < CPUS; c++) {
        struct dev *dev = devices_get(F32)->cpu[c];
        for (int32_t n = 0; n < 3000; n++)
            value[n] = n < 2500 ? -INFINITY : 1;
        logits_answer(dev, value, 3000, &out);
        CHECK(out.argmax[0] == 2500);
        CHECK(fabsf(out.lse[0] - (1 + logf(500))) < 1e-5f);
        logits_answer(dev, value, 2500, &out);
        CHECK(out.argmax[0] == -1);
        CHECK(out.lse[0] == -INFINITY);
        value[700] = NAN;
        logits_answer(dev, value, 3000, &out);
        CHECK(isnan(out.lse[0]));
    }
}

TEST(logits_for_sampling_are_the_heads)
{
    static struct question q;
    static struct answers out;

    for (int i = 0; i < 6; i++) {
        enum dtype type = (enum dtype)(i % 3);
        struct dev *dev = devices_get(type)->cpu[1 + i / 3];
        question_random(&q, type, 7, 2500, 30);
        head_run(dev, &q, &out);
        struct head head = { .scale = q.scale, .softcap = q.softcap };
        struct mat z = random_mat_empty(type, 7, 2500);
        struct weight *w = device_weight(dev, q.w);
        op_logits(dev, z, q.x, w, &head);
        weight_free(dev, w);
        int32_t wrong = 0;
        for (int32_t r = 0; r < 7; r++)
            for (int32_t t = q.target_at[r]; t < q.target_at[r + 1]; t++)
                wrong += convert_load(mat_row(z, r), type, q.target[t]) != out.logit[t];
        random_pool_clear();
        CHECK(wrong == 0);
    }
}
