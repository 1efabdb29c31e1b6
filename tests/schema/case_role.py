"""What each role may see and call; nothing secret in errors, logs, statistics."""
import os
import subprocess

import case_board
from world import *

DENIED = ("42501", "25006")  # no privilege, read-only transaction
ROLES = ("coordinator", "ranker", "operator", "admin", "reader")

# Who may: c coordinator, r ranker, o operator, a admin, v reader (who views); "-" nobody. Every table, view and
# function stands here once: one that does not fails, whoever may or may not use it.
SELECT = """
c    koeval.agent koeval.agent_telemetry koeval.board koeval.board_category koeval.board_task koeval.campaign
c    koeval.coordinator koeval.item_error koeval.job koeval.lease koeval.model koeval.numerics_class koeval.params
c    koeval.plan koeval.plan_item koeval.response koeval.run koeval.score koeval.shard koeval.task koeval.task_group
c    koeval.task_item koeval.task_version koeval.run_fact secret.item secret.output
ca   koeval.agent_key koeval.command koeval.incident
coa  koeval.scorer koeval.board_list koeval.campaign_list koeval.cost_list koeval.edition_list koeval.error_list
coa  koeval.event_list koeval.group_list koeval.job_list koeval.key_list koeval.model_list koeval.node_list
coa  koeval.place_list koeval.run_list koeval.score_list koeval.status_list koeval.task_list koeval.truncated_list
oav  ranking.board_v1 ranking.category_v1 ranking.task_v1 ranking.model_v1 ranking.coverage_v1 ranking.current_v1
oav  ranking.history_v1
-    ranking.category_row ranking.current ranking.publication ranking."row" ranking.snapshot ranking.task_row
-    secret.mac_key meta.schema_current meta.schema_migration
"""
EXECUTE = """
c    agent_hello agent_intents agent_models agent_telemetry coordinator_beat coordinator_depose coordinator_lead
c    item_fetch key_good lease_measure lease_renew plan_begin plan_seal plan_write response_ingest run_scorers
c    score_begin score_items score_write shard_claim shard_expire shard_fail shard_missing work_list
cr   job_claim job_fail job_finish job_renew
r    board_complete board_input rank_begin rank_publish rank_scores rank_values
coa  scorer_add
croa schema_check task_newest
oa   board_define campaign_cancel campaign_estimate campaign_launch campaign_pause campaign_priority campaign_resume
oa   campaign_retry campaign_tasks item_import job_retry model_add node_drain node_quarantine node_resume run_cancel
oa   run_restart run_retry run_void task_group_import task_import task_publish_n task_seal
a    board_rescore key_add key_revoke key_rotate model_withdraw rank_rollback
oav  board_at
-    agent_alone batch_refusal board_entry board_fill board_snapshot board_touch board_touch_run campaign_check
-    campaign_refuse command_log gate_close gate_enter gate_id immutable item_mac job_check job_key lease_end
-    node_check params_draw rank_rows response_compare response_partition response_unpack run_advance run_pin
-    run_start shard_release task_digest task_gap_check
"""
LETTERS = {"c": "coordinator", "r": "ranker", "o": "operator", "a": "admin", "v": "reader"}
SITE_VIEWS = {"ranking." + v for v in ("board_v1", "category_v1", "task_v1", "model_v1", "coverage_v1",
                                       "current_v1", "history_v1")}


def rows_of(table):
    """{object: the roles that may}"""
    may = {}
    for line in table.split("\n")[1:-1]:
        letters, *names = line.split()
        for name in names:
            assert name not in may, f"{name} stands twice"
            may[name] = {LETTERS[x] for x in letters if x != "-"}
    return may


def relations(kind):
    return [r[0] for r in root(
        "select format('%%I.%%I', nspname, relname) from pg_class c join pg_namespace n on"
        " n.oid = relnamespace where nspname in ('koeval','secret','ranking','meta') and relkind = any(%s)"
        " and relname !~ '_p[0-9]+$'", list(kind))]


def each_role_selects_exactly_what_it_may():
    may, there = rows_of(SELECT), set(relations("rpv"))
    assert set(may) == there, f"without a row: {there - set(may)}; not there: {set(may) - there}"
    for role in ROLES:
        c = con("koeval_" + role)
        got = {t for t in there if err(q, c, f"select * from {t} limit 1") not in DENIED}
        want = {t for t in there if role in may[t]}
        assert got == want, (role, got ^ want)
        c.close()


def no_role_writes_a_table():
    for role in ROLES:
        c = con("koeval_" + role)
        for t in relations("rpv"):
            for sql in (f"delete from {t}", f"insert into {t} default values", f"truncate {t}"):
                assert err(q, c, sql) in DENIED + ("55000", "42809"), (role, sql)
        for sql in ("create table public.z()", "create table koeval.z()", "create temp table z()",
                    "set role koeval_owner", "alter table koeval.run disable trigger all"):
            assert err(q, c, sql) in DENIED, (role, sql)
        c.close()


