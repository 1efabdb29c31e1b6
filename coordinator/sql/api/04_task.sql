-- Import is one-way: an operator hands items over and gets back counts, never rows and never a row's
-- text. It is one transaction (task_import, item_import ..., task_seal), so that one which dies leaves
-- nothing; the functions refuse to be called in any other way.
create or replace function item_mac(p_payload bytea, p_gold bytea) returns bytea language sql stable
security definer set search_path = koeval, secret, pg_temp as $$
    -- length prefix: (payload, gold) pairs cannot be shifted into one another
    select substr(ext.hmac(int4send(octet_length(p_payload)) || p_payload || p_gold, key, 'sha256'), 1, 16)
      from secret.mac_key;
$$;

-- Opens a version of the task; returns its task_version_id. Imports of one task follow one another.
create or replace function task_import(p_name text, p_definition text, p_split text, p_private boolean)
returns int language plpgsql security definer set search_path = koeval, pg_temp as $$
declare
    t int;
    v int;
begin
    insert into task (name, private) values (p_name, p_private) on conflict do nothing;
    select task_id into t from task where name = p_name for update;
    insert into task_version (task_id, definition, split) values (t, p_definition, p_split)
    returning task_version_id into v;
    return v;
end $$;

-- Items p_first, p_first + 1, ... of role 'e' (evaluated) or 's' (few-shot source). Returns how many.
create or replace function item_import(p_version int, p_role "char", p_first int, p_payload bytea[],
    p_gold bytea[]) returns int language plpgsql
security definer set search_path = koeval, secret, pg_temp as $$
declare
    t int;
    n int;
begin
    select task_id into t from task_version
     where task_version_id = p_version and sealed_at is null and import_xid = pg_current_xact_id();
    if not found then
        raise exception 'task version % is not being imported by this transaction', p_version
            using errcode = 'KE004';
    end if;
    if cardinality(p_payload) is distinct from cardinality(p_gold) then
        raise exception 'payload and gold differ in number' using errcode = 'KE004';
    end if;
    insert into secret.item (task_id, mac, payload, gold)
    select t, item_mac(p, g), p, g from unnest(p_payload, p_gold) u(p, g)
    on conflict (task_id, mac) do nothing;
    insert into task_item (task_version_id, role, item_no, item_id)
    select p_version, p_role, p_first + u.no - 1, i.item_id
      from unnest(p_payload, p_gold) with ordinality u(p, g, no)
      join secret.item i on i.task_id = t and i.mac = item_mac(u.p, u.g);
    get diagnostics n = row_count;
    return n;
exception when others then
    -- The text of the original error may quote a value: its class, and ours, is all that leaves.
    raise exception '%', case when sqlstate = 'KE004' then sqlerrm else 'item import failed' end
        using errcode = sqlstate;
end $$;

-- Numbers from 0 without gaps, in both roles: a hole would be an item that no run ever asks.
create or replace function task_gap_check(p_version int) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    if not exists (select from task_item where task_version_id = p_version and role = 'e') then
        raise exception 'task version % has no item to evaluate', p_version using errcode = 'KE004';
    end if;
    if exists (select from task_item where task_version_id = p_version
                group by role having max(item_no) <> count(*) - 1) then
        raise exception 'item numbers have gaps' using errcode = 'KE004';
    end if;
end $$;

-- Over the definition and the macs of both roles in order: a changed dev shot is another version. The
-- parts are length-prefixed, so that none can be shifted into its neighbour.
create or replace function task_digest(p_version int) returns bytea language sql stable
security definer set search_path = koeval, secret, pg_temp as $$
    with m as materialized (
        select role, count(*)::int as n, string_agg(i.mac, ''::bytea order by ti.item_no) as macs
          from task_item ti join secret.item i using (item_id)
         where ti.task_version_id = p_version group by role)
    select sha256(int4send(octet_length(convert_to(v.definition, 'UTF8'))) || convert_to(v.definition, 'UTF8')
           || (select string_agg(r::text::bytea || int4send(coalesce(m.n, 0)) || coalesce(m.macs, ''::bytea),
                                 ''::bytea order by o)
                 from unnest(array['e', 's']::"char"[]) with ordinality u(r, o) left join m on m.role = u.r))
      from task_version v where v.task_version_id = p_version;
