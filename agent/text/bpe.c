#include "agent/text/bpe.h"

#include "agent/text/unicode.h"

/* Up to this many symbols the next merge is found by looking at every pair: the pairs fit a few
 * cache lines.  Beyond, a heap keeps the whole at O(n log n). */
#define SCAN_MAX 48

#define CACHED_WORD_BYTES 128
#define CACHE_SLOTS       (1u << 17)
#define CACHE_BYTES_MAX   ((size_t)4 << 20)

struct symbol {
    int32_t id, previous, next; /* -1: none; id -1: merged into its left neighbour */
};

struct candidate {
    int32_t rank, at, id;
};

struct cached {
    uint64_t hash; /* 0: the slot is free */
    uint32_t word, size, ids, count;
};

struct bpe_work {
    int32_t *ids, *ranks;
    struct symbol *symbols;
    int32_t count, capacity;
    struct candidate *heap;
    int32_t heap_count, heap_capacity;
    struct cached *cache;
    uint32_t cache_count;
    struct buf words, cached_ids;
};

struct bpe_work *bpe_work_new(void)
{
    struct bpe_work *work = must_calloc(1, sizeof(*work));
    work->cache = must_calloc(CACHE_SLOTS, sizeof(*work->cache));
    return work;
}

void bpe_work_free(struct bpe_work *work)
{
    if (!work)
        return;
    free(work->ids);
    free(work->ranks);
    free(work->symbols);
    free(work->heap);
    free(work->cache);
    buf_free(&work->words);
    buf_free(&work->cached_ids);
    free(work);
}

void tokens_append(struct tokens *tokens, int32_t id)
{
    if (tokens->count == tokens->capacity) {
        tokens->capacity = tokens->capacity ? tokens->capacity * 2 : 256;
        tokens->ids = must_realloc(tokens->ids, (size_t)tokens->capacity, sizeof(*tokens->ids));
    }
    tokens->ids[tokens->count++] = id;
}

static void ids_put(struct bpe_work *work, int32_t id)
{
    if (work->count == work->capacity) {
        work->capacity = work->capacity ? work->capacity * 2 : 256;
        work->ids = must_realloc(work->ids, (size_t)work->capacity, sizeof(*work->ids));
        work->ranks = must_realloc(work->ranks, (size_t)work->capacity, sizeof(*work->ranks));
    }
    work->ids[work->count++] = id;
}

/* <0xHH> of every byte of the character, or false where one of them is no token. */
static bool put_fallback(const struct bpe *bpe, struct bpe_work *work, struct text character)
{
    for (size_t i = 0; i < character.size; i++)
        if (bpe->byte_ids[(unsigned char)character.bytes[i]] < 0)
            return false;
    for (size_t i = 0; i < character.size; i++)
        ids_put(work, bpe->byte_ids[(unsigned char)character.bytes[i]]);
    return true;
}

/* An unknown character is held back, so that a run of them can become one.  What falls back to
 * bytes overtakes it: that is how the reference orders them. */
static void symbols_of_characters(const struct bpe *bpe, struct bpe_work *work, struct text word)
{
    bool pending = false;
    size_t size;
    for (size_t i = 0; i < word.size; i += size) {
        utf8_at(word.bytes + i, &size);
        struct text character = { word.bytes + i, size };
        int32_t id = vocab_find(&bpe->vocab, character);
        if (id < 0 && bpe->byte_fallback && put_fallback(bpe, work, character))
            continue;
        if (pending && (id >= 0 || !bpe->fuse_unk))
            ids_put(work, bpe->unk);
        pending = id < 0 && (bpe->unk >= 0);
        if (id >= 0)
            ids_put(work, id);
    }
    if (pending)
        ids_put(work, bpe->unk);
}

static void symbols_of_bytes(const struct bpe *bpe, struct bpe_work *work, struct text word)
{
    bool pending = false;
    for (size_t i = 0; i < word.size; i++) {
        int32_t id = bpe->byte_ids[(unsigned char)word.bytes[i]];
        if (pending && (id >= 0 || !bpe->fuse_unk))
            ids_put(work, bpe->unk);
        pending = id < 0 && bpe->unk >= 0;
        if (id >= 0)
            ids_put(work, id);
    }
    if (pending)
        ids_put(work, bpe->unk);
}

static int32_t rank_of(const struct bpe *bpe, const struct bpe_work *work, int32_t at)
{
    if (at < 0 || at + 1 >= work->count)
        return INT32_MAX;
    const struct merge *merge = merges_find(&bpe->merges, work->ids[at], work->ids[at + 1]);
    return merge ? merge->rank : INT32_MAX;
}

