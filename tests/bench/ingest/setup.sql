-- One plan of a million items without text, a model and a run a connection, and a twin of response to insert into.
set role koeval_owner;
set search_path = koeval;
insert into task (name) values ('bench');
insert into task_version (task_id, definition, split, n_item, n_shot, digest, sealed_at)
values (1, '{}', 'test', 1000000, 0, sha256('bench'), now());
insert into plan (task_version_id, draw) values (1, params_draw('{"shots": 0}'));
insert into plan_item select 1, g, g, '{}' from generate_series(0, 999999) g;
update plan set n_item = 1000000, sealed_at = now();
select key_add(sha256('bench'), 'bench');
select model_add('bench' || g, sha256(int4send(g)), '{}') from generate_series(1, 4) g;
select campaign_launch('bench', '{"shard_items": 100}', 'rehearsal', 0, array[1, 2, 3, 4], array[1],
                       array['{"shots": 0}']::jsonb[]);
-- Unpartitioned, the same columns and key, no triggers: what PostgreSQL itself takes for such rows.
create table bench_raw (like response, primary key (run_id, replica, item_no));
grant insert on bench_raw to koeval_coordinator;
