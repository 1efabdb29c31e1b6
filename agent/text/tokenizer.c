#include "agent/text/tokenizer.h"

#include "agent/text/added.h"
#include "agent/text/normal.h"
#include "agent/text/special.h"
#include "agent/text/split.h"
#include "agent/text/unicode.h"

#include <errno.h>
#include <stdio.h>

struct tokenizer {
    struct normal normal;
    struct split split;
    struct bpe bpe;
    struct added added;
    struct special special;
};

/* Normalised text never grows past this, so that a hostile list of steps cannot fill the memory. */
#define NORMALIZED_BYTES_MAX ((size_t)256 << 20)

struct scratch {
    const struct tokenizer *owner;
    struct bpe_work *bpe;
    struct buf normal[2], split[TOKENIZER_STEPS_MAX];
};

static struct scratch *scratch_new(const struct tokenizer *owner)
{
    struct scratch *scratch = must_calloc(1, sizeof(*scratch));
    scratch->owner = owner;
    scratch->bpe = bpe_work_new();
    scratch->normal[0].max = scratch->normal[1].max = NORMALIZED_BYTES_MAX;
    for (int32_t i = 0; i < TOKENIZER_STEPS_MAX; i++)
        scratch->split[i].max = NORMALIZED_BYTES_MAX;
    return scratch;
}

static void scratch_free(struct scratch *scratch)
{
    if (!scratch)
        return;
    bpe_work_free(scratch->bpe);
    buf_free(&scratch->normal[0]);
    buf_free(&scratch->normal[1]);
    for (int32_t i = 0; i < TOKENIZER_STEPS_MAX; i++)
        buf_free(&scratch->split[i]);
    free(scratch);
}

static bool scratch_ok(const struct scratch *scratch)
{
    bool ok = buf_ok(&scratch->normal[0]) && buf_ok(&scratch->normal[1]);
    for (int32_t i = 0; i < TOKENIZER_STEPS_MAX; i++)
        ok &= buf_ok(&scratch->split[i]);
    return ok;
}

void tokens_free(struct tokens *tokens)
{
    free(tokens->ids);
    scratch_free(tokens->scratch);
    *tokens = (struct tokens){ 0 };
}

/* Reads a whole file; one that is not there gives otherwise, or fails where that is NULL. */
static bool file_read(struct buf *out, const char *dir, const char *name, const char *otherwise,
                      struct err *err)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    FILE *file = fopen(path, "rb");
    if (!file && errno == ENOENT && otherwise) {
        buf_put_text(out, otherwise);
        return true;
    }
    if (!file)
        return err_set(err, ERR_INPUT, "%s: %s", name, strerror(errno));
    char block[1 << 16];
    out->max = TOKENIZER_FILE_BYTES_MAX;
    for (size_t n; buf_ok(out) && (n = fread(block, 1, sizeof(block), file)) > 0;)
        buf_put(out, block, n);
    bool bad = ferror(file);
    fclose(file);
    if (bad)
        return err_set(err, ERR_RETRY, "%s cannot be read", name);
    if (!buf_ok(out))
        return err_set(err, ERR_INPUT, "%s has more than %zu bytes", name, out->max);
    return true;
}

struct added_reading {
    struct tokenizer *tokenizer;
    struct buf content;
};

static bool added_entry(void *self, struct text raw, struct err *err)
{
    struct added_reading *reading = self;
    struct added_token token;
    return added_token_read(&token, &reading->content, raw, err) &&
           added_put(&reading->tokenizer->added, &reading->tokenizer->bpe, token, err);
}

static bool added_read(struct tokenizer *tokenizer, struct text raw, struct err *err)
{
    struct added_reading reading = { .tokenizer = tokenizer };
    bool ok = field_empty(raw) || field_each(raw, added_entry, &reading, err);
    buf_free(&reading.content);
    return ok || err_wrap(err, "added_tokens");
}

/* The order matters: ids of added tokens follow from the model's vocabulary. */
static bool parts_read(struct tokenizer *t, const struct tokenizer_files *files, struct err *err)
{
    struct field f[] = { { "normalizer", { 0 } },
                         { "pre_tokenizer", { 0 } },
                         { "model", { 0 } },
                         { "added_tokens", { 0 } },
                         { "post_processor", { 0 } } };
    bool prefix_space;
    if (!fields_read(f, COUNT(f), files->tokenizer, err) ||
        !special_prefix_space(&prefix_space, files, err))
        return false;
    if (field_empty(f[2].raw))
        return err_set(err, ERR_INPUT, "it has no model");
    if (!normal_read(&t->normal, f[0].raw, err) ||
        !split_read(&t->split, f[1].raw, prefix_space, err) ||
        !bpe_read(&t->bpe, f[2].raw, t->split.byte_level, err) || !added_read(t, f[3].raw, err) ||
        !special_read(&t->special, files, f[4].raw, &t->added, &t->bpe, err))
        return false;
    added_finish(&t->added, &t->normal);
    return true;
}

bool tokenizer_read(struct tokenizer **out, const struct tokenizer_files *files, struct err *err)
{
    AUTO(tokenizer_free) struct tokenizer *t = must_calloc(1, sizeof(*t));
    if (!parts_read(t, files, err))
        return err_wrap(err, "tokenizer.json");
    *out = TAKE(t);
    return true;
}

