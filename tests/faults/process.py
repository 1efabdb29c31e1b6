"""Processes that die, sleep, or freeze."""

import signal
import time

import kill
import site_of
from inject import Ear, Fault


def agent_killed(world, name):
    ear = Ear(world.daemon("coordinator"))
    kill.agent_dies(world.site, name)
    return ear.hears(r"agent.up agent=\d+ kept=0")


def coordinator_killed(world, name):
    ear = Ear(world.daemon("coordinator"))
    kill.coordinator_dies(world.site, name)
    return ear.hears(r"coordinator.role role=leading")


def backend_killed(world, name):
    ear = Ear(world.daemon("coordinator"))
    kill.backend_dies(world.site, name)
    return ear.hears(r"postgres.lost")


def agent_stopped(world, name):
    """Longer than its lease: the shard is given to the other, and the sleeper finds it gone."""
    ear = Ear(world.daemon("coordinator"))

    def disturb():
        world.leased("node-a")
        sleeper = world.daemon("agent-a")
        sleeper.send(signal.SIGSTOP)
        try:
            ear.hears(r"lease.expired", 60)
        finally:
            sleeper.send(signal.SIGCONT)
    world.disturbed(name, disturb)
    return ear.hears(r"lease.expired shards=\d+")


def coordinator_stopped(world, name):
    """Longer than every lease and silence: agents leave, come back, and nothing is counted twice."""
    ears = [Ear(agent) for agent in world.agents()]

    def disturb():
        world.hold()
        time.sleep(1.5 * site_of.LEASE_MS / 1000)
        world.go_on()
    world.disturbed(name, disturb)
    for ear in ears:
        ear.hears(r"link.down")
    return "link.down"


FAULTS = [
    Fault("agent killed with an unacknowledged batch", "acked kept, the window computed again", agent_killed),
    Fault("coordinator killed with an unacknowledged batch", "nothing acked lost, leases kept",
          coordinator_killed),
    Fault("agent stopped past its lease", "shard granted to another, late batches absorbed", agent_stopped),
    Fault("coordinator stopped past every lease", "agents buffer, reconnect and resend", coordinator_stopped),
    Fault("PostgreSQL backend killed", "sessions drop, batches are sent again and absorbed", backend_killed),
]
