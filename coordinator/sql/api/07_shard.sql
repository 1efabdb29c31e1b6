-- First grant pins the run's class. Two classes racing: the loser waits for the row, then sees the
-- other's pin.
create or replace function run_pin(p_run int, p_class int) returns boolean language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    update run set class_id = p_class where run_id = p_run and class_id is null and state = 'running';
    return found or exists (select from run where run_id = p_run and class_id = p_class);
end $$;

-- What could be granted now, one row per model and class (null: not pinned yet), best first; n_ready
-- counts at most 1,000 shards of a run, because this is read each second (and after NOTIFY koeval_work)
-- and a campaign may have 400,000. The class stands in it because an agent of another class would
-- otherwise ask for ever.
create or replace function work_list()
returns table (model_id int, model_digest bytea, class_id int, n_ready bigint, priority int)
language sql stable security definer set search_path = koeval, pg_temp as $$
    select r.model_id, m.digest::bytea, r.class_id, sum(s.n), max(r.priority)::int
      from run r join campaign c using (campaign_id) join model m using (model_id)
      join lateral (select count(*) as n
                      from (select from shard s where s.run_id = r.run_id and s.state = 'ready'
                             limit 1000) x) s on s.n > 0
     where r.state = 'running' and c.state = 'active'
     group by r.model_id, m.digest, r.class_id
     order by 5 desc, min(r.run_id);
$$;

-- Whether nobody else could take this model's work: then "another first" would only be a pause.
create or replace function agent_alone(p_agent int, p_class int, p_model int) returns boolean
language sql stable security definer set search_path = koeval, pg_temp as $$
    select not exists (
        select from agent a join agent_key k using (key_id) join model m on m.model_id = p_model
         where a.agent_id <> p_agent and a.class_id = p_class and a.intent = 'active'
           and k.revoked_at is null and a.last_seen > clock_timestamp() - interval '30 s'
           and m.digest = any (a.models));
$$;

-- Per model: best run first, then its shards in order. Priority lives in run, so raising it rewrites one
-- row. A run is pinned only when a shard of it can be had: a claim that gets nothing binds nothing.
-- Shards are taken with SKIP LOCKED, which never waits, so waiting for a run's row cannot deadlock.
-- Rows come in the order of the work, each with what the Grant has to say of its run.
create or replace function shard_claim(p_epoch bigint, p_agent int, p_model int, p_n int, p_lease interval)
returns table (shard_id bigint, lease_epoch int, run_id int, replica smallint, plan_lo int, plan_hi int,
               n_done int, model_digest bytea, task_version_id int, params jsonb, class_id int)
language plpgsql security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
declare
    r record;
    cls int;
    alone boolean;
    ids bigint[];
    want int := p_n;
begin
    perform gate_enter(p_epoch);
    -- A grant lost in a crash costs work, never truth: any ingest that uses it flushes the log past it,
    -- and a batch of a grant that vanished finds no lease. A SET clause would end before the commit.
    perform set_config('synchronous_commit', 'off', true);
    select a.class_id into cls from agent a join agent_key k using (key_id)
     where agent_id = p_agent and intent = 'active' and k.revoked_at is null;
    if not found then
        return;
    end if;
    alone := agent_alone(p_agent, cls, p_model);
    for r in select run_id as id, run.class_id as c, m.digest, v.task_version_id as v, p.body
               from run join campaign using (campaign_id) join model m using (model_id)
               join task_version v using (task_version_id) join params p using (params_id)
              where model_id = p_model and run.state = 'running' and campaign.state = 'active'
                and (run.class_id = cls or run.class_id is null)
              order by run.priority desc, run_id loop
        ids := array(select s.shard_id from shard s where s.run_id = r.id and s.state = 'ready'
                        and (alone or not_agent is null or not_agent <> p_agent
                             or not_until < clock_timestamp())
                      order by s.shard_id limit want for update skip locked);
        continue when ids = '{}' or (r.c is null and not run_pin(r.id, cls));
        return query
        with g as (
            update shard s set state = 'leased', lease_epoch = s.lease_epoch + 1, lease_agent = p_agent,
                   lease_expires = clock_timestamp() + p_lease, done_at_grant = s.n_done
             where s.shard_id = any (ids) returning s.*),
        l as (
            insert into lease (shard_id, lease_epoch, agent_id, plan_lo, plan_hi, coordinator_epoch)
            select shard_id, lease_epoch, p_agent, plan_lo, plan_hi, p_epoch from g)
        select shard_id, lease_epoch, run_id, replica, plan_lo, plan_hi, n_done, r.digest::bytea, r.v, r.body, cls
          from g order by shard_id;
        want := want - cardinality(ids);
        exit when want <= 0;
    end loop;
