-- What operators list. Not promised to anybody outside: the command line that ships with them reads
-- them. age is since the coordinator last wrote: what is shown was true then.

create or replace view koeval.status_list as
select c.holder, c.epoch, c.since, c.heartbeat_at, clock_timestamp() - c.heartbeat_at as age,
       coalesce(clock_timestamp() - c.heartbeat_at < interval '20 s', false) as is_alive,
       (select count(*) from koeval.run r where r.state in ('planned', 'running'))::int as runs_open,
       (select count(*) from koeval.run r where r.state = 'erred')::int as runs_erred,
       (select count(*) from koeval.shard s where s.state = 'ready')::int as shards_ready,
       (select count(*) from koeval.shard s where s.state = 'leased')::int as shards_leased,
       (select count(*) from koeval.job j where j.state in ('queued', 'running'))::int as jobs_open,
       (select count(*) from koeval.job j where j.state = 'failed')::int as jobs_failed,
       (select count(*) from koeval.incident)::int as incidents
  from koeval.coordinator c;

select pg_temp.describe('koeval.status_list', 'The cluster in one row.',
    'holder', 'The coordinator that leads or led last.',
    'epoch', 'Its epoch: grows with each leader.',
    'since', 'Since when it leads.',
    'heartbeat_at', 'When it last wrote.',
    'age', 'How long ago that was.',
    'is_alive', 'Whether it wrote within 20 s.',
    'runs_open', 'Runs planned or running.',
    'runs_erred', 'Runs that ended with errors: retry or cancel them.',
    'shards_ready', 'Shards that wait for an agent.',
    'shards_leased', 'Shards that agents hold.',
    'jobs_open', 'Jobs queued or running.',
    'jobs_failed', 'Jobs that were given up: retry them when the cause is mended.',
    'incidents', 'Different answers for one item in one class, or counts that differ: none is right.');

create or replace view koeval.node_list as
with a as (
    select k.node, a.slot, a.agent_id, a.class_id, k.key_id, k.revoked_at, k.reason as revoked_why,
           a.intent, a.intent_why, a.intent_by, a.intent_at, a.last_seen, a.facts,
           greatest(c.heartbeat_at - a.last_seen, interval '0') as silent,
           clock_timestamp() - c.heartbeat_at as age,
           (select count(*) from koeval.shard s
             where s.lease_agent = a.agent_id and s.state = 'leased')::int as leases
      from koeval.agent a join koeval.agent_key k using (key_id) cross join koeval.coordinator c)
select a.node, a.slot, a.agent_id,
       case when a.revoked_at is not null then 'revoked'
            when silent > interval '60 s' then 'lost'
            when intent = 'quarantine' then 'quarantined'
            when intent <> 'active' then case when leases > 0 then 'draining' else 'drained' end
            when silent > interval '20 s' then 'suspect'
            when leases > 0 then 'busy' else 'idle' end as state,
       case when a.revoked_at is not null then a.revoked_why else intent_why end as reason,
       intent_by as by, intent_at as since, m.name as model, a.leases, t.item_rate, t.token_rate,
       t.memory_used, t.memory_total, encode(substr(n.digest, 1, 8), 'hex') as class,
       clock_timestamp() - a.last_seen as seen, a.age
  from a left join koeval.agent_telemetry t using (agent_id)
  left join koeval.model m on m.model_id = t.model_id
  join koeval.numerics_class n on n.class_id = a.class_id;

select pg_temp.describe('koeval.node_list', 'One row per agent that ever said hello.',
    'node', 'Node of its key.',
    'slot', 'Its slot on the node.',
    'agent_id', 'Its number.',
    'state', 'idle, busy, draining (holds leases yet), drained, quarantined, suspect (silent for 20 s), lost (60 s), revoked.',
    'reason', 'Why it is drained, quarantined or revoked.',
    'by', 'Who ordered that.',
    'since', 'When.',
    'model', 'Resident model, as it last said.',
    'leases', 'Shards that it holds.',
    'item_rate', 'Items a second, as it last said.',
    'token_rate', 'Tokens a second, as it last said.',
    'memory_used', 'Bytes in use.',
    'memory_total', 'Bytes it may use.',
    'class', 'Numerics class, first 16 hex digits.',
    'seen', 'How long ago the coordinator last heard of it.',
    'age', 'How old this row is: since the coordinator last wrote.');

