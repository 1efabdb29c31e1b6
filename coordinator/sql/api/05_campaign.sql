-- Launch is idempotent by name: the same spec again is a no-op, another spec under the name a conflict.
-- p_version and p_params are pairs; every model runs every pair. Returns the campaign_id.
create or replace function campaign_launch(p_name text, p_spec jsonb, p_purpose campaign_purpose,
    p_priority int, p_model int[], p_version int[], p_params jsonb[]) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    c int;
    s jsonb;
begin
    insert into campaign (name, spec, purpose, priority) values (p_name, p_spec, p_purpose, p_priority)
    on conflict (name) do nothing returning campaign_id into c;
    if c is null then
        select campaign_id, spec into c, s from campaign where name = p_name;
        if s <> p_spec then
            raise exception 'campaign name % is taken by another spec', p_name using errcode = 'KE009';
        end if;
        return c;
    end if;
    perform campaign_check(p_model, p_version, p_params);
    insert into params (body) select distinct b from unnest(p_params) b on conflict do nothing;
    insert into plan (task_version_id, draw)
    select distinct u.v, params_draw(u.b) from unnest(p_version, p_params) u(v, b) on conflict do nothing;
    insert into run (campaign_id, model_id, task_version_id, params_id, plan_id, priority)
    select c, m, u.v, p.params_id, l.plan_id, p_priority
      from unnest(p_version, p_params) u(v, b) join params p on p.body = u.b
      join plan l on l.task_version_id = u.v and l.draw = params_draw(u.b)
      cross join unnest(p_model) m order by u.v, m;
    perform response_partition(k) from (select distinct run_id / 1000 as k from run
                                         where campaign_id = c order by 1) x;
    -- A seal waits for these runs and starts them, or is waited for and seen below: never neither.
    perform from plan where plan_id in (select plan_id from run where campaign_id = c)
      order by plan_id for share;
    insert into job (kind, key)
    select distinct 'plan'::job_kind, l.plan_id from run r join plan l using (plan_id)
     where r.campaign_id = c and l.sealed_at is null on conflict do nothing;
    perform run_start(run_id) from run join plan l using (plan_id)
      where campaign_id = c and l.sealed_at is not null;
    perform command_log('campaign_launch', jsonb_build_object('campaign', p_name));
    notify koeval_work;
    return c;
end $$;

-- Everything named must be there before a row of it is.
create or replace function campaign_check(p_model int[], p_version int[], p_params jsonb[]) returns void
language plpgsql security definer set search_path = koeval, pg_temp as $$
begin
    if cardinality(p_model) = 0 or cardinality(p_version) = 0
       or cardinality(p_version) <> cardinality(p_params) then
        raise exception 'a campaign needs models, tasks and params of one number' using errcode = 'KE004';
    end if;
    if exists (select from unnest(p_model) m(id) left join model on model_id = m.id
                where model_id is null or withdrawn_at is not null) then
        raise exception 'a model is unknown or withdrawn' using errcode = 'KE005';
    end if;
    if exists (select from unnest(p_version) v(id) left join task_version on task_version_id = v.id
                where sealed_at is null) then
        raise exception 'a task version is unknown or not sealed' using errcode = 'KE005';
    end if;
end $$;

-- Only what draws items and shots: two models, dtypes or chat modes share one plan.
create or replace function params_draw(p jsonb) returns jsonb language sql immutable return
    jsonb_build_object('shots', p -> 'shots', 'seed', p -> 'seed', 'limit', p -> 'limit',
                       'sampler', p -> 'sampler');

-- Partition p_no holds runs [1000 p_no, 1000 p_no + 1000). Made standalone and attached: create ...
-- partition of would take ACCESS EXCLUSIVE on response and stop ingest.
create or replace function response_partition(p_no int) returns void language plpgsql
security definer set search_path = koeval, secret, pg_temp as $$
declare
    t text;
