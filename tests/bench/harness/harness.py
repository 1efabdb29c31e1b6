"""koeval and lm-evaluation-harness over the same requests, by turns, block by block.

Both load the model before the clock starts and make their tokens after it.  The harness computes a
prompt once where all its choices are one token, and sorts by length; its batch size is the best of
--batch, found on the first items.  Each block is a number of items of one subject, in order; the
ratio is that of each block, then the median: of the clock, and of the CPU time of all threads, which a
busy machine disturbs less.  What the two answer is compared as well: a fast wrong answer is no figure.
"""
import argparse
import logging
import os
import resource
import statistics
import struct
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
sys.path.insert(0, os.path.join(ROOT, "tests/parity"))
import lm_eval_tasks  # noqa: E402

MODEL = os.path.join(ROOT, "build/parity/models/bench-%s")
TORCH = {"f32": "float32", "bf16": "bfloat16"}


def options():
    parser = argparse.ArgumentParser()
    parser.add_argument("shared")
    parser.add_argument("--dtype", choices=TORCH, default="f32")
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--block", type=int, default=100, help="items a block")
    parser.add_argument("--per-subject", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, nargs="+", default=[1, 4, 16])
    parser.add_argument("--trial", type=int, default=8, help="items that choose the batch size")
    return parser.parse_args()


def model(opt):
    tokenizer = os.path.join(opt.shared, "data/tokenizers/polyglot_ko")
    folder = MODEL % opt.dtype
    subprocess.run([sys.executable, os.path.join(ROOT, "tests/fixtures/random_model.py"), folder, "--preset",
                    "bench", "--dtype", opt.dtype, "--tokenizer", tokenizer], check=True)
    return folder


def blocks(opt):
    """(subject, instances of whole items) of the first subjects that have enough items."""
    left = opt.items
    for name in lm_eval_tasks.names(opt.shared):
        if not name.startswith("kmmlu_") or left <= 0:
            continue
        task = lm_eval_tasks.load(name, 5)
        if len(task.eval_docs) < opt.per_subject:
            continue
        task.build_all_requests(limit=min(left, opt.per_subject), rank=0, world_size=1)
        per_item = len(task.instances) // min(left, opt.per_subject)
        size = opt.block * per_item
        for at in range(0, len(task.instances), size):
            yield name, task.instances[at:at + size]
        left -= opt.per_subject


class Harness:
    def __init__(self, opt, folder):
        import torch
        from lm_eval.models.huggingface import HFLM
        torch.set_num_threads(opt.threads)
        self.lm = HFLM(pretrained=folder, dtype=TORCH[opt.dtype], device="cpu", batch_size=1)

    def score(self, instances, batch):
        self.lm.batch_size_per_gpu = batch
        start, cpu = time.monotonic(), time.process_time()
        answers = self.lm.loglikelihood(instances, disable_tqdm=True)
        return time.monotonic() - start, time.process_time() - cpu, [ll for ll, _ in answers]


class Koeval:
    def __init__(self, opt, folder):
        program = os.path.join(ROOT, "build/release/bin/bench_pairs")
        self.pipe = subprocess.Popen([program, folder, opt.dtype, "hf", str(opt.threads)],
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.peak = 0

    def score(self, instances):
        block = struct.pack("<i", len(instances)) + b"".join(
            struct.pack("<i", len(b)) + b for i in instances for b in (t.encode() for t in i.args))
        self.pipe.stdin.write(block)
        self.pipe.stdin.flush()
        seconds, cpu, self.peak = map(float, self.pipe.stdout.readline().split())
        return seconds, cpu, [float(self.pipe.stdout.readline().split()[3]) for _ in instances]


def best_batch(harness, instances, sizes):
    harness.score(instances, sizes[0])  # the first pass warms caches for nobody
    tried = {size: harness.score(instances, size)[0] for size in sizes}
    print("batch sizes of the harness, seconds: %s" %
          ", ".join("%d: %.2f" % pair for pair in tried.items()), flush=True)
    return min(tried, key=tried.get)


def spread(values):
    return "%.2f (%.2f to %.2f)" % (statistics.median(values), min(values), max(values))


def main():
    opt = options()
    logging.disable(logging.WARNING)
    lm_eval_tasks.serve(opt.shared)
    folder = model(opt)
    harness, koeval = Harness(opt, folder), Koeval(opt, folder)
    work = list(blocks(opt))
    first = work[0][1][:opt.trial * 4]
    batch = best_batch(harness, first, opt.batch)
    koeval.score(first)
    rows, worst = [], 0.0
    for number, (subject, instances) in enumerate(work):
        runs = {}
        for side in ("ours", "theirs") if number % 2 else ("theirs", "ours"):
            runs[side] = koeval.score(instances) if side == "ours" else harness.score(instances, batch)
        (wall, cpu, ours), (peer_wall, peer_cpu, theirs) = runs["ours"], runs["theirs"]
        worst = max([worst] + [abs(x - y) for x, y in zip(ours, theirs)])
        rows.append((wall, peer_wall, cpu, peer_cpu))
        print("%s, %d requests: koeval %.2f s (cpu %.2f), lm-eval %.2f s (cpu %.2f), ratio %.2f" %
              (subject, len(instances), wall, cpu, peer_wall, peer_cpu, peer_wall / wall), flush=True)
    wall, peer_wall, cpu, peer_cpu = (sum(column) for column in zip(*rows))
    print("| dtype | threads | items | koeval s | lm-eval s | batch | ratio of the clock | ratio of CPU time"
          " | largest difference |\n|---|---|---|---|---|---|---|---|---|")
    print("| %s | %d | %d | %.1f | %.1f | %d | %s | %s | %.1g |" % (
        opt.dtype, opt.threads, sum(len(i) for _, i in work) // 4, wall, peer_wall, batch,
        spread([r[1] / r[0] for r in rows]), spread([r[3] / r[2] for r in rows]), worst))
    print("peak memory: koeval %.0f MB, lm-eval %.0f MB" % (
        koeval.peak / 1e6, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6))


if __name__ == "__main__":
    main()
