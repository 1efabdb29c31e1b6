#include "tests/parity/pairs.h"

bool text_read(struct buf *out, FILE *in)
{
    int32_t size;
    if (fread(&size, sizeof(size), 1, in) != 1)
        return false;
    buf_clear(out);
    for (int32_t i = 0, c; i < size && (c = getc(in)) != EOF; i++)
        buf_put_char(out, (char)c);
    return true;
}

void pairs_free(struct pairs *pairs)
{
    buf_free(&pairs->tokens);
    buf_free(&pairs->requests);
    buf_free(&pairs->verdicts);
}

static void pair_keep(struct pairs *pairs, const struct pair *pair, enum pair_verdict verdict)
{
    bool good = verdict == PAIR_ENCODED;
    struct request request = { NULL, good ? pair->ctx : 0, good ? pair->n : 0 };
    int32_t number = (int32_t)verdict;
    if (good)
        buf_put(&pairs->tokens, pair->tokens, (size_t)pair->n * sizeof(int32_t));
    buf_put(&pairs->requests, &request, sizeof(request));
    buf_put(&pairs->verdicts, &number, sizeof(number));
    pairs->count++;
}

bool pairs_read(struct pairs *pairs, FILE *in, int32_t most, const struct tokenizer *tokenizer,
                enum pair_bos bos, int32_t max_length, struct err *err)
{
    AUTO(buf_free) struct buf prompt = { 0 };
    AUTO(buf_free) struct buf continuation = { 0 };
    AUTO(pair_free) struct pair pair = { 0 };

    buf_clear(&pairs->tokens);
    buf_clear(&pairs->requests);
    buf_clear(&pairs->verdicts);
    pairs->count = 0;
    while (pairs->count < most && text_read(&prompt, in) && text_read(&continuation, in)) {
        enum pair_verdict verdict;
        if (!pair_encode(&pair, &verdict, tokenizer, text_in(&prompt), text_in(&continuation), bos,
                         max_length, err))
            return false;
        pair_keep(pairs, &pair, verdict);
    }
    return true;
}

/* Packs the requests that have tokens to the front of out and returns their number. */
static int32_t scorable(struct request *out, const struct pairs *pairs)
{
    const struct request *all = (const struct request *)buf_text(&pairs->requests);
    const int32_t *tokens = (const int32_t *)buf_text(&pairs->tokens);
    int32_t kept = 0;
    for (int32_t i = 0; i < pairs->count; i++) {
        out[kept] = all[i];
        out[kept].tokens = tokens;
        tokens += all[i].n;
        kept += all[i].n > 0;
    }
    return kept;
}

static void answers_print(const struct pairs *pairs, const struct engine_answer *answer, FILE *out)
{
    const int32_t *verdicts = (const int32_t *)buf_text(&pairs->verdicts);
    for (int32_t i = 0; i < pairs->count; i++)
        if (verdicts[i] != PAIR_ENCODED) {
            fprintf(out, "%s\n", pair_verdict_text((enum pair_verdict)verdicts[i]));
        } else {
            fprintf(out, "%s %d %d %.17g\n",
                    answer->verdict == ENGINE_ANSWERED ? "answered" : "refused", answer->tokens,
                    answer->greedy, answer->loglik);
            answer++;
        }
}

bool pairs_score(struct engine *engine, const struct pairs *pairs, FILE *out, struct err *err)
{
    AUTO(free) struct request *requests = must_calloc((size_t)pairs->count, sizeof(*requests));
    AUTO(free) struct engine_answer *answers = must_calloc((size_t)pairs->count, sizeof(*answers));
    if (!engine_score(engine, requests, scorable(requests, pairs), answers, NULL, NULL, NULL, err))
        return false;
    answers_print(pairs, answers, out);
    return true;
}
