-- Hello: proves the node by its key, claims the slot. A new incarnation gives back at once what the old
-- one held. What it answers is also the reconciliation after any doubt (same incarnation: nothing moves):
-- the leases that this agent holds in the database's eyes, with their epochs.
create or replace function agent_hello(p_epoch bigint, p_pubkey bytea, p_slot int, p_incarnation uuid,
    p_class_digest bytea, p_class_facts jsonb, p_facts jsonb, p_models bytea[] default '{}',
    out agent_id int, out class_id int, out node text, out intent agent_intent,
    out held bigint[], out held_epoch int[]) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
declare
    k int;
    old uuid;
begin
    perform gate_enter(p_epoch);
    select a.key_id, a.node into k, node from agent_key a where pubkey = p_pubkey and revoked_at is null;
    if not found then
        raise exception 'key unknown or revoked' using errcode = 'KE002';
    end if;
    insert into numerics_class (digest, facts) values (p_class_digest, p_class_facts)
    on conflict do nothing;
    select c.class_id into agent_hello.class_id from numerics_class c where digest = p_class_digest;
    select a.incarnation into old from agent a where a.key_id = k and a.slot = p_slot for update;
    insert into agent as a (key_id, slot, class_id, incarnation, facts, models)
    values (k, p_slot, agent_hello.class_id, p_incarnation, p_facts, p_models)
    on conflict (key_id, slot) do update set class_id = excluded.class_id,
        incarnation = excluded.incarnation, facts = excluded.facts, models = excluded.models,
        last_seen = clock_timestamp()
    returning a.agent_id, a.intent into agent_hello.agent_id, agent_hello.intent;
    if old is distinct from p_incarnation then
        perform shard_release(array(select s.shard_id from shard s
                                     where s.lease_agent = agent_hello.agent_id and s.state = 'leased'), 'lost');
    end if;
    select coalesce(array_agg(s.shard_id order by s.shard_id), '{}'),
           coalesce(array_agg(s.lease_epoch order by s.shard_id), '{}')
      into held, held_epoch
      from shard s where s.lease_agent = agent_hello.agent_id and s.state = 'leased';
end $$;

-- What agents say of themselves, every 10 s in one call. silent_ms: since the coordinator last heard of
-- it. Arrays of one length; a model of 0 is none. Rates and bytes are for listings, never for a decision.
create or replace function agent_telemetry(p_epoch bigint, p_agent int[], p_silent_ms bigint[],
    p_model int[], p_item_rate float8[], p_token_rate float8[], p_memory_used bigint[],
    p_memory_total bigint[]) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_enter(p_epoch);
    perform set_config('synchronous_commit', 'off', true);
    with u as materialized (
        select * from unnest(p_agent, p_silent_ms, p_model, p_item_rate, p_token_rate, p_memory_used,
                             p_memory_total)
               u(agent_id, silent_ms, model_id, item_rate, token_rate, memory_used, memory_total)),
    seen as (
        update agent a set last_seen = greatest(a.last_seen,
                   clock_timestamp() - u.silent_ms * interval '1 ms')
          from u where a.agent_id = u.agent_id)
    insert into agent_telemetry as t
    select agent_id, clock_timestamp() - silent_ms * interval '1 ms', nullif(model_id, 0), item_rate,
           token_rate, memory_used, memory_total from u
    on conflict (agent_id) do update set at = excluded.at, model_id = excluded.model_id,
        item_rate = excluded.item_rate, token_rate = excluded.token_rate,
        memory_used = excluded.memory_used, memory_total = excluded.memory_total;
end $$;

-- Its disks changed: digests as in the hello.
create or replace function agent_models(p_epoch bigint, p_agent int, p_models bytea[]) returns void
language plpgsql security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_enter(p_epoch);
    update agent set models = p_models where agent_id = p_agent;
end $$;

-- What was ordered of agents and keys: read after NOTIFY koeval_work and at each poll, so that a lost
-- notification costs seconds.
create or replace function agent_intents()
returns table (agent_id int, intent agent_intent, revoked boolean) language sql stable
security definer set search_path = koeval, pg_temp as $$
    select a.agent_id, a.intent, k.revoked_at is not null from agent a join agent_key k using (key_id)
     order by a.agent_id;
$$;
