-- Everything in api/ is made anew at each migration: what the last version left is dropped first, so
-- that a column or an argument may change. Trigger functions belong to tables/.
do $$
declare
    r record;
begin
    for r in select format('%I.%I', n.nspname, c.relname) as name
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
              where n.nspname in ('koeval', 'ranking') and c.relkind = 'v' loop
        execute 'drop view if exists ' || r.name || ' cascade';
    end loop;
    for r in select p.oid::regprocedure::text as name
               from pg_proc p join pg_namespace n on n.oid = p.pronamespace
              where n.nspname in ('koeval', 'ranking') and p.prorettype <> 'trigger'::regtype loop
        execute 'drop function if exists ' || r.name || ' cascade';
    end loop;
end $$;

-- A view and its columns described in one place: describe(view, text, column, text, column, text ...).
-- A column that is left out, or that is not there, ends the migration: docs/views.md is made from these.
create or replace function pg_temp.describe(p_view text, p_text text, variadic p_columns text[])
returns void language plpgsql as $$
declare
    named text[];
    there text[] := array(select attname::text from pg_attribute
                           where attrelid = p_view::regclass and attnum > 0 order by attnum);
begin
    execute format('comment on view %s is %L', p_view, p_text);
    for i in 1 .. cardinality(p_columns) by 2 loop
        execute format('comment on column %s.%I is %L', p_view, p_columns[i], p_columns[i + 1]);
        named := named || p_columns[i];
    end loop;
    if named is distinct from there then
        raise exception 'view % has columns %, described are %', p_view, there, named;
    end if;
end $$;
