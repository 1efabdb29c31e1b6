-- What sites read. Owner-rights views behind a security barrier; rounded here, because a proportion and
-- its standard error with 16 digits give the number of items away. A name ends in _v1: columns are only
-- ever added to it, and what must change becomes _v2 beside it.

-- Progress of a run and, where it does not end well, the word for it. For the views below and the lists;
-- not granted to anybody. Shards and errors are read of open runs only: ended ones carry their counts.
create or replace view koeval.run_fact as
select r.run_id, c.campaign_id, c.name as campaign, c.purpose, c.state as campaign_state,
       coalesce(r.n_item, l.n_item, v.n_item) as n_item,
       coalesce(s.n_done, r.n_item_done) as n_done, coalesce(s.n_error, r.n_item_error) as n_error,
       coalesce(s.n_leased, 0) as n_leased, coalesce(s.n_ready, 0) as n_ready,
       case when r.state = 'erred' or s.n_failed > 0 then coalesce(e.reason, f.reason, 'internal')::text
            when c.state = 'paused' and r.state in ('planned', 'running') then 'paused'
            when r.state <> 'running' or s.n_leased > 0 then null
            when not w.has_model then 'model_on_no_node'
            when not w.has_class then 'class_on_no_node' end as reason,
       case when r.state = 'erred' or s.n_failed > 0 then coalesce(e.reason_num, f.reason_num) end
       as reason_num
  from koeval.run r join koeval.campaign c using (campaign_id) join koeval.plan l using (plan_id)
  join koeval.task_version v on v.task_version_id = r.task_version_id
  join koeval.model m using (model_id)
  left join lateral (
        select sum(n_done)::int as n_done, sum(n_error)::int as n_error,
               count(*) filter (where state = 'leased') as n_leased,
               count(*) filter (where state = 'ready') as n_ready,
               count(*) filter (where state = 'error') as n_failed
          from koeval.shard x
         where x.run_id = r.run_id and x.replica = 0 and r.state in ('running', 'erred')) s on true
  left join lateral (
        select x.reason, max(x.reason_num) as reason_num from koeval.item_error x
         where x.run_id = r.run_id and x.replica = 0 and x.generation = r.generation
           and r.state in ('running', 'erred')
         group by x.reason order by count(*) desc, x.reason limit 1) e on true
  left join lateral (
        select x.reason, x.reason_num from koeval.shard x
         where x.run_id = r.run_id and x.state = 'error' and r.state in ('running', 'erred')
         order by x.shard_id limit 1) f on true
  left join lateral (
        select count(*) > 0 as has_model,
               count(*) filter (where r.class_id is null or a.class_id = r.class_id) > 0 as has_class
          from koeval.agent a join koeval.agent_key k using (key_id) cross join koeval.coordinator o
         where r.state = 'running' and k.revoked_at is null and a.intent = 'active'
           and a.last_seen > o.heartbeat_at - interval '60 s'
           and m.digest = any (a.models)) w on true;

create or replace view ranking.board_v1 with (security_barrier) as
select b.name as board, c.seq, r.rank, r.rank_lo, r.rank_hi, r.tie_group,
       case when m.withdrawn_at is null then r.model_name else 'withdrawn' end as model,
       round(r.score::numeric, 2) as score, round(r.stderr::numeric, 2) as stderr,
       case when not exists (
                select from ranking.task_row t join koeval.task_version v using (task_version_id)
                 where t.snapshot_id = r.snapshot_id and not v.publish_n) then r.n end as n,
       m.withdrawn_at, s.made_at, r.snapshot_id
  from koeval.board b join ranking.current c using (board_id)
  join ranking.snapshot s using (snapshot_id) join ranking.row r using (snapshot_id)
  join koeval.model m using (model_id) where b.publish;

