#include "kernels/tile.h"

enum { LEVEL, BEGIN, END };

/* The first page of the level whose interval ends after `row`. */
static int32_t page_find(const struct pages *pages, int32_t level, int32_t row)
{
    int32_t lo = pages->level_at[level], hi = pages->level_at[level + 1];

    while (lo < hi) {
        int32_t mid = lo + (hi - lo) / 2;
        if (pages->page[mid][END] <= row)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void level_begin(struct tile_walk *walk, int32_t level)
{
    walk->level = level;
    walk->at = 0;
    if (level < walk->pages->levels)
        walk->page = page_find(walk->pages, level, walk->rows[0]);
}

void tile_begin(struct tile_walk *walk, const struct pages *pages, const int32_t *rows,
                int32_t count, int32_t window)
{
    *walk = (struct tile_walk){ pages, rows, count, window, 0, 0, 0 };
    level_begin(walk, 0);
}

/* The run rows[at ..) inside the page's interval; true if any of it sees any slot. */
static bool page_run(struct tile_walk *walk, struct tile_page *out)
{
    const int32_t *page = walk->pages->page[walk->page], *rows = walk->rows;
    int32_t last = page[LEVEL] * PAGE_SLOTS + PAGE_SLOTS - 1;
    bool any = false;

    while (walk->at < walk->count && rows[walk->at] < page[BEGIN])
        walk->at++;
    out->page = walk->page;
    out->from = walk->at;
    for (; walk->at < walk->count && rows[walk->at] < page[END]; walk->at++)
        any |= !walk->window || last > walk->pages->pos[rows[walk->at]] - walk->window;
    out->to = walk->at;
    return any;
}

bool tile_next(struct tile_walk *walk, struct tile_page *out)
{
    while (walk->level < walk->pages->levels) {
        if (walk->at == walk->count || walk->page == walk->pages->level_at[walk->level + 1]) {
            level_begin(walk, walk->level + 1);
            continue;
        }
        bool any = page_run(walk, out);
        walk->page++;
        if (any)
            return true;
    }
    return false;
}
