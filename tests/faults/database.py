"""PostgreSQL: stopped at once, stopped for a while, without disk."""

import os
import signal

from inject import Ear, Fault
from site_of import Skip, wait_for


def postmaster(world):
    with open(f"{world.site.dir}/db/pg/data/postmaster.pid", encoding="ascii") as file:
        return int(file.readline())


def gone(pid):
    return not os.path.exists(f"/proc/{pid}")


def immediate(world, name):
    """Crash recovery: what was acknowledged is there, what was not is sent again."""
    ear = Ear(world.daemon("coordinator"))

    def disturb():
        world.hold()
        pid = postmaster(world)
        os.kill(pid, signal.SIGQUIT)
        wait_for("PostgreSQL to end", lambda: gone(pid), 60)
        world.go_on()
        ear.hears(r"postgres.away", 60)
        world.site.cluster("start")
    world.disturbed(name, disturb)
    assert all(daemon.alive() for daemon in world.agents())
    return ear.hears(r"postgres.away")


def stopped(world, name):
    """As an operator stops it for an upgrade."""
    ear = Ear(world.daemon("coordinator"))

    def disturb():
        world.hold()
        world.site.cluster("stop")
        world.go_on()
        ear.hears(r"postgres.away", 60)
        world.site.cluster("start")
    world.disturbed(name, disturb)
    return ear.hears(r"postgres.lost")


# ---- disk

def fill(folder):
    """Takes all that is free; gives the file."""
    path = f"{folder}/ballast"
    with open(path, "wb", buffering=0) as ballast:
        for size in (1 << 20, 4096):
            try:
                while True:
                    ballast.write(bytes(size))
            except OSError:
                pass
    return path


def disk_full(world, name):
    """Nothing is acknowledged while nothing can be written; with space again all goes on."""
    if not world.small:
        raise Skip("no small file system can be mounted here (root)")
    ear = Ear(world.daemon("coordinator"))

    def disturb():
        world.leased()
        ballast = fill(f"{world.site.dir}/db")
        try:
            ear.hears(r"tx.failed .*state=53100|postgres.lost", 90)
        finally:
            os.unlink(ballast)
        world.site.cluster("start")  # where it ended in a panic; else it runs already
    world.disturbed(name, disturb)
    return ear.hears(r"state=53100|postgres.lost")


FAULTS = [
    Fault("PostgreSQL stopped at once and started", "0 lost, batches sent again", immediate),
    Fault("PostgreSQL stopped and started", "degraded, then goes on", stopped),
    Fault("disk of the database full", "no false ack, goes on with space", disk_full),
]