end $$;

-- Bulk, for many agents at once; answers the leases that are gone. Locks in id order like everybody.
create or replace function lease_renew(p_epoch bigint, p_shard bigint[], p_lease_epoch int[],
    p_agent int[], p_lease interval) returns table (shard_id bigint, lease_epoch int) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
begin
    perform gate_enter(p_epoch);
    perform set_config('synchronous_commit', 'off', true);
    return query
    with h as materialized (
        select * from unnest(p_shard, p_lease_epoch, p_agent) u(shard_id, lease_epoch, agent_id)),
    k as materialized (
        select s.shard_id from shard s
          join h on h.shard_id = s.shard_id and h.lease_epoch = s.lease_epoch and h.agent_id = s.lease_agent
         where s.shard_id = any (p_shard) and s.state = 'leased' order by s.shard_id
           for no key update of s),
    w as (
        update shard s set lease_expires = clock_timestamp() + p_lease from k
         where s.shard_id = k.shard_id returning s.shard_id, s.lease_epoch)
    select h.shard_id, h.lease_epoch from h
     where not exists (select from w where w.shard_id = h.shard_id and w.lease_epoch = h.lease_epoch);
end $$;

-- Ends leases for any reason. Only a grant without progress counts as an attempt, and only when the
-- agent is to blame; at p_max the shard is given up, and a run of which nothing else is left is erred.
create or replace function shard_release(p_shard bigint[], p_outcome lease_outcome, p_max int default 3)
returns int language plpgsql security definer set search_path = koeval, pg_temp as $$
declare
    n int;
    runs int[];
    given_up int[];
    blame boolean := p_outcome in ('expired', 'failed', 'lost');
begin
    perform from shard where shard_id = any (p_shard) order by shard_id for no key update;
    update lease l set ended_at = clock_timestamp(), outcome = p_outcome from shard s
     where s.shard_id = any (p_shard) and s.state = 'leased' and l.shard_id = s.shard_id
       and l.lease_epoch = s.lease_epoch;
    with u as (
        update shard set
               attempts = case when n_done > done_at_grant then 0 when blame then attempts + 1
                               else attempts end,
               state = case when blame and n_done <= done_at_grant and attempts + 1 >= p_max
                            then 'error'::shard_state else 'ready' end,
               reason = case p_outcome when 'expired' then 'lease_expired' when 'lost' then 'agent_lost'
                             else reason end,
               not_agent = case when blame then lease_agent else not_agent end,
               not_until = case when blame then clock_timestamp() + interval '1 min' else not_until end,
               lease_agent = null, lease_expires = null
         where shard_id = any (p_shard) and state = 'leased' returning run_id, replica, state),
    e as (select run_id, count(*)::int as k from u where state = 'error' and replica = 0 group by run_id)
    select (select count(*) from u), array_agg(run_id order by run_id), array_agg(k order by run_id)
      into n, runs, given_up from e;
    for i in 1..coalesce(cardinality(runs), 0) loop
        perform run_advance(runs[i], 0, given_up[i], 0, 0);
    end loop;
    return n;
end $$;

create or replace function shard_expire(p_epoch bigint, p_grace interval) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_enter(p_epoch);
    return shard_release(array(select shard_id from shard
        where state = 'leased' and lease_expires < clock_timestamp() - p_grace
        order by shard_id limit 2000 for no key update skip locked), 'expired');
