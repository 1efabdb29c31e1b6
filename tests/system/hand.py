"""The operator's hand: orders given to a cluster at work, and what they answer."""

import json
import os
import signal
import subprocess

import kill
import site_of
from site_of import wait_for

TASK, MODELS, BOARD = "demo_reasoning", ["demo-untrained", "demo-llama-small"], "hand"
STATE = {}


def refuse(site, code, *words):
    """The exit code and what is said."""
    done = site.koeval_try(*words)
    assert done.returncode == code, f"koeval {' '.join(words)}: exit {done.returncode}, not {code}: {done.stderr}"
    return done.stderr


def prepare(site):
    site.task(TASK, 60)
    for model in MODELS:
        site.model(model)
    for name in ("a", "b"):
        site.key(f"node-{name}")
    with open(f"{site.dir}/board.yaml", "w", encoding="utf-8") as board:
        board.write(f"name: {BOARD}\ntasks:\n  - task: {TASK}\n    metric: acc\n")
    site.koeval("board", "define", f"{site.dir}/board.yaml")
    site.coordinator()
    for name in ("a", "b"):
        site.agent(f"agent-{name}", *kill.UNIT, key=f"{site.dir}/keys/node-{name}")
    wait_for("two agents to be up", lambda: site.number(
        "select count(*) from koeval.agent where cardinality(models) = 2") == 2)


def following(site):
    """Two readers from here on: what they have read is looked at in the end."""
    for name, words in (("people", []), ("programs", ["--json"])):
        out = open(f"{site.dir}/log/{name}.events", "wb")
        STATE[name] = subprocess.Popen([f"{site.bin}/koeval", "events", "--follow", "--last", "0", *words],
                                       stdout=out, stderr=subprocess.STDOUT, env=site.env,
                                       preexec_fn=site_of.die_with_parent)
        out.close()
        site.at_close(STATE[name].kill)
    wait_for("the readers", lambda: site.number(
        "select count(*) from pg_stat_activity where query like '%event_list%' and"
        " usename = 'koeval_operator'") >= 2)


def pausing(site):
    for name in ("a", "b"):
        site.koeval("node", "drain", f"node-{name}", "--reason", "first the launch")
    site.launch("spring", MODELS[:1], [TASK], *kill.LAUNCH)
    site.koeval("campaign", "pause", "spring")
    assert "paused and cannot be paused" in refuse(site, 1, "campaign", "pause", "spring")
    for name in ("a", "b"):
        site.koeval("node", "resume", f"node-{name}")
    site.launch("other", MODELS[:1], [TASK], "--purpose", "rehearsal", "--limit", "10")
    site.complete("other")  # there were hands, and they were given nothing of the paused one
    assert site.koeval_json("campaign", "show", "spring")["items_done"] == 0
    assert site.koeval_json("campaign", "show", "spring")["state"] == "paused"
    site.koeval("campaign", "resume", "spring")
    site.complete("spring")
    assert site.koeval_json("campaign", "retry", "spring") == \
        {"runs_opened": 0, "shards_opened": 0, "jobs_queued": 0}
    site.koeval("board", "wait", BOARD)


def quarantining(site):
    agents = [daemon for daemon in site.daemons if daemon.name.startswith("agent")]
    for agent in agents:
        agent.send(signal.SIGSTOP)  # it cannot end before the order is given
    site.launch("summer", MODELS[1:], [TASK], *kill.LAUNCH)
    holder = lambda: site.value(
        "select k.node from koeval.shard s join koeval.agent a on a.agent_id = s.lease_agent"
        " join koeval.agent_key k using (key_id) where s.state = 'leased' limit 1")
    node = wait_for("a lease", holder, every=0.005)
    said = site.koeval_json("node", "quarantine", node, "--reason", "bad memory")
    stored = lambda: site.number("select count(*) from koeval.response join koeval.agent using (agent_id)"
                                 f" join koeval.agent_key using (key_id) where node = '{node}'")
    before = stored()
    assert said["agents_quarantined"] == 1 and said["leases_ended"] >= 1, said
    for agent in agents:
        agent.send(signal.SIGCONT)
    site.complete("summer")
    assert stored() == before, "a quarantined node's answer was stored"
    states = {row["node"]: row["state"] for row in site.koeval_json("node", "list")["nodes"]}
    assert states[node] == "quarantined", states
    assert "nobody" in refuse(site, 3, "node", "quarantine", "nobody", "--reason", "x")
    refuse(site, 2, "node", "quarantine", node)
    site.koeval("node", "resume", node)
    site.koeval("board", "wait", BOARD)