def functions():
    """(name, call with nulls, oid)"""
    return root("select proname, format('%I.%I(%s)', nspname, proname, coalesce((select string_agg(format("
                "'null::%I.%I', typnamespace::regnamespace, typname), ',' order by no) from unnest(proargtypes)"
                " with ordinality u(t, no) join pg_type y on y.oid = t), '')),"
                " p.oid::text from pg_proc p join pg_namespace n on n.oid = pronamespace"
                " where nspname in ('koeval','ranking','secret','meta')")


def each_role_calls_exactly_what_it_may():
    may, there = rows_of(EXECUTE), functions()
    names = {f[0] for f in there}
    assert set(may) == names, f"without a row: {names - set(may)}; not there: {set(may) - names}"
    for role in ROLES:
        have = {f[0] for f in there if root("select has_function_privilege(%s, %s::oid, 'execute') and"
                                            " has_schema_privilege(%s, (select pronamespace from pg_proc where"
                                            " oid = %s::oid), 'usage')", "koeval_" + role, f[2],
                                            "koeval_" + role, f[2])[0][0]}
        want = {name for name in names if role in may[name]}
        assert have == want, (role, have ^ want)


def what_is_denied_is_refused_at_the_call():
    may = rows_of(EXECUTE)
    for role in ROLES:
        c = con("koeval_" + role)
        for name, call, _ in functions():
            if role not in may[name] and name != "immutable":
                assert err(q, c, "select " + call) == "42501", (role, call)
        c.close()


def no_role_reaches_a_sequence_or_a_column_by_another_door():
    for role in ROLES:
        assert not root("select relname from pg_class c join pg_namespace n on n.oid = relnamespace"
                        " where nspname in ('koeval','secret','ranking','meta') and case when relkind = 'S'"
                        " then has_sequence_privilege(%s, c.oid, 'usage, select, update') end", "koeval_" + role), role
        assert not root("select attrelid::regclass, attname from pg_attribute join pg_class c on c.oid = attrelid"
                        " join pg_namespace n on n.oid = relnamespace where nspname in ('koeval','secret','ranking',"
                        "'meta') and attacl is not null"), "a grant on a column is a grant that no row here shows"


def as_user(name, auto=True):
    """The private cluster's door knows our roles alone: a person is whom the superuser's session turns into."""
    c = con("postgres", auto)
    q(c, f"set session authorization {name}; set search_path = koeval")
    if not auto:
        c.commit()
    return c


def a_role_that_is_taken_away_ends_in_open_sessions_and_transactions():
    """What an admin does when somebody leaves: revoke, and what is open answers no more."""
    root("create role kim login in role koeval_operator")
    kim, importing, ranker = as_user("kim"), as_user("kim", auto=False), con("koeval_ranker")
    try:
        v = one(importing, "select task_import('kim','{}','test',true)")
        assert err(q, kim, "select 1 from campaign_list limit 1") is None
        root("revoke koeval_operator from kim")
        assert err(q, kim, "select 1 from koeval.campaign_list") == "42501"
        assert err(q, kim, "select koeval.campaign_cancel(1,'bye')") == "42501"
        assert err(q, importing, "select koeval.task_seal(%s)", v) == "42501"
        importing.rollback()
        assert not root("select 1 from task where name = 'kim'")
        root("alter role koeval_ranker nologin")  # a role of its own: nobody new, and who is in is ended
        root("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'koeval_ranker'")
        assert err(q, ranker, "select 1") in ("57P01", "lost")
        try:
            con("koeval_ranker").close()
            assert False, "a role without login logged in"
        except psycopg2.OperationalError as e:
            assert "not permitted to log in" in str(e), e
    finally:
        root("alter role koeval_ranker login")
        for c in (kim, importing, ranker):
            c.close()
        root("drop role kim")


def check_sees_a_member_whose_statements_would_be_logged():
    root("create role lee login in role koeval_operator")
    try:
        rule = lambda: [r for r in q(World.root, open(HOUSE + "/coordinator/sql/check.sql").read())
                        if r[0] == "log settings of members"][0]
        assert rule()[2] is False and "lee" in rule()[1], rule()
        for name, value in (("log_parameter_max_length", "0"), ("log_parameter_max_length_on_error", "0"),
                            ("log_error_verbosity", "terse"), ("log_min_error_statement", "panic"),
                            ("log_statement", "none"), ("log_min_duration_statement", "-1")):
            root(f"alter role lee set {name} = {value}")
        assert rule()[2] is True, rule()
    finally:
        root("drop role lee")


def every_definer_function_pins_its_path_with_pg_temp_last():
    bad = root("select proname from pg_proc p join pg_namespace n on n.oid = pronamespace"
               " where nspname in ('koeval','ranking','secret') and prosecdef and not exists"
               " (select from unnest(proconfig) x where x like 'search_path=%%' and x like '%%pg_temp')")
    assert not bad, bad


