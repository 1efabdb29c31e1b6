/* wave.h - a random forest of token paths as a planner would hand it over: rows
 * in DFS order and page instances. */
#ifndef WAVE_H
#define WAVE_H

#include "kernels/ops.h"

enum { WAVE_ROWS_MAX = 600, WAVE_PAGES_MAX = 600, WAVE_LEVELS_MAX = 10 };

struct wave {
    struct pages pages; /* points into the rest */
    int32_t bend;       /* one row in so many branches off: bushes, or long arms of many
                           pages */
    int32_t parent[WAVE_ROWS_MAX], pos[WAVE_ROWS_MAX];
    int32_t page[WAVE_PAGES_MAX][3], level_at[WAVE_LEVELS_MAX + 2];
    int32_t slot_row[WAVE_PAGES_MAX][PAGE_SLOTS];
    int32_t all[WAVE_ROWS_MAX]; /* 0, 1, 2, ... */
};

/* rows: about how many.  Branches fall anywhere, also inside pages. */
void wave_random(struct wave *wave, int32_t rows);
/* The same with few branches: paths of several pages. */
void wave_arms(struct wave *wave, int32_t rows);
/* One path. */
void wave_chain(struct wave *wave, int32_t rows);
/* True if row is `ancestor` or below it. */
bool wave_below(const struct wave *wave, int32_t row, int32_t ancestor);
/* A random ascending list out of [0, rows); returns its length, at least 1. */
int32_t wave_some_rows(int32_t *list, int32_t rows, int32_t most);

#endif
