#include "agent/text/bpe.h"

#include "agent/text/unicode.h"

#include <stdio.h>

#define MARK "\xe2\x96\x81" /* U+2581 */

enum { TYPE, VOCAB, MERGES, DROPOUT, UNK, PREFIX, SUFFIX, FUSE, FALLBACK, IGNORE, FIELDS };

/* The bytes of GPT-2's table that print as themselves. */
static bool prints_itself(unsigned char byte)
{
    return (byte >= '!' && byte <= '~') || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
}

/* The others take U+0100, U+0101, ... in ascending order. */
static void printable_fill(struct bpe *bpe)
{
    uint32_t next = 0x100;
    for (uint32_t b = 0; b < 256; b++) {
        char character[UTF8_BYTES_MAX];
        size_t size = utf8_put(character, prints_itself((unsigned char)b) ? b : next++);
        assert(size <= sizeof(bpe->printable[b]));
        memcpy(bpe->printable[b], character, size);
        bpe->printable_size[b] = (uint8_t)size;
    }
}

/* Ids are dense but for a few holes; a bit each tells an id given twice. */
struct ids_seen {
    uint64_t *bits;
    int32_t words;
};

static bool id_seen(struct ids_seen *seen, int32_t id)
{
    int32_t word = id / 64;
    if (word >= seen->words) {
        int32_t words = word * 2 + 16;
        seen->bits = must_realloc(seen->bits, (size_t)words, sizeof(*seen->bits));
        memset(seen->bits + seen->words, 0, (size_t)(words - seen->words) * sizeof(*seen->bits));
        seen->words = words;
    }
    bool was = seen->bits[word] >> (id % 64) & 1;
    seen->bits[word] |= (uint64_t)1 << (id % 64);
    return was;
}

static void vocab_member(struct bpe *bpe, struct json *json, const struct buf *token,
                         struct ids_seen *seen)
{
    struct text text = { buf_text(token), token->size };
    int32_t id = (int32_t)json_int(json, 0, TOKENIZER_VOCABULARY_MAX - 1);
    if (!json_ok(json))
        return;
    if (text.size > TOKENIZER_TOKEN_BYTES)
        json_fail(json, "a token of %zu bytes", text.size);
    else if (id_seen(seen, id) && vocab_find(&bpe->vocab, text) != id)
        json_fail(json, "two tokens have the id %d", id);
    else if (json_ok(json))
        vocab_put(&bpe->vocab, text, id);
    if (id > bpe->id_max)
        bpe->id_max = id;
}

static bool vocab_read(struct bpe *bpe, struct text raw, struct err *err)
{
    AUTO(buf_free) struct buf token = { 0 };
    struct ids_seen seen = { 0 };
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    json_object(&json);
    while (json_member(&json, &token))
        vocab_member(bpe, &json, &token, &seen);
    free(seen.bits);
    return json_end(&json, err);
}

static bool starts_with_mark(struct text token)
{
    return token.size >= 3 && !memcmp(token.bytes, MARK, 3);
}

static bool ends_with_mark(struct text token)
{
    return token.size >= 3 && !memcmp(token.bytes + token.size - 3, MARK, 3);
}

/* One merge: its two halves one after the other in `both`, the left one having left_size bytes. */
static bool merge_put(struct bpe *bpe, struct text both, size_t left_size, int32_t rank)
{
    struct text left = { both.bytes, left_size };
    struct text right = { both.bytes + left_size, both.size - left_size };
    struct merge merge = { vocab_find(&bpe->vocab, left), vocab_find(&bpe->vocab, right), rank,
                           vocab_find(&bpe->vocab, both) };
    if (merge.left < 0 || merge.right < 0 || merge.id < 0)
        return false;
    if (starts_with_mark(right) && !ends_with_mark(left))
        bpe->cuts_at_marks = false;
    merges_put(&bpe->merges, merge);
    return true;
}

/* "left right": exactly one space. */
static size_t merge_string(struct json *json, struct buf *both)
{
    json_string(json, both);
    char *space = both->size ? memchr(both->bytes, ' ', both->size) : NULL;
    size_t left = space ? (size_t)(space - both->bytes) : 0;
    if (!space || memchr(space + 1, ' ', both->size - left - 1)) {
        json_fail(json, "a merge that is not two tokens and a space");
        return 0;
    }
    memmove(space, space + 1, both->size - left - 1);
    both->size--;
    return left;
}

/* ["left", "right"] */
static size_t merge_pair(struct json *json, struct buf *both, struct buf *right)
{
    size_t left = 0;
    int32_t parts = 0;
    json_array(json);
    for (; json_item(json); parts++) {
        json_string(json, parts ? right : both);
        if (parts == 0)
            left = both->size;
        else
            buf_put(both, buf_text(right), right->size);
    }
    if (parts != 2)
        json_fail(json, "a merge of %d tokens", parts);
    return left;
}

static bool is_version_line(const struct buf *both)
{
    return !strncmp(buf_text(both), "#version", strlen("#version"));
}

