#include "coordinator/job/scorer.h"

#include <openssl/sha.h>

#include "common/buf.h"
#include "coordinator/judge/aggregate.h"
#include "coordinator/judge/bootstrap.h"
#include "coordinator/judge/metric.h"
#include "tests/test.h"

/* Nine digits: the last bits of exp and log are the C library's business. */
static void put(struct buf *out, double x) { buf_put_fmt(out, "%.9g ", x); }

enum { ITEMS = 60, CHOICES = 4 };

static void judge(struct buf *out, const struct metric *metric, enum aggregation aggregation)
{
    double values[ITEMS * METRIC_WIDTH_MAX];
    struct err err = { 0 };
    for (uint64_t i = 0; i < ITEMS; i++) {
        struct gold gold = { .golds_count = 1, .choices_count = CHOICES };
        double loglik[2 * CHOICES];
        bool greedy[2 * CHOICES];
        gold.golds[0] = (int32_t)(bootstrap_word(i, 99) % CHOICES);
        for (uint64_t c = 0; c < 2 * CHOICES; c++) {
            uint64_t word = bootstrap_word(i, c);
            /* Few values, so that ties occur. */
            loglik[c] = -1.0 - (double)(word % 13) / 4;
            greedy[c] = word >> 63;
            gold.chars[c % CHOICES] = (int32_t)(1 + (word >> 8) % 6);
            gold.bytes[c % CHOICES] = (int32_t)(1 + (word >> 16) % 18);
        }
        struct answer answer = { metric->multiple_choice ? 2 * CHOICES : 1, loglik, greedy };
        bool judged = metric_item(values + i * metric->width, metric, &gold, &answer, &err);
        assert(judged);
    }
    struct estimate e = aggregate(aggregation, values, ITEMS, 2000);
    put(out, e.value);
    put(out, e.error);
}

TEST(another_judgement_is_another_scorer_version)
{
    AUTO(buf_free) struct buf all = { 0 };
    for (int m = 0; metric_at(m); m++)
        for (int a = AGGREGATE_MEAN; a <= AGGREGATE_BRIER; a++)
            if (aggregation_width((enum aggregation)a) == metric_at(m)->width) {
                buf_put_fmt(&all, "%s %s ", metric_at(m)->name,
                            aggregation_word((enum aggregation)a));
                judge(&all, metric_at(m), (enum aggregation)a);
            }
    uint8_t digest[SHA256_DIGEST_LENGTH];
    char hex[2 * sizeof(digest) + 1];
    SHA256((const uint8_t *)buf_text(&all), all.size, digest);
    for (size_t i = 0; i < sizeof(digest); i++)
        snprintf(hex + 2 * i, 3, "%02x", digest[i]);
    if (strcmp(hex, SCORER_SHA256))
        printf("the code judges otherwise: raise SCORER_VERSION, SCORER_SHA256 is\n%s\n", hex);
    CHECK(!strcmp(hex, SCORER_SHA256));
}
