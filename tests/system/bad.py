"""What is wrong is named, by a typed reason, and costs nobody else a bit."""

import json
import os
import shutil
import socket
import struct
import time

import dealer
import kill
import site_of
from site_of import wait_for

TASK = "demo_reasoning"
STATE = {}

# ---- safetensors, as much as a test needs: {name: (dtype, shape, bytes)}


def tensors_read(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header = json.loads(file.read(size))
        data = file.read()
    header.pop("__metadata__", None)
    return {name: (t["dtype"], t["shape"], data[t["data_offsets"][0]:t["data_offsets"][1]])
            for name, t in header.items()}


def tensors_write(path, tensors):
    header, at = {}, 0
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(data)]}
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, _, data in tensors.values():
            file.write(data)


def alphabet():
    """Byte-level BPE's letters, back to bytes."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    letters = {chr(b): b for b in plain}
    rest = [b for b in range(256) if b not in plain]
    letters.update({chr(256 + n): b for n, b in enumerate(rest)})
    return letters


def token_of_some_items(folder, questions):
    """A whole word's token that some of the questions hold and most do not."""
    letters = alphabet()
    with open(f"{folder}/tokenizer.json", encoding="utf-8") as file:
        vocab = json.load(file)["model"]["vocab"]
    best = None
    for token, number in vocab.items():
        if not token.startswith("Ġ") or any(c not in letters for c in token):
            continue
        text = bytes(letters[c] for c in token).decode("utf-8", "replace")
        hits = sum(f"{text} " in question for question in questions)
        if len(text) >= 3 and 5 <= hits <= len(questions) // 2 and (not best or hits > best[0]):
            best = (hits, number, text)
    assert best, "no such token"
    return best[1]


