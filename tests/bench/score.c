/* score - how fast an engine scores five-shot multiple choice: random tokens in KMMLU's shape.
 *
 *     bench_score MODEL_DIR [--dtype f32|bf16|f16] [--mode hf|fp32] [--device cpu] [--threads N]
 *                 [--items N] [--subjects N] [--order fixed|item] [--chunk N] [--wave N]
 *                 [--memory MIB] [--repeat N]
 *
 * An item is a header, five shots out of a subject's five (in one order, or in one drawn for each
 * item, as lm-evaluation-harness draws them), a question, and four choices of one token.  Loading
 * is not counted; the median and the spread of the repeats are printed. */
#include "agent/infer/engine.h"
#include "agent/model/config.h"
#include "common/clock.h"
#include "tests/requests.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

/* Lengths in tokens of KMMLU under a tokenizer that knows Korean: means. */
enum { SHOTS = 5, CHOICES = 4, HEADER = 14, SHOT = 110, QUESTION = 105 };
enum { ITEM_MAX = HEADER + (SHOTS + 1) * 2 * SHOT };

struct settings {
    const char *dir, *device, *packed;
    enum engine_dtype dtype;
    enum engine_mode mode;
    int32_t threads, items, subjects, chunk, wave, memory, repeat;
    bool order_per_item;
};

struct piece {
    int32_t token[2 * SHOT];
    int32_t count;
};

/* Half to one and a half of the mean. */
static void piece_make(struct piece *p, int32_t mean, int32_t vocab, uint64_t *seed)
{
    p->count = mean / 2 + rnd_below(seed, mean);
    for (int32_t i = 0; i < p->count; i++)
        p->token[i] = rnd_below(seed, vocab);
}

static void piece_put(int32_t *tokens, int32_t *n, const struct piece *p)
{
    memcpy(tokens + *n, p->token, (size_t)p->count * sizeof(*tokens));
    *n += p->count;
}

static void order_draw(int32_t order[SHOTS], bool draw, uint64_t *seed)
{
    for (int32_t i = 0; i < SHOTS; i++) {
        int32_t j = draw ? rnd_below(seed, i + 1) : i;
        order[i] = order[j];
        order[j] = i;
    }
}

/* Four requests with the same prompt. */
static void item_make(struct request *out, const struct piece *shots, int32_t vocab, bool draw,
                      uint64_t *seed)
{
    int32_t order[SHOTS], n = 0;
    int32_t *tokens = must_calloc(ITEM_MAX + CHOICES, sizeof(*tokens));
    struct piece question;

    for (; n < HEADER; n++)
        tokens[n] = n % vocab;
    order_draw(order, draw, seed);
    for (int32_t i = 0; i < SHOTS; i++)
        piece_put(tokens, &n, &shots[order[i]]);
    piece_make(&question, QUESTION, vocab, seed);
    piece_put(tokens, &n, &question);
    for (int32_t c = 0; c < CHOICES; c++) {
        int32_t *mine = must_calloc((size_t)n + 1, sizeof(*mine));
        memcpy(mine, tokens, (size_t)n * sizeof(*mine));
        mine[n] = 100 % vocab + c;
        out[c] = (struct request){ mine, n, n + 1 };
    }
    free(tokens);
}

static void requests_make(struct request *out, const struct settings *s, int32_t vocab)
{
    uint64_t seed = 1;
    for (int32_t i = 0; i < s->items; i++) {
        struct piece shots[SHOTS];
        uint64_t subject = (uint64_t)((int64_t)i * s->subjects / s->items) + 1000;
        for (int32_t k = 0; k < SHOTS; k++)
            piece_make(&shots[k], SHOT, vocab, &subject);
        item_make(out + (int64_t)i * CHOICES, shots, vocab, s->order_per_item, &seed);
    }
}

static double cpu_seconds(void) { return (double)clock_cpu_us() * 1e-6; }

static int64_t peak_bytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)u.ru_maxrss * 1024;
}

static int by_value(const void *a, const void *b)
{
    const double *x = a, *y = b;
    return (*x > *y) - (*x < *y);
}

/* What the requests cost apart, together, and as a harness runs them: once a prompt where all
 * choices are one token. */
static void counts_print(const struct request *requests, int32_t count, double seconds)
{
    struct err err = { 0 };
    AUTO(trie_free) struct trie trie = { 0 };
    int64_t naive = 0, unique = 0;

    if (!trie_sort(&trie, requests, count, &err))
        abort();
    for (int32_t k = 0; k < count; k++) {
        naive += trie.len[k];
        unique += trie.len[k] - trie.lcp[k];
    }
    int64_t prompts = naive / CHOICES;
    printf("requests %d  tokens naive %lld  prompts %lld  unique %lld  prompts/unique %.2f\n",
           count, (long long)naive, (long long)prompts, (long long)unique,
           (double)prompts / (double)unique);
    if (seconds <= 0)
        return;
    printf("unique tokens/s %.0f  prompt tokens/s %.0f  naive tokens/s %.0f\n",
           (double)unique / seconds, (double)prompts / seconds, (double)naive / seconds);
}