static int32_t lowest_rank(const struct bpe_work *work)
{
    int32_t best = 0;
    for (int32_t i = 1; i + 1 < work->count; i++)
        if (work->ranks[i] < work->ranks[best])
            best = i;
    return best;
}

static void merge_by_scan(const struct bpe *bpe, struct bpe_work *work)
{
    for (int32_t i = 0; i < work->count; i++)
        work->ranks[i] = rank_of(bpe, work, i);
    while (work->count > 1) {
        int32_t at = lowest_rank(work);
        if (work->ranks[at] == INT32_MAX)
            return;
        work->ids[at] = merges_find(&bpe->merges, work->ids[at], work->ids[at + 1])->id;
        size_t behind = (size_t)(work->count - at - 2);
        memmove(&work->ids[at + 1], &work->ids[at + 2], behind * sizeof(*work->ids));
        memmove(&work->ranks[at + 1], &work->ranks[at + 2], behind * sizeof(*work->ranks));
        work->count--;
        work->ranks[at] = rank_of(bpe, work, at);
        if (at)
            work->ranks[at - 1] = rank_of(bpe, work, at - 1);
    }
}

static bool before(struct candidate a, struct candidate b)
{
    return a.rank < b.rank || (a.rank == b.rank && a.at < b.at);
}

static void heap_push(struct bpe_work *work, struct candidate new)
{
    if (work->heap_count == work->heap_capacity) {
        work->heap_capacity = work->heap_capacity ? work->heap_capacity * 2 : 256;
        work->heap = must_realloc(work->heap, (size_t)work->heap_capacity, sizeof(*work->heap));
    }
    int32_t at = work->heap_count++;
    for (; at && before(new, work->heap[(at - 1) / 2]); at = (at - 1) / 2)
        work->heap[at] = work->heap[(at - 1) / 2];
    work->heap[at] = new;
}

static struct candidate heap_pop(struct bpe_work *work)
{
    struct candidate top = work->heap[0], last = work->heap[--work->heap_count];
    int32_t at = 0;
    for (int32_t child; (child = 2 * at + 1) < work->heap_count; at = child) {
        if (child + 1 < work->heap_count && before(work->heap[child + 1], work->heap[child]))
            child++;
        if (!before(work->heap[child], last))
            break;
        work->heap[at] = work->heap[child];
    }
    work->heap[at] = last;
    return top;
}

static void propose(const struct bpe *bpe, struct bpe_work *work, int32_t at)
{
    if (at < 0 || work->symbols[at].next < 0)
        return;
    const struct merge *merge =
        merges_find(&bpe->merges, work->symbols[at].id, work->symbols[work->symbols[at].next].id);
    if (merge)
        heap_push(work, (struct candidate){ merge->rank, at, merge->id });
}

/* A candidate is stale when either side has changed since it was proposed. */
static bool still_holds(const struct bpe *bpe, const struct bpe_work *work, struct candidate top)
{
    const struct symbol *left = &work->symbols[top.at];
    if (left->id < 0 || left->next < 0)
        return false;
    const struct merge *merge = merges_find(&bpe->merges, left->id, work->symbols[left->next].id);
    return merge && merge->id == top.id;
}

static void join_next(struct bpe_work *work, int32_t at, int32_t id)
{
    struct symbol *left = &work->symbols[at], *right = &work->symbols[left->next];
    left->id = id;
    left->next = right->next;
    right->id = -1;
    if (left->next >= 0)
        work->symbols[left->next].previous = at;
}

static void merge_by_heap(const struct bpe *bpe, struct bpe_work *work)
{
    work->symbols = must_realloc(work->symbols, (size_t)work->capacity, sizeof(*work->symbols));
    for (int32_t i = 0; i < work->count; i++)
        work->symbols[i] = (struct symbol){ work->ids[i], i - 1, i + 1 < work->count ? i + 1 : -1 };
    work->heap_count = 0;
    for (int32_t i = 0; i < work->count; i++)
        propose(bpe, work, i);
    while (work->heap_count) {
        struct candidate top = heap_pop(work);
        if (!still_holds(bpe, work, top))
            continue;
        join_next(work, top.at, top.id);
        propose(bpe, work, work->symbols[top.at].previous);
        propose(bpe, work, top.at);
    }
    int32_t kept = 0;
    for (int32_t i = 0; i >= 0 && work->count; i = work->symbols[i].next)
        work->ids[kept++] = work->symbols[i].id;
    work->count = kept;
}

