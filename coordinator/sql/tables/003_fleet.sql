-- Who computes, who leads, what was ordered, what went wrong.
set local search_path = koeval;

create table coordinator (
    one          boolean primary key default true check (one),
    epoch        bigint not null,
    holder       text,
    since        timestamptz,
    heartbeat_at timestamptz
);
insert into coordinator values (true, 0);

create table agent_key (
    key_id     int generated always as identity primary key,
    pubkey     bytea not null unique check (octet_length(pubkey) = 32),
    node       text not null check (node <> ''),
    created_by text not null default session_user,
    created_at timestamptz not null default clock_timestamp(),
    expires_at timestamptz,                       -- rotated: good until then, revoked by the next look after
    revoked_at timestamptz,
    reason     text
);

create table agent (
    agent_id    int generated always as identity primary key,
    key_id      int not null references agent_key,
    slot        smallint not null,
    class_id    int not null references numerics_class,
    incarnation uuid not null,
    intent      agent_intent not null default 'active',
    intent_why  text,
    intent_by   text,
    intent_at   timestamptz,
    facts       jsonb not null default '{}',
    models      bytea[] not null default '{}',    -- digests on its disks, verified by itself
    last_seen   timestamptz not null default clock_timestamp(),
    unique (key_id, slot)
) with (fillfactor = 70);

-- What agents say of themselves, written in bulk: apart from agent, so that a listing's noise never
-- touches a row that claims and hellos lock. Lost with a crash of the server, and nobody misses it.
create unlogged table agent_telemetry (
    agent_id     int primary key,
    at           timestamptz not null,
    model_id     int,                             -- resident now
    item_rate    float8,                          -- items a second
    token_rate   float8,
    memory_used  bigint,
    memory_total bigint
) with (fillfactor = 50);

create table command (                            -- audit log of every order and of every private read
    command_id bigint generated always as identity primary key,
    at    timestamptz not null default clock_timestamp(),
    actor text not null default session_user,     -- current_user is the owner inside a definer function
    verb  text not null,
    args  jsonb not null
);

create table incident (
    incident_id bigint generated always as identity primary key,
    at          timestamptz not null default clock_timestamp(),
    kind        text not null check (kind in ('different_answer', 'count_mismatch')),
    run_id int, item_no int, replica smallint,
    agent_kept int, lease_kept int, agent_new int, lease_new int,
    loglik_kept float8[], loglik_new float8[],
    unique nulls not distinct (kind, run_id, item_no, replica, agent_new, lease_new)
);
