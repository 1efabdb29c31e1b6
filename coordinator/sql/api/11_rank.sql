-- What a board ranks now: per model and board task the newest complete run (greatest run_id, not latest
-- end) whose params contain the selector, of board campaigns only, not voided, model not withdrawn.
create or replace function board_input(p_board int)
returns table (model_id int, task_no int, task_version_id int, params_id int, plan_id int, metric text,
               filter text, category text, weight float8, run_id int, class_id int, score_id bigint)
language sql stable security definer set search_path = koeval, pg_temp as $$
    select m.model_id, t.task_no, t.task_version_id, r.params_id, r.plan_id, t.metric, t.filter,
           t.category, t.weight, r.run_id, r.class_id, s.score_id
      from board b join board_task t using (board_id)
      cross join (select model_id from model where withdrawn_at is null) m
      join lateral (
            select x.run_id, x.class_id, x.generation, x.params_id, x.plan_id
              from run x join campaign c using (campaign_id) join params p using (params_id)
             where x.task_version_id = t.task_version_id and x.model_id = m.model_id
               and p.body @> t.params and x.state = 'complete' and x.voided_at is null
               and c.purpose = 'board'
             order by x.run_id desc limit 1) r on true
      left join score s on s.run_id = r.run_id and s.generation = r.generation
            and s.scorer_id = b.scorer_id and s.metric = t.metric and s.filter = t.filter
     where b.board_id = p_board;
$$;

-- Only models that have a score for every task of the board.
create or replace function board_complete(p_board int) returns table (model_id int) language sql stable
security definer set search_path = koeval, pg_temp as $$
    select model_id from board_input(p_board) group by model_id
    having count(score_id) = (select count(*) from board_task where board_id = p_board);
$$;

-- What a rank job works on: the board's state, its categories and their weights.
create or replace function rank_begin(p_job bigint, p_attempt int)
returns table (board_id int, dirty bigint, category text, weight float8) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
declare
    b int := job_key(p_job, p_attempt);
begin
    return query
    select d.board_id, d.dirty, c.category, c.weight from board d join board_category c using (board_id)
     where d.board_id = b order by c.category;
end $$;

-- The scores of every complete model at every task of the board, by task, then model.
create or replace function rank_scores(p_job bigint, p_attempt int)
returns table (task_no int, task_version_id int, category text, weight float8, model_id int,
               score_id bigint, n int, aggregation text) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
declare
    b int := job_key(p_job, p_attempt);
begin
    return query
    with i as materialized (select * from board_input(b))
    select i.task_no, i.task_version_id, i.category, i.weight, i.model_id, s.score_id, s.n, s.aggregation
      from i join score s using (score_id)
     where i.model_id in (select x.model_id from i x group by x.model_id
                           having count(x.score_id) = (select count(*) from board_task t
                                                        where t.board_id = b))
     order by i.task_no, i.model_id;
end $$;

-- The items' numbers of some scores, in the order asked: one task at a time keeps memory small.
create or replace function rank_values(p_job bigint, p_attempt int, p_score bigint[])
returns table (score_id bigint, item_value float8[]) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
begin
    perform job_key(p_job, p_attempt);
    return query
    select s.score_id, s.item_value from unnest(p_score) with ordinality u(id, no)
      join score s on s.score_id = u.id order by u.no;
end $$;

-- Snapshot, rows, pointer, history: one transaction. Refuses inputs older than the published ones and
-- withdrawn models; a late board beats an older one, and the queued job follows.
--   per model:    p_model, p_rank, p_lo, p_hi (rank range), p_tie (equal number: not told apart),
--                 p_score (0-100), p_stderr
--   per category: p_cat_model, p_cat, p_cat_score (0-100), p_cat_stderr
--   p_score_id:   every score that was read
create or replace function rank_publish(p_job bigint, p_attempt int, p_dirty bigint, p_code text,
    p_seed bigint, p_boot int, p_model int[], p_rank int[], p_lo int[], p_hi int[], p_tie int[],
    p_score float8[], p_stderr float8[], p_cat_model int[], p_cat text[], p_cat_score float8[],
    p_cat_stderr float8[], p_score_id bigint[]) returns bigint language plpgsql
security definer set search_path = koeval, ranking, pg_temp as $$
declare
    bd board;
    snap bigint;
    sq int;
    was bigint;
