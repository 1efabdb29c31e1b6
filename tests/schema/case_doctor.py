"""koeval doctor: each planted fault is found, named and told what to do about; without any it is content."""
import json
import os
import tempfile

from world import *

DB = f"host={SOCKET} port=5432 dbname=koeval"


def doctor(*words, code=None, **env):
    """{check: [(state, where, found, what to do)]}"""
    out = koeval("doctor", "--json", "--free", "1", *words, **{"KOEVAL_DB": DB, **env})
    checks = json.loads(out.stdout)["checks"]
    failed = any(c["state"] == "failed" for c in checks)
    assert out.returncode == (int(failed) if code is None else code), (out.returncode, out.stderr)
    found = {}
    for c in checks:
        assert c["state"] == "ok" or c["todo"], c
        found.setdefault(c["check"], []).append((c["state"], c["place"], c["found"], c["todo"]))
    return found


def healthy():
    """A cluster as it should be: what other cases left behind is put away."""
    root("delete from item_error; delete from incident")
    root("update job set state='done' where state in ('failed','running','queued')")
    root("update run set state='cancelled', voided_at=now() where state in ('planned','running','erred')")
    root("update agent set intent='active', last_seen=clock_timestamp()")
    root("update board b set dirty = s.dirty from current c join snapshot s using (snapshot_id)"
         " where c.board_id = b.board_id")
    root("update coordinator set heartbeat_at = clock_timestamp()")


def a_healthy_cluster_is_only_ok():
    with Leader():
        healthy()
        found = doctor()
        states = {s for rows in found.values() for s, *_ in rows}
        assert states == {"ok"}, found
        assert set(found) == {"database", "schema", "coordinator", "nodes", "campaigns", "jobs", "server rules",
                              "pg_hba.conf", "disk"}, set(found)


def a_leader_that_does_not_write_or_holds_no_lock_is_found():
    with Leader():
        healthy()
        root("update coordinator set heartbeat_at = clock_timestamp() - interval '1 min'")
        state, place, found, todo = doctor()["coordinator"][0]
        assert state == "failed" and place == "a" and "60 s ago" in found and "koeval-coordinator" in todo
    healthy()
    assert doctor()["coordinator lock"][0][0] == "failed"


def nodes_that_are_lost_or_out_of_service_are_found():
    with Leader() as k:
        healthy()
        k.hello("k1")
        root("update agent a set last_seen = clock_timestamp() - interval '2 min' from agent_key k"
             " where k.key_id = a.key_id and node = 'n-k1'")
        operator("select node_quarantine('n-k2','bad memory')")
        rows = {place: (state, todo) for state, place, _, todo in doctor()["node"]}
        assert rows["n-k1 slot 0"][0] == "failed" and "koeval-agent" in rows["n-k1 slot 0"][1], rows
        assert rows["n-k2 slot 0"] == ("failed", "koeval node resume n-k2, when the reason is gone"), rows
        root("update agent set last_seen = clock_timestamp() - interval '1 h'")
        assert doctor()["nodes"][0][0] == "warning"


def campaigns_that_wait_say_why_and_jobs_that_failed_say_so():
    with Leader() as k:
        healthy()
        a = k.hello("k1")
        m, run = fresh()
        g = k.grant(a, m)
        k.flush([(a, g)], [(1, n, [], "nonfinite") for n in range(20)])
        root("update agent set models = '{}'")
        campaign = root("select name from campaign join run using (campaign_id) where run_id=%s", run)[0][0]
        (state, place, found, todo), = doctor()["campaign"]
        assert (state, place) == ("failed", campaign) and "model_on_no_node" in found and "--models" in todo
        operator("select campaign_pause(campaign_id) from campaign_list where campaign=%s", campaign)
        assert doctor()["campaign"][0][0] == "warning" and "resume" in doctor()["campaign"][0][3]
        root("insert into job (kind, key, state, error, ended_at) values ('score',%s,'failed','no disk',now())", run)
        (state, place, found, todo), = doctor()["job"]
        assert state == "failed" and found == "no disk" and "koeval job retry" in todo
        root("insert into incident (kind, run_id) values ('count_mismatch', %s)", run)
        assert doctor()["incidents"][0][0] == "failed"
        healthy()


def another_schema_and_a_setting_that_leaks_are_found():
    with Leader():
        healthy()
        root("alter system set log_min_duration_statement = 0")
        root("select pg_reload_conf()")
        root("create temp table was as select * from meta.schema_current")
        root("update meta.schema_current set digest = '\\x00'")
        try:
            time.sleep(0.3)
            found = doctor()
        finally:
            root("alter system reset all")
            root("select pg_reload_conf()")
            root("update meta.schema_current s set digest = was.digest from was; drop table was")
        assert found["schema"][0][0] == "failed" and "koeval db migrate" in found["schema"][0][3]
        assert [r[1] for r in found["server rule"]] == ["log_min_duration_statement"], found["server rule"]


def a_server_that_trusts_and_a_disk_too_small_are_found():
    with Leader():
        healthy()
        hba = DIR + "/pg/data/pg_hba.conf"
        text = open(hba).read()
        with open(hba, "a") as file:
            file.write("host all koeval_reader 127.0.0.1/32 trust\n")
        try:
            (state, place, line, _), = doctor()["pg_hba.conf"]
            assert state == "failed" and place.startswith("line ") and "koeval_reader" in line
        finally:
            open(hba, "w").write(text)
        out = koeval("doctor", "--json", "--free", "1000000000", KOEVAL_DB=DB)
        disk = [c for c in json.loads(out.stdout)["checks"] if c["check"] == "disk"]
        assert disk[0]["state"] == "failed" and "PiB" in disk[0]["found"] or "TiB" in disk[0]["found"], disk


def keys_that_others_read_are_found():
    with Leader(), tempfile.TemporaryDirectory(dir="/tmp") as d:
        healthy()
        assert koeval("key", "new", d + "/node").returncode == 0
        look = lambda **env: doctor(**env)["key file"]
        assert look(KOEVAL_KEY=d + "/node") == [("ok", d + "/node_secret", "mode 0600", None)]
        os.chmod(d + "/node_secret", 0o640)
        (state, place, found, todo), = look(KOEVAL_SERVER_KEY=d + "/node")
        assert state == "failed" and found == "mode 0640" and "chmod 600" in todo
        assert doctor("--key", d + "/nowhere")["key file"][0][0] == "failed"


def a_database_that_is_away_is_said_and_no_password_is_shown():
    out = koeval("doctor", KOEVAL_DB="host=/nowhere dbname=koeval password=hush")
    assert out.returncode == 4 and "database" in out.stdout and "hush" not in out.stdout + out.stderr, out.stdout
