/* score.c - log-likelihoods of prompt and continuation pairs under a model folder, as an agent
 * computes them, and metrics of items, as a job computes them.
 *
 *     parity_score DIR f32|bf16|f16 hf|fp32 BOS     in: prompt, continuation, ... (see pairs.h)
 *     parity_score metric NAME AGGREGATION          in: lines "GOLD<tab>LL GREEDY LL GREEDY ..."
 *
 * Out: a line "VERDICT TOKENS GREEDY LL" a pair; a line "VALUE ERROR" a metric. */
#include "agent/model/config.h"
#include "coordinator/judge/aggregate.h"
#include "coordinator/judge/metric.h"
#include "tests/parity/pairs.h"

static bool score(char **argv, struct err *err)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(engine_close) struct engine *engine = NULL;
    struct engine_conf conf = { .device = "cpu", .threads = 2 };
    AUTO(pairs_free) struct pairs pairs = { 0 };
    enum engine_dtype dtype = !strcmp(argv[2], "bf16")  ? ENGINE_BF16
                              : !strcmp(argv[2], "f16") ? ENGINE_F16
                                                        : ENGINE_F32;
    enum engine_mode mode = !strcmp(argv[3], "hf") ? ENGINE_HF : ENGINE_FP32;
    return tokenizer_open(&tokenizer, argv[1], err) && engine_open(&engine, &conf, err) &&
           engine_load(engine, argv[1], dtype, mode, err) &&
           pairs_read(&pairs, stdin, INT32_MAX, tokenizer, (enum pair_bos)strtol(argv[4], NULL, 10),
                      engine_model(engine)->positions_max, err) &&
           pairs_score(engine, &pairs, stdout, err);
}

/* "LL GREEDY LL GREEDY ..." */
static int32_t answers_read(double *loglik, bool *greedy, const char *at)
{
    int32_t count = 0;
    char *end;
    for (double value; value = strtod(at, &end), end != at; at = end, count++) {
        assert(count < 2 * METRIC_CHOICES_MAX);
        loglik[count] = value;
        greedy[count] = strtol(end, &end, 10);
    }
    return count;
}

static bool item_read(double *out, const struct metric *metric, char *line, struct err *err)
{
    static const char no_answers[] = "";
    double loglik[2 * METRIC_CHOICES_MAX];
    bool greedy[2 * METRIC_CHOICES_MAX];
    char *tab = strchr(line, '\t');
    struct gold gold;
    struct text json = { line, tab ? (size_t)(tab - line) : strlen(line) };
    struct answer answer = { answers_read(loglik, greedy, tab ? tab + 1 : no_answers), loglik,
                             greedy };
    return gold_read(&gold, json, err) && metric_item(out, metric, &gold, &answer, err);
}

static bool metric(char **argv, struct err *err)
{
    char line[1 << 16];
    const struct metric *metric = metric_find(argv[2], true);
    enum aggregation aggregation;
    AUTO(buf_free) struct buf values = { 0 };
    int32_t items = 0;
    if (!metric || !aggregation_find(&aggregation, argv[3]))
        return err_set(err, ERR_INPUT, "no metric %s of aggregation %s", argv[2], argv[3]);
    for (; fgets(line, sizeof(line), stdin); items++) {
        double item[METRIC_WIDTH_MAX];
        if (!item_read(item, metric, line, err))
            return err_wrap(err, "item %d", items);
        buf_put(&values, item, (size_t)metric->width * sizeof(*item));
    }
    struct estimate estimate =
        aggregate(aggregation, (const double *)buf_text(&values), items, AGGREGATE_BOOTSTRAP_ITERS);
    printf("%.17g %.17g\n", estimate.value, estimate.error);
    return true;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    if (argc == 4 ? metric(argv, &err) : argc == 5 && score(argv, &err))
        return 0;
    fprintf(stderr, "%s\n", err.text[0] ? err.text : "see the head of tests/parity/score.c");
    return 1;
}