create or replace view koeval.key_list as
select k.key_id, k.node, encode(k.pubkey, 'hex') as pubkey, k.created_by, k.created_at, k.expires_at,
       k.revoked_at, k.reason, (select count(*) from koeval.agent a where a.key_id = k.key_id)::int as agents
  from koeval.agent_key k;

select pg_temp.describe('koeval.key_list', 'Keys of nodes.',
    'key_id', 'Number of the key.',
    'node', 'Node that it proves.',
    'pubkey', 'Public key, hex.',
    'created_by', 'Who added it.',
    'created_at', 'When.',
    'expires_at', 'Rotated: until when it is good; null: no end is set.',
    'revoked_at', 'When it was revoked; null: it is good.',
    'reason', 'Why it was revoked.',
    'agents', 'Agents that have used it.');

create or replace view koeval.task_list as
select k.name as task, v.task_version_id, encode(substr(v.digest, 1, 8), 'hex') as version, v.split,
       k.private, v.n_item, v.n_shot, v.publish_n, v.sealed_at,
       v.task_version_id = koeval.task_newest(k.name) as is_newest,
       array(select g.name from koeval.task_group g where g.definition -> 'tasks' ? k.name
              order by 1) as groups, v.definition
  from koeval.task k join koeval.task_version v using (task_id) where v.sealed_at is not null;

select pg_temp.describe('koeval.task_list', 'One row per imported version of a task.',
    'task', 'Name of the task.',
    'task_version_id', 'Number of the version.',
    'version', 'First 16 hex digits of its digest.',
    'split', 'Split that is evaluated.',
    'private', 'Whether its items are secret.',
    'n_item', 'Items to evaluate.',
    'n_shot', 'Items that few-shot examples are drawn from.',
    'publish_n', 'Whether readers see n_item.',
    'sealed_at', 'When it was imported.',
    'is_newest', 'Whether a launch by name takes this version.',
    'groups', 'Groups that name the task.',
    'definition', 'The resolved task as canonical JSON: templates and metrics, no items.');

create or replace view koeval.model_list as
select m.name as model, m.model_id, encode(m.digest, 'hex') as digest,
       (m.manifest ->> 'parameters')::bigint as parameters, m.manifest ->> 'dtype' as dtype,
       m.manifest ->> 'architecture' as architecture, m.manifest ->> 'licence' as licence,
       m.manifest ->> 'type' as type, m.created_at, m.withdrawn_at,
       array(select distinct k.node from koeval.agent a join koeval.agent_key k using (key_id)
              where m.digest = any (a.models) and k.revoked_at is null order by 1) as nodes,
       (select count(*) from koeval.run r where r.model_id = m.model_id)::int as runs
  from koeval.model m;

select pg_temp.describe('koeval.model_list', 'One row per model.',
    'model', 'Name of the model.',
    'model_id', 'Its number.',
    'digest', 'Its identity, hex.',
    'parameters', 'Number of parameters.',
    'dtype', 'Type of the stored weights.',
    'architecture', 'As in its configuration.',
    'licence', 'As given with model add.',
    'type', 'As given with model add.',
    'created_at', 'When it was added.',
    'withdrawn_at', 'When it was withdrawn; null: it stands.',
    'nodes', 'Nodes that said they have it.',
    'runs', 'Runs of it.');

create or replace view koeval.run_list as
select r.run_id, f.campaign, m.name as model, k.name as task,
       encode(substr(v.digest, 1, 8), 'hex') as task_version, p.body as params, r.attempt, r.priority,
       r.state::text as state, f.reason, f.reason_num, f.n_done, f.n_error, f.n_item,
       round(100.0 * (f.n_done + f.n_error) / nullif(f.n_item, 0), 1) as percent,
       r.n_shard_done, r.n_shard, f.n_leased as shards_leased,
       encode(substr(n.digest, 1, 8), 'hex') as class, r.generation, r.created_at, r.complete_at,
       r.voided_at, r.voided_why, f.campaign_id, clock_timestamp() - c.heartbeat_at as age
  from koeval.run r join koeval.run_fact f using (run_id) join koeval.model m using (model_id)
  join koeval.task_version v on v.task_version_id = r.task_version_id
  join koeval.task k on k.task_id = v.task_id join koeval.params p using (params_id)
  left join koeval.numerics_class n on n.class_id = r.class_id cross join koeval.coordinator c;

