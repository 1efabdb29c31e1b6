"""Runs the cases: every function of a case_*.py whose name is a sentence."""
import importlib
import os
import sys
import time

from world import *

MODULES = ("gate", "lease", "ingest", "storm", "task", "board", "order", "role", "doctor", "command")


def prepare():
    connect_all()
    for key in ("k1", "k2", "k3", "k4"):
        admin("select key_add(%s,%s)", sha(key), "n-" + key)
    World.version = import_task("t", [f"{CANARY}-{i}" for i in range(2000)])[0]


def cases(modules, word):
    for name in modules:
        module = importlib.import_module("case_" + name)
        for key, f in list(vars(module).items()):
            if callable(f) and f.__module__ == module.__name__ and key.count("_") >= 2 and word in key:
                yield f


def where(e):
    """The line of the case, not of the helper that raised."""
    at = e.__traceback__
    while at.tb_next and "case_" not in at.tb_frame.f_code.co_filename:
        at = at.tb_next
    return at.tb_lineno


def run(f):
    since = time.time()
    try:
        f()
        invariants()
        print(f"ok     {f.__name__} {time.time() - since:.2f} s", flush=True)
        return True
    except Exception as e:
        print(f"FAILED {f.__name__}: line {where(e)}: {type(e).__name__} {str(e).strip()[:300]}", flush=True)
        connect_all()
        root("rollback")
        root("select pg_terminate_backend(pid) from pg_stat_activity"
             " where usename = 'koeval_coordinator'")
        time.sleep(0.2)
        return False


def main():
    word = sys.argv[1] if len(sys.argv) > 1 else ""
    modules = os.environ.get("SCHEMA_MODULES", " ".join(MODULES)).split()
    prepare()
    results = [run(f) for f in cases(modules, word)]
    print(f"{sum(results)} passed, {len(results) - sum(results)} failed, 0 skipped")
    sys.exit(not all(results))


main()