begin
    perform pg_advisory_xact_lock(7411002);
    if to_regclass(format('koeval.response_p%s', p_no)) is not null then
        return;
    end if;
    foreach t in array array['koeval.response', 'secret.output'] loop
        execute format('create table %1$s_p%2$s (like %1$s including all,
                        check (run_id >= %3$s and run_id < %4$s))', t, p_no, p_no * 1000, (p_no + 1) * 1000);
        execute format('alter table %1$s attach partition %1$s_p%2$s for values from (%3$s) to (%4$s)',
                       t, p_no, p_no * 1000, (p_no + 1) * 1000);
    end loop;
    execute format('alter table secret.output_p%s enable row level security', p_no);
    execute format('alter table secret.output_p%s force row level security', p_no);
    execute format('create policy all_of_it on secret.output_p%s using (true) with check (true)', p_no);
    execute format('alter table secret.output_p%s alter column body set statistics 0', p_no);
end $$;

-- Shards are ranges of plan_no, for any run whose plan is sealed.
create or replace function run_start(p_run int) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    n int;
    k int;
    size int;
begin
    select l.n_item, coalesce((c.spec ->> 'shard_items')::int, 100) into n, size
      from run r join plan l using (plan_id) join campaign c using (campaign_id)
     where run_id = p_run and r.state = 'planned' and l.sealed_at is not null for update of r;
    if not found then
        return 0;
    end if;
    insert into shard (run_id, plan_lo, plan_hi)
    select p_run, g, least(g + size, n) from generate_series(0, n - 1, size) g;
    get diagnostics k = row_count;
    update run set state = 'running', n_item = n, n_shard = k where run_id = p_run;
    return k;
end $$;

-- Paused: what is leased ends, nothing new is granted. The gate is taken alone because run rows are
-- touched out of the order in which claims take them.
create or replace function campaign_pause(p_campaign int) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_close();
    update campaign set state = 'paused' where campaign_id = p_campaign and state = 'active';
    if not found then
        perform campaign_refuse(p_campaign, 'paused');
    end if;
    perform command_log('campaign_pause', jsonb_build_object('campaign', p_campaign));
    notify koeval_work;
end $$;

create or replace function campaign_resume(p_campaign int) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    update campaign set state = 'active' where campaign_id = p_campaign and state = 'paused';
    if not found then
        perform campaign_refuse(p_campaign, 'resumed');
    end if;
    perform command_log('campaign_resume', jsonb_build_object('campaign', p_campaign));
    notify koeval_work;
end $$;

-- Why an order does not fit: by name, for whoever gave it.
create or replace function campaign_refuse(p_campaign int, p_order text) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    c campaign;
begin
    select * into c from campaign where campaign_id = p_campaign;
    if not found then
        raise exception 'no campaign %', p_campaign using errcode = 'KE005';
    end if;
    raise exception 'campaign % is % and cannot be %', c.name, c.state, p_order using errcode = 'KE009';
end $$;

-- Whatever of a campaign was given up is asked for again: items and shards of its runs, and the plan and
-- score jobs that no later one has taken the place of. Nothing to do is no error.
create or replace function campaign_retry(p_campaign int, out runs int, out shards int, out jobs int)
language plpgsql security definer set search_path = koeval, pg_temp as $$
declare
    j bigint;
begin
    perform gate_close();
    if exists (select from campaign where campaign_id = p_campaign and state = 'cancelled') then
        perform campaign_refuse(p_campaign, 'retried');
    end if;
    select count(*), coalesce(sum(run_retry(run_id)), 0) into runs, shards
      from (select run_id from run r
             where campaign_id = p_campaign
               and (r.state = 'erred'
                    or (r.state = 'running'
                        and exists (select from shard s where s.run_id = r.run_id
                                       and (s.state = 'error' or s.n_error > 0))))
             order by run_id) x;
    jobs := 0;
    for j in select max(x.job_id)
               from run r join job x on (x.kind, x.key) in (('plan', r.plan_id), ('score', r.run_id))
              where r.campaign_id = p_campaign and r.state <> 'cancelled'
              group by x.kind, x.key
             having (array_agg(x.state order by x.job_id desc))[1] = 'failed' order by 1 loop
        perform job_retry(j);
        jobs := jobs + 1;
    end loop;
    perform command_log('campaign_retry', jsonb_build_object('campaign', p_campaign));
    notify koeval_work;
