"""Leader and standby with real processes: how soon the work goes on, whose writes count, and that
what each coordinator recorded is what its core decides.

KOEVAL_SHIPPED=1: coordinators and agents with the times that they ship with, to measure the second
and third of these; the others need short ones."""

import os
import re
import socket
import subprocess
import threading
import time

import site_of
from coordinator import coordinator, leads
from site_of import wait_for

TASKS = ["demo_reasoning", "demo_language", "demo_ethics", "demo_hallucination"]
MODELS = ["demo-llama-small", "demo-llama-large", "demo-qwen2"]
ITEMS = 240
LAUNCH = ["--shard-items", "24", "--shots", "3"]  # work that outlasts a change of leaders
AGENTS = 4
SHIPPED = bool(os.environ.get("KOEVAL_SHIPPED"))
LOCK = "locktype = 'advisory' and objid = 7411000 and granted"
STATE = {}


class Proxy:
    """Between a coordinator and PostgreSQL; freeze() is a cut that neither side is told of."""

    def __init__(self, site):
        self.real = re.search(r"host=(\S+)", site.db).group(1) + "/.s.PGSQL.5432"
        self.folder = f"{site.dir}/proxy"
        os.makedirs(self.folder, exist_ok=True)
        self.server = socket.socket(socket.AF_UNIX)
        self.server.bind(f"{self.folder}/.s.PGSQL.5432")
        self.server.listen(64)
        self.frozen, self.lock = set(), threading.Lock()
        self.open = []  # a socket that nobody holds is closed, and that would be heard
        threading.Thread(target=self.serve, daemon=True).start()
        site.closers.append(self.server.close)
        self.db = site.db.replace(os.path.dirname(self.real), self.folder)

    def serve(self):
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            upstream = socket.socket(socket.AF_UNIX)
            upstream.connect(self.real)
            self.open += [client, upstream]
            line = {"pid": None}
            for source, target in ((client, upstream), (upstream, client)):
                threading.Thread(target=self.pump, daemon=True,
                                 args=(source, target, line, source is upstream)).start()

    def pump(self, source, target, line, from_server):
        while True:
            try:
                data = source.recv(65536)
            except OSError:
                data = b""
            if from_server and not line["pid"]:
                found = re.search(rb"K\x00\x00\x00\x0c(....)....", data, re.DOTALL)  # BackendKeyData
                line["pid"] = int.from_bytes(found.group(1), "big") if found else None
            with self.lock:
                if line["pid"] in self.frozen:
                    return  # the sockets stay open, and nobody hears anything
            if not data:
                for end in (source, target):
                    try:
                        end.shutdown(socket.SHUT_RDWR)
                    except OSError:
                        pass
                return
            try:
                target.sendall(data)
            except OSError:
                return

    def freeze(self, pid):
        with self.lock:
            self.frozen.add(pid)


def ports(site):
    first = site.port
    return first, site_of.free_port(first + 1)


def change(daemon, word, values):
    """Its setting of that name, for a new start; an empty list takes it away."""
    at = daemon.args.index(word)
    daemon.args[at:at + 2] = [word, *values] if values else []


def shipped(daemon):
    """Without the short times of the other suites."""
    for word in list(daemon.args):
        if word.endswith("-ms") and word != "--unit-ms":
            change(daemon, word, [])


def agents(site, endpoints):
    for i in range(AGENTS):
        agent = site.agent(f"agent-{i}", "--unit-ms", "100", key=f"{site.dir}/keys/node-{i}")
        agent.end()
        change(agent, "--connect", endpoints)
        if SHIPPED:
            shipped(agent)
        agent.start()


def answers(site, campaign):
    """How many each agent has given."""
    return {agent: int(n) for agent, n in site.sql(f"""
        select agent_id, count(*) from koeval.response join koeval.run using (run_id)
          join koeval.campaign using (campaign_id) where name = '{campaign}' group by 1""")}


def prepare(site):
    for task in TASKS:
        site.task(task, ITEMS)
    for model in MODELS:
        site.model(model)
    for i in range(AGENTS):
        site.key(f"node-{i}")


