"""Law 4: the text of a private item is found nowhere but in the database's secret schema.

The same search is turned on leaks that we make ourselves: it must find each of them."""

import glob
import json
import os
import resource
import signal
import subprocess
import time

import kill
import site_of
from site_of import ROOT, Skip, wait_for

CANARY = "카나리아"  # and a number of this process, so that no other text can be it
MODELS = ["demo-llama-small"]
STATE = {}


def canary():
    return f"{CANARY}{os.getpid()}새"


def needles():
    """As text, and as the hex that a bytea or a dump would show."""
    text = canary().encode()
    return [text, text.hex().encode(), json.dumps(canary()).strip('"').encode()]


def holds(data):
    return any(needle in data for needle in needles())


def read(path):
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return b""


def processes(site):
    """argv and environment of every process of ours and of PostgreSQL's."""
    found = []
    for folder in glob.glob("/proc/[0-9]*"):
        argv = read(f"{folder}/cmdline")
        title = argv.decode("utf-8", "replace").replace("\0", " ").strip()
        if "koeval" in title or "postgres" in title or site.dir in title:
            if holds(argv):
                found.append(f"argv of {title[:40]}")
            if holds(read(f"{folder}/environ")):
                found.append(f"environ of {title[:40]}")
    return found


def files(site):
    """Logs (PostgreSQL's too), whatever the agents wrote, core files: all but what holds the data on
    purpose, the database's own files and the operator's."""
    found = []
    for folder, inside, names in os.walk(site.dir):
        inside[:] = [n for n in inside if f"{folder}/{n}" not in
                     (f"{site.dir}/db/pg/data", f"{site.dir}/data")]
        found += [f"{folder}/{name}" for name in names if holds(read(f"{folder}/{name}"))]
    return found


def dump(site, schema):
    done = subprocess.run(["pg_dump", "-n", schema, "-d", f"{site.db} user=postgres"],
                          capture_output=True, env=site.env)
    assert done.returncode == 0, done.stderr.decode()
    return [f"dump of schema {schema}"] if holds(done.stdout) else []


def log_all(site):
    """What a DBA in search of a slow query does; the roles of koeval pin their own settings."""
    for setting in ("log_statement = 'all'", "log_min_duration_statement = 0",
                    "log_min_error_statement = 'error'", "log_parameter_max_length = -1",
                    "log_parameter_max_length_on_error = -1", "log_error_verbosity = 'verbose'"):
        site.sql(f"alter system set {setting}")
    site.sql("select pg_reload_conf()")


def prepare(site):
    data = f"{site.dir}/data/canary.jsonl"
    with open(data, "w", encoding="utf-8") as file:
        for i in range(200):
            file.write(json.dumps({"question": f"{canary()}의 다리는 모두 {i} 개인가?",
                                   "choices": ["그렇다.", f"{canary()}가 안다."],
                                   "answer": i % 2}, ensure_ascii=False) + "\n")
    site.koeval("task", "import", f"{ROOT}/deploy/demo/tasks/demo_reasoning.yaml", "--data",
                f"test={data}")
    for model in MODELS:
        site.model(model)
    for name in ("a", "b"):
        site.key(f"node-{name}")


def searching(site):
    site.coordinator()
    agents = [site.agent(f"agent-{name}", "--debug", "yes", *kill.UNIT,
                         key=f"{site.dir}/keys/node-{name}") for name in ("a", "b")]
    found = set()
    for turn in range(3):
        name = f"secret-{turn}"
        site.launch(name, MODELS, ["demo_reasoning"], *kill.LAUNCH)
        wait_for("a unit", lambda: sum(agent.said("unit.done", 0) for agent in agents) > turn)
        agents[turn % 2].kill()
        found.update(processes(site))
        agents[turn % 2].start()
        while {state for _, state in site.runs(name)} - {"complete", "erred"}:
            found.update(processes(site))
            time.sleep(0.05)
    assert site.number("select count(*) from koeval.response") == 600
    found.update(files(site))
    for schema in ("ranking", "koeval"):
        found.update(dump(site, schema))
    assert not found, f"found in {sorted(found)}"
    STATE["agents"] = agents


