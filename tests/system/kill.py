"""Law 1 and law 2 with real processes: whoever dies, whenever, the answers are the same bits.

A hit is a death while a shard is leased and a batch is computed and not acknowledged.  It is not
left to luck: the coordinator is stopped (SIGSTOP), an agent finishes a unit, whose batch then cannot
have been acknowledged, and only then somebody dies."""

import os
import signal
import time

import site_of
from site_of import wait_for

TASKS = ["demo_reasoning", "demo_language", "demo_ethics"]
MODELS = ["demo-untrained", "demo-llama-small", "demo-llama-large"]
ITEMS = 240
# Small units of shards that last a while, so that there is always something to hit.
LAUNCH = ["--shard-items", "120"]
UNIT = ["--unit-ms", "100"]

STATE = {}


def start_agents(site, *extra, names=("a", "b")):
    return [site.agent(f"agent-{name}", *UNIT, *extra, key=f"{site.dir}/keys/node-{name}")
            for name in names]


def prepare(site):
    for task in TASKS:
        STATE["items"] = STATE.get("items", 0) + site.task(task, ITEMS) * len(MODELS)
    for model in MODELS:
        site.model(model)
    for name in ("a", "b"):
        site.key(f"node-{name}")


def verify(site, campaign):
    """All there, nothing twice, nothing different, the counters are the rows."""
    digest = site.digest(campaign)
    assert digest == STATE["digest"], f"{campaign}: {digest}, undisturbed: {STATE['digest']}"
    assert site.number("select count(*) from koeval.incident") == 0
    assert site.number("select count(*) from koeval.item_error") == 0
    wrong = site.sql("""
        select s.shard_id, s.n_done, count(r.item_no) from koeval.shard s
          join koeval.run u using (run_id)
          join koeval.plan_item p on p.plan_id = u.plan_id and p.plan_no >= s.plan_lo
                                 and p.plan_no < s.plan_hi
          left join koeval.response r on r.run_id = s.run_id and r.replica = s.replica
                                     and r.item_no = p.item_no
         group by s.shard_id, s.n_done having s.n_done <> count(r.item_no) limit 3""")
    assert not wrong, f"shards whose count is not their rows: {wrong}"


def campaign(site, name, disturb=None, seconds=60):
    site.launch(name, MODELS, TASKS, *LAUNCH)
    if disturb:
        disturb()
    site.complete(name, seconds)


def undisturbed(site):
    site.coordinator()
    start_agents(site)
    campaign(site, "calm")
    STATE["digest"] = site.digest("calm")
    assert STATE["digest"].split()[0] == str(STATE["items"]), STATE["digest"]


def running(site, name):
    for daemon in site.daemons:
        if daemon.name == name and daemon.alive():
            return daemon
    raise AssertionError(f"{name} does not run")


def catch_unacked(site, seconds=40, names=("agent-a", "agent-b")):
    """Stops the coordinator at a moment when an agent then finishes a unit that it cannot
    acknowledge; gives that agent, with the coordinator still stopped."""
    coordinator = running(site, "coordinator")
    agents = [running(site, name) for name in names]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        wait_for("a shard to be leased", lambda: site.number(
            "select count(*) from koeval.shard where state = 'leased'"), 20)
        coordinator.send(signal.SIGSTOP)
        time.sleep(0.02)
        before = {agent.name: agent.said("unit.done") for agent in agents}
        limit = time.monotonic() + 0.6
        while time.monotonic() < limit:
            for agent in agents:
                if agent.said("unit.done") > before[agent.name]:
                    leased = site.number("select count(*) from koeval.shard where state='leased'")
                    assert leased, "a unit was computed without a lease"
                    print(f"    hit: {agent.name} holds an unacknowledged batch, "
                          f"{leased} shards leased")
                    return agent
            time.sleep(0.005)
        coordinator.send(signal.SIGCONT)
        time.sleep(0.1)
    raise AssertionError("no unacknowledged batch was caught")


def agent_dies(site, name="agent-dies"):
    def disturb():
        agent = catch_unacked(site)
        agent.kill()
        running(site, "coordinator").send(signal.SIGCONT)
        agent.start()
    campaign(site, name, disturb)
    verify(site, name)


def agent_dies_for_good(site):
    def disturb():
        STATE["dead"] = catch_unacked(site)
        STATE["dead"].kill()
        running(site, "coordinator").send(signal.SIGCONT)
    campaign(site, "agent-dies-for-good", disturb)
    verify(site, "agent-dies-for-good")
    STATE["dead"].start()


def coordinator_dies(site, name="coordinator-dies"):
    def disturb():
        catch_unacked(site)
        coordinator = running(site, "coordinator")
        coordinator.kill()
        coordinator.start()
    before = site.number("select epoch from koeval.coordinator")
    campaign(site, name, disturb)
    verify(site, name)
    assert site.number("select epoch from koeval.coordinator") > before