def variant(site, name, change, home="models"):
    """A copy of a demo model with a head of its own, changed, in a folder of the site."""
    target = f"{site.dir}/{home}/{name}"
    shutil.copytree(f"{site_of.demo_folder()}/models/demo-llama-small", target)
    with open(f"{target}/config.json", encoding="utf-8") as file:
        config = json.load(file)
    config["tie_word_embeddings"] = False
    tensors = tensors_read(f"{target}/model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    change(target, tensors, config)
    with open(f"{target}/config.json", "w", encoding="utf-8") as file:
        json.dump(config, file)
    tensors_write(f"{target}/model.safetensors", tensors)
    site.koeval("model", "add", name, target)
    return target


def prepare(site):
    site.task(TASK, 100)
    for name in ("a", "b"):
        site.key(f"node-{name}")
    site.coordinator()
    for name in ("a", "b"):
        site.agent(f"agent-{name}", "--rescan-ms", "300", key=f"{site.dir}/keys/node-{name}")


def ended(site, campaign):
    return wait_for(f"campaign {campaign} to end", lambda: [
        state for _, state in site.runs(campaign) if state in ("complete", "erred")], 30)[0]


def answers(site, campaign):
    return dict(site.sql(f"""
        select item_no, encode(array_send(loglik), 'hex') || greedy::text from koeval.response
          join koeval.run using (run_id) join koeval.campaign c using (campaign_id)
         where c.name = '{campaign}'"""))


def nonfinite(site):
    with open(f"{site.dir}/data/{TASK}.jsonl", encoding="utf-8") as file:
        questions = [json.loads(line)["question"] for line in file]

    def poison(folder, tensors, _):
        token = token_of_some_items(folder, questions)
        dtype, shape, data = tensors["model.embed_tokens.weight"]
        row = shape[1] * 2
        assert dtype == "BF16"
        nan = struct.pack("<H", 0x7fc0) * shape[1]
        tensors["model.embed_tokens.weight"] = (
            dtype, shape, data[:token * row] + nan + data[(token + 1) * row:])

    variant(site, "untied", lambda *_: None)
    variant(site, "poisoned", poison)
    site.launch("well", ["untied"], [TASK])
    site.launch("ill", ["poisoned"], [TASK])
    assert ended(site, "well") == "complete"
    assert ended(site, "ill") == "erred"
    errors = site.sql("""
        select reason, count(*) from koeval.item_error group by reason""")
    assert [reason for reason, _ in errors] == ["nonfinite"], errors
    well, ill = answers(site, "well"), answers(site, "ill")
    assert len(well) == 100 and 50 <= len(ill) < 100 and len(ill) + int(errors[0][1]) == 100
    changed = [item for item in ill if ill[item] != well[item]]
    assert not changed, f"neighbours of a NaN changed: items {changed}"
    run = site.runs("ill")[0][0]
    text = site.koeval("run", "show", run)
    assert "nonfinite" in text and f"{len(ill)}" in text, text
    print(f"    {errors[0][1]} items nonfinite, {len(ill)} answered with unchanged bits")


def not_ranked(site):
    """A run with errors never counts on a board."""
    with open(f"{site.dir}/board.yaml", "w", encoding="utf-8") as board:
        board.write(f"name: bad\ntasks:\n  - task: {TASK}\n    metric: acc\n    category: all\n")
    site.koeval("board", "define", f"{site.dir}/board.yaml")
    wait_for("the whole model on the board", lambda: site.number(
        "select count(*) from ranking.board_v1 where board = 'bad' and model = 'untied'") == 1)
    assert site.number("select count(*) from ranking.board_v1 where model = 'poisoned'") == 0


def too_long(site):
    """A continuation that alone is longer than the model may take has no score."""
    site.launch("long", ["untied"], [TASK], "--max-length", "2")
    assert ended(site, "long") == "erred"
    reasons = {reason for (reason,) in site.sql("""
        select distinct e.reason from koeval.item_error e join koeval.run using (run_id)
          join koeval.campaign c using (campaign_id) where c.name = 'long'""")}
    assert reasons == {"too_long"}, reasons


def truncated(site):
    """A prompt that is too long loses its beginning, as the harness does it, and is marked."""
    site.launch("cut", ["untied"], [TASK], "--max-length", "20")
    assert ended(site, "cut") == "complete"
    cut = site.number("""
        select count(*) from koeval.response join koeval.run using (run_id)
          join koeval.campaign c using (campaign_id)
         where c.name = 'cut' and true = any (truncated)""")
    assert cut > 0
    assert site.koeval_json("run", "show", site.runs("cut")[0][0])["n_truncated"] == cut
    well = site.koeval_json("run", "show", site.runs("well")[0][0])
    assert well["n_truncated"] == 0
    assert well["token_naive"] > well["token_unique"] > 0, "choices share their prompt"
    assert site.number("""
        select count(*) from koeval.response join koeval.run using (run_id)
          join koeval.campaign c using (campaign_id)
         where c.name = 'well' and truncated is not null""") == 0


def on_no_node(site):
    """Nobody has the model: the run waits, says so, and goes on when somebody has."""
    folder = variant(site, "hidden", lambda _, tensors, config: tensors.update(
        {"model.norm.weight": ("BF16", [80], struct.pack("<H", 0x3f80) * 80)}), home="data")
    site.launch("hidden", ["hidden"], [TASK])
    wait_for("the reason", lambda: "model_on_no_node" in site.koeval("run", "list"), 15)
    assert site.runs("hidden")[0][1] in ("planned", "running")
    shutil.copytree(folder, f"{site.dir}/models/hidden")
    assert ended(site, "hidden") == "complete"


def changed(site):
    """A model whose bytes changed is another model: nobody computes the old one with it."""
    path = f"{site.dir}/models/untied/generation_config.json"
    with open(path, "rb") as file:
        before = file.read()
    with open(path, "ab") as file:
        file.write(b"\n")
    agents = [daemon for daemon in site.daemons if daemon.name.startswith("agent")]
    wait_for("the agents to see it", lambda: all(a.said("model.gone") for a in agents))
    site.launch("changed", ["untied"], [TASK], "--max-length", "100")
    wait_for("the reason", lambda: "model_on_no_node" in site.koeval("run", "list"), 15)
    assert site.number("""
        select count(*) from koeval.response join koeval.run using (run_id)
          join koeval.campaign c using (campaign_id) where c.name = 'changed'""") == 0
    with open(path, "wb") as file:
        file.write(before)
    assert ended(site, "changed") == "complete"


def other_class(site):
    """A run that began on a class of numbers which no agent has now waits, and says what to do."""
    site.launch("classes", ["untied"], [TASK], "--max-length", "110", "--shard-items", "1")
    wait_for("a first answer", lambda: site.number("""
        select count(*) from koeval.response join koeval.run using (run_id)
          join koeval.campaign c using (campaign_id) where c.name = 'classes'"""))
    site.koeval("campaign", "pause", "classes")
    run = site.runs("classes")[0][0]
    wait_for("what is held to end", lambda: not site.number(
        f"select count(*) from koeval.shard where run_id = {run} and state = 'leased'"))
    assert site.runs("classes")[0][1] == "running", "it ended before it was paused"
    site.sql("update koeval.numerics_class set digest = sha256(digest || 'another engine')")
    agents = [daemon for daemon in site.daemons if daemon.name.startswith("agent")]
    for agent in agents:
        agent.end()
        agent.start()
    site.koeval("campaign", "resume", "classes")
    shown = wait_for("the reason", lambda: [text for text in [site.koeval("run", "show", run)]
                                            if "class_on_no_node" in text], 20)[0]
    assert "`koeval run restart RUN`" in shown, shown
    assert site.runs("classes")[0][1] == "running", "it waits"
    before = site.number(f"select count(*) from koeval.response where run_id = {run}")
    site.koeval("run", "restart", run)
    wait_for("the new run", lambda: site.runs("classes")[-1][1] == "complete", 30)
    assert before == site.number(f"select count(*) from koeval.response where run_id = {run}")
    assert site.number("select count(distinct class_id) from koeval.run "
                       "join koeval.campaign c using (campaign_id) where c.name = 'classes'") == 2


def lying_models(site):
    """Each is refused with the file's name, and nothing is stored."""
    def spoil(file, change):
        folder = f"{site.dir}/data/spoilt"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(f"{site_of.demo_folder()}/models/demo-llama-small", folder)
        with open(f"{folder}/{file}", "rb") as source:
            data = source.read()
        with open(f"{folder}/{file}", "wb") as target:
            target.write(change(data))
        done = site.koeval_try("model", "add", "spoilt", folder)
        assert done.returncode == 1, f"{file}: exit {done.returncode}: {done.stderr}"
        assert file in done.stderr, done.stderr

    models = site.number("select count(*) from koeval.model")
    spoil("model.safetensors", lambda data: data[:-100])
    spoil("model.safetensors", lambda data: struct.pack("<Q", 1 << 60) + data[8:])
    spoil("model.safetensors", lambda data: data.replace(b'"BF16"', b'"Q999"', 1))
    spoil("config.json", lambda data: data.replace(b"LlamaForCausalLM", b"NobodyForCausalLM"))
    spoil("config.json", lambda data: data[:len(data) // 2])
    spoil("tokenizer.json", lambda data: data.replace(b'"BPE"', b'"Unigram"', 1))
    spoil("tokenizer.json", lambda data: data[:-10])
    assert site.number("select count(*) from koeval.model") == models


def bad_data(site):
    """One wrong row, and nothing of the file is there."""
    path = f"{site.dir}/data/wrong.jsonl"
    with open(path, "w", encoding="utf-8") as file:
        for i in range(20):
            file.write(json.dumps({"question": f"비밀 {i}", "choices": ["가", "나"],
                                   "answer": 5 if i == 13 else 1}, ensure_ascii=False) + "\n")
    versions = site.number("select count(*) from koeval.task_version")
    items = site.number("select count(*) from secret.item")
    done = site.koeval_try("task", "import", f"{site_of.ROOT}/deploy/demo/tasks/{TASK}.yaml",
                           "--data", f"test={path}")
    assert done.returncode == 1 and "14" in done.stderr, done.stderr
    assert "비밀" not in done.stderr, "an error must not quote an item"
    assert site.number("select count(*) from koeval.task_version") == versions
    assert site.number("select count(*) from secret.item") == items


def session_of(peer, site, slot):
    """Hello, as an agent of the class that is there; the session that Welcome gives."""
    digest, facts = site.sql("select encode(digest, 'hex'), facts from koeval.numerics_class "
                             "order by class_id desc limit 1")[0]
    for seq in range(1, 20):
        peer.send(dealer.envelope(0, seq, 10, dealer.hello(slot, bytes.fromhex(digest),
                                                           facts.encode())))
        heard = peer.heard()
        if heard and heard[1] == dealer.WELCOME:
            return heard[0]
    raise AssertionError("no Welcome")


def bad_frames(site):
    """A good key is no licence: a frame that is none ends its session, and nothing of it is stored."""
    key = site.key("node-odd")
    counts = "select (select count(*) from koeval.response) + (select count(*) from koeval.item_error)"
    before = site.number(counts)
    ups = [agent.said("link.up") for agent in site.daemons[1:]]
    frames = (os.urandom(300), b"", b"\xff" * 4096, dealer.envelope(7, 9, 14, b"\x08\x01"),
              dealer.envelope(7, 9, 14, os.urandom(200)))
    for slot, frame in enumerate(frames):
        peer = dealer.Dealer(f"tcp://127.0.0.1:{site.port}", key, f"{site.dir}/keys/server")
        session = session_of(peer, site, slot)
        peer.send(dealer.envelope(session, 30, 11, dealer.number(1, 1)))
        assert peer.heard()[1] == 31, "a heartbeat of a good session is answered"
        peer.send(frame)
        said = peer.heard()
        assert said[1:] == (dealer.ERROR, 4), f"BAD_MESSAGE expected: {said}"
        peer.send(dealer.envelope(session, 31, 11, dealer.number(1, 2)))
        said = peer.heard()
        assert said[1:] == (dealer.ERROR, 5), f"NO_SESSION expected: {said}"
        peer.close()
    assert site.daemons[0].said("frame.bad") > 0
    assert site.number(counts) == before
    assert [agent.said("link.up") for agent in site.daemons[1:]] == ups, "the others did not notice"
    site.launch("beside", ["untied"], [TASK], "--max-length", "120")
    assert ended(site, "beside") == "complete"


def unrendered(site):
    """An item whose text cannot be made is the coordinator's fault, not the item's length."""
    site.sql("alter table secret.item disable trigger immutable")
    item = site.value("""
        update secret.item set payload = 'no JSON' where item_id = (
            select item_id from koeval.task_item where role = 'e' and item_no = 40) returning item_id""")
    assert item
    site.sql("alter table secret.item enable trigger immutable")
    site.launch("unrendered", ["untied"], [TASK], "--max-length", "130")
    assert ended(site, "unrendered") == "erred"
    errors = site.sql("""
        select e.item_no, e.reason from koeval.item_error e join koeval.run using (run_id)
          join koeval.campaign c using (campaign_id) where c.name = 'unrendered'""")
    assert errors == [["40", "internal"]], errors
    assert len(answers(site, "unrendered")) == 99
    assert site.daemons[0].said("item.unrendered")


def noise(site):
    """Whoever has no key and no protocol is no trouble."""
    for data in (b"GET / HTTP/1.1\r\n\r\n", os.urandom(4096), b"\xff" + b"\0" * 8 + b"\x7f\x03\x00",
                 b""):
        with socket.create_connection(("127.0.0.1", site.port)) as stranger:
            stranger.sendall(data)
            time.sleep(0.05)
    site.launch("noise", ["untied"], [TASK], "--max-length", "200", *kill.LAUNCH)
    assert ended(site, "noise") == "complete"
    assert all(daemon.alive() for daemon in site.daemons)


TESTS = [
    ("coordinator and agents are there", prepare),
    ("a NaN ends its items and changes no bit of the others", nonfinite),
    ("a run with errors is on no board", not_ranked),
    ("a continuation longer than the model is too_long", too_long),
    ("a long prompt is cut and marked", truncated),
    ("a model that no node has waits for one that has it", on_no_node),
    ("a changed model is not computed", changed),
    ("a run of another class of numbers waits and says what to do", other_class),
    ("a folder that lies is refused by the file's name", lying_models),
    ("one wrong row imports nothing and is not quoted", bad_data),
    ("strangers on the port do not disturb", noise),
    ("a bad frame under a good key ends its session and stores nothing", bad_frames),
    ("an item that cannot be rendered ends as internal", unrendered),
]