select pg_temp.describe('koeval.run_list', 'One row per run: campaign x model x task.',
    'run_id', 'Number of the run.',
    'campaign', 'Its campaign.',
    'model', 'Its model.',
    'task', 'Its task.',
    'task_version', 'First 16 hex digits of the version''s digest.',
    'params', 'What besides weights and items decides the requests.',
    'attempt', '1, or more after run restart.',
    'priority', 'Greater goes first.',
    'state', 'planned, running, complete, erred, cancelled.',
    'reason', 'Why it erred or waits: a word of the list of reasons, or paused; null while it gets on.',
    'reason_num', 'The number that belongs to the reason: a length, a layer, bytes.',
    'n_done', 'Items answered.',
    'n_error', 'Items that could not be answered.',
    'n_item', 'Items asked.',
    'percent', 'Ended part of the items, 0 to 100.',
    'n_shard_done', 'Shards that ended.',
    'n_shard', 'Shards.',
    'shards_leased', 'Shards that agents hold.',
    'class', 'Numerics class that the run is pinned to, first 16 hex digits; null before its first grant.',
    'generation', 'How often its errors were retried.',
    'created_at', 'When it was launched.',
    'complete_at', 'When it ended.',
    'voided_at', 'When it was cancelled or voided; null: it counts.',
    'voided_why', 'Why.',
    'campaign_id', 'Number of the campaign.',
    'age', 'How old this row is: since the coordinator last wrote.');

create or replace view koeval.campaign_list as
select c.name as campaign, c.campaign_id, c.purpose::text as purpose, c.priority,
       case when c.state <> 'active' then c.state::text
            when r.n_open > 0 then 'running'
            when r.n_erred > 0 then 'erred' else 'done' end as state,
       r.runs, r.n_complete as runs_complete, r.n_erred as runs_erred, r.n_done as items_done,
       r.n_error as items_error, r.n_item as items,
       round(100.0 * (r.n_done + r.n_error) / nullif(r.n_item, 0), 1) as percent, r.reason,
       c.created_by, c.created_at, clock_timestamp() - o.heartbeat_at as age
  from koeval.campaign c cross join koeval.coordinator o
  left join lateral (
        select count(*)::int as runs, count(*) filter (where x.state = 'complete')::int as n_complete,
               count(*) filter (where x.state = 'erred')::int as n_erred,
               count(*) filter (where x.state in ('planned', 'running'))::int as n_open,
               sum(f.n_done) as n_done, sum(f.n_error) as n_error, sum(f.n_item) as n_item,
               min(f.reason) as reason
          from koeval.run x join koeval.run_fact f using (run_id)
         where x.campaign_id = c.campaign_id and x.state <> 'cancelled') r on true;

select pg_temp.describe('koeval.campaign_list', 'One row per campaign; cancelled runs are not counted.',
    'campaign', 'Name of the campaign.',
    'campaign_id', 'Its number.',
    'purpose', 'board feeds boards; rehearsal, audit and dispute do not.',
    'priority', 'Greater goes first.',
    'state', 'running, paused, cancelled, erred (ended, with errors), done.',
    'runs', 'Its runs.',
    'runs_complete', 'Runs that are complete.',
    'runs_erred', 'Runs that ended with errors.',
    'items_done', 'Items answered.',
    'items_error', 'Items that could not be answered.',
    'items', 'Items asked.',
    'percent', 'Ended part of the items, 0 to 100.',
    'reason', 'A reason that holds up one of its runs.',
    'created_by', 'Who launched it.',
    'created_at', 'When.',
    'age', 'How old this row is: since the coordinator last wrote.');