def no_core(site):
    """With core files allowed to every process, an agent's abort leaves none."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    if hard != resource.RLIM_INFINITY:
        raise Skip("this shell may not write core files")
    resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    try:
        folder = f"{site.dir}/data"
        control = subprocess.Popen(["sleep", "60"], cwd=folder)
        time.sleep(0.1)
        control.send_signal(signal.SIGABRT)
        control.wait()
        if not glob.glob(f"{folder}/core*"):
            raise Skip("this kernel does not write core files into the working folder")
        agent = STATE["agents"][0]
        agent.kill()
        agent.start()
        wait_for("the agent to be up", lambda: agent.said("link.up"))
        agent.send(signal.SIGABRT)
        agent.process.wait()
        assert not glob.glob(f"{site.dir}/core*"), "the agent left a core file"
    finally:
        resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))


def memory(pid):
    """How often a canary stands in what a process can write: (where, times)."""
    found = {}
    with open(f"/proc/{pid}/maps", encoding="ascii") as maps, open(f"/proc/{pid}/mem", "rb") as mem:
        for line in maps:
            span, rights, _, _, _, *name = line.split()
            if rights[:2] != "rw":
                continue
            low, high = (int(x, 16) for x in span.split("-"))
            try:
                mem.seek(low)
                data = mem.read(high - low)
            except OSError:  # a device's pages
                continue
            times = sum(data.count(needle) for needle in needles())
            if times:
                where = name[0] if name else "anonymous"
                found[where] = found.get(where, 0) + times
    return found


def forgetting(site):
    """When nothing is held any more, nothing of it is left; this program's own memory is the control."""
    assert memory(os.getpid()), "this search sees nothing"
    wait_for("everything to be acknowledged", lambda: not site.number(
        "select count(*) from koeval.shard where state = 'leased'"))
    for daemon in site.daemons:
        if daemon.alive():  # what rests in a buffer of libpq is overwritten a second later
            try:
                wait_for("it to forget", lambda d=daemon: not memory(d.process.pid), 10, every=0.3)
            except AssertionError:
                raise AssertionError(f"{daemon.name} holds {memory(daemon.process.pid)}") from None


def kept_from_swap(site):
    """Locked where the system allows it; else a line says so, and `yes` does not run at all."""
    limits = ["prlimit", "--memlock=65536:65536"] + (["setpriv", "--bounding-set=-ipc_lock",
                                                       "--inh-caps=-ipc_lock"] if os.getuid() == 0 else [])
    def run(name, *extra):
        daemon = site_of.Daemon(site, name, limits + [
            f"{site.bin}/koeval-coordinator", "--listen", f"tcp://127.0.0.1:{site_of.free_port(18200)}",
            "--server-key", f"{site.dir}/keys/server_secret", *extra])
        site.daemons.append(daemon)
        return daemon.start()
    auto = run("unlocked")
    wait_for("it to say so", lambda: auto.said("memory.swappable"))
    assert auto.end() == 0
    assert run("must", "--lock-memory", "yes").process.wait(10) == 1
    assert b"RLIMIT_MEMLOCK" in read(f"{site.dir}/log/must.log")
    for daemon in site.daemons:
        if daemon.alive() and not daemon.said("memory.swappable"):
            locked = [line for line in read(f"/proc/{daemon.process.pid}/status").decode().splitlines()
                      if line.startswith("VmLck")]
            assert int(locked[0].split()[1]) > 1000, (daemon.name, locked)
            print(f"    {daemon.name} {locked[0]}")


def readers(site):
    """Who reads boards reads no item; who imports items cannot read them back."""
    for role in ("koeval_reader", "koeval_operator", "koeval_ranker"):
        for table in ("secret.item", "secret.output"):
            try:
                site.sql(f"select * from {table} limit 1", role)
            except AssertionError as error:
                assert "permission denied" in str(error), error
                continue
            raise AssertionError(f"{role} reads {table}")


def control_argv(site):
    with subprocess.Popen(["sleep", "20"], executable="/bin/sleep",
                          env={"KOEVAL_LEAK": canary(), "PATH": "/bin"}) as loud:
        named = subprocess.Popen(["bash", "-c", f"sleep 20; : koeval {canary()}"])
        time.sleep(0.2)
        found = processes(site)
        named.kill()
        named.wait()
        environ = holds(read(f"/proc/{loud.pid}/environ"))
        loud.kill()
    assert any(where.startswith("argv") for where in found), found
    assert environ


def control_files(site):
    path = f"{site.dir}/log/agent-a.log"
    with open(path, "a", encoding="utf-8") as log:
        log.write(f"I item.leaked text={canary()}\n")
    assert path in files(site)


def control_postgres(site):
    site.sql(f"select '{canary()}'")
    assert any(path.endswith("/pg/log") for path in files(site)), files(site)


def control_dump(site):
    assert dump(site, "secret"), "the secret schema holds the items, and the search must see them"


TESTS = [
    ("PostgreSQL logs all that it can", log_all),
    ("a private task of canaries is there", prepare),
    ("the canary is in no argv, environ, log, file or dump", searching),
    ("an agent that aborts leaves no core file", no_core),
    ("agents and coordinator forget the canary when its work is done", forgetting),
    ("memory is kept out of swap, or it is said why not", kept_from_swap),
    ("reader, operator and ranker read no item", readers),
    ("control: a canary in argv or environ is found", control_argv),
    ("control: a canary in a dump of the secret schema is found", control_dump),
    ("control: a canary in PostgreSQL's log is found", control_postgres),
    ("control: a canary in an agent's log is found", control_files),
]
