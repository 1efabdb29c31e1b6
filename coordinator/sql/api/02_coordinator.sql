-- Who leads. The caller already holds the session advisory lock of leadership,
-- pg_try_advisory_lock(7411000). A leader cut off in mid-transaction still holds the gate: queue behind
-- honest work for 1 s (who queues keeps newcomers out, where trying again and again would starve and
-- then end healthy flushes), then end those sessions. Leading again on the same lock (epoch + 1) is how
-- a leader decides every transaction whose outcome it does not know.
create or replace function coordinator_lead(p_holder text) returns bigint language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    e bigint;
    was text := current_setting('lock_timeout');
begin
    if not exists (select from pg_locks where locktype = 'advisory' and pid = pg_backend_pid() and granted
                      and classid = 0 and objid = 7411000 and objsubid = 1) then
        raise exception 'leadership lock not held' using errcode = 'KE001';
    end if;
    begin
        perform set_config('lock_timeout', '1s', true);
        perform gate_close();
    exception when lock_not_available then
        perform pg_terminate_backend(l.pid, 2000)
           from pg_locks l join pg_stat_activity a using (pid)
          where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = gate_id()::int
            and l.database = (select oid from pg_database where datname = current_database())
            and l.pid <> pg_backend_pid() and a.usename = 'koeval_coordinator';
    end;
    perform set_config('lock_timeout', was, true);
    perform gate_close();
    update coordinator set epoch = epoch + 1, holder = p_holder, since = clock_timestamp(),
           heartbeat_at = clock_timestamp() returning epoch into e;
    perform command_log('coordinator_lead', jsonb_build_object('holder', p_holder, 'epoch', e));
    return e;
end $$;

create or replace function coordinator_beat(p_epoch bigint) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    perform gate_enter(p_epoch);
    update coordinator set heartbeat_at = clock_timestamp();
end $$;

-- A stopped process (SIGSTOP, swap, a stuck thread) keeps the leadership lock, because its kernel still
-- answers keepalives. A standby that cannot get the lock calls this each few seconds: only a heartbeat
-- older than p_silence ends the holder's session. Returns how many sessions were ended.
create or replace function coordinator_depose(p_silence interval default '20 s') returns int
language plpgsql security definer set search_path = koeval, pg_temp as $$
declare
    n int;
begin
    if exists (select from coordinator where heartbeat_at > clock_timestamp() - p_silence) then
        return 0;
    end if;
    select count(*) filter (where pg_terminate_backend(l.pid)) into n
      from pg_locks l join pg_stat_activity a using (pid)
     where l.locktype = 'advisory' and l.granted and l.classid = 0 and l.objid = 7411000 and l.objsubid = 1
       and l.database = (select oid from pg_database where datname = current_database())
       and l.pid <> pg_backend_pid() and a.usename = 'koeval_coordinator';
    if n > 0 then
        perform command_log('coordinator_depose', jsonb_build_object('sessions', n));
    end if;
    return n;
end $$;
