"""What every fault needs: a site with two agents and the digest of an undisturbed campaign; campaigns
with a fault in their middle; the log lines that name it."""

import collections
import os
import re
import signal
import subprocess

import kill
from kill import running, verify
from site_of import Site, wait_for

# run(world, campaign) injects, checks, and gives the log event that named it; ends: the state that the
# failure table promises, in a few words.
Fault = collections.namedtuple("Fault", "name ends run")

SPACE_MIB = 500  # of the small file system that the database lies on
SECONDS = 150    # for a campaign with a fault in it; an idle machine needs ten


def mount_tmpfs(folder, mib):
    """Whether a small file system lies there now."""
    os.makedirs(folder, exist_ok=True)
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=755", "koeval", folder],
                          capture_output=True, text=True, check=False)
    return done.returncode == 0


def unmount(folder):
    subprocess.run(["umount", "-l", folder], capture_output=True, check=False)


class World:
    def __init__(self):
        self.site = Site("faults")
        self.small = False  # the database can be made to run out of disk

    def open_once(self):
        site = self.site
        if site.db:
            return
        self.small = mount_tmpfs(f"{site.dir}/db", SPACE_MIB)
        if self.small:
            site.at_close(lambda: unmount(f"{site.dir}/db"))
        site.open()
        kill.STATE.clear()
        kill.prepare(site)
        kill.undisturbed(site)

    def close(self):
        self.site.close()

    # ---- a campaign with a fault in it

    def disturbed(self, name, disturb, seconds=SECONDS):
        kill.campaign(self.site, name, disturb, seconds)
        verify(self.site, name)

    def leased(self, node=None):
        """Waits until somebody, or this node, holds a shard."""
        who = f" and k.node = '{node}'" if node else ""
        wait_for(f"{node or 'somebody'} to hold a shard", lambda: self.site.number(f"""
            select count(*) from koeval.shard s join koeval.agent a on a.agent_id = s.lease_agent
              join koeval.agent_key k using (key_id) where s.state = 'leased'{who}"""), 60)

    def hold(self, names=("agent-a", "agent-b")):
        """The agent of these that holds an unacknowledged batch, with the coordinator stopped."""
        return kill.catch_unacked(self.site, 60, names)

    def go_on(self):
        self.daemon("coordinator").send(signal.SIGCONT)

    def daemon(self, name):
        return running(self.site, name)

    def agents(self):
        return [self.daemon("agent-a"), self.daemon("agent-b")]


class Ear:
    """What a daemon's log says from now on, over restarts."""

    def __init__(self, daemon):
        self.daemon, self.since = daemon, daemon.log_size()

    def lines(self, pattern):
        with open(self.daemon.log, "rb") as log:
            log.seek(self.since)
            text = log.read().decode("utf-8", "replace")
        return [line for line in text.splitlines() if re.search(pattern, line)]

    def hears(self, pattern, seconds=30):
        """Waits for a line; gives its event and the part that matched."""
        line = wait_for(f"{self.daemon.name} to say {pattern}", lambda: self.lines(pattern), seconds)[0]
        return re.search(pattern, line).group(0)
