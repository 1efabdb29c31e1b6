/* Which pages a tile reads, against the definition. */
#include "kernels/tile.h"
#include "tests/ops/random.h"
#include "tests/ops/wave.h"
#include "tests/test.h"

/* Some row of the list sees some slot of the page. */
static bool page_wanted(const struct wave *w, int32_t g, const int32_t *rows, int32_t count,
                        int32_t window)
{
    int32_t last = w->page[g][0] * PAGE_SLOTS + PAGE_SLOTS - 1;

    for (int32_t i = 0; i < count; i++)
        if (w->page[g][1] <= rows[i] && rows[i] < w->page[g][2] &&
            (!window || last > w->pos[rows[i]] - window))
            return true;
    return false;
}

static bool walk_is_right(const struct wave *w, const int32_t *rows, int32_t count, int32_t window)
{
    struct tile_walk walk;
    struct tile_page page;
    int32_t g = 0;

    tile_begin(&walk, &w->pages, rows, count, window);
    while (tile_next(&walk, &page)) {
        for (; g < page.page; g++)
            if (page_wanted(w, g, rows, count, window))
                return false;
        if (!page_wanted(w, g++, rows, count, window))
            return false;
        for (int32_t i = 0; i < count; i++) {
            bool in = w->page[page.page][1] <= rows[i] && rows[i] < w->page[page.page][2];
            if (in != (page.from <= i && i < page.to))
                return false;
        }
    }
    for (; g < w->pages.count; g++)
        if (page_wanted(w, g, rows, count, window))
            return false;
    return true;
}

TEST(a_tile_reads_the_pages_its_rows_see_and_no_others)
{
    static struct wave wave;
    int32_t rows[WAVE_ROWS_MAX];

    for (int i = 0; i < 400; i++) {
        wave_random(&wave, random_in(1, WAVE_ROWS_MAX));
        int32_t count = wave_some_rows(rows, wave.pages.rows, random_in(1, 64));
        CHECK(walk_is_right(&wave, rows, count, i % 2 ? random_in(1, 200) : 0));
    }
}

TEST(every_row_has_one_instance_per_level_and_its_own_path_in_it)
{
    static struct wave w; /* of the generator that the other tests stand on */

    for (int i = 0; i < 50; i++) {
        wave_random(&w, random_in(1, WAVE_ROWS_MAX));
        for (int32_t r = 0; r < w.pages.rows; r++) {
            int32_t seen = 0, up = r;
            for (int32_t g = w.pages.count - 1; g >= 0; g--) {
                if (r < w.page[g][1] || w.page[g][2] <= r)
                    continue;
                for (int32_t q = PAGE_SLOTS - 1; q >= 0; q--)
                    if (w.page[g][0] * PAGE_SLOTS + q <= w.pos[r]) {
                        CHECK(w.slot_row[g][q] == up);
                        up = w.parent[up];
                    }
                seen++;
            }
            CHECK(seen == w.pos[r] / PAGE_SLOTS + 1);
            CHECK(up == -1);
        }
    }
}
