-- What keeps a cluster from getting on, asked by an operator: one row a finding, or one row that says
-- that a kind of finding is absent. Reads nothing but what operators list.
with finding as (
    select 1 as no, 'coordinator' as "check",
           case when is_alive then 'ok' when heartbeat_at is null then 'warning' else 'failed' end as state,
           coalesce(holder, '-') as place,
           case when heartbeat_at is null then 'none has run yet'
                else 'epoch ' || epoch || ', leads since ' || to_char(since, 'YYYY-MM-DD HH24:MI')
                     || ', wrote ' || round(extract(epoch from age)) || ' s ago' end as found,
           case when not is_alive then 'start koeval-coordinator; its log says why it ended or what it waits for' end
           as todo
      from status_list
    union all
    select 2, 'coordinator lock', 'failed', holder, 'it writes, and nobody holds the lock of leadership',
           'another server with the same database? see pg_locks, objid 7411000'
      from status_list
     where is_alive and not exists (select from pg_locks where locktype = 'advisory' and granted
                                       and classid = 0 and objid = 7411000)
    union all
    select 3, 'node', case when state in ('lost', 'quarantined') then 'failed' else 'warning' end,
           node || ' slot ' || slot,
           state || ', heard of ' || round(extract(epoch from seen)) || ' s ago' || coalesce(': ' || reason, ''),
           case state when 'lost' then 'is koeval-agent up there, and is the network? its log names what it waits for'
                      when 'suspect' then 'wait: it is lost after 60 s of silence'
                      else 'koeval node resume ' || node || ', when the reason is gone' end
      from node_list where state in ('lost', 'suspect', 'drained', 'draining', 'quarantined')
    union all
    select 3, 'nodes', case when count(*) > 0 then 'ok' else 'warning' end, '-',
           count(*) || ' agents at work or idle',
           case when count(*) = 0 then
                case when exists (select from key_list where revoked_at is null)
                     then 'start koeval-agent where a key was made'
                     else 'koeval key new FILE, koeval key add FILE --node NODE, then start koeval-agent' end end
      from node_list where state in ('idle', 'busy')
    union all
    select 4, 'campaign', case when reason = 'paused' or state = 'paused' then 'warning' else 'failed' end, campaign,
           case when state = 'paused' then 'paused' else n || ' runs wait: ' || reason end,
           case reason when 'model_on_no_node' then 'put the folder of ' || models || ' under --models of an agent'
                       when 'class_on_no_node' then 'bring back an agent of the class, or koeval run restart RUN'
                       when 'paused' then 'koeval campaign resume ' || campaign
                       else 'koeval run list --campaign ' || campaign || ', koeval run show RUN' end
      from (select c.campaign, c.state, r.reason, count(*) as n, string_agg(distinct r.model, ', ') as models
              from campaign_list c join run_list r using (campaign_id)
             where r.state in ('planned', 'running') and r.reason is not null
             group by c.campaign, c.state, r.reason) w
    union all
    select 4, 'campaign', 'failed', campaign, runs_erred || ' runs erred: ' || coalesce(reason, 'unknown'),
           'koeval run show RUN for the reason; koeval campaign retry ' || campaign || ' when it is mended'
      from campaign_list where runs_erred > 0
    union all
    select 4, 'campaigns', 'ok', '-', 'none waits, none erred', null
     where not exists (select from campaign_list where runs_erred > 0)
       and not exists (select from run_list where state in ('planned', 'running') and reason is not null)
    union all
    select 5, 'job', case when state = 'failed' then 'failed' else 'warning' end,
           kind || ' job ' || job_id || coalesce(': ' || about, ''),
           case when state = 'failed' then coalesce(error, 'failed') else 'overdue: whoever ran it is gone' end,
           case when state = 'failed' then 'koeval job retry ' || job_id || ', when the cause is mended'
                else 'nothing, where a coordinator is up: it is taken again' end
      from job_list j
     where (state = 'failed' and not exists (select from job_list o where o.kind = j.kind and o.key = j.key
                                                and o.job_id > j.job_id))
        or state = 'overdue'
    union all
    select 5, 'jobs', 'ok', '-', count(*) || ' queued or running', null
      from job_list where state in ('queued', 'running')
    union all
    select 6, 'incidents', 'failed', '-', incidents || ' incidents: answers or counts differ within a class',
           'koeval events --level error; koeval node quarantine the node that is wrong'
      from status_list where incidents > 0
    union all
    select 7, 'board', 'warning', board, 'stale, and no ranking is due',
           'koeval job list --failed, koeval job retry JOB'
      from board_list b
     where is_stale and seq is not null
       and not exists (select from job_list j where j.kind = 'rank' and j.key = b.board_id
                          and j.state in ('queued', 'running', 'overdue'))
)
select "check", state, place, found, todo from finding
 order by no, state = 'ok', state = 'warning', place
