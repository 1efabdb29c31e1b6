-- What is shown: immutable snapshots, a pointer, and the pointer's history.
set local search_path = koeval;

create table ranking.snapshot (
    snapshot_id  bigint generated always as identity primary key,
    board_id     int not null references koeval.board,
    dirty        bigint not null,
    made_at      timestamptz not null default clock_timestamp(),
    code_version text not null,
    input_sha256 koeval.digest32 not null,        -- over the sorted score_ids it read
    boot_seed    bigint not null,
    boot_n       int not null,
    scorer_id    int not null references koeval.scorer,
    definition   jsonb not null                   -- tasks and weights as they were: a board may change
);

create table ranking.row (
    snapshot_id bigint not null references ranking.snapshot,
    model_id    int not null references koeval.model,
    model_name  text not null,
    rank int not null, rank_lo int not null, rank_hi int not null check (rank_lo <= rank_hi),
    tie_group int not null,                       -- equal number: the data do not tell them apart
    score float8 not null, stderr float8, n int not null,
    primary key (snapshot_id, model_id)
);

create table ranking.category_row (
    snapshot_id bigint not null references ranking.snapshot,
    model_id    int not null references koeval.model,
    category    text not null,
    weight      float8 not null,
    score float8 not null, stderr float8,
    primary key (snapshot_id, model_id, category)
);

create table ranking.task_row (
    snapshot_id bigint not null references ranking.snapshot,
    model_id int not null, task_version_id int not null, params_id int not null,
    metric text not null, filter text not null,
    category text not null, weight float8 not null,
    run_id int not null, score_id bigint not null, class_id int not null,
    value float8 not null, stderr float8, n int not null,
    primary key (snapshot_id, model_id, task_version_id, params_id, metric, filter)
);

-- A pointer alone cannot answer "what did the board show on that day".
create table ranking.publication (
    board_id    int not null references koeval.board,
    seq         int not null,
    snapshot_id bigint not null references ranking.snapshot,
    at          timestamptz not null,             -- clock_timestamp() under the board's lock: grows with seq
    primary key (board_id, seq)
);

create table ranking.current (
    board_id    int primary key references koeval.board,
    seq         int not null,
    snapshot_id bigint not null references ranking.snapshot
);
