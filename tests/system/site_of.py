"""A whole koeval of real processes in one temporary folder: PostgreSQL, coordinator, agents.

Every process that is started here is known by its Popen, ends with the test, and writes its log into
the folder, where a test can look for what must not be there."""

import ctypes
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "..", ".."))
# Short: they only have to outlive a turn of the loops, and the tests wait for them to run out.
LEASE_MS, HEARTBEAT_MS = 3000, 250
QUICK = ["--silent-ms", "1500", "--settle-ms", "500", "--recover-ms", "1000", "--grace-ms", "200",
         "--depose-ms", "3000", "--work-ms", "100", "--retry-ms", "50", "--load-ms", "300",
         "--poll-ms", "100", "--batch-items", "8", "--job-lease-ms", "3000"]


class Skip(Exception):
    """What a test needs is not there; the message says what, others_too that the later ones need it."""

    def __init__(self, why, others_too=False):
        super().__init__(why)
        self.others_too = others_too


def build_folder():
    for folder in (os.environ.get("KOEVAL_BUILD"), f"{ROOT}/build/release", f"{ROOT}/build/dev"):
        if folder and os.path.exists(f"{folder}/bin/koeval"):
            return folder
    raise SystemExit("tests/system: nothing is built: cmake --preset dev && cmake --build --preset dev")


def demo_folder():
    """Where tasks/*.jsonl and models/* lie."""
    return f"{ROOT}/deploy/demo"


def free_port(first=None):
    """Below the ephemeral range: a DEALER that retries a dead coordinator there ends up with itself."""
    for port in range(first or 17500 + os.getpid() % 500, 19000):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                s.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise SystemExit("tests/system: no free port")


def die_with_parent():
    """A stopped test leaves no daemon behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)


def wait_for(what, condition, seconds=30.0, every=0.02):
    """The condition's first true value; the test fails when there is none in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"waited {seconds:.0f} s in vain for: {what}")


class Daemon:
    def __init__(self, site, name, args):
        self.site, self.name, self.args = site, name, args
        self.log = f"{site.dir}/log/{name}.log"
        self.process = None

    def start(self):
        with open(self.log, "ab") as log:
            self.began = log.tell()
            self.process = subprocess.Popen(
                self.args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=self.site.env,
                cwd=self.site.dir, preexec_fn=die_with_parent)
        return self

    def send(self, number):
        self.process.send_signal(number)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait()

    def end(self, seconds=20):
        """SIGTERM; the exit code."""
        self.process.terminate()
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} did not end within {seconds} s of SIGTERM")

    def alive(self):
        return self.process is not None and self.process.poll() is None

    def said(self, event, since=None):
        """How often its log, since its last start, has the event."""
        with open(self.log, "rb") as log:
            log.seek(self.began if since is None else since)
            return log.read().decode("utf-8", "replace").count(f" {event} ")

    def log_size(self):
        return os.path.getsize(self.log)


