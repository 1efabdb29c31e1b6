/* limits.h - block sizes that every instruction set shares. */
#ifndef LIMITS_H
#define LIMITS_H

enum {
    GEMM_COLS = 256, /* columns of C that are in hand at once: a group of panels */
    TILE_PANELS = 4, /* panels one call of the inner loop takes at most */
};

#endif
