/* One run of neighbouring paths becomes rows, page instances and scored rows. */
#include "agent/plan/plan.h"

#include <string.h>

/* The path being walked: the row at each position and the instance at each level. */
struct walk {
    struct wave *wave;
    int32_t *row_of, *page_of;
    int32_t pages_made, rows_made;
};

static void *room(int64_t count, size_t size) { return must_calloc((size_t)count, size); }

static void wave_alloc(struct wave *w, const struct trie *trie, const struct cut *cut,
                       int32_t slots)
{
    int32_t longest = 0;
    for (int32_t k = cut->begin; k < cut->end; k++)
        longest = trie->len[k] > longest ? trie->len[k] : longest;

    *w = (struct wave){ .rows = (int32_t)cut->rows, .slots = slots, .pages = (int32_t)cut->pages };
    w->levels = (longest + slots - 1) / slots;
    w->token = room(w->rows, sizeof(*w->token));
    w->pos = room(w->rows, sizeof(*w->pos));
    w->parent = room(w->rows, sizeof(*w->parent));
    w->page = room(w->pages, sizeof(*w->page));
    w->level_at = room(w->levels + 1, sizeof(*w->level_at));
    w->slot_row = room(cut->pages * slots, sizeof(*w->slot_row));
    for (int64_t i = 0; i < cut->pages * slots; i++)
        w->slot_row[i] = w->rows;
}

static int32_t *slots_of(const struct wave *w, int32_t page)
{
    return w->slot_row + (int64_t)page * w->slots;
}

/* Opens an instance whose slots before position pos repeat the path's own rows: the shared head of
 * a split page.  Its interval begins at the next row; the head's rows stay with the first sibling.
 */
static void page_open(struct walk *k, int32_t level, int32_t pos)
{
    int32_t page = k->pages_made++, first = level * k->wave->slots;

    k->wave->page[page] = (struct page){ .level = level, .begin = k->rows_made };
    for (int32_t q = first; q < pos; q++)
        slots_of(k->wave, page)[q - first] = k->row_of[q];
    k->page_of[level] = page;
}

static void pages_close(struct walk *k, int32_t from_level, int32_t len)
{
    for (int32_t level = from_level; level * k->wave->slots < len; level++)
        k->wave->page[k->page_of[level]].end = k->rows_made;
}

static void row_add(struct walk *k, int32_t token, int32_t pos)
{
    struct wave *w = k->wave;
    int32_t row = k->rows_made++;

    w->token[row] = token;
    w->pos[row] = pos;
    w->parent[row] = pos > 0 ? k->row_of[pos - 1] : -1;
    k->row_of[pos] = row;
    slots_of(w, k->page_of[pos / w->slots])[pos % w->slots] = row;
}

/* The path shares lcp tokens with the one before, which had len_before. */
static void path_add(struct walk *k, const int32_t *tokens, int32_t lcp, int32_t len,
                     int32_t len_before)
{
    int32_t slots = k->wave->slots;
    bool branch = lcp < len_before;

    if (branch)
        pages_close(k, lcp / slots, len_before);
    for (int32_t pos = lcp; pos < len; pos++) {
        if (pos % slots == 0 || (branch && pos == lcp))
            page_open(k, pos / slots, pos);
        row_add(k, tokens[pos], pos);
    }
}

/* Ascending (level, begin): within a level they were made in row order, so counting is enough. */
static void pages_sort(struct wave *w)
{
    struct page *page = room(w->pages, sizeof(*page));
    int32_t *rows = room((int64_t)w->pages * w->slots, sizeof(*rows));
    AUTO(free) int32_t *next = room(w->levels, sizeof(*next));

    for (int32_t i = 0; i < w->pages; i++)
        w->level_at[w->page[i].level + 1]++;
    for (int32_t level = 0; level < w->levels; level++)
        w->level_at[level + 1] += w->level_at[level];
    memcpy(next, w->level_at, (size_t)w->levels * sizeof(*next));
    for (int32_t i = 0; i < w->pages; i++) {
        int32_t to = next[w->page[i].level]++;
        page[to] = w->page[i];
        memcpy(rows + (int64_t)to * w->slots, slots_of(w, i), (size_t)w->slots * sizeof(*rows));
    }
    free(w->page);
    free(w->slot_row);
    w->page = page;
    w->slot_row = rows;
}

struct score {
    int32_t row;
    struct target target;
};

static int32_t scores_of_path(struct score *out, const struct walk *k,
                              const struct request *request, int32_t req)
{
    int32_t count = request->n - request->ctx;
    for (int32_t i = 0; i < count; i++)
        out[i] = (struct score){ k->row_of[request->ctx - 1 + i],
                                 { request->tokens[request->ctx + i], req, i } };
    return count;
}

static int by_row(const void *a, const void *b)
{
    const struct score *x = a, *y = b;
    int row = (x->row > y->row) - (x->row < y->row);
    return row ? row : (x->target.req > y->target.req) - (x->target.req < y->target.req);
}

static void scores_make(struct wave *w, struct score *score, int32_t count)
{
    qsort(score, (size_t)count, sizeof(*score), by_row);
    w->scored_row = room(count, sizeof(*w->scored_row));
    w->target_at = room(count + 1, sizeof(*w->target_at));
    w->target = room(count, sizeof(*w->target));
    for (int32_t i = 0; i < count; i++) {
        if (i == 0 || score[i].row != score[i - 1].row) {
            w->target_at[w->scored] = i;
            w->scored_row[w->scored++] = score[i].row;
        }
        w->target[i] = score[i].target;
    }
    w->target_at[w->scored] = count;
}

void wave_build(struct wave *out, const struct trie *trie, const struct cut *cut, int32_t slots)
{
    assert(cut->begin < cut->end);
    wave_alloc(out, trie, cut, slots);
    AUTO(free) int32_t *row_of = room((int64_t)out->levels * slots, sizeof(*row_of));
    AUTO(free) int32_t *page_of = room(out->levels, sizeof(*page_of));
    AUTO(free) struct score *score = room(cut->targets, sizeof(*score));
    struct walk walk = { out, row_of, page_of, 0, 0 };
    int32_t scores = 0;

    for (int32_t k = cut->begin, before = 0; k < cut->end; before = trie->len[k++]) {
        const struct request *request = &trie->requests[trie->req[k]];
        int32_t lcp = k == cut->begin ? 0 : trie->lcp[k];
        path_add(&walk, request->tokens, lcp, trie->len[k], before);
        scores += scores_of_path(score + scores, &walk, request, trie->req[k]);
    }
    pages_close(&walk, 0, trie->len[cut->end - 1]);
    assert(walk.rows_made == cut->rows); /* cuts.c counts as we build */
    assert(walk.pages_made == cut->pages);
    pages_sort(out);
    scores_make(out, score, scores);
}

void wave_free(struct wave *wave)
{
    void *all[] = { wave->token,    wave->pos,        wave->parent,    wave->page,  wave->level_at,
                    wave->slot_row, wave->scored_row, wave->target_at, wave->target };
    for (size_t i = 0; i < COUNT(all); i++)
        free(all[i]);
    *wave = (struct wave){ 0 };
}