end $$;

-- Every run that has not ended is cancelled; complete ones keep what they measured. Returns how many.
create or replace function campaign_cancel(p_campaign int, p_why text) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    n int;
begin
    perform gate_close();
    update campaign set state = 'cancelled' where campaign_id = p_campaign and state <> 'cancelled';
    if not found then
        raise exception 'campaign % is unknown or cancelled already', p_campaign using errcode = 'KE009';
    end if;
    select count(*) filter (where run_cancel(run_id, p_why)) into n
      from (select run_id from run where campaign_id = p_campaign
               and state in ('planned', 'running', 'erred') order by run_id) r;
    perform command_log('campaign_cancel', jsonb_build_object('campaign', p_campaign, 'why', p_why));
    notify koeval_work;
    return n;
end $$;

create or replace function campaign_priority(p_campaign int, p_priority int) returns void
language plpgsql security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_close();
    update campaign set priority = p_priority where campaign_id = p_campaign;
    if not found then
        raise exception 'no campaign %', p_campaign using errcode = 'KE005';
    end if;
    update run set priority = p_priority where campaign_id = p_campaign;
    perform command_log('campaign_priority',
                        jsonb_build_object('campaign', p_campaign, 'priority', p_priority));
    notify koeval_work;
end $$;

-- False when it had ended before.
create or replace function run_cancel(p_run int, p_why text) returns boolean language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_close();  -- in-flight batches end first, later ones see the new state
    update run set state = 'cancelled', voided_at = clock_timestamp(), voided_why = p_why
     where run_id = p_run and state in ('planned', 'running', 'erred');
    if not found then
        return false;
    end if;
    perform lease_end(p_run, 'cancelled');
    update shard set state = 'cancelled', lease_agent = null, lease_expires = null
     where run_id = p_run and state in ('ready', 'leased', 'error');
    perform command_log('run_cancel', jsonb_build_object('run', p_run, 'why', p_why));
    notify koeval_work;
    return true;
end $$;

-- A complete run that must not count: it stays, and every board that read it is stale.
create or replace function run_void(p_run int, p_why text) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    update run set voided_at = clock_timestamp(), voided_why = p_why
     where run_id = p_run and state = 'complete' and voided_at is null;
    if not found then
        raise exception 'run % is not complete or voided already', p_run using errcode = 'KE009';
    end if;
    perform board_touch_run(p_run);
    perform command_log('run_void', jsonb_build_object('run', p_run, 'why', p_why));
    notify koeval_work;
end $$;

-- The open leases of a run's shards; the shards themselves are the caller's.
create or replace function lease_end(p_run int, p_outcome lease_outcome) returns void language sql
security definer set search_path = koeval, pg_temp as $$
    update lease l set ended_at = clock_timestamp(), outcome = p_outcome from shard s
     where s.run_id = p_run and s.state = 'leased' and l.shard_id = s.shard_id
       and l.lease_epoch = s.lease_epoch and l.ended_at is null;
$$;

-- Item errors stay as history of their generation; shards with errors open again for exactly the
-- missing items. A shard that is taken away from a holder ends that lease: it was returned, by order.
create or replace function run_retry(p_run int) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    n int;
begin
    perform gate_close();
    if not exists (select from run where run_id = p_run and state in ('erred', 'running')) then
        raise exception 'run % has nothing to retry', p_run using errcode = 'KE009';
    end if;
    update lease l set ended_at = clock_timestamp(), outcome = 'returned' from shard s
     where s.run_id = p_run and s.state = 'leased' and s.n_error > 0 and l.shard_id = s.shard_id
       and l.lease_epoch = s.lease_epoch and l.ended_at is null;
    update shard set state = 'ready', n_error = 0, attempts = 0, not_agent = null, not_until = null,
           lease_agent = null, lease_expires = null, reason = null, reason_num = null
     where run_id = p_run and (state = 'error' or n_error > 0);
    get diagnostics n = row_count;
    update run set state = 'running', generation = generation + 1, n_item_error = 0, n_shard_error = 0,
           complete_at = null,
           n_shard_done = (select count(*) from shard
                            where run_id = p_run and replica = 0 and state = 'done'),
           n_item_done = (select coalesce(sum(n_done), 0) from shard
                           where run_id = p_run and replica = 0 and state = 'done')
     where run_id = p_run;
    perform command_log('run_retry', jsonb_build_object('run', p_run));
    notify koeval_work;
    return n;
