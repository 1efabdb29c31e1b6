"""One item's whole way: init, import, add, launch, lease, compute, commit, score, rank, board."""

import re

import site_of

TASKS = ["demo_reasoning", "demo_language"]
MODELS = ["demo-untrained", "demo-llama-small"]
BOARD = "name: path\ntasks:\n" + "".join(
    f"  - task: {task}\n    metric: acc\n    category: {task[5:]}\n" for task in TASKS)


def importing(site):
    for task in TASKS:
        site.task(task, 60)
    assert site.number("select count(*) from koeval.task_version where sealed_at is not null") == 2
    before = site.sql("select task_version_id from koeval.task_version order by 1")
    site.task(TASKS[0], 60)
    assert site.sql("select task_version_id from koeval.task_version order by 1") == before, \
        "equal content must give the old version back"


def adding(site):
    for model in MODELS:
        site.model(model)
    assert site.number("select count(*) from koeval.model") == 2


def starting(site):
    for name in ("a", "b"):
        site.key(f"node-{name}")
    site.coordinator()
    for name in ("a", "b"):
        site.agent(f"agent-{name}", key=f"{site.dir}/keys/node-{name}")
    site_of.wait_for("two agents to be up", lambda: site.number(
        "select count(*) from koeval.agent where cardinality(models) = 2") == 2)


def completing(site):
    with open(f"{site.dir}/board.yaml", "w", encoding="utf-8") as board:
        board.write(BOARD)
    site.koeval("board", "define", f"{site.dir}/board.yaml")
    site.launch("first", MODELS, TASKS)
    site.complete("first")
    assert site.number("select count(*) from koeval.response") == 4 * 60
    assert site.number("select count(*) from koeval.item_error") == 0


def ranking(site):
    site_of.wait_for("a published board", lambda: site.number(
        "select count(*) from ranking.board_v1 where board = 'path'") == 2, 30)
    text = site.koeval("board", "show", "path")
    print("    " + "\n    ".join(text.rstrip().splitlines()))
    scores = dict(site.sql("select model, score from ranking.board_v1 where board = 'path'",
                           role="koeval_reader"))
    assert float(scores["demo-llama-small"]) > float(scores["demo-untrained"]), scores


def both_worked(site):
    counts = site.sql("select agent_id, count(*) from koeval.response group by 1 order by 1")
    assert len(counts) == 2, f"responses by agent: {counts}"


def listing(site):
    for words in (("node", "list"), ("campaign", "list"), ("run", "list"), ("job", "list"),
                  ("status",), ("task", "list"), ("model", "list"), ("board", "list")):
        assert site.koeval(*words).strip(), words
        site.koeval_json(*words)


def unknown(site):
    done = site.koeval_try("campaign", "launch", "second", "--model", "nobody", "--task", TASKS[0])
    assert done.returncode == 3, f"exit {done.returncode}: {done.stderr}"
    assert "demo-untrained" in done.stderr, f"does not say what there is: {done.stderr}"


def draining(site):
    daemons = {daemon.name: daemon for daemon in site.daemons}
    assert daemons["agent-a"].end() == 0, "a drained agent exits 0"
    assert daemons["coordinator"].end() == 0
    with open(daemons["agent-a"].log, encoding="utf-8") as log:
        lines = log.read().splitlines()
    shape = re.compile(r"^\d{4}-\d\d-\d\dT[\d:.]+Z [EWID] [a-z]+\.[a-z]+( .*)?$")
    assert all(shape.match(line) for line in lines), [l for l in lines if not shape.match(l)][:3]


TESTS = [
    ("tasks are imported once for equal content", importing),
    ("models are added by their folders", adding),
    ("two agents find the models and say hello", starting),
    ("a campaign completes with one response an item", completing),
    ("the board is published and the trained model leads", ranking),
    ("both agents computed", both_worked),
    ("every list prints for people and for programs", listing),
    ("what is not there is answered with what there is", unknown),
    ("SIGTERM ends agent and coordinator well, and logs are one line an event", draining),
]