begin
    select * into bd from board where board_id = job_check(p_job, p_attempt) for update;
    select s.dirty into was from current c join snapshot s using (snapshot_id)
     where c.board_id = bd.board_id;
    if p_dirty > bd.dirty or p_dirty < coalesce(was, 0) then
        raise exception 'input % is older than the published %', p_dirty, was using errcode = 'KE001';
    end if;
    if exists (select from unnest(p_model) m(id) join model on model_id = m.id
                where withdrawn_at is not null) then
        raise exception 'a ranked model was withdrawn meanwhile' using errcode = 'KE001';
    end if;
    insert into snapshot (board_id, dirty, code_version, input_sha256, boot_seed, boot_n, scorer_id,
                          definition)
    values (bd.board_id, p_dirty, p_code,
            sha256(convert_to(coalesce((select string_agg(x::text, ',' order by x)
                                          from unnest(p_score_id) x), ''), 'UTF8')),
            p_seed, p_boot,
            -- of what was read: the board may have moved to another scorer meanwhile, and is stale then
            coalesce((select max(scorer_id) from score where score_id = any (p_score_id)), bd.scorer_id),
            board_snapshot(bd.board_id))
    returning snapshot_id into snap;
    perform rank_rows(snap, bd.board_id, p_score_id);
    insert into ranking.row (snapshot_id, model_id, model_name, rank, rank_lo, rank_hi, tie_group, score,
                             stderr, n)
    select snap, u.m, model.name, u.rank, u.lo, u.hi, u.tie, u.score, u.stderr,
           (select sum(n) from task_row t where t.snapshot_id = snap and t.model_id = u.m)
      from unnest(p_model, p_rank, p_lo, p_hi, p_tie, p_score, p_stderr)
           u(m, rank, lo, hi, tie, score, stderr)
      join model on model_id = u.m;
    insert into category_row (snapshot_id, model_id, category, weight, score, stderr)
    select snap, u.m, u.category, c.weight, u.score, u.stderr
      from unnest(p_cat_model, p_cat, p_cat_score, p_cat_stderr) u(m, category, score, stderr)
      join board_category c on c.board_id = bd.board_id and c.category = u.category;
    select coalesce(max(seq), 0) + 1 into sq from publication where board_id = bd.board_id;
    insert into publication values (bd.board_id, sq, snap, clock_timestamp());
    insert into current values (bd.board_id, sq, snap)
    on conflict (board_id) do update set seq = excluded.seq, snapshot_id = excluded.snapshot_id;
    perform pg_notify('koeval_board', bd.name || ' ' || sq);  -- anybody may LISTEN: names and numbers
    perform job_finish(p_job, p_attempt);
    return snap;
end $$;

-- The scores that were read, as the tasks of the snapshot.
create or replace function rank_rows(p_snapshot bigint, p_board int, p_score_id bigint[]) returns void
language sql security definer set search_path = koeval, ranking, pg_temp as $$
    insert into task_row (snapshot_id, model_id, task_version_id, params_id, metric, filter, category,
                          weight, run_id, score_id, class_id, value, stderr, n)
    select p_snapshot, r.model_id, r.task_version_id, r.params_id, s.metric, s.filter, t.category, t.weight,
           r.run_id, s.score_id, r.class_id, s.value, s.stderr, s.n
      from score s join run r using (run_id) join params p using (params_id)
      join lateral (select category, weight from board_task t
                     where t.board_id = p_board and t.task_version_id = r.task_version_id
                       and t.metric = s.metric and t.filter = s.filter and p.body @> t.params
                     order by t.task_no limit 1) t on true
     where s.score_id = any (p_score_id);
$$;

-- The board's definition as it is now, in full, for a snapshot to keep.
create or replace function board_snapshot(p_board int) returns jsonb language sql stable
security definer set search_path = koeval, pg_temp as $$
    select jsonb_build_object(
        'tasks', (select jsonb_agg(to_jsonb(t) - 'board_id' order by t.task_no)
                    from board_task t where t.board_id = p_board),
        'categories', (select jsonb_object_agg(category, weight)
                         from board_category where board_id = p_board));
$$;

create or replace function rank_rollback(p_board int, p_snapshot bigint) returns int language plpgsql
security definer set search_path = koeval, ranking, pg_temp as $$
declare
    sq int;
begin
    perform from board where board_id = p_board for update;
    update current set seq = seq + 1, snapshot_id = p_snapshot where board_id = p_board
       and exists (select from snapshot where snapshot_id = p_snapshot and board_id = p_board)
    returning seq into sq;
    if not found then
        raise exception 'board % has no snapshot %', p_board, p_snapshot using errcode = 'KE005';
    end if;
    insert into publication values (p_board, sq, p_snapshot, clock_timestamp());
    perform command_log('rank_rollback', jsonb_build_object('board', p_board, 'snapshot', p_snapshot));
    return sq;
end $$;

create or replace function model_withdraw(p_model int, p_why text) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    update model set withdrawn_at = clock_timestamp(), withdrawn_why = p_why
     where model_id = p_model and withdrawn_at is null;
    if not found then
        raise exception 'model % is unknown or withdrawn already', p_model using errcode = 'KE005';
    end if;
    perform board_touch(board_id) from (select board_id from board order by board_id) b;
    perform command_log('model_withdraw', jsonb_build_object('model', p_model, 'why', p_why));
    notify koeval_work;
end $$;
