#include "tests/ops/wave.h"

#include "tests/ops/random.h"

#include <string.h>

enum { LEVEL, BEGIN, END };

/* An ancestor of `row` (or row) where the next row branches off; -1: a new
 * root. */
static int32_t branch_pick(const struct wave *w, int32_t row)
{
    if (w->pos[row] + 1 == (WAVE_LEVELS_MAX - 1) * PAGE_SLOTS)
        return -1;
    if (random_in(1, w->bend) > 1)
        return row;
    if (random_in(0, 7) == 0)
        return -1;
    for (int32_t up = random_in(0, w->pos[row]); up > 0; up--)
        row = w->parent[row];
    return row;
}

/* A new instance at row's level: its head slots name row's own path. */
static void page_open(struct wave *w, int32_t row, int32_t *open)
{
    int32_t level = w->pos[row] / PAGE_SLOTS, g = w->pages.count++;

    assert(g < WAVE_PAGES_MAX);
    w->page[g][LEVEL] = level;
    w->page[g][BEGIN] = row;
    for (int32_t q = 0; q < PAGE_SLOTS; q++)
        w->slot_row[g][q] = w->pages.rows;
    for (int32_t at = w->parent[row]; at >= 0 && w->pos[at] >= level * PAGE_SLOTS;
         at = w->parent[at])
        w->slot_row[g][w->pos[at] % PAGE_SLOTS] = at;
    open[level] = g;
}

static void page_close(struct wave *w, int32_t *open, int32_t level, int32_t end)
{
    if (open[level] >= 0)
        w->page[open[level]][END] = end;
    open[level] = -1;
}

static void pages_scan(struct wave *w)
{
    int32_t open[WAVE_LEVELS_MAX];

    for (int32_t v = 0; v < WAVE_LEVELS_MAX; v++)
        open[v] = -1;
    for (int32_t r = 0; r < w->pages.rows; r++) {
        int32_t level = w->pos[r] / PAGE_SLOTS;
        bool branch = w->parent[r] != r - 1 || r == 0;
        for (int32_t v = level + 1; v < WAVE_LEVELS_MAX; v++)
            page_close(w, open, v, r);
        if (branch || w->pos[r] % PAGE_SLOTS == 0) {
            page_close(w, open, level, r);
            page_open(w, r, open);
        }
        w->slot_row[open[level]][w->pos[r] % PAGE_SLOTS] = r;
    }
    for (int32_t v = 0; v < WAVE_LEVELS_MAX; v++)
        page_close(w, open, v, w->pages.rows);
}

/* To (level, begin) order: within a level the scan has it already. */
static void pages_sort(struct wave *w)
{
    static int32_t page[WAVE_PAGES_MAX][3], slot_row[WAVE_PAGES_MAX][PAGE_SLOTS];
    int32_t made = 0;

    for (int32_t v = 0; v <= WAVE_LEVELS_MAX; v++) {
        w->level_at[v] = made;
        for (int32_t g = 0; g < w->pages.count; g++)
            if (w->page[g][LEVEL] == v) {
                memcpy(page[made], w->page[g], sizeof(page[0]));
                memcpy(slot_row[made++], w->slot_row[g], sizeof(slot_row[0]));
            }
        if (made > w->level_at[v])
            w->pages.levels = v + 1;
    }
    memcpy(w->page, page, sizeof(page));
    memcpy(w->slot_row, slot_row, sizeof(slot_row));
}

static void wave_make(struct wave *w, int32_t rows, int32_t bend)
{
    memset(w, 0, sizeof(*w));
    w->bend = bend;
    w->pages = (struct pages){ rows, 0, 0, w->pos, w->page, w->level_at, w->slot_row };
    for (int32_t r = 0; r < rows; r++) {
        w->parent[r] = r == 0 ? -1 : branch_pick(w, r - 1);
        w->pos[r] = w->parent[r] < 0 ? 0 : w->pos[w->parent[r]] + 1;
        w->all[r] = r;
    }
    pages_scan(w);
    pages_sort(w);
}

void wave_random(struct wave *wave, int32_t rows)
{
    wave_make(wave, rows, random_in(0, 1) ? 12 : 150);
}

void wave_arms(struct wave *wave, int32_t rows) { wave_make(wave, rows, 150); }
void wave_chain(struct wave *wave, int32_t rows) { wave_make(wave, rows, INT32_MAX); }

bool wave_below(const struct wave *wave, int32_t row, int32_t ancestor)
{
    while (row > ancestor)
        row = wave->parent[row];
    return row == ancestor;
}

int32_t wave_some_rows(int32_t *list, int32_t rows, int32_t most)
{
    int32_t count = 0, keep = random_in(1, 8);

    for (int32_t r = 0; r < rows && count < most; r++)
        if (random_in(1, 8) <= keep)
            list[count++] = r;
    if (count == 0)
        list[count++] = random_in(0, rows - 1);
    return count;
}