select pg_temp.describe('ranking.board_v1',
    'The leaderboard as it stands: one row per board and ranked model. Only models with a score for every task of the board rank.',
    'board', 'Name of the board.',
    'seq', 'Publication number of the board; (board, seq) is the etag: equal pair, equal rows.',
    'rank', 'Place by score, 1 is best; equal scores share a place.',
    'rank_lo', 'Best place that the paired bootstrap leaves open (95 %).',
    'rank_hi', 'Worst place that the paired bootstrap leaves open (95 %).',
    'tie_group', 'Models with the same number are not told apart by the data; 1 holds the leader.',
    'model', 'Name of the model; withdrawn where it was taken back.',
    'score', 'Average tasks -> category -> board, 0 to 100, two digits.',
    'stderr', 'Standard error of score, same scale; null where a task has none.',
    'n', 'Items behind score over all tasks; null where a task keeps its number private.',
    'withdrawn_at', 'When the model was withdrawn; null: it stands.',
    'made_at', 'When the snapshot was computed.',
    'snapshot_id', 'The immutable snapshot that is shown; see history_v1.');

create or replace view ranking.category_v1 with (security_barrier) as
select b.name as board, c.seq, k.category, k.weight,
       case when m.withdrawn_at is null then m.name else 'withdrawn' end as model,
       round(k.score::numeric, 2) as score, round(k.stderr::numeric, 2) as stderr,
       (select count(*) from ranking.task_row t where t.snapshot_id = k.snapshot_id
           and t.model_id = k.model_id and t.category = k.category)::int as tasks,
       k.snapshot_id
  from koeval.board b join ranking.current c using (board_id)
  join ranking.category_row k using (snapshot_id) join koeval.model m using (model_id) where b.publish;

select pg_temp.describe('ranking.category_v1',
    'The middle step of the average: one row per board, category and ranked model.',
    'board', 'Name of the board.',
    'seq', 'Publication number, as in board_v1.',
    'category', 'Name of the category.',
    'weight', 'Weight of the category in the board''s average.',
    'model', 'Name of the model; withdrawn where it was taken back.',
    'score', 'Weighted mean of the category''s tasks, 0 to 100, two digits.',
    'stderr', 'Standard error of score, same scale; null where a task has none.',
    'tasks', 'How many tasks the category has.',
    'snapshot_id', 'As in board_v1.');

create or replace view ranking.task_v1 with (security_barrier) as
select b.name as board, c.seq, k.name as task, encode(substr(v.digest, 1, 8), 'hex') as task_version,
       p.body as params, t.metric, t.filter, t.category, t.weight,
       case when m.withdrawn_at is null then m.name else 'withdrawn' end as model,
       round(t.value::numeric, 4) as value, round(t.stderr::numeric, 4) as stderr,
       case when v.publish_n then t.n end as n, encode(substr(nc.digest, 1, 8), 'hex') as class,
       t.run_id, t.snapshot_id
  from ranking.current c join koeval.board b using (board_id)
  join ranking.task_row t using (snapshot_id) join koeval.model m using (model_id)
  join koeval.task_version v using (task_version_id) join koeval.task k using (task_id)
  join koeval.params p using (params_id) join koeval.numerics_class nc using (class_id) where b.publish;

select pg_temp.describe('ranking.task_v1',
    'The results that the board averages: one row per board, ranked model, task, metric and filter.',
    'board', 'Name of the board.',
    'seq', 'Publication number, as in board_v1.',
    'task', 'Name of the task.',
    'task_version', 'First 16 hex digits of the digest over definition and items: another version, other digits.',
    'params', 'What besides weights and items decided the requests: shots, seed, limit, dtype, mode ...',
    'metric', 'acc, acc_norm, f1 ... as lm-evaluation-harness names them.',
    'filter', 'Filter before the metric; none where the task has none.',
    'category', 'Category of the task on this board.',
    'weight', 'Weight of the task within its category.',
    'model', 'Name of the model; withdrawn where it was taken back.',
    'value', 'The metric, 0 to 1 as the harness gives it, four digits.',
    'stderr', 'Its standard error; null is the harness''s N/A.',
    'n', 'Number of items; null where the task keeps it private.',
    'class', 'First 16 hex digits of the numerics class: rows of one class were computed with the same bits.',
    'run_id', 'The run that was measured.',
    'snapshot_id', 'As in board_v1.');

