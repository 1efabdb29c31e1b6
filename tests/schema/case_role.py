"""What each role may see and call; nothing secret in errors, logs, statistics."""
import os
import subprocess

import case_board
from world import *

DENIED = ("42501", "25006")  # no privilege, read-only transaction
ROLES = ("coordinator", "ranker", "operator", "admin", "reader")

COORDINATOR = """coordinator_lead coordinator_beat coordinator_depose agent_hello agent_telemetry
    agent_models agent_intents work_list shard_claim lease_renew lease_measure shard_expire shard_fail
    response_ingest shard_missing item_fetch job_claim job_renew job_finish job_fail plan_begin
    plan_write plan_seal scorer_add run_scorers score_begin score_items score_write schema_check
    task_newest"""
OPERATOR = """task_import item_import task_seal task_group_import task_publish_n model_add
    campaign_launch campaign_tasks campaign_estimate campaign_pause campaign_resume campaign_retry campaign_cancel
    campaign_priority run_cancel
    run_retry run_restart run_void scorer_add board_define job_retry node_drain node_quarantine node_resume board_at
    schema_check task_newest"""
CALLS = {
    "coordinator": COORDINATOR,
    "ranker": """job_claim job_renew job_finish job_fail board_input board_complete rank_begin rank_scores
        rank_values rank_publish
        schema_check task_newest""",
    "operator": OPERATOR,
    "admin": OPERATOR + " key_add key_revoke model_withdraw board_rescore rank_rollback",
    "reader": "board_at",
}
SITE_VIEWS = {"ranking." + v for v in ("board_v1", "category_v1", "task_v1", "model_v1", "coverage_v1",
                                       "current_v1", "history_v1")}


def relations(kind):
    return [r[0] for r in root(
        "select format('%%I.%%I', nspname, relname) from pg_class c join pg_namespace n on"
        " n.oid = relnamespace where nspname in ('koeval','secret','ranking','meta') and relkind = any(%s)"
        " and relname !~ '_p[0-9]+$'", list(kind))]


def each_role_selects_exactly_what_it_may():
    tables, views = set(relations("rp")), set(relations("v"))
    lists = {v for v in views if v.endswith("_list")}
    assert views == lists | SITE_VIEWS | {"koeval.run_fact"}
    may = {
        "reader": SITE_VIEWS,
        "operator": SITE_VIEWS | lists | {"koeval.scorer"},
        "admin": SITE_VIEWS | lists | {"koeval.scorer", "koeval.command", "koeval.incident",
                                       "koeval.agent_key"},
        "coordinator": {t for t in tables | views if t.startswith("koeval.")} |
                       {"secret.item", "secret.output"},
        "ranker": set(),
    }
    for role in ROLES:
        c = con("koeval_" + role)
        got = {t for t in tables | views if err(q, c, f"select * from {t} limit 1") not in DENIED}
        assert got == may[role], (role, got ^ may[role])
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


def each_role_calls_exactly_what_it_may():
    for role in ROLES:
        have = {r[0] for r in root(
            "select proname from pg_proc p join pg_namespace n on n.oid = pronamespace"
            " where nspname in ('koeval','ranking','secret','meta')"
            " and has_function_privilege(%s, p.oid, 'execute')"
            " and has_schema_privilege(%s, n.oid, 'usage')", "koeval_" + role, "koeval_" + role)}
        assert have == set(CALLS[role].split()), (role, have ^ set(CALLS[role].split()))


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
