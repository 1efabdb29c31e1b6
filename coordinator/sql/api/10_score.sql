-- A scorer is a name, a version and the digest of its code; the same three again are the same scorer.
create or replace function scorer_add(p_name text, p_version int, p_code_sha256 bytea) returns int
language plpgsql security definer set search_path = koeval, pg_temp as $$
declare
    s scorer;
begin
    insert into scorer (name, version, code_sha256) values (p_name, p_version, p_code_sha256)
    on conflict do nothing;
    select * into s from scorer where name = p_name and version = p_version;
    if s.code_sha256 <> p_code_sha256 then
        raise exception 'scorer % version % is other code: give it a new version', p_name, p_version
            using errcode = 'KE009';
    end if;
    return s.scorer_id;
end $$;

-- What a score job works on. The run must be complete: a score is over all of its items or is none.
create or replace function score_begin(p_job bigint, p_attempt int)
returns table (run_id int, n_item int, definition text) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
declare
    r int := job_key(p_job, p_attempt);
begin
    return query
    select x.run_id, x.n_item, v.definition from run x join task_version v using (task_version_id)
     where x.run_id = r and x.state = 'complete';
    if not found then
        raise exception 'run % is not complete', r using errcode = 'KE004';
    end if;
end $$;

-- Every evaluated item of the job's run in item order, with its gold: only the coordinator's jobs may.
create or replace function score_items(p_job bigint, p_attempt int)
returns table (item_no int, gold bytea, loglik float8[], greedy boolean[]) language plpgsql
security definer set search_path = koeval, secret, pg_temp as $$
#variable_conflict use_column
declare
    r run;
begin
    select * into r from run where run_id = job_key(p_job, p_attempt);
    return query
    select a.item_no, i.gold, a.loglik, a.greedy from response a
      join task_item t on t.task_version_id = r.task_version_id and t.role = 'e' and t.item_no = a.item_no
      join secret.item i using (item_id)
     where a.run_id = r.run_id and a.replica = 0 order by a.item_no;
end $$;

-- All metrics of a run in one call, one transaction; the same scorer again is absorbed. p_item_value is
-- flat: for each metric width x n numbers in item order. p_stderr: null is "N/A".
create or replace function score_write(p_job bigint, p_attempt int, p_scorer int, p_metric text[],
    p_filter text[], p_aggregation text[], p_width int[], p_value float8[], p_stderr float8[],
    p_item_value float8[]) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    r int;
    n int;
    k int;
begin
    r := job_check(p_job, p_attempt);
    select n_item into n from run where run_id = r and state = 'complete';
    if not found then
        raise exception 'run % is not complete', r using errcode = 'KE004';
    end if;
    if (select sum(w) from unnest(p_width) w) * n <> cardinality(p_item_value) then
        raise exception 'item values of run % are not width x n', r using errcode = 'KE004';
    end if;
    with f as materialized (select p_item_value as v),
    m as (select *, sum(width) over (order by no) * n as hi
            from unnest(p_metric, p_filter, p_aggregation, p_width, p_value, p_stderr)
                 with ordinality u(metric, filter, aggregation, width, value, stderr, no))
    insert into score (run_id, generation, scorer_id, metric, filter, aggregation, n, value, stderr,
                       width, item_value)
    select r, run.generation, p_scorer, metric, filter, m.aggregation, n, m.value, m.stderr, m.width,
           f.v[hi - m.width * n + 1 : hi]
      from m, f, run where run.run_id = r
    on conflict do nothing;
    get diagnostics k = row_count;
    perform board_touch_run(r);
    notify koeval_work;
    return k;
end $$;

-- An input of the board changed: its snapshot is stale from this commit on, and a rank job is due.
create or replace function board_touch(p_board int) returns void language sql
security definer set search_path = koeval, pg_temp as $$
    update board set dirty = dirty + 1 where board_id = p_board;
    insert into job (kind, key) values ('rank', p_board) on conflict do nothing;
$$;

-- Every board that this run changes: one where its model is complete now, or is shown. A model that
-- still lacks scores moves no rank. The boards are locked first, in one order: of two score jobs that
-- end a model together, the later one waits and then sees the scores of both.
create or replace function board_touch_run(p_run int) returns void language plpgsql
security definer set search_path = koeval, ranking, pg_temp as $$
declare
    m int := (select model_id from run where run_id = p_run);
    b int;
begin
    for b in select d.board_id from board d
              where exists (
                    select from run r join params p using (params_id)
                      join campaign c on c.campaign_id = r.campaign_id and c.purpose = 'board'
                      join board_task t on t.task_version_id = r.task_version_id and p.body @> t.params
                     where r.run_id = p_run and t.board_id = d.board_id)
              order by d.board_id for update loop
        if exists (select from board_complete(b) where model_id = m)
           or exists (select from current join ranking.row using (snapshot_id)
                       where board_id = b and model_id = m) then
            perform board_touch(b);
        end if;
    end loop;
end $$;

-- Which scorers a score job has to compute for a run: those of the boards that count it, and those that
-- such boards prepare; the newest of all where no board does.
create or replace function run_scorers(p_run int) returns table (scorer_id int, name text, version int)
language sql stable security definer set search_path = koeval, pg_temp as $$
    with b as (
        select distinct s.id from run r join params p using (params_id)
          join board_task t on t.task_version_id = r.task_version_id and p.body @> t.params
          join board d on d.board_id = t.board_id
          cross join lateral (values (d.scorer_id), (d.next_scorer_id)) s(id)
         where r.run_id = p_run and s.id is not null)
    select s.scorer_id, s.name, s.version from scorer s
     where s.scorer_id in (select id from b)
        or (not exists (select from b) and s.scorer_id = (select max(scorer_id) from scorer))
     order by 1;
