/* encode.c - token ids of the texts on stdin, for comparison with another tokenizer.
 *
 *     parity_encode DIR tokens SPECIAL              in: text ...
 *     parity_encode DIR pair BOS MAX_LENGTH         in: prompt, continuation, ...
 *
 * Texts come as pairs.h says.  Out, per text or pair: a count (int32) and so many ids; a pair's ids
 * are followed by the verdict, the context's length and whether it was truncated (three int32).
 * SPECIAL is 0 or 1, BOS is the number of enum pair_bos.
 */
#include "tests/parity/pairs.h"

static void ids_write(const int32_t *ids, int32_t count)
{
    fwrite(&count, sizeof(count), 1, stdout);
    if (count)
        fwrite(ids, sizeof(*ids), (size_t)count, stdout);
}

static bool tokens_write(const struct tokenizer *tokenizer, bool special, struct err *err)
{
    AUTO(buf_free) struct buf text = { 0 };
    AUTO(tokens_free) struct tokens tokens = { 0 };
    while (text_read(&text, stdin)) {
        if (!tokenizer_encode(tokenizer, text_in(&text), special, &tokens, err))
            return false;
        ids_write(tokens.ids, tokens.count);
    }
    return true;
}

static bool pairs_write(const struct tokenizer *tokenizer, enum pair_bos bos, int32_t max_length,
                        struct err *err)
{
    AUTO(buf_free) struct buf prompt = { 0 };
    AUTO(buf_free) struct buf continuation = { 0 };
    AUTO(pair_free) struct pair pair = { 0 };
    while (text_read(&prompt, stdin) && text_read(&continuation, stdin)) {
        enum pair_verdict verdict;
        if (!pair_encode(&pair, &verdict, tokenizer, text_in(&prompt), text_in(&continuation), bos,
                         max_length, err))
            return false;
        bool good = verdict == PAIR_ENCODED;
        int32_t tail[] = { (int32_t)verdict, good ? pair.ctx : 0, good && pair.truncated };
        ids_write(pair.tokens, good ? pair.n : 0);
        fwrite(tail, sizeof(tail), 1, stdout);
    }
    return true;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    bool pairs = argc == 5 && !strcmp(argv[2], "pair");
    if (!pairs && !(argc == 4 && !strcmp(argv[2], "tokens"))) {
        fprintf(stderr, "usage: %s DIR tokens SPECIAL | DIR pair BOS MAX_LENGTH\n", argv[0]);
        return 2;
    }
    int32_t number = (int32_t)strtol(argv[3], NULL, 10);
    if (tokenizer_open(&tokenizer, argv[1], &err) &&
        (pairs ? pairs_write(tokenizer, (enum pair_bos)number, (int32_t)strtol(argv[4], NULL, 10),
                             &err)
               : tokens_write(tokenizer, number, &err)))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
