"""The disk of the logs."""

import os

from database import fill
from inject import Ear, Fault, mount_tmpfs, unmount
from site_of import Skip


def logs_full(world, name):
    """Daemons log to a file system without a free byte: they go on, and say later how much was lost."""
    site = world.site
    folder = f"{site.dir}/{name}"
    if not mount_tmpfs(folder, 1):
        raise Skip("no small file system can be mounted here (root)")
    daemons = [world.daemon("coordinator"), *world.agents()]
    before = [daemon.log for daemon in daemons]
    for daemon in daemons:
        daemon.end()
        daemon.log = f"{folder}/{daemon.name}.log"
        daemon.start()
    ear = Ear(daemons[0])  # it says most: its last page is full first

    def disturb():
        world.leased()
        STATE["ballast"] = fill(folder)
    try:
        world.disturbed(name, disturb)
        os.unlink(STATE.pop("ballast"))
        for daemon in world.agents():  # the coordinator notes at least that they left
            daemon.end()
        said = ear.hears(r"log.lost lines=\d+", 60)
    finally:
        for daemon, log in zip(daemons, before):
            daemon.kill()
            daemon.log = log
            daemon.start()
        unmount(folder)
    return said


STATE = {}
FAULTS = [Fault("disk of the logs full", "goes on without a log, says what was lost", logs_full)]