end $$;

-- After an engine change no agent of the run's class may be left. Responses are for ever and keyed by
-- run, so the work starts again under a new run_id; the old run stays, cancelled, with what it measured.
create or replace function run_restart(p_run int, p_why text) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    n int;
begin
    if not run_cancel(p_run, p_why) then
        raise exception 'run % has ended: launch another campaign', p_run using errcode = 'KE009';
    end if;
    insert into run (campaign_id, model_id, task_version_id, params_id, plan_id, priority, attempt)
    select campaign_id, model_id, task_version_id, params_id, plan_id, priority, attempt + 1
      from run where run_id = p_run returning run_id into n;
    perform response_partition(n / 1000);
    insert into job (kind, key)
    select 'plan', plan_id from run join plan l using (plan_id)
     where run_id = n and l.sealed_at is null on conflict do nothing;
    perform run_start(n);
    notify koeval_work;
    return n;
end $$;

-- What a launch needs to know of a task, or of the members of a group, by name: newest sealed version,
-- its own number of shots (null: it says nothing) and its sampler.
create or replace function campaign_tasks(p_name text)
returns table (task text, task_version_id int, n_item int, n_shot int, own_shots int, sampler text)
language sql stable security definer set search_path = koeval, pg_temp as $$
    select k.name, v.task_version_id, v.n_item, v.n_shot,
           (v.definition::jsonb #>> '{fewshot,num_fewshot}')::int,
           coalesce(v.definition::jsonb #>> '{fewshot,sampler}', 'default')
      from task k join task_version v using (task_id)
     where v.task_version_id = task_newest(k.name)
       and (k.name = p_name
            or k.name in (select jsonb_array_elements_text(definition -> 'tasks')
                            from task_group g where g.name = p_name))
     order by k.name;
$$;

-- Requests of the first p_items items of a task for one model, as their golds count choices; and what
-- complete runs of the same task, shots and limit measured with each model's tokenizer, summed over the
-- models: null where one of them has none. Time is of the fastest such run of the model itself.
create or replace function campaign_estimate(p_version int, p_params jsonb, p_items bigint, p_model int[],
    out requests bigint, out token_naive bigint, out token_unique bigint, out engine_s float8)
language plpgsql stable security definer set search_path = koeval, secret, pg_temp as $$
begin
    select sum(jsonb_array_length(convert_from(i.gold, 'UTF8')::jsonb -> 'chars')
               * case when v.definition::jsonb -> 'metric_list' @> '[{"metric": "acc_mutual_info"}]'
                      then 2 else 1 end)
      into requests from task_version v join task_item t using (task_version_id)
      join secret.item i using (item_id)
     where v.task_version_id = p_version and t.role = 'e' and t.item_no < p_items;
    with c as (
        select m.model_id, min(l.token_naive) as token_naive, min(l.token_unique) as token_unique,
               min(l.engine_ms) filter (where l.model_id = m.model_id) as engine_ms
          from model m left join cost_list l
            on l.task_version_id = p_version and params_draw(l.params) = params_draw(p_params)
           and l.tokenizer = (select f ->> 'sha256' from jsonb_array_elements(m.manifest -> 'files') f
                               where f ->> 'name' = 'tokenizer.json')
         where m.model_id = any (p_model) group by m.model_id)
    select case when count(c.token_naive) = count(*) then sum(c.token_naive) end,
           case when count(c.token_unique) = count(*) then sum(c.token_unique) end,
           case when count(c.engine_ms) = count(*) then sum(c.engine_ms) / 1000.0 end
      into campaign_estimate.token_naive, campaign_estimate.token_unique, engine_s from c;
exception when others then
    -- The original text may quote a gold.
    raise exception 'the golds of task version % cannot be read', p_version using errcode = sqlstate;
end $$;
