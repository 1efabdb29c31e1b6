-- One queued and one running job per (kind, key): two rank jobs of one board can never overlap, so the
-- later published one has read the later data. (job_id, attempts) is the fence of a job's own writes.
create or replace function job_claim(p_kind job_kind, p_holder text, p_lease interval)
returns table (job_id bigint, key int, attempt smallint) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
begin
    update job set state = 'failed', error = coalesce(error, 'lease expired'), ended_at = clock_timestamp()
     where kind = p_kind and state = 'running' and lease_expires < clock_timestamp()
       and attempts >= max_attempts;
    return query
    update job j set state = 'running', attempts = attempts + 1, holder = p_holder,
           started_at = clock_timestamp(), lease_expires = clock_timestamp() + p_lease
     where j.job_id = (
            select q.job_id from job q
             where q.kind = p_kind
               and (q.state = 'queued' or (q.state = 'running' and q.lease_expires < clock_timestamp()))
               and not exists (select from job o where o.kind = q.kind and o.key = q.key
                                  and o.state = 'running' and o.job_id <> q.job_id)
             order by q.job_id limit 1 for update skip locked)
    returning j.job_id, j.key, j.attempts;
exception when unique_violation then
    return;  -- another worker took the same key in this instant: ask again
end $$;

-- The key of a job whose attempt is still on; locks it, so that what follows is written by one.
create or replace function job_check(p_job bigint, p_attempt int) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    k int;
begin
    select key into k from job where job_id = p_job and attempts = p_attempt and state = 'running'
       for update;
    if not found then
        raise exception 'job % attempt % is over', p_job, p_attempt using errcode = 'KE001';
    end if;
    return k;
end $$;

-- The same for whoever only reads: a long stream must not keep the coordinator from renewing the lease.
create or replace function job_key(p_job bigint, p_attempt int) returns int language plpgsql stable
security definer set search_path = koeval, pg_temp as $$
declare
    k int;
begin
    select key into k from job where job_id = p_job and attempts = p_attempt and state = 'running';
    if not found then
        raise exception 'job % attempt % is over', p_job, p_attempt using errcode = 'KE001';
    end if;
    return k;
end $$;

-- The coordinator renews what its children still work on.
create or replace function job_renew(p_job bigint, p_attempt int, p_lease interval) returns void
language plpgsql security definer set search_path = koeval, pg_temp as $$
begin
    perform job_check(p_job, p_attempt);
    update job set lease_expires = clock_timestamp() + p_lease where job_id = p_job;
end $$;

create or replace function job_finish(p_job bigint, p_attempt int) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    perform job_check(p_job, p_attempt);
    update job set state = 'done', error = null, ended_at = clock_timestamp(), lease_expires = null
     where job_id = p_job;
end $$;

-- Tried again while attempts are left and p_retry says that it may help; failed where a newer request
-- for the same key waits already. p_error is a message of ours and holds no text of an item.
create or replace function job_fail(p_job bigint, p_attempt int, p_error text, p_retry boolean default true)
returns job_state language plpgsql security definer set search_path = koeval, pg_temp as $$
declare
    s job_state;
begin
    perform job_check(p_job, p_attempt);
    update job set error = left(p_error, 500), lease_expires = null,
           state = case when not p_retry or attempts >= max_attempts
                             or exists (select from job o where o.kind = job.kind and o.key = job.key
                                           and o.state = 'queued') then 'failed'::job_state
                        else 'queued' end
     where job_id = p_job returning state into s;
    update job set ended_at = clock_timestamp() where job_id = p_job and s = 'failed';
    return s;
end $$;

-- A failed job again, by an operator who has mended the cause.
create or replace function job_retry(p_job bigint) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    update job set state = 'queued', attempts = 0, error = null, ended_at = null
     where job_id = p_job and state = 'failed';
    if not found then
        raise exception 'job % has not failed', p_job using errcode = 'KE009';
    end if;
    perform command_log('job_retry', jsonb_build_object('job', p_job));
    notify koeval_work;
exception when unique_violation then
    raise exception 'job % has a successor that is queued already', p_job using errcode = 'KE009';
end $$;