create or replace view ranking.model_v1 with (security_barrier) as
select case when withdrawn_at is null then name else 'withdrawn' end as model,
       encode(digest, 'hex') as digest, (manifest ->> 'parameters')::bigint as parameters,
       manifest ->> 'dtype' as dtype, manifest ->> 'architecture' as architecture,
       manifest ->> 'licence' as licence, manifest ->> 'type' as type, created_at::date as date,
       withdrawn_at, case when withdrawn_at is not null then withdrawn_why end as withdrawn_why
  from koeval.model m
 where exists (select from koeval.board b join ranking.snapshot s using (board_id)
                 join ranking.row r using (snapshot_id) where b.publish and r.model_id = m.model_id);

select pg_temp.describe('ranking.model_v1',
    'Facts about every model that a published board ranks or has ranked.',
    'model', 'Name of the model; withdrawn where it was taken back.',
    'digest', 'SHA-256 over weights, configuration, tokenizer and template, hex: the model''s identity.',
    'parameters', 'Number of parameters; null where it was not told.',
    'dtype', 'Type of the stored weights.',
    'architecture', 'As in the model''s configuration.',
    'licence', 'As the operator gave it; null where not.',
    'type', 'pretrained, instruction-tuned ... as the operator gave it; null where not.',
    'date', 'Day on which the model was added here.',
    'withdrawn_at', 'When it was withdrawn; null: it stands.',
    'withdrawn_why', 'Reason given with the withdrawal.');

-- n comes from the plan (what was asked), before that from the seal (what exists); never from what has
-- arrived.
create or replace view ranking.coverage_v1 with (security_barrier) as
with t as (
    select b.board_id, b.name as board, m.model_id, m.name as model, v.publish_n, r.run_id,
           r.state as run_state, f.reason, f.n_leased, i.score_id,
           coalesce(f.n_done, 0) as n_done, coalesce(f.n_item, v.n_item) as n_item,
           exists (select from koeval.job j where j.kind = 'score' and j.key = r.run_id
                      and j.state = 'failed' and i.score_id is null) as score_failed
      from koeval.board b join koeval.board_task t using (board_id) cross join koeval.model m
      join koeval.task_version v using (task_version_id)
      left join lateral (
            select x.* from koeval.run x join koeval.campaign c using (campaign_id)
              join koeval.params p using (params_id)
             where x.model_id = m.model_id and x.task_version_id = t.task_version_id
               and p.body @> t.params and x.voided_at is null and c.purpose = 'board'
             order by x.run_id desc limit 1) r on true
      left join koeval.run_fact f on f.run_id = r.run_id
      left join koeval.score i on i.run_id = r.run_id and i.generation = r.generation
            and i.scorer_id = b.scorer_id and i.metric = t.metric and i.filter = t.filter
     where b.publish and m.withdrawn_at is null)
select board, model,
       case when count(score_id) = count(*) then
                case when exists (select from ranking.current c join ranking.row w using (snapshot_id)
                                   where c.board_id = t.board_id and w.model_id = t.model_id)
                     then 'ranked' else 'ranking' end
            when bool_or(run_state = 'erred' or score_failed) then 'erred'
            when count(run_id) < count(*) then 'incomplete'
            when bool_or(run_state = 'planned') then 'planning'
            when bool_or(run_state = 'running') then
                case when sum(n_leased) > 0 or bool_and(reason is null) then 'running' else 'waiting' end
            else 'scoring' end as state,
       min(reason) filter (where score_id is null) as reason,
       count(score_id)::int as tasks_scored, count(*)::int as tasks,
       case when bool_and(publish_n) then sum(n_done) end as items_done,
       case when bool_and(publish_n) then sum(n_item) end as items,
       round(100.0 * sum(n_done) / nullif(sum(n_item), 0), 1) as percent
  from t group by board_id, board, model_id, model having count(run_id) > 0;

select pg_temp.describe('ranking.coverage_v1',
    'How far every model is that a board waits for or shows: one row per board and model with at least one run.',
    'board', 'Name of the board.',
    'model', 'Name of the model.',
    'state', 'ranked; ranking (complete, board due); scoring; running; waiting (see reason); planning; incomplete (a task has no run); erred (see reason).',
    'reason', 'A word of the list of reasons where the model does not get on: nonfinite, model_on_no_node, paused ...; else null.',
    'tasks_scored', 'Tasks of the board with a score.',
    'tasks', 'Tasks of the board.',
    'items_done', 'Items answered; null where a task keeps its number private.',
    'items', 'Items asked; null as items_done.',
    'percent', 'Answered part of all items, 0 to 100, one digit.');