create or replace view koeval.error_list as
select e.run_id, e.reason::text as reason, count(*)::int as items, min(e.reason_num) as least,
       max(e.reason_num) as most, min(e.item_no) as first_item_no, max(e.at) as at
  from koeval.item_error e join koeval.run r using (run_id)
 where e.generation = r.generation group by e.run_id, e.reason;

select pg_temp.describe('koeval.error_list', 'Why items of a run could not be answered, in its present generation.',
    'run_id', 'Number of the run.',
    'reason', 'A word of the list of reasons.',
    'items', 'How many items.',
    'least', 'Least number told with it.',
    'most', 'Greatest number told with it.',
    'first_item_no', 'The first such item.',
    'at', 'When it last happened.');

-- A prompt that is longer than the model takes loses its beginning, as lm-evaluation-harness does it; an
-- answer without such a prompt has null.
create or replace view koeval.truncated_list as
select a.run_id, count(*)::int as items, min(a.item_no) as first_item_no
  from koeval.response a where a.replica = 0 and true = any (a.truncated) group by a.run_id;

select pg_temp.describe('koeval.truncated_list', 'Runs with prompts that were cut to what the model takes.',
    'run_id', 'Number of the run.',
    'items', 'Items of which a prompt lost its beginning.',
    'first_item_no', 'The first such item.');

create or replace view koeval.score_list as
select s.run_id, o.name as scorer, o.version, s.metric, s.filter, s.n, s.value, s.stderr, s.made_at,
       s.generation
  from koeval.score s join koeval.scorer o using (scorer_id);

select pg_temp.describe('koeval.score_list', 'Scores of runs.',
    'run_id', 'Number of the run.',
    'scorer', 'Name of the scorer.',
    'version', 'Its version.',
    'metric', 'Name of the metric.',
    'filter', 'Filter before it.',
    'n', 'Items.',
    'value', 'The metric, 0 to 1.',
    'stderr', 'Its standard error; null is N/A.',
    'made_at', 'When.',
    'generation', 'Generation of the run''s errors at which it was made.');

-- Groups as lm-evaluation-harness sums them up: over all leaf tasks that have the metric, weighted by
-- their sizes (micro) or not (macro); the standard error pools the tasks' variances with their true
-- sizes in both cases: sqrt( sum((n_i - 1) se_i^2 n_i / (N - K)) / N ), null where one is null.
create or replace view koeval.group_list as
with g as (
    select g.name, m.metric, coalesce(m.filter, 'none') as filter, coalesce(m.weight_by_size, true) as sized,
           t.task, jsonb_array_length(g.definition -> 'tasks') as members
      from koeval.task_group g
      cross join lateral jsonb_to_recordset(coalesce(g.definition -> 'metrics',
            '[{"metric": "acc"}]')) m(metric text, filter text, weight_by_size boolean)
      cross join lateral jsonb_array_elements_text(g.definition -> 'tasks') t(task)),
s as (
    select distinct on (r.campaign_id, r.model_id, r.params_id, g.name, g.metric, g.filter, g.task)
           r.campaign_id, r.model_id, r.params_id, g.name, g.metric, g.filter, g.sized, g.members,
           s.n::float8 as n, s.value, s.stderr
      from g join koeval.task k on k.name = g.task join koeval.task_version v using (task_id)
      join koeval.run r using (task_version_id)
      join koeval.score s on s.run_id = r.run_id and s.generation = r.generation
       and s.metric = g.metric and s.filter = g.filter
     where r.state = 'complete' and r.voided_at is null
     order by r.campaign_id, r.model_id, r.params_id, g.name, g.metric, g.filter, g.task, r.run_id desc,
              s.scorer_id desc)
select s.name as group_name, c.name as campaign, m.name as model, p.body as params, s.metric, s.filter,
       case when s.sized then sum(s.value * s.n) / sum(s.n) else avg(s.value) end as value,
       case when count(s.stderr) = count(*) and sum(s.n) > count(*)
            then sqrt(sum((s.n - 1) * s.stderr ^ 2 * s.n) / (sum(s.n) - count(*)) / sum(s.n)) end as stderr,
       sum(s.n)::bigint as n, count(*)::int as tasks_scored, max(s.members) as tasks, s.campaign_id
  from s join koeval.campaign c using (campaign_id) join koeval.model m using (model_id)
  join koeval.params p using (params_id)
 group by s.campaign_id, s.name, c.name, m.name, p.body, s.metric, s.filter, s.sized;

