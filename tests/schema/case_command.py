"""koeval db, and the private cluster under it."""
import json
import os
import re
import signal
import subprocess
import tempfile

from world import *

DB = f"host={SOCKET} port=5432 dbname=koeval"


def check_passes_and_says_what_to_do_when_a_rule_is_broken():
    ok = koeval("db", "check", KOEVAL_DB=DB)
    assert ok.returncode == 0, ok.stdout + ok.stderr
    root("alter system set log_statement = 'all'")
    root("alter database koeval set pgaudit.log_parameter = 'on'")  # the setting decides, loaded or not
    root("select pg_reload_conf()")
    root("alter role koeval_operator reset log_statement")
    try:
        time.sleep(0.3)
        bad = koeval("db", "check", "--json", KOEVAL_DB=DB)
        rules = {r["rule"]: r for r in json.loads(bad.stdout)["rules"]}
        assert bad.returncode == 1 and "log_statement = none" in rules["log_statement"]["todo"]
        assert not rules["pgaudit"]["ok"] and rules["connections from other hosts"]["found"] == "none"
        assert not rules["log settings of roles"]["ok"]
        assert "koeval_operator.log_statement" in rules["log settings of roles"]["found"]
    finally:
        root("alter database koeval reset pgaudit.log_parameter")
        root("alter system reset all")
        root("select pg_reload_conf()")
    assert koeval("db", "init", KOEVAL_DB=DB).returncode == 0  # sets the role again, changes no data
    assert koeval("db", "check", KOEVAL_DB=DB).returncode == 0


def init_prints_its_sql_and_runs_nothing():
    out = koeval("db", "init", "--print-sql", KOEVAL_DB="host=/nowhere dbname=other")
    assert out.returncode == 0 and "create role" in out.stdout and 'database "other"' in out.stdout


def migration_keeps_the_rows_and_is_one_transaction():
    before = root("select count(*) from response")[0][0]
    out = koeval("db", "migrate", "--json", KOEVAL_DB=DB)
    assert out.returncode == 0, out.stderr
    assert json.loads(out.stdout) == {"tables_applied": 0, "changed": False}
    assert root("select count(*) from response")[0][0] == before
    root("alter table meta.schema_migration rename column sha256 to sha256_away")
    assert koeval("db", "migrate", KOEVAL_DB=DB).returncode == 1
    root("alter table meta.schema_migration rename column sha256_away to sha256")
    root("update meta.schema_migration set sha256 = '\\x00' where version = 4")
    out = koeval("db", "migrate", KOEVAL_DB=DB)
    assert out.returncode == 1 and "004_work.sql differs" in out.stderr, out.stderr
    root("update meta.schema_migration set sha256 = s.x from (select %s::bytea as x) s where version = 4",
         hashlib.sha256(open(HOUSE + "/coordinator/sql/tables/004_work.sql", "rb").read()).digest())
    assert koeval("db", "migrate", KOEVAL_DB=DB).returncode == 0


def dump_and_restore_give_the_same_database():
    tool = ["-h", SOCKET, "-U", "postgres"]
    dump = subprocess.run(["pg_dump", *tool, "koeval"], capture_output=True, check=True, cwd="/").stdout
    root("drop database if exists again")
    root("create database again owner koeval_owner template template0")
    done = subprocess.run(["psql", "-XqAt", "-v", "ON_ERROR_STOP=1", *tool, "again"], input=dump,
                          capture_output=True, cwd="/")
    assert done.returncode == 0, done.stderr
    bits = ("select count(*), sum(hashtext(run_id || ' ' || item_no || encode(array_send(loglik), 'hex')"
            " || greedy::text)) from koeval.response")
    c = con("postgres", database="again")
    assert q(c, bits) == q(World.root, bits)
    assert one(c, "select relforcerowsecurity from pg_class where oid = 'secret.item'::regclass")
    c.close()
    assert koeval("db", "migrate", "--json", KOEVAL_DB=DB.replace("dbname=koeval", "dbname=again")).returncode == 0
    reader = con("koeval_reader", database="again")
    assert q(reader, "select * from ranking.current_v1 order by 1") == \
        q(con("koeval_reader"), "select * from ranking.current_v1 order by 1")
    assert err(q, reader, "select * from koeval.run") == "42501"
    reader.close()
    root("drop database again with (force)")


def unknown_schema_is_refused_by_programs_and_newer_tables_by_migrate():
    root("update meta.schema_current set digest = '\\x00'")
    out = koeval("db", "check", KOEVAL_DB=DB)
    assert out.returncode == 1 and "koeval db migrate" in out.stderr, out.stderr
    assert json.loads(koeval("db", "migrate", "--json", KOEVAL_DB=DB).stdout)["changed"]
    root("insert into meta.schema_migration (version, sha256) values (999, '\\x00')")
    out = koeval("db", "migrate", KOEVAL_DB=DB)
    assert out.returncode == 1 and "999" in out.stderr
    root("delete from meta.schema_migration where version = 999")


def blocking_door_keeps_its_promises():
    program = os.path.dirname(os.environ["KOEVAL"]) + "/unit_coordinator_store_test_db"
    out = subprocess.run([program], capture_output=True, text=True,
                         env={**os.environ, "KOEVAL_TEST_DB": DB})
    assert out.returncode == 0 and "SKIP" not in out.stdout, out.stdout


