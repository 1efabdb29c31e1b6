-- The gate: every write of the coordinator passes it shared; what must stop writers (a new leader, a
-- revoked key, a cancelled run) passes it alone. An advisory lock writes no tuple, where FOR SHARE on
-- the epoch row makes a multixact per batch and is blocked by each heartbeat update of the same row.
create or replace function gate_id() returns bigint language sql immutable return 7411001;

create or replace function gate_enter(p_epoch bigint) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    -- With one snapshot for the whole transaction the epoch below would be the one from before the wait.
    if current_setting('transaction_isolation') <> 'read committed' then
        raise exception 'gate needs read committed' using errcode = 'KE000';
    end if;
    perform pg_advisory_xact_lock_shared(gate_id());
    if not exists (select from coordinator where epoch = p_epoch) then
        raise exception 'coordinator epoch % is over', p_epoch using errcode = 'KE001';
    end if;
end $$;

create or replace function gate_close() returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    perform pg_advisory_xact_lock(gate_id());
end $$;

create or replace function command_log(p_verb text, p_args jsonb) returns bigint language sql
security definer set search_path = koeval, pg_temp as $$
    insert into command (verb, args) values (p_verb, p_args) returning command_id;
$$;

-- A program knows the digest of the SQL that it was built with. Another schema, older or newer, is one
-- whose functions it does not know: better no coordinator than one that guesses.
create or replace function schema_check(p_digest bytea) returns void language plpgsql
security definer set search_path = meta, pg_temp as $$
declare
    there bytea := (select digest from schema_current);
begin
    if there is distinct from p_digest then
        raise exception 'schema is %, this program knows %: run koeval db migrate with the same build',
            left(encode(there, 'hex'), 12), left(encode(p_digest, 'hex'), 12) using errcode = 'KE006';
    end if;
end $$;
