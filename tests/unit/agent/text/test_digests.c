/* Ids of every string of KMMLU and KoBEST, by their digest.  tests/parity/tokens.py made the table
 * with Hugging Face tokenizers; the files themselves are no part of the repository. */
#include "agent/text/tokenizer.h"
#include "common/buf.h"
#include "tests/test.h"

#include <dirent.h>
#include <openssl/evp.h>

#define TABLE     "tests/parity/digests/tokens.tsv"
#define MADE      "build/test_tokenizers"
#define PATH_SIZE 1024

/* Where the tokenizer lies under shared/data/tokenizers, and how it becomes a tokenizer.json. */
/* clang-format off */
static const struct {
    const char *name, *family, *source;
} tokenizers[] = {
    { "gpt2",            "gpt2",   "gpt2" },
    { "gpt_neox_pythia", NULL,     "gpt_neox_pythia" },
    { "llama2",          "spm",    "llama2/tokenizer.model" },
    { "llama3",          "llama3", "llama3" },
    { "mistral",         NULL,     "mistral" },
    { "mistral_v1",      "spm",    "mistral/tokenizer.model.v1" },
    { "polyglot_ko",     NULL,     "polyglot_ko" },
    { "qwen2",           "qwen2",  "qwen2_qwen25_qwen3" },
};
/* clang-format on */

struct digesting {
    const struct tokenizer *tokenizer;
    struct tokens tokens;
    EVP_MD_CTX *sha;
    int64_t texts, ids;
    bool ok;
};

static const char *shared(void)
{
    const char *named = getenv("KOEVAL_SHARED");
    return named ? named : "../shared";
}

static bool file_take(struct buf *out, const char *path)
{
    FILE *file = fopen(path, "rb");
    char block[1 << 16];
    buf_clear(out);
    for (size_t n; file && (n = fread(block, 1, sizeof(block), file)) > 0;)
        buf_put(out, block, n);
    return file && !fclose(file);
}

static void field_take(struct digesting *d, struct text field)
{
    struct err err = { 0 };
    if (!field.size)
        return;
    d->ok &= tokenizer_encode(d->tokenizer, field, true, &d->tokens, &err);
    EVP_DigestUpdate(d->sha, &d->tokens.count, sizeof(d->tokens.count));
    EVP_DigestUpdate(d->sha, d->tokens.ids, (size_t)d->tokens.count * sizeof(int32_t));
    d->texts++;
    d->ids += d->tokens.count;
}

/* A quoted field ends at a quote that is not doubled. */
static const char *quoted_take(struct digesting *d, struct buf *field, const char *at,
                               const char *end)
{
    buf_clear(field);
    for (at++; at < end && !(at[0] == '"' && (at + 1 == end || at[1] != '"')); at++) {
        at += *at == '"';
        buf_put_char(field, *at);
    }
    field_take(d, (struct text){ buf_text(field), field->size });
    return at + 1;
}

