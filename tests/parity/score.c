/* score.c - log-likelihoods of prompt and continuation pairs under a model folder, as an agent
 * computes them, and metrics of items, as a job computes them.
 *
 *     parity_score DIR f32|bf16|f16 hf|fp32 BOS     in: prompt, continuation, ... (see encode.c)
 *     parity_score metric NAME AGGREGATION          in: lines "GOLD<tab>LL GREEDY LL GREEDY ..."
 *
 * Out: a line "VERDICT TOKENS GREEDY LL" a pair; a line "VALUE ERROR" a metric. */
#include <stdio.h>

#include "agent/infer/engine.h"
#include "agent/model/config.h"
#include "agent/text/pair.h"
#include "coordinator/judge/aggregate.h"
#include "coordinator/judge/metric.h"

struct pairs {
    struct buf tokens; /* of all requests, one after another */
    struct buf requests, verdicts;
};

static bool text_read(struct buf *out)
{
    int32_t size;
    if (fread(&size, sizeof(size), 1, stdin) != 1)
        return false;
    buf_clear(out);
    for (int32_t i = 0, c; i < size && (c = getchar()) != EOF; i++)
        buf_put_char(out, (char)c);
    return true;
}

static struct text text_in(const struct buf *buf)
{
    return (struct text){ buf_text(buf), buf->size };
}

/* A pair without a score keeps its place with n = 0. */
static void pair_keep(struct pairs *pairs, const struct pair *pair, enum pair_verdict verdict)
{
    bool good = verdict == PAIR_ENCODED;
    struct request request = { NULL, good ? pair->ctx : 0, good ? pair->n : 0 };
    int32_t number = (int32_t)verdict;
    buf_put(&pairs->tokens, pair->tokens, (size_t)request.n * sizeof(int32_t));
    buf_put(&pairs->requests, &request, sizeof(request));
    buf_put(&pairs->verdicts, &number, sizeof(number));
}

static bool pairs_read(struct pairs *pairs, const struct tokenizer *tokenizer, enum pair_bos bos,
                       int32_t max_length, struct err *err)
{
    AUTO(buf_free) struct buf prompt = { 0 };
    AUTO(buf_free) struct buf continuation = { 0 };
    AUTO(pair_free) struct pair pair = { 0 };
    while (text_read(&prompt) && text_read(&continuation)) {
        enum pair_verdict verdict;
        if (!pair_encode(&pair, &verdict, tokenizer, text_in(&prompt), text_in(&continuation), bos,
                         max_length, err))
            return false;
        pair_keep(pairs, &pair, verdict);
    }
    return true;
}

/* Packs the requests that have tokens to the front of out and returns their number. */
static int32_t scorable(struct request *out, const struct pairs *pairs, int32_t count)
{
    const struct request *all = (const struct request *)buf_text(&pairs->requests);
    const int32_t *tokens = (const int32_t *)buf_text(&pairs->tokens);
    int32_t kept = 0;
    for (int32_t i = 0; i < count; i++) {
        out[kept] = all[i];
        out[kept].tokens = tokens;
        tokens += all[i].n;
        kept += all[i].n > 0;
    }
    return kept;
}

static bool pairs_score(struct engine *engine, const struct pairs *pairs, struct err *err)
{
    int32_t count = (int32_t)(pairs->verdicts.size / sizeof(int32_t));
    const int32_t *verdicts = (const int32_t *)buf_text(&pairs->verdicts);
    AUTO(free) struct request *requests = must_calloc((size_t)count, sizeof(*requests));
    AUTO(free) struct engine_answer *answers = must_calloc((size_t)count, sizeof(*answers));
    int32_t kept = scorable(requests, pairs, count);
    if (!engine_score(engine, requests, kept, answers, NULL, NULL, NULL, err))
        return false;
    const struct engine_answer *answer = answers;
    for (int32_t i = 0; i < count; i++)
        if (verdicts[i] != PAIR_ENCODED) {
            printf("%s\n", pair_verdict_text((enum pair_verdict)verdicts[i]));
        } else {
            printf("%s %d %d %.17g\n", answer->verdict == ENGINE_ANSWERED ? "answered" : "refused",
                   answer->tokens, answer->greedy, answer->loglik);
            answer++;
        }
    return true;
}

static bool score(char **argv, struct err *err)
{
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(engine_close) struct engine *engine = NULL;
    struct engine_conf conf = { .device = "cpu", .threads = 2 };
    struct pairs pairs = { 0 };
    enum engine_dtype dtype = !strcmp(argv[2], "bf16")  ? ENGINE_BF16
                              : !strcmp(argv[2], "f16") ? ENGINE_F16
                                                        : ENGINE_F32;
    enum engine_mode mode = !strcmp(argv[3], "hf") ? ENGINE_HF : ENGINE_FP32;
    bool ok = tokenizer_open(&tokenizer, argv[1], err) && engine_open(&engine, &conf, err) &&
              engine_load(engine, argv[1], dtype, mode, err) &&
              pairs_read(&pairs, tokenizer, (enum pair_bos)strtol(argv[4], NULL, 10),
                         engine_model(engine)->positions_max, err) &&
              pairs_score(engine, &pairs, err);
    buf_free(&pairs.tokens);
    buf_free(&pairs.requests);
    buf_free(&pairs.verdicts);
    return ok;
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
