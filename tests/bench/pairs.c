/* pairs.c - scores blocks of prompts and continuations and says how long each block took.
 *
 *     bench_pairs MODEL_DIR f32|bf16 hf|fp32 THREADS
 *
 * In: blocks of a count (int32) and so many pairs (tests/parity/pairs.h).  Out, a block: a line
 * "SECONDS CPU_SECONDS PEAK_BYTES", then a line an answer.  Tokens are made inside the timed part,
 * as in a harness; the model is loaded before it. */
#include "tests/parity/pairs.h"
#include "agent/model/config.h"
#include "common/clock.h"

#include <sys/resource.h>

static int64_t peak_bytes(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (int64_t)u.ru_maxrss * 1024;
}

/* The block is read whole before the clock starts: the pipe's other end is a slow writer. */
static bool block_slurp(FILE **out, struct buf *bytes, int32_t pairs)
{
    AUTO(buf_free) struct buf text = { 0 };
    buf_clear(bytes);
    for (int32_t i = 0; i < 2 * pairs; i++) {
        if (!text_read(&text, stdin))
            return false;
        int32_t size = (int32_t)text.size;
        buf_put(bytes, &size, sizeof(size));
        buf_put(bytes, buf_text(&text), text.size);
    }
    *out = fmemopen(bytes->bytes, bytes->size, "rb");
    return *out != NULL;
}

static bool block_score(struct engine *engine, const struct tokenizer *tokenizer, FILE *block,
                        int32_t count, struct err *err)
{
    AUTO(pairs_free) struct pairs pairs = { 0 };
    AUTO(free) char *answers = NULL;
    size_t size = 0;
    FILE *memory = open_memstream(&answers, &size);
    int64_t start = clock_monotonic_us();
    int64_t cpu_start = clock_cpu_us();
    bool ok = pairs_read(&pairs, block, count, tokenizer, PAIR_BOS_TOKENIZER,
                         engine_model(engine)->positions_max, err) &&
              pairs_score(engine, &pairs, memory, err);
    double seconds = (double)(clock_monotonic_us() - start) * 1e-6;
    double cpu = (double)(clock_cpu_us() - cpu_start) * 1e-6;
    fclose(memory);
    if (ok)
        printf("%.6f %.6f %lld\n%s", seconds, cpu, (long long)peak_bytes(), answers);
    fflush(stdout);
    return ok;
}

static bool blocks_score(struct engine *engine, const struct tokenizer *tokenizer, struct err *err)
{
    AUTO(buf_free) struct buf bytes = { 0 };
    int32_t count;
    bool ok = true;
    while (ok && fread(&count, sizeof(count), 1, stdin) == 1) {
        FILE *block = NULL;
        if (!block_slurp(&block, &bytes, count))
            return err_set(err, ERR_INPUT, "the pipe ends within a block of %d pairs", count);
        ok = block_score(engine, tokenizer, block, count, err);
        fclose(block);
    }
    return ok;
}

int main(int argc, char **argv)
{
    struct err err = { 0 };
    AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
    AUTO(engine_close) struct engine *engine = NULL;
    if (argc != 5) {
        fprintf(stderr, "usage: %s MODEL_DIR f32|bf16 hf|fp32 THREADS\n", argv[0]);
        return 2;
    }
    enum engine_dtype dtype = strcmp(argv[2], "bf16") ? ENGINE_F32 : ENGINE_BF16;
    enum engine_mode mode = strcmp(argv[3], "hf") ? ENGINE_FP32 : ENGINE_HF;
    struct engine_conf conf = { .device = "cpu", .threads = (int32_t)strtol(argv[4], NULL, 10) };
    if (tokenizer_open(&tokenizer, argv[1], &err) && engine_open(&engine, &conf, &err) &&
        engine_load(engine, argv[1], dtype, mode, &err) && blocks_score(engine, tokenizer, &err))
        return 0;
    fprintf(stderr, "%s\n", err.text);
    return 1;
}