$$;

-- Resolves one entry of a board's definition into rows of board_task: a task by name (newest sealed
-- version unless "version", the leading hex digits of its digest, says which) or a group, whose members
-- share category and weight. weight "size" is the number of items: within a category that is the micro
-- mean.
create or replace function board_entry(p_entry jsonb)
returns table (task_version_id int, params jsonb, metric text, filter text, category text, weight float8)
language plpgsql stable security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
declare
    names text[];
    version text := p_entry ->> 'version';
    member text;
begin
    if p_entry ? 'group' then
        select array(select jsonb_array_elements_text(definition -> 'tasks')) into names
          from task_group g where g.name = p_entry ->> 'group';
        if not found then
            raise exception 'no group %', p_entry ->> 'group' using errcode = 'KE005';
        end if;
    else
        names := array[p_entry ->> 'task'];
    end if;
    if names = '{}' or names[1] is null or p_entry ->> 'metric' is null then
        raise exception 'an entry needs task or group, and metric' using errcode = 'KE004';
    end if;
    foreach member in array names loop
        return query
        select v.task_version_id, coalesce(p_entry -> 'params', '{}'), p_entry ->> 'metric',
               coalesce(p_entry ->> 'filter', 'none'),
               coalesce(p_entry ->> 'category', p_entry ->> 'group', member),
               case when p_entry ->> 'weight' = 'size' then v.n_item
                    else coalesce((p_entry ->> 'weight')::float8, 1) end
          from task_version v join task t using (task_id)
         where t.name = member and v.sealed_at is not null
           and (version is null or left(encode(v.digest, 'hex'), length(version)) = version)
         order by v.task_version_id desc limit 1;
        if not found then
            raise exception 'no task % with that version', member using errcode = 'KE005';
        end if;
    end loop;
end $$;

-- A board is data: {"tasks": [{"task"|"group", "version", "params": {selector}, "metric", "filter",
-- "category", "weight"}, ...], "categories": {name: weight}, "publish": true}. A run counts where its
-- params contain the selector. The same name again is the same board with a new definition: published
-- snapshots keep theirs. Returns the board_id.
create or replace function board_define(p_name text, p_definition jsonb, p_scorer int) returns int
language plpgsql security definer set search_path = koeval, pg_temp as $$
declare
    b int;
    was jsonb;
begin
    if jsonb_typeof(p_definition -> 'tasks') is distinct from 'array'
       or p_definition -> 'tasks' = '[]' then
        raise exception 'a board needs a list of tasks' using errcode = 'KE004';
    end if;
    insert into board (name, definition, scorer_id, publish)
    values (p_name, p_definition, p_scorer, coalesce((p_definition ->> 'publish')::boolean, true))
    on conflict (name) do update set definition = excluded.definition, publish = excluded.publish
    returning board_id into b;
    was := board_snapshot(b);
    delete from board_task where board_id = b;
    delete from board_category where board_id = b;
    perform board_fill(b, p_definition);
    -- The same definition again, and the same versions behind its names: the board stays as it is.
    if board_snapshot(b) is distinct from was then
        perform board_touch(b);
        perform command_log('board_define', jsonb_build_object('board', p_name));
        notify koeval_work;
    end if;
    return b;
end $$;

create or replace function board_fill(p_board int, p_definition jsonb) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    with e as materialized (
        select row_number() over (order by x.no, t.o)::int as no, t.*
          from jsonb_array_elements(p_definition -> 'tasks') with ordinality x(entry, no)
          cross join lateral board_entry(x.entry) with ordinality
                t(task_version_id, params, metric, filter, category, weight, o)),
    c as (
        insert into board_category (board_id, category, weight)
        select distinct p_board, category,
               coalesce((p_definition -> 'categories' ->> category)::float8, 1) from e)
    insert into board_task (board_id, task_no, task_version_id, params, metric, filter, category, weight)
    select p_board, no, task_version_id, params, metric, filter, category, weight from e;
exception
    when unique_violation then
        raise exception 'a task stands twice on the board' using errcode = 'KE004';
    when check_violation or invalid_text_representation then
        raise exception 'a weight is no positive number' using errcode = 'KE004';
end $$;

-- The board's scorer is switched only when every run that ranks today has its new scores: no half
-- re-scored board. Returns how many scores are missing; call it again when the jobs are done.
create or replace function board_rescore(p_board int, p_scorer int) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    missing int;
    again boolean;
begin
    select count(*) into missing from board_input(p_board) i
     where not exists (select from score s where s.run_id = i.run_id and s.scorer_id = p_scorer
                          and s.metric = i.metric and s.filter = i.filter);
    if missing = 0 then
        update board set scorer_id = p_scorer, next_scorer_id = null where board_id = p_board;
        perform board_touch(p_board);
        perform command_log('board_rescore', jsonb_build_object('board', p_board, 'scorer', p_scorer));
    else
        -- A job that runs when this is first said may have missed it; asked again, it has not.
        update board set next_scorer_id = p_scorer where board_id = p_board
           and next_scorer_id is distinct from p_scorer;
        again := not found;
        insert into job (kind, key)
        select distinct 'score'::job_kind, i.run_id from board_input(p_board) i
         where not exists (select from score s where s.run_id = i.run_id and s.scorer_id = p_scorer
                              and s.metric = i.metric and s.filter = i.filter)
           and not (again and exists (select from job j where j.kind = 'score' and j.key = i.run_id
                                         and j.state = 'running'))
        on conflict do nothing;
    end if;
    notify koeval_work;
    return missing;
end $$;