def rotating(site):
    """The old key's agent sleeps through the end of the overlap with work in its hands."""
    agents = {d.name: d for d in site.daemons if d.name.startswith("agent")}
    for agent in agents.values():
        agent.send(signal.SIGSTOP)
    site.launch("autumn", MODELS[:1], [TASK], *kill.LAUNCH)
    node = wait_for("a lease", lambda: site.value(
        "select k.node from koeval.shard s join koeval.agent a on a.agent_id = s.lease_agent"
        " join koeval.agent_key k using (key_id) where s.state = 'leased' limit 1"))
    old = agents.pop("agent-" + node[-1])
    site.koeval("key", "new", f"{site.dir}/keys/next")
    said = site.koeval_json("key", "rotate", node, f"{site.dir}/keys/next", "--overlap", "0.02")
    states = lambda: {row["key_id"]: row["state"] for row in site.koeval_json("key", "list")["keys"]}
    assert said["node"] == node and states()[said["key"]] == "active", said
    for agent in agents.values():
        agent.kill()  # the new key alone is left to do it
    new = site.agent("agent-next", *kill.UNIT, key=f"{site.dir}/keys/next")
    site.complete("autumn")
    assert site.digest("autumn") == site.digest("spring"), "other answers than before the rotation"
    wait_for("the end of the overlap", lambda: states()[said["old_key"]] == "revoked")
    old.send(signal.SIGCONT)
    wait_for("the old key to be refused", lambda: old.said("link.unauthorised") +
             old.said("link.refused"))  # at the next handshake, or by the next message on the old one
    assert new.alive() and "number" in refuse(site, 2, "key", "rotate", node, "x", "--overlap", "soon")
    site.koeval("board", "wait", BOARD)


def comparing(site):
    editions = site.koeval_json("board", "history", BOARD)["editions"]
    assert [e["models"] for e in editions[:2]] == [2, 1], editions
    diff = site.koeval_json("board", "diff", BOARD)
    moved = {row["model"]: row["moved"] for row in diff["models"]}
    assert moved[MODELS[1]] == "new" and moved[MODELS[0]] in ("=", "down 1"), diff
    assert not diff["definition_changed"]
    assert site.koeval("doctor"), "nothing is wrong here"
    STATE["editions"] = [str(diff["edition_from"]), str(diff["edition_to"])]
    back = site.koeval_json("board", "diff", BOARD, str(diff["edition_to"]), str(diff["edition_from"]))
    assert {row["model"]: row["moved"] for row in back["models"]}[MODELS[1]] == "gone"
    assert "99" in refuse(site, 3, "board", "diff", BOARD, "99") and BOARD in refuse(
        site, 3, "board", "history", "nobody")


