-- The plan job writes in slices of about 10,000 and seals; a killed one starts again from an empty plan.
-- p_job and p_attempt fence it: a job that was given up cannot write into its successor's plan.
-- Null: the plan was sealed since the job was asked for (a launch may ask again while it is being
-- drawn); then the runs that came meanwhile are started and the job is done.
create or replace function plan_begin(p_job bigint, p_attempt int) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    l int := job_check(p_job, p_attempt);
begin
    if exists (select from plan where plan_id = l and sealed_at is not null) then
        perform run_start(run_id) from (select run_id from run where plan_id = l and state = 'planned'
                                         order by run_id) r;
        perform job_finish(p_job, p_attempt);
        notify koeval_work;
        return null;
    end if;
    delete from plan_item where plan_id = l;
    return l;
end $$;

-- p_shot is flat, p_n_shot numbers per item (all equal for the harness's samplers).
create or replace function plan_write(p_job bigint, p_attempt int, p_first int, p_item int[],
    p_n_shot int, p_shot int[]) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    l int := job_check(p_job, p_attempt);
begin
    with f as materialized (select p_shot as shot) -- flat once: see response_unpack
    insert into plan_item (plan_id, plan_no, item_no, shot_nos)
    select l, p_first + i.no - 1, i.item_no,
           case when p_n_shot = 0 then '{}' else f.shot[(i.no - 1) * p_n_shot + 1 : i.no * p_n_shot] end
      from f, unnest(p_item) with ordinality i(item_no, no);
end $$;

-- Every number from 0, every item and shot one that the task has: a plan is believed for ever after.
create or replace function plan_seal(p_job bigint, p_attempt int) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    l int := job_check(p_job, p_attempt);
    v task_version;
    n int;
    hi int;
    item int;
    shot int;
begin
    select t.* into v from plan join task_version t using (task_version_id) where plan_id = l;
    select count(*), max(plan_no), max(item_no), max((select max(s) from unnest(shot_nos) s))
      into n, hi, item, shot from plan_item where plan_id = l;
    if n = 0 or hi <> n - 1 then
        raise exception 'plan numbers have gaps' using errcode = 'KE004';
    end if;
    if item >= v.n_item or shot >= v.n_shot then
        raise exception 'plan names an item that the task lacks' using errcode = 'KE004';
    end if;
    update plan set n_item = n, sealed_at = clock_timestamp() where plan_id = l and sealed_at is null;
    if found then
        perform run_start(run_id) from (select run_id from run where plan_id = l and state = 'planned'
                                         order by run_id) r;
    end if;
    perform job_finish(p_job, p_attempt);
    notify koeval_work;
    return n;
end $$;
