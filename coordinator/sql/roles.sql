-- The roles of koeval, made once per cluster by a superuser (`koeval db init`). Passwords, certificates
-- and pg_hba lines are the site's business. Safe to run again.
do $$
declare
    r text;
begin
    foreach r in array array['koeval_owner', 'koeval_coordinator', 'koeval_ranker', 'koeval_operator',
                             'koeval_admin', 'koeval_reader'] loop
        if not exists (select from pg_roles where rolname = r) then
            execute format('create role %I %s', r, case when r = 'koeval_owner' then 'nologin' else 'login' end);
        end if;
    end loop;
end $$;

-- coordinator_lead() and coordinator_depose() end the sessions of a leader that is gone. Membership lets
-- the owner signal that one role; pg_signal_backend would let it signal every other database user too.
grant koeval_coordinator to koeval_owner;

-- A cut-off leader must lose its locks in about 10 s; no transaction of ours waits for a client.
alter role koeval_coordinator set tcp_keepalives_idle = 5;
alter role koeval_coordinator set tcp_keepalives_interval = 2;
alter role koeval_coordinator set tcp_keepalives_count = 3;
alter role koeval_coordinator set tcp_user_timeout = 10000;
alter role koeval_coordinator set idle_in_transaction_session_timeout = '5s';
alter role koeval_coordinator set lock_timeout = '5s';
alter role koeval_coordinator set statement_timeout = '30s';
-- The fence reads the newest commit, so it needs a new snapshot per statement (gate_enter checks).
alter role koeval_coordinator set default_transaction_isolation = 'read committed';

alter role koeval_reader set default_transaction_read_only = on;
alter role koeval_reader set statement_timeout = '5s';
alter role koeval_reader connection limit 50;

do $$
declare
    r text;
begin
    foreach r in array array['koeval_coordinator', 'koeval_ranker', 'koeval_operator', 'koeval_admin',
                             'koeval_reader'] loop
        execute format('alter role %I set search_path = koeval, ranking', r);
        -- Slices in response_ingest are many and small, listings are wide and short: compiling them
        -- costs a hundred times what it saves (4 s against 60 ms for a list of campaigns).
        execute format('alter role %I set jit = off', r);
    end loop;
end $$;

-- The superuser part: only a superuser may set these for a role, and the role cannot set them back.
-- Law 4: whatever somebody switches on later (log_statement, log_min_duration_statement), values stay
-- out of the server's log. koeval_owner runs nothing by itself but owns the functions' statements.
do $$
declare
    r text;
begin
    foreach r in array array['koeval_owner', 'koeval_coordinator', 'koeval_ranker', 'koeval_operator',
                             'koeval_admin'] loop
        execute format('alter role %I set log_parameter_max_length = 0', r);
        execute format('alter role %I set log_parameter_max_length_on_error = 0', r);
        execute format('alter role %I set log_error_verbosity = terse', r); -- no DETAIL, no CONTEXT
        -- A client that writes values into its statement would be logged at each error.
        execute format('alter role %I set log_min_error_statement = panic', r);
        execute format('alter role %I set log_statement = none', r);
        execute format('alter role %I set log_min_duration_statement = -1', r);
    end loop;
end $$;