static void fields_take(struct digesting *d, const struct buf *file, bool csv)
{
    AUTO(buf_free) struct buf field = { 0 };
    const char *at = buf_text(file), *end = at + file->size;
    at += file->size >= 3 && !memcmp(at, "\xef\xbb\xbf", 3) ? 3 : 0;
    for (; at < end; at++) {
        if (csv && *at == '"') {
            at = quoted_take(d, &field, at, end);
            continue;
        }
        const char *from = at;
        while (at < end && !strchr(csv ? ",\r\n" : "\t\n", *at))
            at++;
        field_take(d, (struct text){ from, (size_t)(at - from) });
    }
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every file of the folder with this ending, and of its folders, in the order of names. */
static void folder_take(struct digesting *d, const char *path, const char *ending)
{
    char *names[256];
    int32_t count = 0;
    DIR *dir = opendir(path);
    for (struct dirent *e; dir && (e = readdir(dir)) && count < 256;)
        if (e->d_name[0] != '.')
            names[count++] = strdup(e->d_name);
    if (dir)
        closedir(dir);
    qsort(names, (size_t)count, sizeof(*names), by_name);
    for (int32_t i = 0; i < count; i++) {
        AUTO(free) char *name = names[i];
        AUTO(buf_free) struct buf file = { 0 };
        char inner[PATH_SIZE];
        snprintf(inner, sizeof(inner), "%s/%s", path, name);
        if (!strchr(name, '.'))
            folder_take(d, inner, ending);
        else if (strstr(name, ending) && file_take(&file, inner))
            fields_take(d, &file, !strcmp(ending, ".csv"));
    }
}

/* The line "tokenizer benchmark texts ids sha256" of what we make of the files. */
static bool line_make(struct buf *out, const struct tokenizer *tokenizer, const char *name,
                      const char *benchmark)
{
    bool kmmlu = !strcmp(benchmark, "kmmlu");
    struct digesting d = { .tokenizer = tokenizer, .sha = EVP_MD_CTX_new(), .ok = true };
    char path[PATH_SIZE];
    unsigned char digest[32];
    snprintf(path, sizeof(path), "%s/data/bench/%s", shared(),
             kmmlu ? "kmmlu/data" : "kobest/v1.0");
    EVP_DigestInit_ex(d.sha, EVP_sha256(), NULL);
    folder_take(&d, path, kmmlu ? ".csv" : ".tsv");
    EVP_DigestFinal_ex(d.sha, digest, NULL);
    EVP_MD_CTX_free(d.sha);
    tokens_free(&d.tokens);
    buf_put_fmt(out, "%s\t%s\t%lld\t%lld\t", name, benchmark, (long long)d.texts, (long long)d.ids);
    for (size_t i = 0; i < sizeof(digest); i++)
        buf_put_fmt(out, "%02x", digest[i]);
    buf_put_char(out, '\n');
    return d.ok;
}

/* The folder of a tokenizer; false: python3 is needed to write it and is not there. */
static bool folder_make(char out[PATH_SIZE], size_t i)
{
    const char *source = tokenizers[i].source;
    snprintf(out, PATH_SIZE, "%s/data/tokenizers/%s", shared(), source);
    if (!tokenizers[i].family)
        return true;
    char command[2 * PATH_SIZE];
    snprintf(command, sizeof(command),
             "python3 tests/fixtures/tokenizer_json.py %s %s/data/tokenizers/%s " MADE "/%s",
             tokenizers[i].family, shared(), source, tokenizers[i].name);
    snprintf(out, PATH_SIZE, MADE "/%s", tokenizers[i].name);
    return !system(command);
}

static bool have(const char *below)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof(path), "%s/data/%s", shared(), below);
    DIR *dir = opendir(path);
    return dir && !closedir(dir);
}

TEST(ids_of_every_published_string_equal_those_of_the_reference)
{
    AUTO(buf_free) struct buf table = { 0 };
    if (!have("tokenizers") || !have("bench/kmmlu") || !have("bench/kobest")) {
        SKIP("no tokenizers and benchmarks in %s (KOEVAL_SHARED)", shared());
        return;
    }
    CHECK(file_take(&table, TABLE));
    for (size_t i = 0; i < COUNT(tokenizers); i++) {
        AUTO(tokenizer_free) struct tokenizer *tokenizer = NULL;
        AUTO(buf_free) struct buf lines = { 0 };
        struct err err = { 0 };
        char folder[PATH_SIZE];
        if (!folder_make(folder, i)) {
            SKIP("%s needs python3", tokenizers[i].name);
            continue;
        }
        CHECK(tokenizer_open(&tokenizer, folder, &err));
        CHECK(line_make(&lines, tokenizer, tokenizers[i].name, "kmmlu"));
        CHECK(line_make(&lines, tokenizer, tokenizers[i].name, "kobest"));
        CHECK(strstr(buf_text(&table), buf_text(&lines)));
    }
}
