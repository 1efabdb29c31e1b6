"""Keys: revoked in mid-shard, not loaded yet, not answered for, of another coordinator."""

import ctypes
import os
import re

import kill
from inject import Ear, Fault
from site_of import Skip, wait_for

PTRACE_SEIZE, PTRACE_INTERRUPT, PTRACE_DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000


def rows_of(world, node):
    return world.site.number(f"""
        select count(*) from koeval.response r join koeval.agent a using (agent_id)
          join koeval.agent_key k using (key_id) where k.node = '{node}'""")


def revoked(world, name):
    """A batch that was computed before the revocation and arrives after it is stored nowhere."""
    site = world.site
    key = site.key(name)
    world.daemon("agent-b").end()
    node = site.agent(f"agent-{name}", *kill.UNIT, "--refused-ms", "200", "--refusals", "2", key=key)
    ear, rows = Ear(world.daemon("coordinator")), {}

    def disturb():
        world.leased(name)
        world.hold((node.name,))
        site.koeval("key", "revoke", name, "--reason", "test")
        rows["at"] = rows_of(world, name)
        world.go_on()
    world.disturbed(name, disturb)
    assert node.process.wait(60) == 6, "exit 6: not authorised"
    assert rows_of(world, name) == rows["at"], "answers were stored after the revocation"
    assert node.said("link.unauthorised")
    kill.start_agents(site, names=("b",))
    return ear.hears(r"key.revoked")


def not_loaded(world, name):
    """A coordinator that cannot read the keys tells nobody that he is unknown."""
    coordinator = world.daemon("coordinator")
    ears, ear = [Ear(agent) for agent in world.agents()], Ear(coordinator)

    def disturb():
        world.leased()
        coordinator.kill()
        world.site.cluster("stop")
        coordinator.start()
        ear.hears(r"network.note.* refused=[1-9]", 60)
        world.site.cluster("start")
    world.disturbed(name, disturb)
    for agent in ears:
        agent.hears(r"link.up")
        assert not agent.lines(r"link.unauthorised"), "refused by a coordinator that could not know"
    return re.sub(r" .* ", " ", ear.hears(r"network.note.* refused=[1-9]"))


# ---- the ZAP handler is a thread of the coordinator; ptrace stops one thread and no other

def zap_thread(pid):
    """The one that koeval started itself: libzmq names its own."""
    for tid in map(int, os.listdir(f"/proc/{pid}/task")):
        with open(f"/proc/{pid}/task/{tid}/comm", encoding="ascii") as comm:
            if tid != pid and not comm.read().startswith("ZMQ"):
                return tid
    raise AssertionError("the coordinator has no ZAP thread")


def ptrace(request, tid):
    libc = ctypes.CDLL(None, use_errno=True)
    libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]
    return libc.ptrace(request, tid, None, None)


def freeze(tid):
    if ptrace(PTRACE_SEIZE, tid) != 0:
        raise Skip("this user may not stop a thread of the coordinator (ptrace)")
    assert ptrace(PTRACE_INTERRUPT, tid) == 0
    os.waitpid(tid, WALL)


def dead_handler(world, name):
    """Nobody new gets in, not even who is admitted; who is in goes on."""
    site = world.site
    key, coordinator = site.key(name), world.daemon("coordinator")
    ear, late = Ear(coordinator), []

    def disturb():
        world.leased()
        tid = zap_thread(coordinator.process.pid)
        freeze(tid)
        try:
            late.append(site.agent(f"agent-{name}", key=key))
            ear.hears(r"network.note.* unfinished=[1-9]", 60)
            assert not late[0].said("link.up"), "an agent was let in that nobody asked about"
        finally:
            ptrace(PTRACE_DETACH, tid)
    world.disturbed(name, disturb)
    wait_for("the admitted agent to be let in after all", lambda: late[0].said("link.up"), 90)
    late[0].end()
    return re.sub(r" .* ", " ", ear.hears(r"network.note.* unfinished=[1-9]"))


def other_server(world, name):
    """An agent that expects another coordinator's key says nothing to this one."""
    site = world.site
    site.koeval("key", "new", f"{site.dir}/keys/{name}")
    key = site.key(f"{name}-node")

    def disturb():
        misled = site.agent(f"agent-{name}", key=key)
        misled.kill()
        misled.args[misled.args.index("--server-key") + 1] = f"{site.dir}/keys/{name}"
        misled.start()
        Ear(misled).hears(r"link.handshake", 60)
        assert misled.alive() and not misled.said("link.up")
        misled.kill()
    world.disturbed(name, disturb)
    return "link.handshake"


FAULTS = [
    Fault("key revoked in mid-shard", "later batches stored nowhere, the shard moves", revoked),
    Fault("key list not loaded", "retried, then accepted", not_loaded),
    Fault("ZAP handler dead", "nobody new is let in, sessions go on", dead_handler),
    Fault("wrong server key", "nothing is said to it", other_server),
]
