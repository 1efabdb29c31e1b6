/* board.h - what the files of `koeval board` share. */
#ifndef BOARD_H
#define BOARD_H

#include "coordinator/cli/command.h"
#include "coordinator/store/db.h"

/* The first argument names no board: says which there are. */
bool no_such_board(struct cli *cli, struct db *db, struct err *err) MUST;

/* cmd_board_show.c */
extern const struct option board_show_options[];
bool board_show(struct cli *cli, struct err *err) MUST;

/* The number of this program's scorer, known to the database from here on. */
bool board_scorer(int64_t *out, struct db *db, struct err *err) MUST;

/* What stands between a board and an edition that shows everything measured so far. */
struct pending {
    int64_t due;    /* models whose runs are scored or ranked now; -1: no such board */
    int64_t failed; /* jobs that were given up */
    bool fresh;     /* published and not stale */
};
bool board_pending(struct pending *out, struct db *db, const char *board, struct err *err) MUST;

/* cmd_board_past.c */
extern const struct option history_options[], rescore_options[];
bool board_history(struct cli *cli, struct err *err) MUST;
bool board_diff(struct cli *cli, struct err *err) MUST;
bool board_rescore(struct cli *cli, struct err *err) MUST;
bool board_rollback(struct cli *cli, struct err *err) MUST;

#endif
