#!/usr/bin/env python3
"""Log-probabilities, choices, metrics and their errors: koeval and lm-evaluation-harness in fp32.

    scores.py SHARED [--write]     --write: renew digests/scores.tsv

Random models of the three architectures, each with the tokenizer of a published model, answer the
first items of some tasks in both programs.  A log-likelihood may differ by 1e-4.  The choice of an
item must be the same unless the harness' own two best lie within twice that: such an item is a
tie, and ties are listed.
"""
import json
import logging
import math
import os
import struct
import subprocess
import sys

import folders
import lm_eval_tasks

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "digests/scores.tsv")
SCORE = os.path.join(folders.ROOT, "build/release/bin/parity_score")
MODELS = os.path.join(folders.ROOT, "build/parity/models")
TOLERANCE = 1e-4
# name -> (tokenizer, arguments of random_model.py)
RANDOM = {
    "llama-qwen2": ("qwen2", []),
    "mistral-window": ("mistral_v1", ["--type", "mistral", "--window", "100", "--seed", "2"]),
    "qwen2-polyglot": ("polyglot_ko", ["--type", "qwen2", "--tie", "--seed", "3"]),
}
# task -> (shots, items)
TASKS = {
    "kobest_boolq": (0, 16), "kobest_copa": (5, 16), "kobest_hellaswag": (0, 16),
    "kobest_sentineg": (5, 16), "kobest_wic": (0, 16),
    "kmmlu_accounting": (5, 12), "kmmlu_korean_history": (5, 12), "kmmlu_math": (0, 16),
}
AGGREGATIONS = {"acc": "mean", "acc_norm": "mean", "f1": "macro_f1"}


def make_models(shared):
    made = folders.folders(shared)
    for name, (tokenizer, options) in RANDOM.items():
        out = os.path.join(MODELS, name)
        subprocess.run([sys.executable, os.path.join(folders.ROOT, "tests/fixtures/random_model.py"),
                        out, "--tokenizer", made[tokenizer]] + options, check=True)
        yield name, out


def theirs(folder):
    """Results and samples of lm-eval's own evaluator."""
    import lm_eval
    import torch
    from lm_eval.models.huggingface import HFLM
    torch.set_num_threads(1)
    lm = HFLM(pretrained=folder, dtype="float32", device="cpu", batch_size=1)
    for task, (shots, limit) in TASKS.items():
        out = lm_eval.simple_evaluate(model=lm, tasks=[task], num_fewshot=shots, limit=limit,
                                      task_manager=lm_eval_tasks.manager(), log_samples=True, bootstrap_iters=100000)
        yield task, out["results"][task], sorted(out["samples"][task], key=lambda s: s["doc_id"])


def ours(folder, pairs):
    stream = b"".join(struct.pack("<i", len(b)) + b
                      for pair in pairs for b in (t.encode() for t in pair))
    out = subprocess.run([SCORE, folder, "f32", "hf", "0"], input=stream, check=True,
                         stdout=subprocess.PIPE).stdout.decode()
    for line in out.splitlines():
        verdict, _, greedy, loglik = line.split(" ")
        assert verdict == "answered"
        yield float(loglik), bool(int(greedy))


def metric(name, items):
    """Value and error by koeval's own code, from gold, choices and answers of each item."""
    lines = "".join("%s\t%s\n" % (json.dumps(gold), " ".join("%.17g %d" % a for a in answers))
                    for gold, answers in items)
    out = subprocess.run([SCORE, "metric", name, AGGREGATIONS[name]], input=lines.encode(),
                         check=True, stdout=subprocess.PIPE).stdout
    return [float(x) for x in out.split()]


def same(a, b):
    undefined = [x for x in (a, b) if x == "N/A" or (isinstance(x, float) and math.isnan(x))]
    return len(undefined) == 2 or (not undefined and abs(a - b) < 1e-12)


def best(values):
    return max(range(len(values)), key=lambda i: values[i])


def compare(task, results, samples, answers):
    """(worst difference, ties, mistakes) of one task; answers in the order of requests."""
    worst, ties, wrong, items, at = 0.0, [], [], [], 0
    for sample in samples:
        expected = [(float(r[0][0]), bool(r[0][1])) for r in sample["resps"]]
        got = answers[at:at + len(expected)]
        at += len(expected)
        worst = max([worst] + [abs(a[0] - b[0]) for a, b in zip(got, expected)])
        choices = [a[1][1:] for a in sample["arguments"]]  # without the delimiter
        chars = [len(choice) for choice in choices]
        lls = sorted((e[0] for e in expected), reverse=True)
        if best([g[0] for g in got]) != best([e[0] for e in expected]):
            (ties if lls[0] - lls[1] < 2 * TOLERANCE else wrong).append(sample["doc_id"])
        if any(a[1] != b[1] for a, b in zip(got, expected)):
            wrong.append(sample["doc_id"])
        target = sample["target"]
        gold = choices.index(target) if target in choices else int(target)
        items.append(({"gold": [gold], "chars": chars, "bytes": chars}, got))
    metrics = [key.split(",")[0] for key in results if key.split(",")[0] in AGGREGATIONS]
    for name in sorted(set(metrics)):
        value, error = metric(name, items)
        if not ties and not (same(value, results[name + ",none"]) and
                             same(error, results[name + "_stderr,none"])):
            wrong.append("%s %r %r, not %r %r" % (name, value, error, results[name + ",none"],
                                                  results[name + "_stderr,none"]))
    return worst, ties, wrong


def main():
    shared, write = sys.argv[1], "--write" in sys.argv
    logging.disable(logging.WARNING)
    os.environ["TQDM_DISABLE"] = "1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    lm_eval_tasks.serve(shared)
    lines, good, bad = ["model\ttask\tshots\titems\trequests\tgreatest difference\tties"], 0, 0
    for model, folder in make_models(shared):
        for task, results, samples in theirs(folder):
            requests = lm_eval_tasks.requests(lm_eval_tasks.load(task, TASKS[task][0]),
                                              TASKS[task][1])
            answers = list(ours(folder, [(c, t) for _, _, c, t in requests]))
            worst, ties, wrong = compare(task, results, samples, answers)
            ok = worst <= TOLERANCE and not wrong
            good, bad = good + ok, bad + (not ok)
            print("%s %s, %s: %d requests, greatest difference %.2g, ties %s%s" %
                  ("ok  " if ok else "FAIL", model, task, len(answers), worst, ties,
                   ", wrong: %s" % wrong if wrong else ""), flush=True)
            lines.append("%s\t%s\t%d\t%d\t%d\t%.0e\t%s" % (
                model, task, TASKS[task][0], len(samples), len(answers), worst,
                ",".join(map(str, ties)) or "none"))
    if write and not bad:
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write("\n".join(lines) + "\n")
    print("%d passed, %d failed, 0 skipped" % (good, bad))
    return 0 if not bad else 1


if __name__ == "__main__":
    sys.exit(main())