static bool merges_read(struct bpe *bpe, struct text raw, struct err *err)
{
    AUTO(buf_free) struct buf both = { 0 };
    AUTO(buf_free) struct buf right = { 0 };
    int32_t rank = 0;
    struct json json;
    json_begin(&json, raw.bytes, raw.size);
    json_array(&json);
    while (json_item(&json)) {
        size_t left = json_peek(&json) == JSON_STRING ? merge_string(&json, &both)
                                                      : merge_pair(&json, &both, &right);
        if (!json_ok(&json) || is_version_line(&both))
            continue;
        if (rank == TOKENIZER_MERGES_MAX)
            json_fail(&json, "more than %d merges", TOKENIZER_MERGES_MAX);
        else if (!merge_put(bpe, (struct text){ both.bytes, both.size }, left, rank++))
            json_fail(&json, "merge %d names a token that the vocabulary lacks", rank - 1);
    }
    return json_end(&json, err);
}

static void byte_ids_fill(struct bpe *bpe)
{
    for (int32_t b = 0; b < 256; b++) {
        char name[8];
        snprintf(name, sizeof(name), "<0x%02X>", b);
        struct text printable = { bpe->printable[b], bpe->printable_size[b] };
        bpe->byte_ids[b] = vocab_find(&bpe->vocab, bpe->byte_level ? printable : text_of(name));
    }
}

static bool refuse_affix(struct text raw, const char *what, struct err *err)
{
    AUTO(buf_free) struct buf value = { 0 };
    if (!field_string(&value, raw, err))
        return false;
    return !value.size || err_set(err, ERR_INPUT, "BPE with %s is not supported", what);
}

static bool unk_read(struct bpe *bpe, struct text raw, struct err *err)
{
    AUTO(buf_free) struct buf name = { 0 };
    bpe->unk = -1;
    if (field_empty(raw))
        return true;
    if (!field_string(&name, raw, err))
        return false;
    bpe->unk = vocab_find(&bpe->vocab, (struct text){ buf_text(&name), name.size });
    return bpe->unk >= 0 || err_set(err, ERR_INPUT, "unk_token is not in the vocabulary");
}

static bool flags_read(struct bpe *bpe, const struct field *f, struct err *err)
{
    if (!field_empty(f[DROPOUT].raw) && !text_is(f[DROPOUT].raw, "0.0") &&
        !text_is(f[DROPOUT].raw, "0"))
        return err_set(err, ERR_INPUT, "BPE with dropout is not supported");
    return field_bool(&bpe->fuse_unk, f[FUSE].raw, false, err) &&
           field_bool(&bpe->byte_fallback, f[FALLBACK].raw, false, err) &&
           field_bool(&bpe->ignore_merges, f[IGNORE].raw, false, err) &&
           refuse_affix(f[PREFIX].raw, "continuing_subword_prefix", err) &&
           refuse_affix(f[SUFFIX].raw, "end_of_word_suffix", err);
}

static bool is_bpe(const struct field *f, struct err *err)
{
    AUTO(buf_free) struct buf type = { 0 };
    if (!field_string(&type, f[TYPE].raw, err))
        return false;
    /* Old files have no type: only BPE has merges. */
    if ((!type.size && f[MERGES].raw.bytes) || !strcmp(buf_text(&type), "BPE"))
        return true;
    return err_set(err, ERR_INPUT, "tokenizer model %.40s is not supported", buf_text(&type));
}

bool bpe_read(struct bpe *bpe, struct text raw, bool byte_level, struct err *err)
{
    struct field f[FIELDS] = {
        [TYPE] = { "type", { 0 } },
        [VOCAB] = { "vocab", { 0 } },
        [MERGES] = { "merges", { 0 } },
        [DROPOUT] = { "dropout", { 0 } },
        [UNK] = { "unk_token", { 0 } },
        [PREFIX] = { "continuing_subword_prefix", { 0 } },
        [SUFFIX] = { "end_of_word_suffix", { 0 } },
        [FUSE] = { "fuse_unk", { 0 } },
        [FALLBACK] = { "byte_fallback", { 0 } },
        [IGNORE] = { "ignore_merges", { 0 } },
    };
    if (!fields_read(f, FIELDS, raw, err) || !is_bpe(f, err) || !flags_read(bpe, f, err))
        return false;
    bpe->byte_level = byte_level;
    printable_fill(bpe);
    bpe->id_max = -1;
    if (!vocab_read(bpe, f[VOCAB].raw, err))
        return err_wrap(err, "vocab");
    bpe->cuts_at_marks =
        !byte_level && !bpe->ignore_merges && vocab_find(&bpe->vocab, text_of(MARK)) >= 0;
    if (!merges_read(bpe, f[MERGES].raw, err))
        return err_wrap(err, "merges");
    byte_ids_fill(bpe);
    return unk_read(bpe, f[UNK].raw, err);
}

void bpe_free(struct bpe *bpe)
{
    vocab_free(&bpe->vocab);
    merges_free(&bpe->merges);
}