$$;

-- Closes the version. Equal content is the version that was there before: that one is returned and this
-- one vanishes (fresh = false).
create or replace function task_seal(p_version int, out task_version_id int, out n_item int,
    out n_shot int, out fresh boolean) language plpgsql
security definer set search_path = koeval, secret, pg_temp as $$
#variable_conflict use_column
declare
    v task_version;
    d bytea;
begin
    select * into v from task_version where task_version_id = p_version and sealed_at is null
       and import_xid = pg_current_xact_id();
    if not found then
        raise exception 'task version % is not being imported by this transaction', p_version
            using errcode = 'KE004';
    end if;
    perform task_gap_check(p_version);
    d := task_digest(p_version);
    select o.task_version_id into task_seal.task_version_id from task_version o
     where o.task_id = v.task_id and o.digest = d;
    fresh := not found;
    if fresh then
        task_version_id := p_version;
        update task_version set digest = d, sealed_at = clock_timestamp(),
               publish_n = (select not private from task k where k.task_id = v.task_id),
               n_item = (select count(*) from task_item where task_version_id = p_version and role = 'e'),
               n_shot = (select count(*) from task_item where task_version_id = p_version and role = 's')
         where task_version_id = p_version;
        perform command_log('task_import', jsonb_build_object('task',
                (select name from task where task_id = v.task_id), 'version', p_version));
    else
        delete from task_item where task_version_id = p_version;
        delete from task_version where task_version_id = p_version;
    end if;
    select o.n_item, o.n_shot into task_seal.n_item, task_seal.n_shot from task_version o
     where o.task_version_id = task_seal.task_version_id;
end $$;

-- A group by name; another definition under the name takes its place (boards keep what they resolved).
-- definition: {"tasks": [name, ...], "metrics": [{"metric", "filter", "weight_by_size"}, ...]}.
create or replace function task_group_import(p_name text, p_definition jsonb) returns int language plpgsql
security definer set search_path = koeval, pg_temp as $$
declare
    g int;
    unknown text;
begin
    select t into unknown from jsonb_array_elements_text(p_definition -> 'tasks') t
     where not exists (select from task where name = t) limit 1;
    if unknown is not null then
        raise exception 'group % names task %, which is not imported', p_name, unknown
            using errcode = 'KE005';
    end if;
    insert into task_group (name, definition) values (p_name, p_definition)
    on conflict (name) do update set definition = excluded.definition returning group_id into g;
    perform command_log('task_group_import', jsonb_build_object('group', p_name));
    return g;
end $$;

-- The newest sealed version of a task by name.
create or replace function task_newest(p_name text) returns int language sql stable
security definer set search_path = koeval, pg_temp as $$
    select v.task_version_id from task t join task_version v using (task_id)
     where t.name = p_name and v.sealed_at is not null order by v.task_version_id desc limit 1;
$$;

-- Whether readers see how many items a private set has.
create or replace function task_publish_n(p_version int, p_publish boolean) returns void language plpgsql
security definer set search_path = koeval, pg_temp as $$
begin
    update task_version set publish_n = p_publish where task_version_id = p_version;
    if not found then
        raise exception 'no task version %', p_version using errcode = 'KE005';
    end if;
    perform command_log('task_publish_n', jsonb_build_object('version', p_version, 'publish', p_publish));
end $$;

-- Idempotent by digest (identity); fresh = false and the older name when it was there.
create or replace function model_add(p_name text, p_digest bytea, p_manifest jsonb, out model_id int,
    out name text, out fresh boolean) language plpgsql
security definer set search_path = koeval, pg_temp as $$
#variable_conflict use_column
begin
    insert into model as m (name, digest, manifest) values (p_name, p_digest, p_manifest)
    on conflict (digest) do nothing returning m.model_id, m.name into model_add.model_id, model_add.name;
    fresh := found;
    if fresh then
        perform command_log('model_add', jsonb_build_object('model', p_name));
        notify koeval_work;
    else
        select m.model_id, m.name into model_add.model_id, model_add.name from model m
         where m.digest = p_digest;
    end if;
exception when unique_violation then
    raise exception 'model name % is taken by other weights', p_name using errcode = 'KE009';
end $$;
