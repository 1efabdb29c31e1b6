-- Work: campaign, run, shard, lease, job.
set local search_path = koeval;

create table campaign (
    campaign_id int generated always as identity primary key,
    name        text not null unique check (name <> ''),
    spec        jsonb not null,
    purpose     campaign_purpose not null default 'board', -- only 'board' feeds a board
    priority    smallint not null default 0,
    state       campaign_state not null default 'active',  -- what was ordered; "done" is the runs' fact
    created_by  text not null default session_user,
    created_at  timestamptz not null default clock_timestamp()
);

create table run (
    run_id       int generated always as identity primary key, -- creation order: newest = greatest
    campaign_id  int not null references campaign,
    model_id     int not null references model,
    task_version_id int not null references task_version,
    params_id    int not null references params,
    plan_id      int not null references plan,
    class_id     int references numerics_class,   -- null until the first grant pins it
    priority     smallint not null default 0,     -- here, not in shard: reprioritising is one row
    state        run_state not null default 'planned',
    n_item       int, n_shard int,
    n_shard_done int not null default 0,
    n_shard_error int not null default 0,         -- given up: no lease of theirs ended in progress
    n_item_done  int not null default 0,          -- moves when a shard ends: no hot row per batch
    n_item_error int not null default 0,
    attempt      smallint not null default 1,     -- on another class: a new run, its responses a new key
    generation   int not null default 0,          -- +1 at each retry of errors; scores name it
    created_at   timestamptz not null default clock_timestamp(),
    complete_at  timestamptz,
    voided_at    timestamptz, voided_why text,
    unique (campaign_id, model_id, task_version_id, params_id, attempt)
) with (fillfactor = 70);
create index run_claim on run (model_id, priority desc, run_id) where state = 'running';
create index run_newest on run (task_version_id, model_id, run_id desc) where state = 'complete';

create table shard (
    shard_id      bigint generated always as identity primary key,
    run_id        int not null references run,
    plan_lo       int not null,
    plan_hi       int not null,                   -- [lo, hi)
    lease_expires timestamptz,
    lease_epoch   int not null default 0,
    lease_agent   int,
    not_agent     int,                            -- failed here last: another first, until not_until
    not_until     timestamptz,
    n_done        int not null default 0,
    n_error       int not null default 0,
    done_at_grant int not null default 0,         -- a grant that made progress is no failed attempt
    class_id      int,                            -- only for replicas asked of another class
    replica       smallint not null default 0,
    attempts      smallint not null default 0,
    state         shard_state not null default 'ready',
    reason        fail_reason,
    reason_num    bigint,                         -- a length, a layer, bytes: numbers only
    unique (run_id, replica, plan_lo),
    check (plan_lo < plan_hi and n_done + n_error <= plan_hi - plan_lo)
) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02);
create index shard_ready on shard (run_id, shard_id) where state = 'ready';
-- Without lease_expires: renewals stay HOT.
create index shard_leased on shard (lease_agent) where state = 'leased';

create table lease (                              -- one row per grant: admits late batches, proves origin
    shard_id    bigint not null references shard,
    lease_epoch int not null,
    agent_id    int not null references agent,
    plan_lo     int not null, plan_hi int not null, -- as granted: a later split must not move it
    coordinator_epoch bigint not null,
    granted_at  timestamptz not null default clock_timestamp(),
    ended_at    timestamptz,
    outcome     lease_outcome,
    token_naive  bigint,                          -- tokens if every request were computed alone
    token_unique bigint,                          -- tokens that shared prefixes left to compute
    engine_ms    bigint,                          -- in the engine, without loading
    primary key (shard_id, lease_epoch)
);
-- What event_list shows of leases: few, and never those that ended well.
create index lease_ended_badly on lease (ended_at)
 where outcome in ('expired', 'failed', 'revoked', 'lost') and ended_at is not null;

create table job (
    job_id     bigint generated always as identity primary key,
    kind       job_kind not null,
    key        int not null,                      -- plan_id, run_id, board_id
    state      job_state not null default 'queued',
    attempts   smallint not null default 0,
    max_attempts smallint not null default 3,
    holder     text,
    lease_expires timestamptz,
    error      text,
    created_at timestamptz not null default clock_timestamp(),
    started_at timestamptz,
    ended_at   timestamptz
);
-- A request that arrives while one runs must queue (that one may have missed it); a second one merges.
create unique index job_queued on job (kind, key) where state = 'queued';
create unique index job_running on job (kind, key) where state = 'running';