def every_function_that_people_call_says_what_it_does():
    dumb = root("select proname from pg_proc p join pg_namespace n on n.oid = pronamespace"
                " where nspname in ('koeval','ranking') and obj_description(p.oid) is null"
                " and has_function_privilege('koeval_admin', p.oid, 'execute')")
    assert not dumb, dumb


def every_function_body_parses():
    root("begin; set local role koeval_owner; set local search_path = koeval;"
         "do $$ declare r record; begin for r in select p.oid from pg_proc p join pg_namespace n"
         " on n.oid = pronamespace where nspname in ('koeval','ranking') and prokind = 'f' loop"
         " execute pg_get_functiondef(r.oid); end loop; end $$; rollback")


def unpublished_board_is_not_there():
    s = case_board.scorer()
    b = case_board.define("hidden", [{"task": "t", "metric": "acc", "params": {"dtype": "hid"}}], s)
    with Leader() as k:
        case_board.score(case_board.complete(k, model(), case_board.PARAMS.replace("f32", "hid")), s)
    case_board.publish(b)
    views = [f"select 1 from {v} where board = 'hidden'" for v in SITE_VIEWS if v != "ranking.model_v1"]
    for publish, seen in ((True, True), (False, False)):
        root("update board set publish = %s where name = 'hidden'", publish)
        for sql in views + ["select 1 from ranking.board_at('hidden', now())"]:
            assert bool(case_board.reader(sql)) == seen, (sql, seen)


def failing_import_quotes_nothing():
    text = (CANARY + " of a failing import").encode()
    for name, call, args in (
            ("null gold", "select item_import(%s,'e',0,array[%s]::bytea[],array[null]::bytea[])", (text,)),
            ("number", "select item_import(%s,'e',-5,array[%s]::bytea[],array['g']::bytea[])", (text,)),
            ("role", "select item_import(%s,'z',0,array[%s]::bytea[],array['g']::bytea[])", (text,)),
            ("twice", "select item_import(%s,'e',0,array[%s]::bytea[],array['g']::bytea[]),"
                      " item_import(%s,'e',0,array[%s]::bytea[],array['g']::bytea[])", (text, None, text))):
        c = con("koeval_operator", auto=False)
        v = one(c, "select task_import('leak','{}','test',true)")
        try:
            q(c, call, v, *(v if a is None else a for a in args))
            assert False, name + " went in"
        except psycopg2.Error as e:
            assert CANARY not in str(e) and text.hex() not in str(e), name
        c.close()


def failing_row_is_not_shown_even_to_the_owner():
    try:
        root("set role koeval_owner")
        root("insert into secret.item(task_id,mac,payload,gold) values (1,'\\x00',%s,'g')", b"CANARY-row")
        assert False, "went in"
    except psycopg2.Error as e:
        assert e.pgcode == "23514" and "CANARY" not in str(e) and b"CANARY".hex() not in str(e), e
    finally:
        root("reset role")


def statistics_keep_no_item():
    root("analyze")
    assert root("select count(*) from pg_statistic join pg_attribute a on a.attrelid = starelid"
                " and attnum = staattnum where starelid = 'secret.item'::regclass"
                " and attname in ('payload','gold','mac')") == [(0,)]
    for role, schemas in (("reader", "koeval secret ranking"), ("operator", "secret")):
        c = con("koeval_" + role)
        assert one(c, "select count(*) from pg_stats where schemaname = any(%s)", schemas.split()) == 0
        c.close()


def log():
    with open(DIR + "/pg/log", "rb") as f:
        return f.read()


def log_holds_no_item_whatever_is_switched_on_and_the_control_is_found():
    secret = "CANARY-log-" + os.urandom(8).hex()
    forms = (secret.encode(), secret.encode().hex().encode())
    root("alter system set log_statement = 'all'")
    root("alter system set log_min_duration_statement = 0")
    root("alter system set log_parameter_max_length_on_error = -1")
    root("select pg_reload_conf()")
    time.sleep(0.3)
    try:
        import_task("logged", [secret])
        c = con("koeval_operator", auto=False)
        v = one(c, "select task_import('logged','{}','test',true)")
        assert err(q, c, "select item_import(%s,'z',0,array[%s]::bytea[],array['g']::bytea[])", v,
                   secret.encode())
        c.close()
        time.sleep(0.2)
        assert not any(f in log() for f in forms), "an item is in the log"
        control = con("postgres")
        q(control, "select %s", secret)  # a superuser's literal: what the settings do not cover
        control.close()
        time.sleep(0.2)
        assert any(f in log() for f in forms), "the control was not logged: this test sees nothing"
    finally:
        root("alter system reset all")
        root("select pg_reload_conf()")


def canary_items_are_nowhere_outside_schema_secret():
    dump = subprocess.run(["pg_dump", "-h", SOCKET, "-U", "postgres", "-N", "secret", "koeval"],
                          capture_output=True, check=True).stdout
    assert len(dump) > 100000 and b"CANARY" not in dump and CANARY.encode().hex().encode() not in dump
