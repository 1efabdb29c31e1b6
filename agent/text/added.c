#include "agent/text/added.h"

#include "agent/text/unicode.h"

int32_t added_find(const struct added *added, struct text content)
{
    int32_t index = vocab_find(&added->by_content, content);
    return index < 0 ? -1 : added->tokens[index].id;
}

/* The rule of the reference: the model's id, else one more than the greatest there is. */
static int32_t id_for(const struct added *added, const struct bpe *bpe, struct text content)
{
    int32_t id = vocab_find(&bpe->vocab, content);
    if (id >= 0)
        return id;
    int32_t size = (int32_t)bpe->vocab.count;
    return added->id_max >= size || size == 0 ? added->id_max + 1 : size;
}

static struct added_token *token_new(struct added *added, struct text content)
{
    if (added->count == added->capacity) {
        added->capacity = added->capacity ? added->capacity * 2 : 16;
        added->tokens =
            must_realloc(added->tokens, (size_t)added->capacity, sizeof(*added->tokens));
    }
    struct added_token *token = &added->tokens[added->count];
    *token = (struct added_token){ .content = must_calloc(content.size + 1, 1) };
    memcpy(token->content, content.bytes, content.size);
    token->size = content.size;
    vocab_put(&added->by_content, content, added->count++);
    return token;
}

bool added_put(struct added *added, const struct bpe *bpe, struct added_token token,
               struct err *err)
{
    struct text content = { token.content, token.size };
    if (!content.size)
        return true;
    if (content.size > TOKENIZER_TOKEN_BYTES)
        return err_set(err, ERR_INPUT, "an added token of %zu bytes", content.size);
    int32_t index = vocab_find(&added->by_content, content);
    if (index < 0 && added->count == TOKENIZER_ADDED_MAX)
        return err_set(err, ERR_INPUT, "more than %d added tokens", TOKENIZER_ADDED_MAX);
    if (index < 0 && added->by_content.bytes.size + content.size > TOKENIZER_ADDED_BYTES)
        return err_set(err, ERR_INPUT, "more than %d bytes of added tokens", TOKENIZER_ADDED_BYTES);

    int32_t id = index < 0 ? id_for(added, bpe, content) : added->tokens[index].id;
    struct added_token *into = index < 0 ? token_new(added, content) : &added->tokens[index];
    token.content = into->content;
    token.id = id;
    *into = token;
    added->id_max = id > added->id_max ? id : added->id_max;
    return true;
}

enum { CONTENT, SINGLE_WORD, LSTRIP, RSTRIP, NORMALIZED, SPECIAL, FIELDS };

bool added_token_read(struct added_token *out, struct buf *content, struct text raw,
                      struct err *err)
{
    struct field f[FIELDS] = {
        [CONTENT] = { "content", { 0 } },       [SINGLE_WORD] = { "single_word", { 0 } },
        [LSTRIP] = { "lstrip", { 0 } },         [RSTRIP] = { "rstrip", { 0 } },
        [NORMALIZED] = { "normalized", { 0 } }, [SPECIAL] = { "special", { 0 } },
    };
    struct added_token t = { 0 };
    if (!fields_read(f, FIELDS, raw, err) || !field_string(content, f[CONTENT].raw, err) ||
        !field_bool(&t.single_word, f[SINGLE_WORD].raw, false, err) ||
        !field_bool(&t.lstrip, f[LSTRIP].raw, false, err) ||
        !field_bool(&t.rstrip, f[RSTRIP].raw, false, err) ||
        !field_bool(&t.special, f[SPECIAL].raw, false, err) ||
        !field_bool(&t.normalized, f[NORMALIZED].raw, !t.special, err))
        return err_wrap(err, "added token");
    t.content = content->bytes;
    t.size = content->size;
    *out = t;
    return true;
}

static int32_t node_new(struct added_tree *tree, unsigned char byte, int32_t sibling)
{
    if (tree->count == tree->capacity) {
        tree->capacity = tree->capacity ? tree->capacity * 2 : 256;
        tree->nodes = must_realloc(tree->nodes, (size_t)tree->capacity, sizeof(*tree->nodes));
    }
    if (!tree->count)
        tree->nodes[tree->count++] = (struct added_node){ .token = -1 }; /* 0 means none */
    tree->nodes[tree->count] = (struct added_node){ 0, sibling, -1, byte };
    return tree->count++;
}

