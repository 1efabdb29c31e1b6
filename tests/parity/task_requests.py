#!/usr/bin/env python3
"""The requests of koeval and of lm-evaluation-harness, byte by byte: all of KoBEST and KMMLU.

    task_requests.py SHARED [--write] [TASK ...]     --write: renew digests/requests.tsv

A digest is the SHA-256 over one line a request, the JSON array [item, index, context,
continuation] and a newline, as `koeval task render --digest` prints it.
"""
import hashlib
import json
import logging
import os
import shutil
import subprocess
import sys

import folders
import lm_eval_tasks

HERE = os.path.dirname(os.path.abspath(__file__))
TABLE = os.path.join(HERE, "digests/requests.tsv")
KOEVAL = os.path.join(folders.ROOT, "build/release/bin/koeval")
TASKS = os.path.join(folders.ROOT, "deploy/tasks")
SHOTS = (0, 5)


def arguments(shared, task, shots, tasks=TASKS):
    family = task.split("_")[0]
    columns = "kmmlu" if family == "kmmlu" else lm_eval_tasks.KOBEST[task[len("kobest_"):]][0]
    result = [KOEVAL, "task", "render", os.path.join(tasks, family, task + ".yaml"), "--shots",
              str(shots), "--columns", os.path.join(tasks, family, columns + ".columns.yaml")]
    for path in lm_eval_tasks.paths(shared, task):
        result += ["--data", path]
    return result


def ours_digest(shared, task, shots, tasks=TASKS):
    return subprocess.run(arguments(shared, task, shots, tasks) + ["--digest"], check=True,
                          stdout=subprocess.PIPE, text=True).stdout.strip()


def canonical(request):
    # DEL is the one character that json.dumps leaves alone and koeval does not.
    text = json.dumps(list(request), ensure_ascii=False, separators=(",", ":"))
    return (text.replace("\x7f", "\\u007f") + "\n").encode()


def theirs_digest(task, shots, requests):
    sha = hashlib.sha256()
    for request in requests:
        sha.update(canonical(request))
    return "%s\t%d\t%d\t%s" % (task, shots, len(requests), sha.hexdigest())


def first_difference(shared, task, shots, requests):
    """Where, never what."""
    out = subprocess.run(arguments(shared, task, shots) + ["--json"], check=True,
                         stdout=subprocess.PIPE, text=True).stdout
    for line, expected in zip(out.splitlines(), requests):
        got = json.loads(line)
        if (got["item_no"], got["idx"], got["context"], got["continuation"]) != expected:
            return "item %d, request %d" % expected[:2]
    return "the number of requests"


def check(shared, task, shots, lines):
    requests = lm_eval_tasks.requests(lm_eval_tasks.load(task, shots))
    expected = theirs_digest(task, shots, requests)
    lines.append(expected)
    ok = ours_digest(shared, task, shots) == expected
    print("%s %s, %d shots, %d requests%s" %
          ("ok  " if ok else "FAIL", task, shots, len(requests),
           "" if ok else ": differ at " + first_difference(shared, task, shots, requests)),
          flush=True)
    return ok


def changed_byte_is_seen(shared, task, lines):
    """The control: another colon in the template gives another digest."""
    copy = os.path.join(folders.ROOT, "build/parity/tasks")
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(TASKS, copy)
    common = os.path.join(copy, "kmmlu/kmmlu_common")
    with open(common, encoding="utf-8") as f:
        text = f.read()
    changed = text.replace("정답：\"", "정답:\"")
    with open(common, "w", encoding="utf-8") as f:
        f.write(changed)
    ok = changed != text and ours_digest(shared, task, 0, copy) not in lines
    print("%s one changed byte in the template of %s is seen" % ("ok  " if ok else "FAIL", task))
    return ok


def main():
    shared, write = sys.argv[1], "--write" in sys.argv
    named = [a for a in sys.argv[2:] if not a.startswith("--")]
    logging.disable(logging.WARNING)
    os.environ["TQDM_DISABLE"] = "1"
    lm_eval_tasks.serve(shared)
    lines, results = [], []
    for task in named or lm_eval_tasks.names(shared):
        results += [check(shared, task, shots, lines) for shots in SHOTS]
    results.append(changed_byte_is_seen(shared, "kmmlu_accounting", lines))
    table = "task\tshots\trequests\tsha256\n" + "".join(line + "\n" for line in lines)
    if write and all(results) and not named:
        with open(TABLE, "w", encoding="utf-8") as f:
            f.write(table)
    if not named:
        with open(TABLE, encoding="utf-8") as f:
            results.append(f.read() == table)
        print("%s digests/requests.tsv" % ("ok  " if results[-1] else "FAIL"))
    print("%d passed, %d failed, 0 skipped" % (sum(results), len(results) - sum(results)))
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