/* A refused request costs nothing and would make a fast figure. */
static bool all_answered(const struct engine_answer *answers, int32_t count, struct err *err)
{
    for (int32_t i = 0; i < count; i++)
        if (answers[i].verdict != ENGINE_ANSWERED)
            return err_set(err, ERR_INPUT, "request %d has no answer: too long for this model?", i);
    return true;
}

static bool run(const struct settings *s, struct err *err)
{
    struct engine_conf conf = { .device = s->device,
                                .threads = s->threads,
                                .memory_bytes = (int64_t)s->memory << 20,
                                .wave_rows = s->wave,
                                .packed = s->packed,
                                .chunk_rows = s->chunk };
    AUTO(engine_close) struct engine *e = NULL;
    int32_t count = s->items * CHOICES;
    AUTO(free) struct request *requests = must_calloc((size_t)count, sizeof(*requests));
    AUTO(free) struct engine_answer *answers = must_calloc((size_t)count, sizeof(*answers));
    AUTO(free) double *seconds = must_calloc((size_t)s->repeat, sizeof(*seconds));

    int64_t start = clock_monotonic_us();
    if (!engine_open(&e, &conf, err))
        return false;
    engine_identity(e, "bench");
    if (!engine_load(e, s->dir, s->dtype, s->mode, err))
        return false;
    printf("%s\nloaded in %.2f s, weights %s\n", engine_class_facts(e),
           (double)(clock_monotonic_us() - start) * 1e-6, engine_weights_note(e));
    requests_make(requests, s, engine_model(e)->vocab);
    double cpu = cpu_seconds();
    for (int32_t i = 0; i < s->repeat; i++) {
        start = clock_monotonic_us();
        if (!engine_score(e, requests, count, answers, NULL, NULL, NULL, err) ||
            !all_answered(answers, count, err))
            return false;
        seconds[i] = (double)(clock_monotonic_us() - start) * 1e-6;
    }
    if (s->repeat == 0) {
        counts_print(requests, count, 0);
        return true;
    }
    qsort(seconds, (size_t)s->repeat, sizeof(*seconds), by_value);
    double median = seconds[s->repeat / 2];
    printf("seconds: median %.3f, %.3f to %.3f in %d; of a core %.3f; peak %.0f MB\n", median,
           seconds[0], seconds[s->repeat - 1], s->repeat, (cpu_seconds() - cpu) / s->repeat,
           (double)peak_bytes() * 1e-6);
    counts_print(requests, count, median);
    return true;
}

static int32_t word_index(const char *word, const char *const *words, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        if (strcmp(word, words[i]) == 0)
            return i;
    fprintf(stderr, "unknown value %s\n", word);
    exit(2);
}

static int32_t number(const char *text) { return (int32_t)strtol(text, NULL, 10); }

static void setting_take(struct settings *s, int option, const char *value)
{
    static const char *const dtypes[] = { "f32", "bf16", "f16" };
    static const char *const modes[] = { "hf", "fp32" };
    static const char *const orders[] = { "fixed", "item" };
    int32_t *const numbers[] = { &s->threads, &s->items,  &s->subjects, &s->chunk,
                                 &s->wave,    &s->memory, &s->repeat };
    static const char letters[] = "tiscwMr";

    if (option == 'd')
        s->dtype = (enum engine_dtype)word_index(value, dtypes, COUNT(dtypes));
    else if (option == 'm')
        s->mode = (enum engine_mode)word_index(value, modes, COUNT(modes));
    else if (option == 'o')
        s->order_per_item = word_index(value, orders, COUNT(orders));
    else if (option == 'v')
        s->device = value;
    else if (option == 'p')
        s->packed = value;
    else if (strchr(letters, option))
        *numbers[strchr(letters, option) - letters] = number(value);
    else
        exit(2);
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        { "dtype", 1, NULL, 'd' },    { "mode", 1, NULL, 'm' },    { "order", 1, NULL, 'o' },
        { "device", 1, NULL, 'v' },   { "threads", 1, NULL, 't' }, { "items", 1, NULL, 'i' },
        { "subjects", 1, NULL, 's' }, { "chunk", 1, NULL, 'c' },   { "wave", 1, NULL, 'w' },
        { "repeat", 1, NULL, 'r' },   { "memory", 1, NULL, 'M' },  { "packed", 1, NULL, 'p' },
        { NULL, 0, NULL, 0 },
    };
    struct settings s = { .device = "cpu", .threads = 2, .items = 200, .subjects = 4, .repeat = 3 };
    struct err err = { 0 };
    int option;

    while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
        setting_take(&s, option, optarg);
    if (optind + 1 != argc || s.items < 1 || s.repeat < 0 || s.subjects < 1) {
        fprintf(stderr, "usage: %s MODEL_DIR [options of the file's head]\n", argv[0]);
        return 2;
    }
    s.dir = argv[optind];
    if (run(&s, &err))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
