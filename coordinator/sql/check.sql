-- What a server must be and have for koeval: one row a rule, with what was found and what to do.
with setting as (
    select name, setting from pg_settings
), role_setting as (
    select r.rolname as role, split_part(c, '=', 1) as name, substr(c, strpos(c, '=') + 1) as value
      from pg_db_role_setting s join pg_roles r on r.oid = s.setrole, unnest(s.setconfig) c
     where s.setdatabase = 0
), wanted_role as (
    select unnest(array['koeval_owner', 'koeval_coordinator', 'koeval_ranker', 'koeval_operator',
                        'koeval_admin', 'koeval_reader']) as role
), silent as ( -- law 4, per role: wins over whatever is switched on for the server
    select * from (values ('log_parameter_max_length', '0'), ('log_parameter_max_length_on_error', '0'),
                          ('log_error_verbosity', 'terse'), ('log_min_error_statement', 'panic'),
                          ('log_statement', 'none'), ('log_min_duration_statement', '-1'))
           s(name, value)
), lacking as (
    select string_agg(w.role || '.' || s.name, ', ' order by w.role, s.name) as names
      from wanted_role w cross join silent s
     where w.role <> 'koeval_reader'
       and not exists (select from role_setting x
                        where (x.role, x.name, x.value) = (w.role, s.name, s.value))
), stranger as ( -- a login that is a role by membership has none of the role's own settings
    select l.rolname || ' (in ' || string_agg(distinct w.role, ', ') || ')' as name
      from pg_roles l join wanted_role w on l.rolname <> w.role
      join pg_roles g on g.rolname = w.role
     where l.rolcanlogin and not l.rolsuper and w.role <> 'koeval_reader'
       and l.rolname not in (select role from wanted_role) and pg_has_role(l.oid, g.oid, 'member')
       and exists (select from silent s
                    where not exists (select from role_setting x
                                       where (x.role, x.name, x.value) = (l.rolname, s.name, s.value)))
     group by l.rolname
), server as ( -- what a superuser's own statements, and the server, may write
    select * from (values
        ('log_statement', array['none', 'ddl'], 'statements are logged with what stands in them'),
        ('log_min_duration_statement', array['-1'], 'slow statements are logged with what stands in them'),
        ('log_min_duration_sample', array['-1'], 'sampled statements are logged with what stands in them'),
        ('log_transaction_sample_rate', array['0'], 'sampled statements are logged with what stands in them'),
        ('log_parameter_max_length_on_error', array['0'], 'a failing statement is logged with its values'),
        ('debug_print_parse', array['off'], 'parse trees hold literals'),
        ('debug_print_rewritten', array['off'], 'parse trees hold literals'),
        ('debug_print_plan', array['off'], 'plans hold literals'),
        ('fsync', array['on'], 'what was acknowledged could be lost'),
        ('full_page_writes', array['on'], 'a power cut could tear pages'),
        ('synchronous_commit', array['on', 'remote_write', 'remote_apply', 'local'],
         'what was acknowledged could be lost')) s(name, good, why)
), rule as (
    select 1 as no, 'server version' as rule, current_setting('server_version') as found,
           current_setting('server_version_num')::int >= 150000 as ok, 'install PostgreSQL 15 or newer' as todo
    union all
    select 2, 'encoding', pg_encoding_to_char(encoding), pg_encoding_to_char(encoding) = 'UTF8',
           'make the database with encoding UTF8'
      from pg_database where datname = current_database()
    union all
    select 3, 'roles', coalesce('missing: ' || string_agg(role, ', ' order by role), 'all there'),
           count(*) = 0, 'run koeval db init as a superuser'
      from wanted_role where role not in (select rolname from pg_roles)
    union all
    select 4, 'log settings of roles', coalesce('missing: ' || names, 'all there'), names is null,
           'run koeval db init as a superuser: it sets them again'
      from lacking
    union all
    select 4, 'log settings of members', coalesce('missing: ' || string_agg(name, '; ' order by name), 'all there'),
           count(*) = 0, 'a membership gives no settings: alter role NAME set the six log settings of roles.sql'
      from stranger
    union all
    select 5, 'pgcrypto in schema ext', coalesce(max(extversion), 'missing'), count(*) = 1,
           'run koeval db init as a superuser'
      from pg_extension e join pg_namespace n on n.oid = extnamespace
     where extname = 'pgcrypto' and nspname = 'ext'
    union all
    select 6, 'schema', case when to_regnamespace('koeval') is null then 'missing' else 'there' end,
           to_regnamespace('koeval') is not null, 'run koeval db migrate'
    union all
    select 7, 'database closed to others',
           case when has_database_privilege('public', current_database(), 'connect') then 'open' else 'closed' end,
           not has_database_privilege('public', current_database(), 'connect'),
           'revoke connect, temporary on database ' || current_database() || ' from public'
    union all
    select 8, 'auto_explain', coalesce(nullif(current_setting('auto_explain.log_min_duration', true), ''), 'not loaded'),
           coalesce(nullif(current_setting('auto_explain.log_min_duration', true), ''), '-1') = '-1',
           'set auto_explain.log_min_duration = -1: plans hold literals'
    union all
    select 8, 'pgaudit', coalesce(nullif(current_setting('pgaudit.log_parameter', true), ''), 'not loaded'),
           coalesce(nullif(current_setting('pgaudit.log_parameter', true), ''), 'off') = 'off',
           'set pgaudit.log_parameter = off: values are items'
    union all
    select 8, 'connections from other hosts',
           case when a.setting = '' then 'none' else a.setting || ', ssl ' || s.setting end,
           s.setting = 'on' or not exists (
               select from unnest(string_to_array(a.setting, ',')) h
                where trim(h) not in ('', 'localhost', '127.0.0.1', '::1')),
           'set ssl = on, and hostssl in pg_hba.conf: items cross the network as they are'
      from setting a, setting s where a.name = 'listen_addresses' and s.name = 'ssl'
    union all
    select 9, w.name, t.setting, t.setting = any (w.good),
           'set ' || w.name || ' = ' || w.good[1] || ': ' || w.why
      from server w join setting t using (name)
)
select rule, found, ok, case when not ok then todo end as todo from rule order by no, rule