def rescoring(site):
    """An older scorer, as if this program had been upgraded; its scores are arranged, not computed."""
    assert "nothing to do" in site.koeval_try("board", "rescore", BOARD).stderr
    site.sql("insert into koeval.scorer (name, version, code_sha256) select name, 0, sha256('old')"
             " from koeval.scorer; update koeval.board set scorer_id = (select scorer_id from koeval.scorer"
             " where version = 0), dirty = dirty + 1; update koeval.score set value = value where false;"
             " insert into koeval.score (run_id, generation, scorer_id, metric, filter, aggregation, n,"
             " value, stderr, width, item_value) select run_id, generation, (select scorer_id from"
             " koeval.scorer where version = 0), metric, filter, aggregation, n, 1 - value, stderr, width,"
             " (select array_agg(1 - v) from unnest(item_value) v) from koeval.score where metric = 'acc';"
             " delete from koeval.score where scorer_id <> (select scorer_id from koeval.scorer"
             " where version = 0); insert into koeval.job (kind, key) select 'rank', board_id"
             " from koeval.board; notify koeval_work")
    site.koeval("board", "wait", BOARD)
    diff = site.koeval_json("board", "rescore", BOARD, "--wait", "--timeout", "60")
    assert diff["scores_missing"] == 2 and diff["scorer_from"] != diff["scorer_to"], diff
    rows = {row["model"]: row for row in diff["models"]}
    assert rows[MODELS[0]]["rank_from"] == 1 and rows[MODELS[1]]["moved"] == "up 1", rows
    text = site.koeval("board", "diff", BOARD)
    print("    " + "\n    ".join(text.rstrip().splitlines()))
    again = site.koeval_json("board", "rollback", BOARD, str(diff["edition_from"]))
    leader = site.koeval_json("board", "history", BOARD)["editions"][0]
    assert leader["seq"] == again["edition"] and leader["leader"] == MODELS[0] and leader["is_rollback"]


def taking_back(site):
    for name in ("spring", "autumn"):  # the newest run counts, and then the one before
        run = site.runs(name)[0][0]
        site.koeval("run", "void", run, "--reason", "wrong revision")
    assert "voided already" in refuse(site, 1, "run", "void", run)
    refuse(site, 3, "run", "void", "999999")
    refuse(site, 3, "run", "cancel", "999999")
    refuse(site, 3, "job", "retry", "999999")
    site.koeval("model", "withdraw", MODELS[1], "--reason", "its owner asked")
    wait_for("an empty board", lambda: site.number(
        f"select count(*) from ranking.board_v1 where board = '{BOARD}'") == 0)
    old = site.koeval("board", "diff", BOARD, *STATE["editions"])
    assert "withdrawn" in old and MODELS[1] not in old, old


def having_read(site):
    def read(name):
        with open(f"{site.dir}/log/{name}.events", encoding="utf-8") as lines:
            return lines.read().splitlines()
    wait_for("the last event", lambda: any("model.withdraw" in line for line in read("people")))
    wait_for("the last event", lambda: any("model.withdraw" in line for line in read("programs")))
    for name in ("people", "programs"):
        STATE[name].terminate()
        STATE[name].wait()
    happened = [json.loads(line) for line in read("programs")]
    names = {event["event"] for event in happened}
    assert names >= {"campaign.launch", "campaign.pause", "campaign.resume", "run.complete", "run.void",
                     "board.edition", "node.quarantine", "node.resume", "rank.rollback"}, names
    assert len(happened) == len({json.dumps(event) for event in happened}), "an event was told twice"
    told = [event for event in happened if event["event"] == "run.complete"]
    assert len(told) == 4 and any(f"{MODELS[0]} on {TASK} (spring)" == e["about"] for e in told), told
    assert len(read("people")) == len(happened)
    listed = site.koeval_json("events", "--last", "500", "--level", "warn")["events"]
    assert all(event["level"] in "WE" for event in listed)
    assert os.path.getsize(f"{site.dir}/log/people.events") > 0


TESTS = [
    ("a site at work", prepare),
    ("two readers follow what happens", following),
    ("a paused campaign grants nothing, a resumed one ends", pausing),
    ("a quarantined node stores nothing, and its work is done by others", quarantining),
    ("editions are listed and compared", comparing),
    ("a rotated key ends at its time and loses no item", rotating),
    ("a board moves to another scorer, shows the ranks before and after, and goes back", rescoring),
    ("voided runs and withdrawn models leave the board", taking_back),
    ("the readers have read each event once", having_read),
]