def database_that_is_away_is_exit_code_4():
    assert koeval("db", "check", KOEVAL_DB="host=/nowhere dbname=koeval").returncode == 4


def cluster_may_be_started_twice_and_after_any_kill():
    lock = DIR + "/pg/data/postmaster.pid"
    number = lambda: int(open(lock).readline())
    assert cluster("start").stdout.strip() == DB and cluster("status").returncode == 0
    pid = number()
    os.kill(pid, signal.SIGKILL)  # its children live on for a moment
    again = cluster("start")
    assert again.returncode == 0 and again.stdout.strip() == DB and number() != pid, again.stderr
    assert cluster("stop").returncode == 0 and cluster("stop").returncode == 0
    assert cluster("status").returncode == 1
    open(lock, "w").write("1\n")  # as if it had died, and another process had its number now
    assert cluster("start").returncode == 0
    connect_all()


def cluster_trusts_nobody_and_has_one_door():
    hba = open(DIR + "/pg/data/pg_hba.conf").read()
    assert [line for line in hba.splitlines() if line and line[0] != "#"] == ["local all all peer map=koeval"]
    assert root("show listen_addresses") == [("",)]
    assert os.stat(SOCKET).st_mode & 0o777 == 0o700
    if os.getuid() == 0:
        other = subprocess.run(["setpriv", "--reuid=nobody", "--clear-groups", "psql", "-h", SOCKET, "-U",
                                "koeval_reader", "koeval", "-c", "select 1"], capture_output=True, cwd="/")
        assert other.returncode != 0


def cluster_refuses_what_cannot_work_by_name():
    with tempfile.TemporaryDirectory(dir="/tmp") as d:
        long = d + "/" + "x" * 90
        out = cluster("start", long)
        assert out.returncode == 1 and "107" in out.stderr and long in out.stderr, out.stderr
        if os.getuid() == 0:  # 0700, root's: user postgres cannot enter
            out = cluster("start", d + "/state")
            assert out.returncode == 1 and f"cannot enter {d}:" in out.stderr, out.stderr


def a_plain_user_runs_it_as_himself():
    if os.getuid() != 0:
        return  # this whole run is that case
    with tempfile.TemporaryDirectory(dir="/tmp") as d:
        os.chmod(d, 0o777)
        as_nobody = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        call = lambda action: subprocess.run(as_nobody + [HOUSE + "/deploy/postgres/cluster", action, d],
                                             capture_output=True, text=True, cwd="/")
        out = call("start")
        assert out.returncode == 0, out.stderr
        who = subprocess.run(as_nobody + ["psql", "-XAt", "-h", d + "/pg/run", "-U", "postgres", "postgres",
                                          "-c", "select 1"], capture_output=True, text=True, cwd="/")
        assert who.stdout == "1\n", who.stderr
        assert call("stop").returncode == 0


def words_of(path, pattern):
    with open(f"{HOUSE}/{path}", encoding="utf-8") as file:
        return re.findall(pattern, file.read(), re.M)


def reasons_are_the_same_words_in_sql_wire_command_line_and_docs():
    there = root("select enum_range(null::fail_reason)::text[]")[0][0]
    wire = words_of("proto/msg.c", r'^    \[REASON_\w+\] = "(\w+)"')
    assert wire == ["none"] + there, wire
    hints = dict(words_of("coordinator/cli/reason.c", r'^    \{ "(\w+)", +"(.*)" \},$'))
    assert list(hints) == there + ["paused"], hints
    with open(f"{HOUSE}/docs/operations.md", encoding="utf-8") as file:
        table = file.read().split("| reason |")[1].split("\n\n")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()[2:]]
    told = {word: hint for words, _, hint in rows for word in re.findall(r"`(\w+)`", words)}
    assert told == hints, {word: (told.get(word), hints.get(word)) for word in told | hints
                           if told.get(word) != hints.get(word)}


def names_that_are_not_there_are_refused_with_what_there_is():
    def refused(code, what, *words):
        done = koeval(*words, KOEVAL_DB=DB)
        assert done.returncode == code and what in done.stderr, (words, done.returncode, done.stderr)

    import_task("known", ["1"])
    operator("select task_group_import('flock','{\"tasks\":[\"known\"]}')")
    launch([model("named")], ['{"shots":0}'], version=root("select task_newest('known')")[0][0])
    campaign = root("select name from campaign order by campaign_id desc limit 1")[0][0]
    refused(3, campaign, "run", "list", "--campaign", "NOPE")
    refused(2, "planned, running, complete, erred or cancelled", "run", "list", "--state", "bogus")
    refused(2, "a run is never", "run", "list", "--state", "planned, running")
    assert koeval("run", "list", "--state", "planned", KOEVAL_DB=DB).returncode == 0
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write("name: lost\ntasks:\n  - {task: unknown, metric: acc}\n")
        file.flush()
        refused(3, "no task unknown; there is ", "board", "define", file.name)
        refused(3, "known", "board", "define", file.name)
        file.seek(0)
        file.write("name: lost\ntasks:\n  - {group: noflock, metric: acc}\n")
        file.flush()
        refused(3, "no group noflock; there is ", "board", "define", file.name)
    assert not root("select 1 from board where name = 'lost'")


def documentation_of_the_views_is_current():
    out = subprocess.run([HOUSE + "/tests/schema/views", SOCKET], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert out.stdout == open(HOUSE + "/docs/views.md").read(), "run tests/schema/run --write-views"
