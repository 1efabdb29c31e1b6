"""Three hosts: a coordinator and two agents in network namespaces of their own, a key each, set up
by the lines of README.md's "A real cluster" themselves.

A line "coordinator$ ..." is run on the coordinator's host, "node$ ..." on each node, "all$ ..." on
every host; a line that ends in & is a daemon, and what a line exports holds for the host's later
ones.  Paths of those hosts become folders of the site, and nothing is made there but by the lines.
The line that builds was carried out before: tests need a build of their own."""

import os
import re
import shutil
import subprocess

import site_of
from site_of import Skip, wait_for

NODES = ("a", "b")
STATE = {}


def readme_lines():
    with open(f"{site_of.ROOT}/README.md", encoding="utf-8") as file:
        section = file.read().split("## A real cluster")[-1].split("\n## ")[0]
    section = section.replace("\\\n", " ")
    lines = re.findall(r"^\s*(coordinator|node|all)\$ +(.*)$", section, re.M)
    assert lines, "README.md: no lines 'coordinator$ ...' and 'node$ ...' under 'A real cluster'"
    return lines


def ip(*words):
    done = subprocess.run(["ip", *words], capture_output=True, text=True)
    if done.returncode and words[0] == "netns":
        raise Skip(f"no network namespaces here: {done.stderr.strip()}", others_too=True)
    assert not done.returncode, f"ip {' '.join(words)}: {done.stderr.strip()}"


def space(host):
    return f"koeval-{os.getpid()}-{host}"


def wire_up(site):
    """The coordinator's host has a wire to each node, and there is no other way."""
    if os.geteuid() or not shutil.which("ip"):
        raise Skip("network namespaces need root and iproute2", others_too=True)
    STATE["spaces"] = [space("c")] + [space(node) for node in NODES]
    site.at_close(take_down)
    for name in STATE["spaces"]:
        ip("netns", "add", name)
        ip("-n", name, "link", "set", "lo", "up")
    for number, node in enumerate(NODES, 1):
        ip("-n", space("c"), "link", "add", f"to-{node}", "type", "veth", "peer", "name", "uplink",
           "netns", space(node))
        ip("-n", space("c"), "addr", "add", f"10.99.{number}.1/24", "dev", f"to-{node}")
        ip("-n", space(node), "addr", "add", f"10.99.{number}.2/24", "dev", "uplink")
        ip("-n", space("c"), "link", "set", f"to-{node}", "up")
        ip("-n", space(node), "link", "set", "uplink", "up")


def take_down():
    for name in STATE["spaces"]:
        subprocess.run(["ip", "netns", "del", name], capture_output=True)


def here(site, line, host):
    """The line with its host's paths."""
    number = 1 + NODES.index(host) if host in NODES else 0
    line = re.sub(r"\s+#.*$", "", line)
    for path, mine in (("/etc/koeval", f"{site.dir}/{host}"), ("/var/lib/koeval", f"{site.dir}/db"),
                       ("deploy/postgres", f"{site_of.ROOT}/deploy/postgres"),
                       ("$PWD/build/release/bin", site.bin),
                       (" /models", f" {site.dir}/models"), ("COORDINATOR", f"10.99.{number}.1")):
        line = line.replace(path, mine)
    return line


def run_line(site, line, host):
    exports = STATE["exports"].setdefault(host, [])
    said = " && ".join([*exports, ""])
    if line.endswith("&"):
        daemon = site_of.Daemon(site, f"{host}-{len(site.daemons)}", [
            "ip", "netns", "exec", space(host), "bash", "-c", f"{said}exec {line[:-1]}"])
        site.daemons.append(daemon.start())
        return
    done = subprocess.run(["ip", "netns", "exec", space(host), "bash", "-c",
                           f'{said}{line} && printf "\\n%s" "$KOEVAL_DB"'],
                          capture_output=True, text=True, env=site.env, cwd=site.dir)
    assert done.returncode == 0, f"{host}$ {line}: {done.stderr.strip()}"
    if line.startswith("export "):
        exports.append(line)
    if "KOEVAL_DB=" in line:
        site.db = site.env["KOEVAL_DB"] = done.stdout.split("\n")[-1]


def copy_keys(site):
    """What the README says in words: public halves are carried to the other side."""
    for node in NODES:
        if os.path.exists(f"{site.dir}/{node}/node"):
            shutil.copy(f"{site.dir}/{node}/node", f"{site.dir}/c/node-{node}")
        if os.path.exists(f"{site.dir}/c/server"):
            shutil.copy(f"{site.dir}/c/server", f"{site.dir}/{node}/server")


def set_up(site):
    STATE["exports"] = {}
    for host, line in readme_lines():
        if "cmake --build" in line:
            assert host == "all" and os.path.exists(f"{site.bin}/koeval-agent")
        elif host == "all":
            for name in ("c", *NODES):
                run_line(site, here(site, line, name), name)
        elif host == "node":
            for node in NODES:
                run_line(site, here(site, line, node), node)
        elif "node-a" in line:  # once for each node
            for node in NODES:
                run_line(site, here(site, line.replace("node-a", f"node-{node}"), "c"), "c")
        else:
            run_line(site, here(site, line, "c"), "c")
        copy_keys(site)


def completing(site):
    for model in ("demo-untrained", "demo-llama-small"):
        site.model(model)
    site.task("demo_reasoning", 240)
    for agent in site.daemons[1:]:
        agent.kill()  # before the models were there: found again at once after a restart
        agent.start()
    wait_for("two agents with models", lambda: site.number(
        "select count(*) from koeval.agent where cardinality(models) = 2") == 2)
    site.launch("far", ["demo-untrained", "demo-llama-small"], ["demo_reasoning"],
                "--shard-items", "20")
    site.complete("far")
    agents = site.sql("select node, count(*) from koeval.response join koeval.agent using (agent_id) "
                      "join koeval.agent_key using (key_id) group by node order by node")
    assert [node for node, _ in agents] == ["node-a", "node-b"], agents


TESTS = [
    ("three network namespaces are wired", wire_up),
    ("the README's lines set a cluster up", set_up),
    ("both nodes compute a campaign over the wire", completing),
]