static int32_t whole_word(const struct bpe *bpe, struct text word)
{
    if (!bpe->byte_level)
        return vocab_find(&bpe->vocab, word);
    char printable[2 * TOKENIZER_TOKEN_BYTES + 1];
    size_t size = 0;
    if (word.size > TOKENIZER_TOKEN_BYTES)
        return -1; /* no token is that long */
    for (size_t i = 0; i < word.size; i++) {
        unsigned char byte = (unsigned char)word.bytes[i];
        memcpy(printable + size, bpe->printable[byte], 2);
        size += bpe->printable_size[byte];
    }
    return vocab_find(&bpe->vocab, (struct text){ printable, size });
}

/* Leaves the word's ids in work->ids. */
static void encode_word(const struct bpe *bpe, struct bpe_work *work, struct text word)
{
    work->count = 0;
    int32_t whole = bpe->ignore_merges ? whole_word(bpe, word) : -1;
    if (whole >= 0) {
        ids_put(work, whole);
        return;
    }
    if (bpe->byte_level)
        symbols_of_bytes(bpe, work, word);
    else
        symbols_of_characters(bpe, work, word);
    if (work->count <= SCAN_MAX)
        merge_by_scan(bpe, work);
    else
        merge_by_heap(bpe, work);
}

static struct cached *cache_slot(const struct bpe_work *work, uint64_t hash, struct text word)
{
    for (uint32_t i = (uint32_t)hash & (CACHE_SLOTS - 1);; i = (i + 1) & (CACHE_SLOTS - 1)) {
        struct cached *slot = &work->cache[i];
        struct text held = { buf_text(&work->words) + slot->word, slot->size };
        if (!slot->hash || (slot->hash == hash && text_equal(held, word)))
            return slot;
    }
}

static void cache_fill(struct bpe_work *work, struct cached *slot, uint64_t hash, struct text word)
{
    *slot = (struct cached){ hash, (uint32_t)work->words.size, (uint32_t)word.size,
                             (uint32_t)(work->cached_ids.size / sizeof(int32_t)),
                             (uint32_t)work->count };
    buf_put(&work->words, word.bytes, word.size);
    buf_put(&work->cached_ids, work->ids, (size_t)work->count * sizeof(int32_t));
    work->cache_count++;
}

static void cache_forget(struct bpe_work *work)
{
    memset(work->cache, 0, CACHE_SLOTS * sizeof(*work->cache));
    work->cache_count = 0;
    buf_clear(&work->words);
    buf_clear(&work->cached_ids);
}

static void put_all(struct tokens *out, const int32_t *ids, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        tokens_append(out, ids[i]);
}

static void encode_cached(const struct bpe *bpe, struct bpe_work *work, struct text word,
                          struct tokens *out)
{
    if (word.size > CACHED_WORD_BYTES) {
        encode_word(bpe, work, word);
        put_all(out, work->ids, (uint32_t)work->count);
        return;
    }
    uint64_t hash = text_hash(word) | (uint64_t)1 << 63;
    struct cached *slot = cache_slot(work, hash, word);
    if (slot->hash) {
        put_all(out, (const int32_t *)work->cached_ids.bytes + slot->ids, slot->count);
        return;
    }
    encode_word(bpe, work, word);
    put_all(out, work->ids, (uint32_t)work->count);
    if (work->cache_count * 2 >= CACHE_SLOTS || work->words.size >= CACHE_BYTES_MAX) {
        cache_forget(work);
        slot = cache_slot(work, hash, word);
    }
    cache_fill(work, slot, hash, word);
}

#define MARK      "\xe2\x96\x81" /* U+2581 */
#define MARK_SIZE 3

/* Offset of the next mark that follows another character, or the end. */
static size_t mark_next(struct text word, size_t at)
{
    bool after_mark = true;
    while (at < word.size) {
        bool mark = word.size - at >= MARK_SIZE && !memcmp(word.bytes + at, MARK, MARK_SIZE);
        if (mark && !after_mark)
            return at;
        after_mark = mark;
        at += mark ? MARK_SIZE : 1;
    }
    return at;
}

void bpe_encode(const struct bpe *bpe, struct bpe_work *work, struct text word, struct tokens *out)
{
    if (!bpe->cuts_at_marks) {
        encode_cached(bpe, work, word, out);
        return;
    }
    for (size_t at = 0; at < word.size;) {
        size_t end = mark_next(word, at);
        encode_cached(bpe, work, (struct text){ word.bytes + at, end - at }, out);
        at = end;
    }
}