class Site:
    def __init__(self, name):
        self.bin = f"{build_folder()}/bin"
        self.dir = tempfile.mkdtemp(prefix=f"koeval-{name}.", dir="/tmp")
        os.chmod(self.dir, 0o755)
        for folder in ("log", "keys", "data", "models"):
            os.mkdir(f"{self.dir}/{folder}")
        self.port = free_port()
        self.daemons = []
        self.env = {k: v for k, v in os.environ.items() if not k.startswith(("KOEVAL_", "PG"))}
        self.env["LC_ALL"] = "C.UTF-8"
        self.db = None
        self.closers = []
        self.broken = False  # a test failed: those after it would say nothing new

    # ---- PostgreSQL and the CLI

    def open(self):
        self.db = self.cluster("start").strip()
        self.env["KOEVAL_DB"] = self.db
        self.koeval("db", "init")
        self.koeval("key", "new", f"{self.dir}/keys/server")
        return self

    def cluster(self, verb):
        done = subprocess.run([f"{ROOT}/deploy/postgres/cluster", verb, f"{self.dir}/db"],
                              capture_output=True, text=True, env=self.env)
        if done.returncode:
            raise AssertionError(f"deploy/postgres/cluster {verb}: {done.stderr.strip()}")
        return done.stdout

    def koeval_try(self, *words, stdin=None):
        return subprocess.run([f"{self.bin}/koeval", *words], capture_output=True, text=True,
                              env=self.env, cwd=self.dir, input=stdin)

    def koeval(self, *words):
        done = self.koeval_try(*words)
        if done.returncode:
            raise AssertionError(f"koeval {' '.join(words)}: exit {done.returncode}: "
                                 f"{done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def koeval_json(self, *words):
        return json.loads(self.koeval(*words, "--json"))

    def sql(self, text, role="postgres"):
        """Rows of text columns."""
        done = subprocess.run(["psql", f"{self.db} user={role}", "-XAtq", "-F", "\t", "-c", text],
                              capture_output=True, text=True, env=self.env)
        if done.returncode:
            raise AssertionError(f"{text}: {done.stderr.strip()}")
        return [line.split("\t") for line in done.stdout.splitlines()]

    def value(self, text, role="postgres"):
        rows = self.sql(text, role)
        return rows[0][0] if rows else None

    def number(self, text):
        return int(self.value(text) or 0)

    # ---- keys, daemons

    def key(self, node):
        path = f"{self.dir}/keys/{node}"
        self.koeval("key", "new", path)
        self.koeval("key", "add", path, "--node", node)
        return path

    def coordinator(self, *extra, name="coordinator"):
        daemon = Daemon(self, name, [
            f"{self.bin}/koeval-coordinator",
            *([] if "--listen" in extra else ["--listen", f"tcp://127.0.0.1:{self.port}"]),
            "--server-key", f"{self.dir}/keys/server_secret", "--lease-ms", str(LEASE_MS),
            "--heartbeat-ms", str(HEARTBEAT_MS), *QUICK, *extra])
        self.daemons.append(daemon)
        return daemon.start()

    def agent(self, name, *extra, key=None, models=None):
        key = key or f"{self.dir}/keys/{name}"
        daemon = Daemon(self, name, [
            f"{self.bin}/koeval-agent", "--connect", f"tcp://127.0.0.1:{self.port}",
            "--server-key", f"{self.dir}/keys/server", "--key", f"{key}_secret",
            "--models", models or f"{self.dir}/models", "--silent-ms", "1500",
            "--resend-ms", "1000", *extra])
        self.daemons.append(daemon)
        return daemon.start()

    def stop_daemons(self):
        for daemon in reversed(self.daemons):
            if daemon.alive():
                daemon.send(signal.SIGCONT)
                daemon.kill()
        self.daemons = []

    def at_close(self, function):
        self.closers.append(function)

    def close(self):
        self.stop_daemons()
        if self.db:
            try:
                self.cluster("stop")
            except AssertionError as error:
                print(f"  {error}")
        for function in self.closers:
            function()
        if os.environ.get("KOEVAL_KEEP"):
            print(f"  kept: {self.dir}")
        else:
            shutil.rmtree(self.dir, ignore_errors=True)

    def logs(self, lines=8):
        for path in sorted(glob.glob(f"{self.dir}/log/*.log")):
            with open(path, errors="replace") as log:
                for line in log.readlines()[-lines:]:
                    print(f"    {os.path.basename(path)}: {line.rstrip()}")

    # ---- the demo's tasks and models

    def task(self, name, items, private=True):
        """Imports the first items of a demo task."""
        demo = demo_folder()
        with open(f"{demo}/tasks/{name}.jsonl", encoding="utf-8") as source:
            lines = source.readlines()[:items]
        data = f"{self.dir}/data/{name}.jsonl"
        with open(data, "w", encoding="utf-8") as target:
            target.writelines(lines)
        self.koeval("task", "import", f"{ROOT}/deploy/demo/tasks/{name}.yaml", "--data",
                    f"test={data}", *([] if private else ["--public"]))
        return len(lines)

    def model(self, name):
        target = f"{self.dir}/models/{name}"
        if not os.path.exists(target):
            shutil.copytree(f"{demo_folder()}/models/{name}", target)
        self.koeval("model", "add", name, target, "--type", "demo", "--licence", "Apache-2.0")

    def launch(self, campaign, models, tasks, *extra):
        self.koeval("campaign", "launch", campaign, "--model", *models, "--task", *tasks, *extra)

    def runs(self, campaign):
        return self.sql("select run_id, run.state from koeval.run join koeval.campaign using "
                        f"(campaign_id) where name = '{campaign}' order by run_id")

    def complete(self, campaign, seconds=60):
        def ended():
            states = {state for _, state in self.runs(campaign)}
            return states and states <= {"complete", "erred", "cancelled"}
        try:
            wait_for(f"campaign {campaign} to end", ended, seconds, every=0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}; runs {self.runs(campaign)}") from None
        states = self.runs(campaign)
        assert all(state == "complete" for _, state in states), states

    def digest(self, campaign):
        """Of all answers, under names that do not change from campaign to campaign."""
        return self.value(f"""
            select count(*) || ' ' || encode(sha256(convert_to(string_agg(concat_ws(':',
                       m.name, t.name, r.item_no, r.replica, encode(array_send(r.loglik), 'hex'),
                       r.greedy::text), ',' order by m.name, t.name, r.replica, r.item_no),
                       'UTF8')), 'hex')
              from koeval.response r join koeval.run using (run_id)
              join koeval.campaign c using (campaign_id) join koeval.model m using (model_id)
              join koeval.task_version v using (task_version_id) join koeval.task t using (task_id)
             where c.name = '{campaign}'""")


def python_line():
    return sys.version.split()[0]