create or replace view ranking.current_v1 with (security_barrier) as
select b.name as board, c.seq, c.snapshot_id, s.made_at, p.at as published_at,
       encode(s.input_sha256, 'hex') as input_sha256, b.dirty > s.dirty as is_stale, s.boot_seed,
       s.boot_n, o.name || ' ' || o.version as scorer, s.code_version
  from koeval.board b join ranking.current c using (board_id) join ranking.snapshot s using (snapshot_id)
  join ranking.publication p on p.board_id = b.board_id and p.seq = c.seq
  join koeval.scorer o on o.scorer_id = s.scorer_id where b.publish;

select pg_temp.describe('ranking.current_v1',
    'What every board shows now: one row per published board. Poll it; NOTIFY koeval_board (payload: board name and seq) is a hint to poll.',
    'board', 'Name of the board.',
    'seq', 'Grows by one with each publication; (board, seq) is the etag of all views with a seq.',
    'snapshot_id', 'The snapshot that is shown.',
    'made_at', 'When it was computed.',
    'published_at', 'When the board began to show it.',
    'input_sha256', 'Digest over the numbers of the scores it was computed from, hex.',
    'is_stale', 'An input has changed since; a new snapshot is due.',
    'boot_seed', 'Seed of the bootstrap: with it and the scores the ranges can be recomputed to the bit.',
    'boot_n', 'Number of bootstrap replicates.',
    'scorer', 'Name and version of the scorer.',
    'code_version', 'Version of the program that ranked.');

create or replace view ranking.history_v1 with (security_barrier) as
select b.name as board, p.seq, p.at, p.until, p.snapshot_id, r.rank, r.rank_lo, r.rank_hi, r.tie_group,
       case when m.withdrawn_at is null then r.model_name else 'withdrawn' end as model,
       round(r.score::numeric, 2) as score, round(r.stderr::numeric, 2) as stderr
  from (select *, lead(at) over (partition by board_id order by seq) as until from ranking.publication) p
  join koeval.board b using (board_id) join ranking.row r using (snapshot_id)
  join koeval.model m using (model_id) where b.publish;

select pg_temp.describe('ranking.history_v1',
    'Everything that a board has ever shown: one row per publication and model. Immutable but for names of withdrawn models.',
    'board', 'Name of the board.',
    'seq', 'Publication number.',
    'at', 'From when it was shown.',
    'until', 'Until when; null: it is shown now.',
    'snapshot_id', 'The snapshot; a rollback shows an older one under a new seq.',
    'rank', 'As in board_v1.',
    'rank_lo', 'As in board_v1.',
    'rank_hi', 'As in board_v1.',
    'tie_group', 'As in board_v1.',
    'model', 'Name of the model; withdrawn where it was taken back.',
    'score', 'As in board_v1.',
    'stderr', 'As in board_v1.');

-- What a board showed at a moment, for citations.
create or replace function ranking.board_at(p_board text, p_at timestamptz)
returns table (rank int, rank_lo int, rank_hi int, tie_group int, model text, score numeric,
               snapshot_id bigint) language sql stable
security definer set search_path = koeval, ranking, pg_temp as $$
    select r.rank, r.rank_lo, r.rank_hi, r.tie_group,
           case when m.withdrawn_at is null then r.model_name else 'withdrawn' end,
           round(r.score::numeric, 2), r.snapshot_id
      from (select p.snapshot_id from publication p join board b using (board_id)
             where b.name = p_board and b.publish and p.at <= p_at order by p.seq desc limit 1) x
      join ranking.row r using (snapshot_id) join model m using (model_id) order by r.rank, r.model_id;
$$;
comment on function ranking.board_at is
    'board_at(board, at): the rows of board_v1 as the board showed them at that moment; no rows before its first publication.';