select pg_temp.describe('koeval.group_list',
    'Groups of tasks summed up as lm-evaluation-harness does: one row per group, campaign, model, params, metric and filter.',
    'group_name', 'Name of the group.',
    'campaign', 'Name of the campaign.',
    'model', 'Name of the model.',
    'params', 'Params of the runs.',
    'metric', 'Name of the metric.',
    'filter', 'Filter before it.',
    'value', 'Mean over the members: weighted by size, or not, as the group says.',
    'stderr', 'Standard error, pooled over the members; null where a member has none.',
    'n', 'Items of the members that have the metric.',
    'tasks_scored', 'Members that have the metric.',
    'tasks', 'Members.',
    'campaign_id', 'Number of the campaign.');

create or replace view koeval.job_list as
select j.job_id, j.kind::text as kind, j.key,
       case j.kind when 'plan' then (select k.name from koeval.plan l join koeval.task_version v
                                       using (task_version_id) join koeval.task k using (task_id)
                                      where l.plan_id = j.key)
                   when 'score' then (select m.name || ' on ' || k.name from koeval.run r
                                        join koeval.model m using (model_id) join koeval.task_version v
                                       using (task_version_id) join koeval.task k using (task_id)
                                       where r.run_id = j.key)
                   else (select b.name from koeval.board b where b.board_id = j.key) end as about,
       case when j.state = 'running' and j.lease_expires < clock_timestamp() then 'overdue'
            else j.state::text end as state,
       j.attempts, j.max_attempts, j.holder, j.error, j.created_at, j.started_at, j.ended_at
  from koeval.job j;

select pg_temp.describe('koeval.job_list', 'Jobs: planning, scoring, ranking.',
    'job_id', 'Number of the job.',
    'kind', 'plan, score, rank.',
    'key', 'Number of the plan, run or board.',
    'about', 'Its name.',
    'state', 'queued, running, overdue (its lease ended; it will be taken again), done, failed.',
    'attempts', 'Attempts so far.',
    'max_attempts', 'Attempts before it is given up.',
    'holder', 'Coordinator that runs or ran it.',
    'error', 'What went wrong last.',
    'created_at', 'When it was asked for.',
    'started_at', 'When it last began.',
    'ended_at', 'When it ended.');

create or replace view koeval.board_list as
select b.name as board, b.board_id, b.publish, b.definition,
       (select count(*) from koeval.board_task t where t.board_id = b.board_id)::int as tasks,
       (select count(*) from koeval.board_category k where k.board_id = b.board_id)::int as categories,
       c.seq, c.snapshot_id, s.made_at, coalesce(b.dirty > s.dirty, true) as is_stale,
       (select count(*) from ranking.row r where r.snapshot_id = c.snapshot_id)::int as models,
       o.name || ' ' || o.version as scorer, n.name || ' ' || n.version as next_scorer
  from koeval.board b left join ranking.current c using (board_id)
  left join ranking.snapshot s using (snapshot_id)
  left join koeval.scorer o on o.scorer_id = b.scorer_id
  left join koeval.scorer n on n.scorer_id = b.next_scorer_id;

select pg_temp.describe('koeval.board_list', 'Boards, published or not.',
    'board', 'Name of the board.',
    'board_id', 'Its number.',
    'publish', 'Whether readers see it.',
    'definition', 'As it was given.',
    'tasks', 'Its tasks, groups resolved.',
    'categories', 'Its categories.',
    'seq', 'Publication number; null before the first.',
    'snapshot_id', 'The snapshot that is shown.',
    'made_at', 'When that was computed.',
    'is_stale', 'A new snapshot is due.',
    'models', 'Models that it ranks.',
    'scorer', 'Scorer of the board.',
    'next_scorer', 'Scorer that is being prepared; null: none.');

