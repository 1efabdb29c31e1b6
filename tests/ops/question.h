/* question.h - what the tests of the head ask of a device, and its answers.  Header only. */
#ifndef QUESTION_H
#define QUESTION_H

#include "tests/ops/random.h"

#include <string.h>

enum { ROWS_MAX = 600, TARGETS_MAX = 4 * ROWS_MAX };

struct answers {
    float lse[ROWS_MAX], logit[TARGETS_MAX];
    int32_t argmax[ROWS_MAX];
};

struct question {
    struct mat x, w;
    float scale, softcap;
    int32_t target_at[ROWS_MAX + 1], target[TARGETS_MAX];
};

static inline void question_random(struct question *q, enum dtype type, int32_t rows, int32_t vocab,
                                   int32_t k)
{
    q->x = random_mat(type, rows, k, TAME);
    q->w = random_mat(type, vocab, k, TAME);
    q->scale = random_bits() & 1 ? 1 : 0.25f;
    q->softcap = random_bits() & 1 ? 0 : 20;
    for (int32_t r = 0, t = 0; r < rows; r++) {
        for (int32_t n = random_in(0, 4); n > 0; n--)
            q->target[t++] = random_in(0, vocab - 1);
        q->target_at[r + 1] = t;
    }
}

static inline struct mat floats(const float *at, int32_t count)
{
    return (struct mat){ (void *)at, F32, 1, count };
}

static inline bool answers_same(const struct answers *a, const struct answers *b)
{
    return !mats_differ(floats(a->lse, ROWS_MAX), floats(b->lse, ROWS_MAX)) &&
           !mats_differ(floats(a->logit, TARGETS_MAX), floats(b->logit, TARGETS_MAX)) &&
           !memcmp(a->argmax, b->argmax, sizeof(a->argmax));
}

#endif
