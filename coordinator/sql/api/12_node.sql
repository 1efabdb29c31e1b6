-- What administrators order of nodes and keys. A node is a name on keys; all agents under it obey.
create or replace function node_drain(p_node text, p_why text) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    n int;
begin
    if coalesce(p_why, '') = '' then
        raise exception 'a drain needs a reason' using errcode = 'KE004';
    end if;
    perform node_check(p_node);
    update agent set intent = 'drain', intent_why = p_why, intent_by = session_user,
           intent_at = clock_timestamp()
     where key_id in (select key_id from agent_key where node = p_node) and intent = 'active';
    get diagnostics n = row_count;
    perform command_log('node_drain', jsonb_build_object('node', p_node, 'why', p_why));
    notify koeval_work;
    return n;
end $$;

-- A machine that is not trusted: what it holds goes to others without blame, and from this commit on
-- nothing that it says is stored, whatever lease it names, until it is resumed. What it answered before
-- stays; whether that counts is for run_void and run_restart.
create or replace function node_quarantine(p_node text, p_why text, out agents int, out leases int)
language plpgsql security definer set search_path = koeval, pg_temp as $$
begin
    if coalesce(p_why, '') = '' then
        raise exception 'a quarantine needs a reason' using errcode = 'KE004';
    end if;
    perform node_check(p_node);
    perform gate_close();  -- in-flight batches end first, later ones see the intent
    update agent set intent = 'quarantine', intent_why = p_why, intent_by = session_user,
           intent_at = clock_timestamp()
     where key_id in (select key_id from agent_key where node = p_node) and intent <> 'quarantine';
    get diagnostics agents = row_count;
    leases := shard_release(array(select shard_id from shard join agent on agent_id = lease_agent
                                    join agent_key using (key_id)
                                   where node = p_node and state = 'leased'), 'revoked');
    perform command_log('node_quarantine', jsonb_build_object('node', p_node, 'why', p_why));
    notify koeval_work;
end $$;

create or replace function node_resume(p_node text) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    n int;
begin
    perform node_check(p_node);
    update agent set intent = 'active', intent_why = null, intent_by = session_user,
           intent_at = clock_timestamp()
     where key_id in (select key_id from agent_key where node = p_node) and intent <> 'active';
    get diagnostics n = row_count;
    perform command_log('node_resume', jsonb_build_object('node', p_node));
    notify koeval_work;
    return n;
end $$;

create or replace function node_check(p_node text) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    if not exists (select from agent_key where node = p_node) then
        raise exception 'no node %', p_node using errcode = 'KE005';
    end if;
end $$;

-- The same key for the same node again is a no-op. A revoked key stays revoked: make a new one.
create or replace function key_add(p_pubkey bytea, p_node text) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    k agent_key;
begin
    insert into agent_key (pubkey, node) values (p_pubkey, p_node) on conflict do nothing;
    if found then
        perform command_log('key_add', jsonb_build_object('node', p_node));
        perform pg_notify('koeval_key', '');
    end if;
    select * into k from agent_key where pubkey = p_pubkey;
    if k.revoked_at is not null or k.node <> p_node then
        raise exception 'key % is % and cannot be added', k.key_id,
            case when k.node <> p_node then 'the key of node ' || k.node else 'revoked' end
            using errcode = 'KE009';
    end if;
    return k.key_id;
end $$;

-- After this returns, nothing from the key is committed: in-flight batches pass the gate first, later
-- ones see the row. Returns how many leases it ended.
create or replace function key_revoke(p_key int, p_why text) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    n int;
begin
    perform gate_close();
    update agent_key set revoked_at = clock_timestamp(), reason = p_why
     where key_id = p_key and revoked_at is null;
    if not found then
        raise exception 'key % is unknown or revoked already', p_key using errcode = 'KE005';
    end if;
    n := shard_release(array(select shard_id from shard join agent on agent_id = lease_agent
                              where key_id = p_key and state = 'leased'), 'revoked');
    perform command_log('key_revoke', jsonb_build_object('key', p_key, 'why', p_why));
    perform pg_notify('koeval_key', '');
    return n;
end $$;

-- A new key for the node of an old one, which stays good for the overlap: agents are started again with
-- the new one meanwhile. The same pair again moves the end. Returns the new key.
create or replace function key_rotate(p_key int, p_pubkey bytea, p_overlap interval, out key_id int,
    out node text, out expires_at timestamptz) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
declare
    old agent_key;
begin
    select * into old from agent_key k where k.key_id = p_key and k.revoked_at is null for update;
    if not found then
        raise exception 'key % is unknown or revoked', p_key using errcode = 'KE005';
    end if;
    if old.pubkey = p_pubkey then
        raise exception 'key % cannot follow itself', p_key using errcode = 'KE009';
    end if;
    if p_overlap < interval '0' or p_overlap > interval '90 days' then
        raise exception 'an overlap is 0 to 90 days' using errcode = 'KE004';
    end if;
    key_rotate.key_id := key_add(p_pubkey, old.node);
    key_rotate.node := old.node;
    key_rotate.expires_at := clock_timestamp() + p_overlap;
    update agent_key k set expires_at = key_rotate.expires_at where k.key_id = p_key;
    -- Whoever rotates in a circle means the new one to stay.
    update agent_key k set expires_at = null where k.key_id = key_rotate.key_id;
    perform command_log('key_rotate', jsonb_build_object('key', p_key, 'new', key_rotate.key_id,
                        'until', key_rotate.expires_at));
    perform pg_notify('koeval_key', '');
end $$;

-- The keys that are good now, and in how many milliseconds the next one ends (null: none does). What is
-- past its time is revoked first, as by an order: nothing that it says is stored from then on.
create or replace function key_good()
returns table (key_id int, pubkey bytea, next_ms bigint) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
begin
    perform key_revoke(k, 'rotated')
       from (select key_id as k from agent_key where revoked_at is null and expires_at <= clock_timestamp()
              order by key_id) x;
    return query
    select g.key_id, g.pubkey,
           (extract(epoch from min(g.expires_at) over () - clock_timestamp()) * 1000)::bigint
      from agent_key g where g.revoked_at is null order by g.key_id;
end $$;
