"""The coordinator with a real PostgreSQL: who may lead, who takes over, what it refuses."""

import os
import signal
import stat
import subprocess

import site_of
from site_of import Daemon, wait_for

TASKS = ["demo_reasoning"]
MODELS = ["demo-untrained"]
ITEMS = 120
STATE = {}


def prepare(site):
    for task in TASKS:
        site.task(task, ITEMS)
    for model in MODELS:
        site.model(model)
    site.key("node-a")


def coordinator(site, name, port, *extra):
    daemon = Daemon(site, name, [
        f"{site.bin}/koeval-coordinator", "--listen", f"tcp://127.0.0.1:{port}", "--server-key",
        f"{site.dir}/keys/server_secret", "--lease-ms", str(site_of.LEASE_MS), "--heartbeat-ms",
        str(site_of.HEARTBEAT_MS), "--holder", name, *site_of.QUICK, *extra])
    site.daemons.append(daemon)
    return daemon.start()


def holder(site):
    return site.value("select holder from koeval.coordinator")


def leads(site, name, seconds=20):
    wait_for(f"{name} to lead", lambda: holder(site) == name, seconds)


def settings(site):
    run = [f"{site.bin}/koeval-coordinator"]
    for words, code in ((["--version"], 0), (["--help"], 0), (["--check-config"], 2),
                        (["--check-config", "--server-key", "x"], 0),
                        (["--check-config", "--server-key", "x", "--listen", "bogus"], 2),
                        (["--nonsense"], 2),
                        (["--server-key", f"{site.dir}/nowhere"], 1),
                        (["--server-key", "x", "--lease-ms", "500"], 2)):
        done = subprocess.run(run + words, capture_output=True, text=True, env=site.env,
                              check=False)
        assert done.returncode == code, f"{words}: exit {done.returncode}: {done.stderr}"
        assert code == 0 or done.stderr.strip(), f"{words}: fails without a word"


def unknown_schema(site):
    daemon = coordinator(site, "stranger", site.port + 1, "--db",
                         site.db.replace("dbname=koeval", "dbname=postgres"))
    assert daemon.process.wait(20) == 1
    with open(daemon.log, encoding="utf-8") as log:
        assert "schema" in log.read()


def before_the_database(site):
    site.cluster("stop")
    early = coordinator(site, "early", site.port)
    wait_for("the coordinator to say that it waits", lambda: early.said("postgres.away"))
    site.cluster("start")
    leads(site, "early")
    assert early.end() == 0


def takes_over(site):
    first = coordinator(site, "first", site.port)
    leads(site, "first")
    STATE["second"] = coordinator(site, "second", site.port + 1)
    site.agent("agent-a", "--connect", f"tcp://127.0.0.1:{site.port}",
               f"tcp://127.0.0.1:{site.port + 1}", "--unit-ms", "100",
               key=f"{site.dir}/keys/node-a")
    site.launch("calm", MODELS, TASKS, "--shard-items", "12")
    site.complete("calm")
    site.launch("killed", MODELS, TASKS, "--shard-items", "12")
    wait_for("an answer", lambda: site.number(
        "select count(*) from koeval.response join koeval.run using (run_id) "
        "join koeval.campaign using (campaign_id) where name = 'killed'"))
    first.kill()
    leads(site, "second")
    site.complete("killed")
    assert site.digest("killed") == site.digest("calm")
    assert site.number("select count(*) from koeval.incident") == 0


def puts_down(site):
    third = coordinator(site, "third", site.port)
    STATE["second"].send(signal.SIGSTOP)
    leads(site, "third")
    STATE["second"].send(signal.SIGCONT)
    wait_for("the stopped leader to step down", lambda: STATE["second"].said(
        "coordinator.role role=standby"))
    assert holder(site) == "third"
    site.launch("put-down", MODELS, TASKS, "--shard-items", "12")
    site.complete("put-down")
    assert site.digest("put-down") == site.digest("calm")
    STATE["third"] = third


def resigns(site):
    assert STATE["third"].end() == 0
    leads(site, "second", 10)


def job_dies(site):
    """A koeval that is killed at its first job, and not at the next."""
    script = f"{site.dir}/koeval-once"
    with open(script, "w", encoding="utf-8") as once:
        once.write(f"#!/bin/sh\n[ -e {site.dir}/died ] || {{ touch {site.dir}/died; kill -9 $$; }}\n"
                   f"exec {site.bin}/koeval \"$@\"\n")
    os.chmod(script, os.stat(script).st_mode | stat.S_IXUSR)
    assert STATE["second"].end() == 0
    coordinator(site, "fourth", site.port, "--koeval", script)
    leads(site, "fourth")
    before = site.number("select coalesce(max(job_id), 0) from koeval.job")
    site.launch("job-dies", MODELS, TASKS, "--shots", "1")
    site.complete("job-dies")
    tried = site.sql(f"select attempts, state from koeval.job where job_id > {before} "
                     "order by job_id limit 1")
    assert tried == [["2", "done"]], tried


TESTS = [
    ("settings are checked, and each refusal has its exit code", settings),
    ("an unknown schema is refused", unknown_schema),
    ("a coordinator that starts before the database leads when it comes", before_the_database),
    ("tasks, a model and a key are there", prepare),
    ("a standby leads when the leader is killed, and the answers are the same", takes_over),
    ("a standby puts down a leader that was stopped, which then steps down", puts_down),
    ("a leader that resigns is followed at once", resigns),
    ("a job that is killed is tried again", job_dies),
]