end $$;

-- Needs the current lease: a stale holder's failure says nothing about the shard now. Answers the
-- shard's state, null where the lease was not current.
create or replace function shard_fail(p_epoch bigint, p_shard bigint, p_lease_epoch int, p_agent int,
    p_reason fail_reason, p_num bigint default null) returns shard_state language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    st shard_state;
begin
    perform gate_enter(p_epoch);
    update shard set reason = p_reason, reason_num = p_num
     where shard_id = p_shard and lease_epoch = p_lease_epoch and lease_agent = p_agent
       and state = 'leased';
    if not found then
        return null;
    end if;
    perform shard_release(array[p_shard],
        case when p_reason = 'returned' then 'returned'::lease_outcome else 'failed' end);
    select state into st from shard where shard_id = p_shard;
    return st;
end $$;

-- What the engine counted while it held leases; arrays of one length. Written when it is told, current
-- lease or not: it is a fact of that grant.
create or replace function lease_measure(p_epoch bigint, p_shard bigint[], p_lease_epoch int[],
    p_agent int[], p_token_naive bigint[], p_token_unique bigint[], p_engine_ms bigint[]) returns void
language plpgsql security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_enter(p_epoch);
    perform set_config('synchronous_commit', 'off', true);
    update lease l set token_naive = u.naive, token_unique = u.uniq, engine_ms = u.ms
      from unnest(p_shard, p_lease_epoch, p_agent, p_token_naive, p_token_unique, p_engine_ms)
           u(shard, epoch, agent, naive, uniq, ms)
     where l.shard_id = u.shard and l.lease_epoch = u.epoch and l.agent_id = u.agent;
end $$;

-- What a granted shard still lacks, in plan order.
create or replace function shard_missing(p_shard bigint, p_from_plan int default 0)
returns table (item_no int, plan_no int, shot_nos int[]) language sql stable
security definer set search_path = koeval, pg_temp as $$
    select p.item_no, p.plan_no, p.shot_nos from shard s join run r using (run_id)
      join plan_item p on p.plan_id = r.plan_id and p.plan_no >= greatest(s.plan_lo, p_from_plan)
       and p.plan_no < s.plan_hi
     where s.shard_id = p_shard
       and not exists (select from response a where a.run_id = s.run_id and a.replica = s.replica
                          and a.item_no = p.item_no)
       and not exists (select from item_error e where e.run_id = s.run_id and e.replica = s.replica
                          and e.item_no = p.item_no and e.generation = r.generation)
     order by p.plan_no;
$$;

-- The only way by which item text leaves for an agent: to whom holds that very lease now, with a key
-- that is not revoked; to anybody else it is empty. shots are the payloads of shot_nos in order.
create or replace function item_fetch(p_epoch bigint, p_shard bigint, p_lease_epoch int, p_agent int,
    p_from_plan int, p_limit int)
returns table (item_no int, plan_no int, task_version_id int, payload bytea, shots bytea[])
language plpgsql security definer set search_path = koeval, secret, pg_temp as $$
#variable_conflict use_column
declare
    v int;
begin
    perform gate_enter(p_epoch);
    select r.task_version_id into v from shard s join run r using (run_id)
      join agent a on a.agent_id = s.lease_agent join agent_key k using (key_id)
     where s.shard_id = p_shard and s.state = 'leased' and s.lease_epoch = p_lease_epoch
       and s.lease_agent = p_agent and k.revoked_at is null;
    if not found then
        return;
    end if;
    return query
    select m.item_no, m.plan_no, v, i.payload,
           array(select si.payload from unnest(m.shot_nos) with ordinality u(no, o)
                   join task_item st on st.task_version_id = v and st.role = 's' and st.item_no = u.no
                   join item si on si.item_id = st.item_id order by u.o)
      from (select * from shard_missing(p_shard, p_from_plan) limit p_limit) m
      join task_item t on t.task_version_id = v and t.role = 'e' and t.item_no = m.item_no
      join item i on i.item_id = t.item_id
     order by m.plan_no;
end $$;
