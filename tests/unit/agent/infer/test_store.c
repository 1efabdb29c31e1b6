/* Packed weights in a file: the same bits from memory, from a file that is built, mapped, torn,
 * removed, and streamed where the weights are larger than what there is. */
#include "agent/infer/engine.h"
#include "tests/random_model.h"
#include "tests/test.h"

#include <dirent.h>
#include <sys/stat.h>

#define IDENTITY "0123456789abcdef"

/* 40 layers of 256 KiB in fp32. */
static const char deep[] =
    "{\"model_type\":\"llama\",\"vocab_size\":100,\"hidden_size\":64,\"intermediate_size\":256,"
    "\"num_hidden_layers\":40,\"num_attention_heads\":4,\"max_position_embeddings\":128}";

enum { REQUESTS = 6, LONGEST = 90 };

struct place {
    char model[64], packed[64], file[256];
};

static struct err err;

static void place_make(struct place *p)
{
    random_model_write(p->model, deep, strlen(deep), 1, TENSOR_F32);
    snprintf(p->packed, sizeof(p->packed), "/tmp/koeval-packed-XXXXXX");
    if (!mkdtemp(p->packed))
        abort();
    snprintf(p->file, sizeof(p->file), "%s/" IDENTITY "-f32.packed", p->packed);
}

static void place_remove(struct place *p)
{
    unlink(p->file);
    if (rmdir(p->packed))
        abort(); /* something was left behind */
    random_model_remove(p->model);
}
AUTO_ENDS(struct place, place_remove)

static bool engine_at(struct engine **out, const struct place *p, int64_t memory, bool packed)
{
    struct engine_conf conf = { .device = "cpu",
                                .threads = 2,
                                .memory_bytes = memory,
                                .chunk_rows = 16,
                                .packed = packed ? p->packed : NULL };

    if (!engine_open(out, &conf, &err))
        return false;
    engine_identity(*out, IDENTITY);
    return engine_load(*out, p->model, ENGINE_F32, ENGINE_HF, &err);
}

/* FNV-1a of the answers to fixed requests. */
static uint64_t answers_of(struct engine *e)
{
    static int32_t tokens[REQUESTS][LONGEST];
    struct request request[REQUESTS];
    struct engine_answer answer[REQUESTS];
    double loglik[REQUESTS];

    for (int32_t i = 0; i < REQUESTS; i++) {
        for (int32_t t = 0; t < LONGEST; t++)
            tokens[i][t] = (t * 7 + (t > 50 ? i : 0)) % 100;
        request[i] = (struct request){ tokens[i], LONGEST - 4, LONGEST };
    }
    if (!engine_score(e, request, REQUESTS, answer, NULL, NULL, NULL, &err))
        return 0;
    for (int32_t i = 0; i < REQUESTS; i++)
        loglik[i] = answer[i].loglik;
    return random_fnv(loglik, sizeof(loglik));
}

static uint64_t score_at(const struct place *p, int64_t memory, bool packed)
{
    AUTO(engine_close) struct engine *e = NULL;
    return engine_at(&e, p, memory, packed) ? answers_of(e) : 0;
}

static int64_t inode_of(const char *path)
{
    struct stat status;
    return stat(path, &status) ? -1 : (int64_t)status.st_ino;
}

TEST(a_file_changes_no_bit_and_is_built_once)
{
    AUTO(place_remove) struct place p;
    place_make(&p);
    uint64_t memory = score_at(&p, 0, false);
    CHECK(memory != 0 && inode_of(p.file) == -1);
    CHECK(score_at(&p, 0, true) == memory);
    int64_t built = inode_of(p.file);
    CHECK(built > 0);
    CHECK(score_at(&p, 0, true) == memory);
    CHECK(inode_of(p.file) == built);
}

/* Writes one byte of the file, or cuts it: `at` < 0 counts from the end. */
static void tear(const struct place *p, long at, bool cut)
{
    FILE *file = fopen(p->file, "r+b");
    assert(file);
    fseek(file, at, at < 0 ? SEEK_END : SEEK_SET);
    int byte = fgetc(file);
    fseek(file, -1, SEEK_CUR);
    fputc(byte ^ 1, file);
    long where = ftell(file);
    fclose(file);
    if (cut && truncate(p->file, where))
        abort();
}

TEST(a_torn_file_is_built_anew)
{
    AUTO(place_remove) struct place p;
    place_make(&p);
    uint64_t memory = score_at(&p, 0, false);
    static const struct {
        long at;
        bool cut;
    } tears[] = {
        { 0, false }, { 25, false }, { 4096, false }, { 3000000, false }, { -5000, true }
    };

    CHECK(score_at(&p, 0, true) == memory);
    for (size_t i = 0; i < COUNT(tears); i++) {
        int64_t before = inode_of(p.file);
        tear(&p, tears[i].at, tears[i].cut);
        CHECK(score_at(&p, 0, true) == memory);
        CHECK(inode_of(p.file) != before);
    }
}

TEST(a_file_may_be_removed_while_it_is_mapped)
{
    AUTO(place_remove) struct place p;
    AUTO(engine_close) struct engine *e = NULL;
    place_make(&p);
    uint64_t memory = score_at(&p, 0, false);
    CHECK(engine_at(&e, &p, 0, true));
    CHECK(strstr(engine_weights_note(e), p.file) != NULL);
    CHECK(unlink(p.file) == 0);
    CHECK(answers_of(e) == memory);
    CHECK(score_at(&p, 0, true) == memory && inode_of(p.file) > 0);
}

TEST(without_a_place_for_it_weights_lie_in_memory)
{
    AUTO(place_remove) struct place p;
    AUTO(engine_close) struct engine *e = NULL;
    place_make(&p);
    struct place nowhere = p;
    snprintf(nowhere.packed, sizeof(nowhere.packed), "/tmp/koeval-packed-not-there");
    CHECK(engine_at(&e, &nowhere, 0, true));
    CHECK(strstr(engine_weights_note(e), "in memory") != NULL);
    CHECK(answers_of(e) == score_at(&p, 0, false));
}

TEST(weights_larger_than_memory_stream_with_equal_bits)
{
    const int64_t less = 9 << 20; /* 10 MiB of weights, 4 of scratch */
    AUTO(place_remove) struct place p;
    place_make(&p);
    uint64_t memory = score_at(&p, 0, false);
    err = (struct err){ 0 };
    CHECK(score_at(&p, less, false) == 0 && err.code == ERR_DEVICE);
    CHECK(score_at(&p, less, true) == memory); /* builds it */
    CHECK(score_at(&p, less, true) == memory); /* maps it */
}
