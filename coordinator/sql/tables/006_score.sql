-- Judgements: scorers, scores, boards.
set local search_path = koeval;

create table scorer (
    scorer_id   int generated always as identity primary key,
    name        text not null,
    version     int not null,
    code_sha256 digest32 not null,
    created_at  timestamptz not null default clock_timestamp(),
    unique (name, version)
);

-- One row per (run, scorer, metric, filter) with the items' values in item order. A row per item would
-- be 47 times larger and is read by nothing but this same stream.
create table score (
    score_id   bigint generated always as identity primary key,
    run_id     int not null references run,
    generation int not null,
    scorer_id  int not null references scorer,
    metric     text not null,
    filter     text not null default 'none',
    aggregation text not null,                    -- how values become the value: mean, macro_f1, ...
    n          int not null check (n > 0),
    value      float8 not null,
    stderr     float8,                            -- null is the harness's "N/A"
    width      smallint not null default 1,       -- numbers per item: (gold, pred), (ll, bytes), counts
    item_value float8[] not null,
    made_at    timestamptz not null default clock_timestamp(),
    unique (run_id, generation, scorer_id, metric, filter),
    check (cardinality(item_value) = n * width)
);
alter table score alter column item_value set compression lz4;
alter table score alter column item_value set statistics 0;

create table board (
    board_id   int generated always as identity primary key,
    name       text not null unique check (name <> ''),
    definition jsonb not null,                    -- as it was given; board_task is what it means
    scorer_id  int not null references scorer,    -- re-scoring = new scores beside the old, then this moves
    next_scorer_id int references scorer,         -- being prepared; readers do not see it
    publish    boolean not null default true,
    dirty      bigint not null default 1          -- +1 when an input changes; a snapshot stores what it read
);

create table board_category (
    board_id int not null references board,
    category text not null,
    weight   float8 not null default 1 check (weight > 0),
    primary key (board_id, category)
);

create table board_task (
    board_id        int not null references board,
    task_no         int not null,                 -- order of the definition
    task_version_id int not null references task_version,
    params          jsonb not null default '{}',  -- selector: runs whose params contain it count
    metric          text not null,
    filter          text not null default 'none',
    category        text not null,
    weight          float8 not null default 1 check (weight > 0), -- within its category
    primary key (board_id, task_no),
    unique (board_id, task_version_id, params, metric, filter),
    foreign key (board_id, category) references board_category
);