def backend_dies(site, name="backend-dies"):
    def disturb():
        catch_unacked(site)
        pid = site.number("select pid from pg_stat_activity where usename = 'koeval_coordinator' "
                          "order by backend_start desc limit 1")
        assert pid, "the coordinator has no backend"
        os.kill(pid, signal.SIGKILL)
        running(site, "coordinator").send(signal.SIGCONT)
        wait_for("PostgreSQL to recover", lambda: _answers(site), 30)
    campaign(site, name, disturb, 90)
    verify(site, name)


def _answers(site):
    try:
        return site.number("select 1") == 1
    except AssertionError:
        return False


def all_die(site):
    """Everybody again and again, at any moment."""
    def disturb():
        for turn in range(6):
            time.sleep(0.4)
            daemon = running(site, ("agent-a", "coordinator", "agent-b")[turn % 3])
            daemon.kill()
            daemon.start()
    campaign(site, "all-die", disturb, 90)
    verify(site, "all-die")


def database_away(site):
    """Nothing is acknowledged while it is away, and nobody needs a restart."""
    def disturb():
        catch_unacked(site)
        site.cluster("stop")
        coordinator = running(site, "coordinator")
        coordinator.send(signal.SIGCONT)
        time.sleep(2)
        assert all(running(site, name).alive() for name in ("agent-a", "agent-b", "coordinator"))
        site.cluster("start")
    campaign(site, "database-away", disturb, 90)
    verify(site, "database-away")


def standby_leads(site):
    """The leader dies; the other coordinator, which waited for the lock, goes on where it was."""
    port = site_of.free_port(site.port + 1)
    both = [f"tcp://127.0.0.1:{site.port}", f"tcp://127.0.0.1:{port}"]
    for name in ("agent-a", "agent-b"):
        agent = running(site, name)
        agent.end()
        at = agent.args.index("--connect")
        agent.args[at + 1:at + 2] = both
        agent.start()

    def disturb():
        standby = site.coordinator("--listen", both[1], name="standby")
        catch_unacked(site)
        leader = running(site, "coordinator")
        leader.kill()
        STATE["leader"], STATE["standby"] = leader, standby
    campaign(site, "standby-leads", disturb, 90)
    verify(site, "standby-leads")
    assert STATE["standby"].said("shard.done") > 0, "the standby did the rest"
    STATE["leader"].start()
    STATE["standby"].end()


def same_input_same_bits(site):
    """Over all campaigns of this site: a response is a function of its input."""
    different = site.sql("""
        select r.input_hash, u.model_id, u.params_id from koeval.response r
          join koeval.run u using (run_id)
         group by r.input_hash, r.class_id, u.model_id, u.params_id
        having count(distinct array_send(r.loglik)) > 1 or count(distinct r.greedy) > 1 limit 3""")
    assert not different, different
    asked = site.number("select max(n) from (select count(*) n from koeval.response r join koeval.run "
                        "using (run_id) group by input_hash, model_id) x")
    assert asked > 5, "the same input was not asked often enough for this to say anything"


def one_agent(site):
    running(site, "agent-b").end()
    campaign(site, "one-agent")
    verify(site, "one-agent")


def threads(site):
    running(site, "agent-a").end()
    start_agents(site, "--threads", "2", "--wave-rows", "512")
    campaign(site, "threads")
    verify(site, "threads")


def wrong_key(site):
    site.koeval("key", "new", f"{site.dir}/keys/stranger")
    stranger = site.agent("stranger", "--refused-ms", "200", "--refusals", "2",
                          key=f"{site.dir}/keys/stranger")
    assert stranger.process.wait(20) == 6, "exit 6: not authorised"
    assert stranger.said("link.unauthorised") >= 2 and not stranger.said("link.up")


def open_key(site):
    path = f"{site.dir}/keys/stranger_secret"
    os.chmod(path, 0o644)
    done = site.agent("careless", key=f"{site.dir}/keys/stranger")
    assert done.process.wait(10) == 1, "a key that others can read is refused"


TESTS = [
    ("tasks, models and keys are there", prepare),
    ("an undisturbed campaign gives the digest", undisturbed),
    ("an agent dies with an unacknowledged batch and comes back", agent_dies),
    ("an agent dies with an unacknowledged batch for good", agent_dies_for_good),
    ("the coordinator dies with an unacknowledged batch", coordinator_dies),
    ("a PostgreSQL backend dies with an unacknowledged batch", backend_dies),
    ("everybody dies again and again", all_die),
    ("PostgreSQL is away for two seconds", database_away),
    ("the leader dies and the standby leads", standby_leads),
    ("one agent gives the bits of two", one_agent),
    ("two threads and small waves give the bits of one", threads),
    ("the same input gave the same bits in all these campaigns", same_input_same_bits),
    ("an unknown key is refused and the agent exits 6", wrong_key),
    ("a secret key that others can read is refused", open_key),
]
