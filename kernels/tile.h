/* tile.h - which pages a q tile reads: an ascending list of rows against a wave's page instances.
 *
 * At a level the tile reads every instance that holds one of its rows, in (level, begin) order; of
 * those a row sees exactly one.  Found by a binary search for the first instance whose interval
 * ends after the first row, then onwards while rows are left. */
#ifndef TILE_H
#define TILE_H

#include "kernels/ops.h"

#ifdef __cplusplus
extern "C" {
#endif

/* rows[from .. to) are those inside the instance's interval; the others it cannot change. */
struct tile_page {
    int32_t page, from, to;
};

struct tile_walk {
    const struct pages *pages;
    const int32_t *rows;
    int32_t count, window;
    int32_t level, page, at; /* where the walk stands: rows before `at` have had their page */
};

/* rows[count], ascending, count > 0; window 0: unlimited.  All are borrowed by the walk. */
void tile_begin(struct tile_walk *walk, const struct pages *pages, const int32_t *rows,
                int32_t count, int32_t window);
/* The next page of which some row sees some slot; false after the last. */
bool tile_next(struct tile_walk *walk, struct tile_page *out);

#ifdef __cplusplus
}
#endif
#endif