-- What a board has shown, published to readers or not: for operators, who compare editions.
create or replace view koeval.edition_list as
select b.name as board, p.seq, p.at, lead(p.at) over (partition by p.board_id order by p.seq) as until,
       p.snapshot_id, s.made_at, o.name || ' ' || o.version as scorer, s.code_version, s.definition,
       (select count(*) from ranking.row r where r.snapshot_id = p.snapshot_id)::int as models,
       (select string_agg(case when m.withdrawn_at is null then r.model_name else 'withdrawn' end, ', '
                          order by r.model_name)
          from ranking.row r join koeval.model m using (model_id)
         where r.snapshot_id = p.snapshot_id and r.rank = 1) as leader,
       exists (select from ranking.publication e where e.board_id = p.board_id and e.seq < p.seq
                  and e.snapshot_id = p.snapshot_id) as is_rollback
  from ranking.publication p join koeval.board b using (board_id)
  join ranking.snapshot s using (snapshot_id) join koeval.scorer o on o.scorer_id = s.scorer_id;

select pg_temp.describe('koeval.edition_list', 'One row per edition: whatever a board has shown.',
    'board', 'Name of the board.',
    'seq', 'Number of the edition.',
    'at', 'From when it was shown.',
    'until', 'Until when; null: it is shown now.',
    'snapshot_id', 'The snapshot that it showed.',
    'made_at', 'When that was computed.',
    'scorer', 'Name and version of its scorer.',
    'code_version', 'Version of the program that ranked.',
    'definition', 'Tasks and weights as they were.',
    'models', 'Models that it ranked.',
    'leader', 'Who had rank 1; withdrawn where it was taken back.',
    'is_rollback', 'An older snapshot, shown again by order.');

create or replace view koeval.place_list as
select b.name as board, p.seq, r.model_id,
       case when m.withdrawn_at is null then r.model_name else 'withdrawn' end as model, r.rank, r.rank_lo,
       r.rank_hi, r.tie_group, round(r.score::numeric, 2) as score, round(r.stderr::numeric, 2) as stderr
  from ranking.publication p join koeval.board b using (board_id)
  join ranking.row r using (snapshot_id) join koeval.model m using (model_id);

select pg_temp.describe('koeval.place_list', 'Who stood where: one row per edition and model.',
    'board', 'Name of the board.',
    'seq', 'Number of the edition.',
    'model_id', 'Number of the model.',
    'model', 'Its name; withdrawn where it was taken back.',
    'rank', 'Place by score, 1 is best.',
    'rank_lo', 'Best place that the bootstrap leaves open.',
    'rank_hi', 'Worst place that the bootstrap leaves open.',
    'tie_group', 'Equal number: not told apart by the data.',
    'score', '0 to 100, two digits.',
    'stderr', 'Its standard error.');

-- What happened, from the rows that say so: nothing writes a log of events beside the truth. key names an
-- event once and for all, so that a reader who looks again knows what it has seen.
create or replace view koeval.event_list as
select o.at, 'I' as level, replace(o.verb, '_', '.') as event,
       coalesce(o.args ->> 'node', o.args ->> 'holder', c.name, b.name, m.name,
                case when o.args ? 'run' then 'run ' || (o.args ->> 'run') end,
                case when o.args ? 'job' then 'job ' || (o.args ->> 'job') end,
                case when o.args ? 'key' then k.node || ' key ' || k.key_id end,
                o.args ->> 'campaign', o.args ->> 'board', o.args ->> 'model', o.args ->> 'task') as about,
       o.actor, o.args ->> 'why' as detail, 'order ' || o.command_id as key
  from koeval.command o
  left join koeval.campaign c on jsonb_typeof(o.args -> 'campaign') = 'number'
        and c.campaign_id::text = o.args ->> 'campaign'
  left join koeval.board b on jsonb_typeof(o.args -> 'board') = 'number'
        and b.board_id::text = o.args ->> 'board'
  left join koeval.model m on jsonb_typeof(o.args -> 'model') = 'number'
        and m.model_id::text = o.args ->> 'model'
  left join koeval.agent_key k on jsonb_typeof(o.args -> 'key') = 'number'
        and k.key_id::text = o.args ->> 'key'