static int32_t child_of(const struct added_tree *tree, int32_t node, unsigned char byte)
{
    int32_t child = tree->nodes[node].child;
    while (child && tree->nodes[child].byte != byte)
        child = tree->nodes[child].sibling;
    return child;
}

/* Of equal patterns the first stays. */
static void tree_put(struct added_tree *tree, struct text pattern, int32_t token)
{
    if (!pattern.size)
        return;
    unsigned char first = (unsigned char)pattern.bytes[0];
    int32_t node = tree->roots[first];
    if (!node)
        node = tree->roots[first] = node_new(tree, first, 0);
    for (size_t i = 1; i < pattern.size; i++) {
        unsigned char byte = (unsigned char)pattern.bytes[i];
        int32_t child = child_of(tree, node, byte);
        if (!child) {
            child = node_new(tree, byte, tree->nodes[node].child);
            tree->nodes[node].child = child;
        }
        node = child;
    }
    if (tree->nodes[node].token < 0)
        tree->nodes[node].token = token;
}

static void put_into_tree(struct added *added, int32_t index, const struct normal *normal,
                          struct buf buffers[2])
{
    const struct added_token *token = &added->tokens[index];
    struct text pattern = { token->content, token->size };
    if (token->normalized)
        tree_put(&added->normalized, normal_apply(normal, pattern, buffers), index);
    else
        tree_put(&added->raw, pattern, index);
}

void added_finish(struct added *added, const struct normal *normal)
{
    struct buf buffers[2] = { 0 };
    for (int32_t special = 1; special >= 0; special--)
        for (int32_t i = 0; i < added->count; i++)
            if (added->tokens[i].special == special)
                put_into_tree(added, i, normal, buffers);
    buf_free(&buffers[0]);
    buf_free(&buffers[1]);
}

void added_free(struct added *added)
{
    for (int32_t i = 0; i < added->count; i++)
        free(added->tokens[i].content);
    free(added->tokens);
    free(added->raw.nodes);
    free(added->normalized.nodes);
    vocab_free(&added->by_content);
}

/* The longest pattern that starts at `at`; its end, or 0. */
static size_t longest_at(const struct added_tree *tree, struct text text, size_t at, int32_t *token)
{
    size_t end = 0;
    int32_t node = tree->roots[(unsigned char)text.bytes[at]];
    while (node) {
        at++;
        if (tree->nodes[node].token >= 0) {
            end = at;
            *token = tree->nodes[node].token;
        }
        node = at < text.size ? child_of(tree, node, (unsigned char)text.bytes[at]) : 0;
    }
    return end;
}

static bool word_touches(struct text text, size_t start, size_t end)
{
    size_t size;
    if (start &&
        is_word(
            utf8_at(text.bytes + start - utf8_size_before(text.bytes + start, text.bytes), &size)))
        return true;
    return end < text.size && is_word(utf8_at(text.bytes + end, &size));
}

static void widen(struct text text, size_t after, struct added_match *match)
{
    size_t size;
    while (match->token->lstrip && match->start > after) {
        size_t last = utf8_size_before(text.bytes + match->start, text.bytes);
        if (!is_space(utf8_at(text.bytes + match->start - last, &size)))
            break;
        match->start -= last;
    }
    while (match->token->rstrip && match->end < text.size &&
           is_space(utf8_at(text.bytes + match->end, &size)))
        match->end += size;
}

bool added_next(const struct added *added, const struct added_tree *tree, struct text text,
                size_t *from, size_t after, struct added_match *out)
{
    for (size_t at = *from; tree->count && at < text.size; at++) {
        int32_t index = -1;
        size_t end = longest_at(tree, text, at, &index);
        if (!end)
            continue;
        const struct added_token *token = &added->tokens[index];
        *from = end;
        if (token->single_word && word_touches(text, at, end)) {
            at = end - 1; /* a match that is no word is not tried again shorter */
            continue;
        }
        *out = (struct added_match){ at, end, token };
        widen(text, after, out);
        return true;
    }
    *from = text.size;
    return false;
}
