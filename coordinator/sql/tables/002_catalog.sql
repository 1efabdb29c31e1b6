-- What can be evaluated: models, tasks, items, parameters, plans. Immutable once sealed.
set local search_path = koeval;

create table model (
    model_id      int generated always as identity primary key,
    name          text not null check (name <> ''),
    digest        digest32 not null unique,       -- identity: over weights, config, tokenizer, template
    manifest      jsonb not null,                 -- files and facts; what views show of a model
    created_by    text not null default session_user,
    created_at    timestamptz not null default clock_timestamp(),
    withdrawn_at  timestamptz,                    -- tombstone: the row stays, names may be blanked
    withdrawn_why text
);
create unique index model_name on model (name) where withdrawn_at is null;

create table numerics_class (
    class_id int generated always as identity primary key,
    digest   digest32 not null unique,
    facts    jsonb not null                       -- backend, arch, SM count, library versions, ...
);

create table task (
    task_id int generated always as identity primary key,
    name    text not null unique check (name <> ''),
    private boolean not null default true,
    residency text, purpose text, destroy_by date -- terms under which a private set was handed over
);

create table task_version (
    task_version_id int generated always as identity primary key,
    task_id    int not null references task,
    digest     digest32,                          -- over definition and the macs of both roles, by the seal
    definition text not null,                     -- the resolved task as canonical JSON
    split      text not null,
    n_item     int,                               -- set by the seal: coverage knows n before any run exists
    n_shot     int,
    publish_n  boolean not null default false,    -- n of a private set is a policy, not a fact for all
    import_xid xid8 not null default pg_current_xact_id(), -- an import is one transaction
    created_by text not null default session_user,
    created_at timestamptz not null default clock_timestamp(),
    sealed_at  timestamptz,
    unique (task_id, digest)
);

-- A YAML group: its members and how they are summed up.
create table task_group (
    group_id   int generated always as identity primary key,
    name       text not null unique check (name <> ''),
    definition jsonb not null check (jsonb_typeof(definition -> 'tasks') = 'array'),
    created_by text not null default session_user,
    created_at timestamptz not null default clock_timestamp()
);

-- One row per distinct content. item_id outlives task versions: equal content, equal item_id.
create table secret.item (
    item_id    bigint generated always as identity primary key,
    task_id    int not null references task,
    mac        bytea not null check (octet_length(mac) = 16), -- keyed: a plain hash confirms membership
    payload    bytea not null,                    -- bytea: a parse error would quote the text
    gold       bytea not null,
    supersedes bigint references secret.item,     -- a corrected item names the one it replaces
    seal_key   int not null default 0,            -- 0 = plain; later: destroying = losing a key
    unique (task_id, mac)
);

create table task_item (
    task_version_id int not null references task_version,
    item_no         int not null check (item_no >= 0),          -- harness order after process_docs
    item_id         bigint not null references secret.item,
    role            "char" not null default 'e' check (role in ('e', 's')), -- evaluated, few-shot source
    primary key (task_version_id, role, item_no)
);
create index task_item_item on task_item (item_id);

-- The key of the macs. Made here, read by the owner alone, never shown.
create table secret.mac_key (one boolean primary key default true check (one), key bytea not null);
insert into secret.mac_key (key) values (ext.gen_random_bytes(32));

create table params (                             -- what besides weights and items decides the requests
    params_id int generated always as identity primary key,
    body      jsonb not null unique               -- jsonb equality: 1 = 1.0; a digest of its text differs
);

create table plan (                               -- the part of params that draws shots; models share it
    plan_id         int generated always as identity primary key,
    task_version_id int not null references task_version,
    draw            jsonb not null,               -- {shots, seed, limit, sampler}
    n_item          int,
    sealed_at       timestamptz,
    unique (task_version_id, draw)
);

create table plan_item (
    plan_id  int not null,                        -- no foreign key: it takes two thirds of the insert time
    plan_no  int not null check (plan_no >= 0),   -- rank of (shot_nos, item_no): shards are ranges of it
    item_no  int not null,
    shot_nos int[] not null,                      -- item numbers of role 's'
    primary key (plan_id, plan_no),
    unique (plan_id, item_no) include (plan_no)
);
