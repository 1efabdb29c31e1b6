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

#endif
