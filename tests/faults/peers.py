"""Nodes with an admitted key that do not keep to the protocol (peer.c)."""

import re
import subprocess

from inject import Ear, Fault


def peer(world, key, deed, count):
    site = world.site
    done = subprocess.run([f"{site.bin}/fault_peer", f"tcp://127.0.0.1:{site.port}",
                           f"{site.dir}/keys/server", f"{key}_secret", deed, str(count)],
                          capture_output=True, text=True, env=site.env, timeout=300, check=False)
    assert done.returncode == 0, f"peer {deed}: exit {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def misbehaves(deed, count, pattern, answer=""):
    """The peer does it in the middle of a campaign; the coordinator says so and goes on."""
    def run(world, name):
        key, coordinator = world.site.key(name), world.daemon("coordinator")
        ear = Ear(coordinator)

        def disturb():
            world.leased()
            said = peer(world, key, deed, count)
            assert answer in said, f"the peer was told: {said}"
        world.disturbed(name, disturb)
        assert coordinator.alive()
        return re.sub(r"(network.note).* ", r"\1 ", ear.hears(pattern))
    return run


FAULTS = [
    Fault("oversize messages", "connection closed by libzmq",
          misbehaves("oversize", 3, r"network.note.* closed=[1-9]")),
    Fault("bytes that are no message", "told so, session closed",
          misbehaves("garbage", 5, r"frame.bad key=\d+", "error 4")),
    Fault("message of 20,000 parts", "dropped whole", misbehaves("parts", 20000, r"network.note.*dropped=[1-9]")),
    Fault("wrong protocol version", "told so, no session",
          misbehaves("version", 1, r"agent.error .*code=version", "error 2")),
]