def undisturbed(site):
    STATE["ports"] = first, second = ports(site)
    for role, name, port in (("leader", "first", first), ("standby", "second", second)):
        STATE[role] = coordinator(site, name, port, "--trace", f"{site.dir}/data/{name}")
        if SHIPPED:
            STATE[role].end()
            shipped(STATE[role])
            STATE[role].start()
        leads(site, "first")
    agents(site, [f"tcp://127.0.0.1:{first}", f"tcp://127.0.0.1:{second}"])
    site.launch("calm", MODELS, TASKS, *LAUNCH)
    site.complete("calm", 90)
    STATE["digest"] = site.digest("calm")


def all_work(site, campaign):
    wait_for("all agents to work", lambda: len(answers(site, campaign)) == AGENTS, 40)


def full_work(site):
    """From the leader's death to the first committed answer of every agent."""
    site.launch("killed", MODELS, TASKS, *LAUNCH)
    all_work(site, "killed")
    STATE["leader"].kill()
    began = time.monotonic()
    leads(site, "second")
    led = time.monotonic() - began
    before = answers(site, "killed")
    wait_for("all agents to work again", lambda: all(
        n > before.get(agent, 0) for agent, n in answers(site, "killed").items()), 60)
    times = "times as shipped" if SHIPPED else "short times"
    print(f"| what happened | what followed |\n|---|---|\n| kill -9 of the leader, {times} | the standby leads after {led:.2f} s, all {AGENTS} agents have "
          f"new answers committed after {time.monotonic() - began:.2f} s |")
    site.complete("killed", 90)
    assert site.digest("killed") == STATE["digest"]
    assert site.number("select count(*) from koeval.incident") == 0


def zombie(site):
    """Its control connection is dead and it does not know; its other connections live.  It goes on
    as a leader until the database refuses its first write."""
    first, second = STATE["ports"]
    proxy = Proxy(site)
    STATE["zombie"] = coordinator(site, "zombie", first, "--db", proxy.db, "--trace",
                                  f"{site.dir}/data/zombie")
    assert STATE["standby"].end() == 0
    leads(site, "zombie")
    site.launch("zombie", MODELS, TASKS, *LAUNCH)
    all_work(site, "zombie")
    epoch = site.number("select epoch from koeval.coordinator")
    proxy.freeze(site.number(f"select pid from pg_locks where {LOCK}"))
    STATE["heir"] = coordinator(site, "heir", second, "--depose-ms", "1000")
    leads(site, "heir")
    wait_for("the zombie to step down", lambda: STATE["zombie"].said(
        "coordinator.role role=standby"))
    assert "running" in {state for _, state in site.runs("zombie")}, "the work was over before"
    with open(STATE["zombie"].log, encoding="utf-8") as log:
        refused = re.findall(r"tx\.failed kind=(\w+) epoch=(\d+) state=KE001", log.read())
    print(f"| control connection cut, leader not told | its first write is refused "
          f"({', '.join(kind for kind, _ in refused)}) and it steps down |")
    assert refused and all(int(e) == epoch for _, e in refused)
    assert site.value("select holder from koeval.coordinator") == "heir"
    later = site.number(f"select count(*) from koeval.lease where coordinator_epoch <= {epoch}")
    site.complete("zombie", 90)
    assert site.digest("zombie") == STATE["digest"]
    assert site.number("select count(*) from koeval.incident") == 0
    assert later == site.number(
        f"select count(*) from koeval.lease where coordinator_epoch <= {epoch}"), "it granted"
    STATE["zombie"].kill()


def traces(site):
    """What the core decided in three real coordinators, decided again by this build; numbers only."""
    paths = [f"{site.dir}/data/{name}" for name in ("first", "second", "zombie")]
    for path in paths:
        with open(path, encoding="ascii") as trace:
            text = trace.read()
        assert len(text) > 10000 and re.fullmatch(r"[HEA0-9 ;\n-]*", text), path
        assert os.stat(path).st_mode & 0o077 == 0, f"{path} can be read by others"
    done = subprocess.run([f"{site.bin}/sim_replay", *paths], capture_output=True, text=True,
                          check=False)
    for line in done.stdout.splitlines():
        print(f"| replay of {os.path.basename(line.split(':')[0])} | {line.split(': ')[1]} |")
    assert done.returncode == 0


TESTS = [
    ("tasks, models and four keys are there", prepare),
    ("an undisturbed campaign gives the digest", undisturbed),
    ("all agents work again after the leader's death", full_work),
    ("what a zombie writes is refused, and its agents go to the heir", zombie),
    ("recorded coordinators are decided again to the same actions", traces),
]
if SHIPPED:
    TESTS = TESTS[:3]
