#include "coordinator/judge/metric.h"

#include <math.h>

#include "common/json.h"

static void read_numbers(struct json *json, int32_t *out, int32_t *count, int64_t most)
{
    *count = 0;
    json_array(json);
    while (json_item(json)) {
        int32_t number = (int32_t)json_int(json, 0, most);
        if (*count == METRIC_CHOICES_MAX)
            json_fail(json, "more than %d choices", METRIC_CHOICES_MAX);
        else
            out[(*count)++] = number;
    }
}

static bool gold_fits(const struct gold *gold, int32_t bytes_count, struct err *err)
{
    if (!gold->golds_count || !gold->choices_count || gold->choices_count != bytes_count)
        return err_set(err, ERR_INPUT, "gold with %d answers, %d and %d lengths", gold->golds_count,
                       gold->choices_count, bytes_count);
    for (int32_t i = 0; i < gold->golds_count; i++)
        if (gold->golds[i] >= gold->choices_count)
            return err_set(err, ERR_INPUT, "gold %d of %d choices", gold->golds[i],
                           gold->choices_count);
    return true;
}

bool gold_read(struct gold *out, struct text text, struct err *err)
{
    struct json json;
    AUTO(buf_free) struct buf key = { 0 };
    struct gold gold = { 0 };
    int32_t bytes_count = 0;
    json_begin(&json, text.bytes, text.size);
    json_object(&json);
    while (json_member(&json, &key))
        if (!strcmp(buf_text(&key), "gold"))
            read_numbers(&json, gold.golds, &gold.golds_count, METRIC_CHOICES_MAX - 1);
        else if (!strcmp(buf_text(&key), "chars"))
            read_numbers(&json, gold.chars, &gold.choices_count, INT32_MAX);
        else if (!strcmp(buf_text(&key), "bytes"))
            read_numbers(&json, gold.bytes, &bytes_count, INT32_MAX);
        else
            json_skip(&json);
    if (!json_end(&json, err))
        return err_wrap(err, "gold");
    if (!gold_fits(&gold, bytes_count, err))
        return false;
    *out = gold;
    return true;
}

/* numpy's argmax: first of the greatest, and nan is greater than everything. */
static int32_t argmax(const double *values, int32_t count)
{
    int32_t best = 0;
    for (int32_t i = 1; i < count && !isnan(values[best]); i++)
        if (isnan(values[i]) || values[i] > values[best])
            best = i;
    return best;
}

static double is_gold(const struct gold *gold, int32_t choice)
{
    for (int32_t i = 0; i < gold->golds_count; i++)
        if (gold->golds[i] == choice)
            return 1;
    return 0;
}

static void acc(double *out, const struct gold *gold, const struct answer *answer)
{
    out[0] = is_gold(gold, argmax(answer->loglik, gold->choices_count));
}

/* A choice of length 0 gives -inf and is chosen only when all are. */
static double acc_per(const struct gold *gold, const struct answer *answer, const int32_t *lengths)
{
    double per[METRIC_CHOICES_MAX];
    for (int32_t i = 0; i < gold->choices_count; i++)
        per[i] = answer->loglik[i] / lengths[i];
    return is_gold(gold, argmax(per, gold->choices_count));
}

static void acc_norm(double *out, const struct gold *gold, const struct answer *answer)
{
    out[0] = acc_per(gold, answer, gold->chars);
}

static void acc_bytes(double *out, const struct gold *gold, const struct answer *answer)
{
    out[0] = acc_per(gold, answer, gold->bytes);
}

static void acc_mutual_info(double *out, const struct gold *gold, const struct answer *answer)
{
    double gain[METRIC_CHOICES_MAX];
    for (int32_t i = 0; i < gold->choices_count; i++)
        gain[i] = answer->loglik[i] - answer->loglik[gold->choices_count + i];
    out[0] = is_gold(gold, argmax(gain, gold->choices_count));
}

static void exact_match(double *out, const struct gold *gold, const struct answer *answer)
{
    out[0] = 0;
    for (int32_t i = 0; i < gold->golds_count; i++)
        if (answer->greedy[gold->golds[i]])
            out[0] = 1;
}

static void gold_and_choice(double *out, const struct gold *gold, const struct answer *answer)
{
    out[0] = gold->golds[0];
    out[1] = argmax(answer->loglik, gold->choices_count);
}

static void brier(double *out, const struct gold *gold, const struct answer *answer)
{
    int32_t n = gold->choices_count;
    double most = answer->loglik[argmax(answer->loglik, n)], sum = 0, error = 0;
    for (int32_t i = 0; i < n; i++)
        sum += exp(answer->loglik[i] - most);
    for (int32_t i = 0; i < n; i++) {
        double off = exp(answer->loglik[i] - most) / sum - is_gold(gold, i);
        error += off * off;
    }
    out[0] = error;
}

static void greedy(double *out, const struct gold *gold, const struct answer *answer)
{
    (void)gold;
    out[0] = answer->greedy[0];
}

static void loglik(double *out, const struct gold *gold, const struct answer *answer)
{
    (void)gold;
    out[0] = answer->loglik[0];
}

/* clang-format off */
static const struct metric metrics[] = {
    { "acc",             true,  1, 1, acc },
    { "acc_norm",        true,  1, 1, acc_norm },
    { "acc_bytes",       true,  1, 1, acc_bytes },
    { "acc_mutual_info", true,  1, 2, acc_mutual_info },
    { "exact_match",     true,  1, 1, exact_match },
    { "f1",              true,  2, 1, gold_and_choice },
    { "mcc",             true,  2, 1, gold_and_choice },
    { "brier_score",     true,  1, 1, brier },
    { "acc",             false, 1, 1, greedy },
    { "perplexity",      false, 1, 1, loglik },
};
/* clang-format on */

const struct metric *metric_at(int i)
{
    return i >= 0 && i < (int)COUNT(metrics) ? &metrics[i] : NULL;
}

const struct metric *metric_find(const char *name, bool multiple_choice)
{
    for (size_t i = 0; i < COUNT(metrics); i++)
        if (metrics[i].multiple_choice == multiple_choice && !strcmp(metrics[i].name, name))
            return &metrics[i];
    return NULL;
}

bool metric_item(double *out, const struct metric *metric, const struct gold *gold,
                 const struct answer *answer, struct err *err)
{
    int32_t choices = metric->multiple_choice ? gold->choices_count : 1;
    int32_t n = answer->requests_count;
    /* A task that asks for mutual information sends the unconditional requests for all metrics. */
    bool fits = n == 2 * choices || (n == choices && metric->requests == 1);
    if (!fits)
        return err_set(err, ERR_INPUT, "%s: %d answers to %d choices", metric->name, n, choices);
    if (metric->width == 2 && gold->golds_count > 1)
        return err_set(err, ERR_INPUT, "%s: %d right choices, it takes one", metric->name,
                       gold->golds_count);
    metric->item(out, gold, answer);
    return true;
}