static struct text text_in(const struct buf *buf)
{
    return (struct text){ buf_text(buf), buf->size };
}

bool tokenizer_open(struct tokenizer **out, const char *dir, struct err *err)
{
    AUTO(buf_free) struct buf json = { 0 };
    AUTO(buf_free) struct buf config = { 0 };
    AUTO(buf_free) struct buf own = { 0 };
    AUTO(buf_free) struct buf map = { 0 };
    if (!file_read(&json, dir, "tokenizer.json", NULL, err) ||
        !file_read(&config, dir, "config.json", "{}", err) ||
        !file_read(&own, dir, "tokenizer_config.json", "{}", err) ||
        !file_read(&map, dir, "special_tokens_map.json", "{}", err))
        return false;

    struct tokenizer_files files = { text_in(&json), text_in(&config), text_in(&own),
                                     text_in(&map) };
    return tokenizer_read(out, &files, err);
}

void tokenizer_free(struct tokenizer *tokenizer)
{
    if (!tokenizer)
        return;
    normal_free(&tokenizer->normal);
    split_free(&tokenizer->split);
    bpe_free(&tokenizer->bpe);
    added_free(&tokenizer->added);
    special_free(&tokenizer->special);
    free(tokenizer);
}

/* One text on its way through the steps. */
struct encoding {
    const struct tokenizer *tokenizer;
    struct scratch *scratch;
    struct tokens *out;
};

static void word_encode(void *self, struct text word)
{
    struct encoding *e = self;
    bpe_encode(&e->tokenizer->bpe, e->scratch->bpe, word, e->out);
}

static void piece_split(struct encoding *e, struct text piece, bool first)
{
    struct split_sink sink = { e, word_encode, e->scratch->split };
    split_apply(&e->tokenizer->split, piece, first, &sink);
}

/* Hands on what lies between added tokens, and the ids of those between. */
static void added_cut(struct encoding *e, const struct added_tree *tree, struct text text,
                      bool first, void (*between)(struct encoding *, struct text, bool))
{
    size_t from = 0, after = 0;
    struct added_match match;
    while (added_next(&e->tokenizer->added, tree, text, &from, after, &match)) {
        if (match.start > after)
            between(e, (struct text){ text.bytes + after, match.start - after }, first && !after);
        tokens_append(e->out, match.token->id);
        after = match.end;
    }
    if (after < text.size)
        between(e, (struct text){ text.bytes + after, text.size - after }, first && !after);
}

static void piece_normalize(struct encoding *e, struct text piece, bool first)
{
    struct text normal = normal_apply(&e->tokenizer->normal, piece, e->scratch->normal);
    added_cut(e, &e->tokenizer->added.normalized, normal, first, piece_split);
}

static void put_ids(struct tokens *out, const int32_t *ids, int32_t count)
{
    for (int32_t i = 0; i < count; i++)
        tokens_append(out, ids[i]);
}

bool tokenizer_encode(const struct tokenizer *tokenizer, struct text text, bool add_special,
                      struct tokens *out, struct err *err)
{
    if (text.size > TOKENIZER_TEXT_BYTES_MAX)
        return err_set(err, ERR_INPUT, "a text of %zu bytes, the most is %zu", text.size,
                       TOKENIZER_TEXT_BYTES_MAX);
    if (!utf8_valid(text))
        return err_set(err, ERR_INPUT, "a text that is not UTF-8");
    if (!out->scratch)
        out->scratch = scratch_new(tokenizer);
    assert(out->scratch->owner == tokenizer);

    const struct special *special = &tokenizer->special;
    struct encoding e = { tokenizer, out->scratch, out };
    out->count = 0;
    put_ids(out, special->before, add_special ? special->before_count : 0);
    added_cut(&e, &tokenizer->added.raw, text, true, piece_normalize);
    put_ids(out, special->after, add_special ? special->after_count : 0);
    return scratch_ok(out->scratch) ||
           err_set(err, ERR_INPUT, "a text that normalises to more than %zu bytes",
                   NORMALIZED_BYTES_MAX);
}

int32_t tokenizer_bos(const struct tokenizer *tokenizer) { return tokenizer->special.bos; }

int32_t tokenizer_eos(const struct tokenizer *tokenizer) { return tokenizer->special.eos; }

int32_t tokenizer_unk(const struct tokenizer *tokenizer) { return tokenizer->special.unk; }

int32_t tokenizer_pad(const struct tokenizer *tokenizer) { return tokenizer->special.pad; }

int32_t tokenizer_prefix(const struct tokenizer *tokenizer)
{
    return tokenizer->special.bos >= 0 ? tokenizer->special.bos : tokenizer->special.eos;
}

struct text tokenizer_prefix_text(const struct tokenizer *tokenizer)
{
    const char *prefix = tokenizer->special.prefix;
    return text_of(prefix ? prefix : "");
}

static int32_t greater(int32_t a, int32_t b) { return a > b ? a : b; }

int32_t tokenizer_vocabulary(const struct tokenizer *tokenizer)
{
    return greater(tokenizer->bpe.id_max, tokenizer->added.id_max) + 1;
}

int32_t tokenizer_max_length(const struct tokenizer *tokenizer)
{
    return tokenizer->special.max_length;
}
