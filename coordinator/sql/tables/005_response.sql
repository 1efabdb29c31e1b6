-- Measurements. Append-only; every row has exactly one writer: response_ingest.
set local search_path = koeval;

-- By ranges of run_id: the key needs no campaign column, a campaign's runs are neighbours, and a range
-- is dropped whole.
create table response (
    input_hash  bigint not null,                  -- seeded hash of token ids and prompt ends: law 2's domain
    run_id      int not null,
    item_no     int not null,
    agent_id    int not null,
    lease_epoch int not null,
    class_id    int not null,
    replica     smallint not null,
    loglik      float8[],                         -- request order; null for generation
    greedy      boolean[],
    n_tokens    int[] not null,
    truncated   boolean[],                        -- null: none was
    finish      "char"[],                         -- generation, per repeat: e(os) s(top) l(ength)
    primary key (run_id, replica, item_no)
) partition by range (run_id);

create table response_p0 partition of response for values from (0) to (1000);

-- An item that cannot be answered. Not in response: a retry must be able to replace it, and responses
-- are for ever.
create table item_error (
    run_id      int not null,
    replica     smallint not null,
    item_no     int not null,
    generation  int not null,                     -- run.generation; a retry opens the next one
    shard_id    bigint not null,
    agent_id    int not null,
    lease_epoch int not null,
    reason      fail_reason not null,
    reason_num  bigint,
    at          timestamptz not null default clock_timestamp(),
    primary key (run_id, replica, item_no, generation)
);

create table secret.output (                      -- as secret as the items: generations echo prompts
    run_id    int not null,
    item_no   int not null,
    replica   smallint not null,
    repeat_no smallint not null,
    body      bytea not null,                     -- NUL and broken UTF-8 are real model outputs
    primary key (run_id, replica, item_no, repeat_no)
) partition by range (run_id);
create table secret.output_p0 partition of secret.output for values from (0) to (1000);
alter table secret.output_p0 alter column body set compression lz4;