union all
select r.complete_at, case when r.state = 'complete' then 'I' else 'E' end, 'run.' || r.state,
       m.name || ' on ' || k.name || ' (' || c.name || ')', null,
       'run ' || r.run_id || ': ' || r.n_item_done || ' of ' || r.n_item || ' items'
       || case when r.n_item_error > 0 then ', ' || r.n_item_error || ' errors' else '' end,
       'run ' || r.run_id || ' ' || r.generation
  from koeval.run r join koeval.campaign c using (campaign_id) join koeval.model m using (model_id)
  join koeval.task_version v on v.task_version_id = r.task_version_id
  join koeval.task k on k.task_id = v.task_id
 where r.complete_at is not null and r.state in ('complete', 'erred')
union all
select j.ended_at, 'E', 'job.failed', j.kind || ' job ' || j.job_id, j.holder, j.error,
       'job ' || j.job_id || ' ' || extract(epoch from j.ended_at)
  from koeval.job j where j.state = 'failed' and j.ended_at is not null
union all
select i.at, 'E', 'incident.' || i.kind, 'run ' || i.run_id, null,
       case when i.item_no is not null then 'item ' || i.item_no || ': agent ' || i.agent_kept || ' and agent '
            || i.agent_new || ' differ' end, 'incident ' || i.incident_id
  from koeval.incident i
union all
select p.at, 'I', 'board.edition', b.name, null, 'edition ' || p.seq, 'edition ' || p.board_id || ' ' || p.seq
  from ranking.publication p join koeval.board b using (board_id)
union all
select l.ended_at, 'W', 'shard.' || l.outcome, 'shard ' || l.shard_id || ' of run ' || s.run_id,
       k.node || ' slot ' || a.slot, s.reason::text, 'lease ' || l.shard_id || ' ' || l.lease_epoch
  from koeval.lease l join koeval.shard s using (shard_id) join koeval.agent a on a.agent_id = l.agent_id
  join koeval.agent_key k using (key_id)
 where l.outcome in ('expired', 'failed', 'revoked', 'lost') and l.ended_at is not null;

select pg_temp.describe('koeval.event_list', 'Orders, ends of runs, failures, incidents, editions: what happened, by time.',
    'at', 'When.',
    'level', 'E: someone must act; W: koeval coped; I: a noun changed its state.',
    'event', 'noun.verb.',
    'about', 'What it happened to.',
    'actor', 'Who ordered it, or whom it befell.',
    'detail', 'The reason given, or a number.',
    'key', 'Names the event: equal keys are one event.');

-- What earlier runs of a task measured, by tokenizer: the ground for estimates of a launch.
create or replace view koeval.cost_list as
select v.task_version_id, p.params_id, p.body as params,
       (select f ->> 'sha256' from jsonb_array_elements(m.manifest -> 'files') f
         where f ->> 'name' = 'tokenizer.json') as tokenizer, m.model_id, m.name as model,
       (m.manifest ->> 'parameters')::bigint as parameters, x.run_id, r.n_item, x.token_naive,
       x.token_unique, x.engine_ms
  from (select s.run_id, sum(l.token_naive) as token_naive, sum(l.token_unique) as token_unique,
               sum(l.engine_ms) as engine_ms
          from koeval.lease l join koeval.shard s using (shard_id)
         where l.token_naive is not null and s.replica = 0 group by s.run_id) x
  join koeval.run r using (run_id) join koeval.model m using (model_id)
  join koeval.params p using (params_id)
  join koeval.task_version v on v.task_version_id = r.task_version_id where r.state = 'complete';

select pg_temp.describe('koeval.cost_list', 'Tokens and time of complete runs, as agents measured them.',
    'task_version_id', 'Version of the task.',
    'params_id', 'Params of the run.',
    'params', 'Their body.',
    'tokenizer', 'SHA-256 of tokenizer.json, hex: equal digits, equal tokens.',
    'model_id', 'Number of the model.',
    'model', 'Its name.',
    'parameters', 'Its parameters.',
    'run_id', 'Number of the run.',
    'n_item', 'Its items.',
    'token_naive', 'Tokens if every request were computed alone.',
    'token_unique', 'Tokens that shared prefixes left to compute.',
    'engine_ms', 'Milliseconds in the engine, without loading, summed over agents.');
