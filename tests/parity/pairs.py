#!/usr/bin/env python3
"""Prompt and continuation as tokens: koeval and lm-evaluation-harness, id by id.

    pairs.py SHARED     the first items of every KoBEST and KMMLU task, 5 shots, and hard cases

The harness' own _encode_pair and tok_encode run on its HFLM class, with a tokenizer and no model.
"""
import logging
import os
import struct
import subprocess
import sys

import folders
import lm_eval_tasks

ENCODE = os.path.join(folders.ROOT, "build/release/bin/parity_encode")
LIMIT = 8
LENGTHS = (8192, 300)  # the second cuts most prompts
BOS = {"as the tokenizer": (0, None), "yes": (1, True), "no": (2, False)}
VERDICTS = ["encoded", "empty continuation", "empty context", "no prefix", "too long"]
HARD = [("정답", " A"), ("정답 ", "A"), ("정답 ", " A"), ("정답\n", " A"), ("정답：", " A"), ("", "A"),
        ("", " 답"), (" ", "A"), ("\u3000\n", "답"), ("<s>정답:", " A"), ("<|begin_of_text|>a", "b"),
        ("a", ""), ("정답\x1c\x85\xa0\u2028", "A"), ("정답\u200b", "A"), ("가\u3164 ", " \n답"),
        ("x" * 900, " y"), ("a", " 답" * 400), ("<|endoftext|>정답", " A"), ("", "<s>a"),
        ("", "<|endoftext|>a")]


def harness(tokenizer, add_bos):
    from lm_eval.models.huggingface import HFLM
    lm = HFLM.__new__(HFLM)
    lm.tokenizer, lm.backend, lm.add_bos_token = tokenizer, "causal", add_bos
    lm.custom_prefix_token_id = None
    return lm


def theirs(lm, context, continuation, max_length):
    """What loglikelihood and _loglikelihood_tokens make of one request: ids, context, cut."""
    if context == "":
        if lm.prefix_token_id is None:
            return VERDICTS[3]
        cont = lm.tok_encode(continuation, add_special_tokens=False)
        ctx, cont = ([cont[0]], cont[1:]) if cont and cont[0] == lm.prefix_token_id else \
            ([lm.prefix_token_id], cont)
    else:
        ctx, cont = lm._encode_pair(context, continuation)
    if not ctx:
        return VERDICTS[2]
    if not cont:
        return VERDICTS[1]
    if len(cont) > max_length:
        return VERDICTS[4]
    ids = (ctx + cont)[-(max_length + 1):]
    return ids, len(ids) - len(cont), len(ctx) + len(cont) > max_length + 1


def ours(folder, pairs, bos, max_length):
    stream = b"".join(struct.pack("<i", len(b)) + b
                      for pair in pairs for b in (t.encode() for t in pair))
    out = subprocess.run([ENCODE, folder, "pair", str(bos), str(max_length)], input=stream,
                         stdout=subprocess.PIPE, check=True).stdout
    at = 0
    for _ in pairs:
        count, = struct.unpack_from("<i", out, at)
        numbers = struct.unpack_from("<%di" % (count + 3), out, at + 4)
        at += 4 * (count + 4)
        verdict, ctx, cut = numbers[count:]
        yield VERDICTS[verdict] if verdict else (list(numbers[:count]), ctx, bool(cut))


def main():
    shared = sys.argv[1]
    logging.disable(logging.WARNING)
    os.environ["TQDM_DISABLE"] = "1"
    lm_eval_tasks.serve(shared)
    pairs = list(HARD)
    for task in lm_eval_tasks.names(shared):
        requests = lm_eval_tasks.requests(lm_eval_tasks.load(task, 5), LIMIT)
        pairs += [(context, continuation) for _, _, context, continuation in requests]
    good = bad = 0
    for name, folder in folders.folders(shared).items():
        tokenizer = folders.reference(name, folder)
        for word, (bos, add_bos) in BOS.items():
            lm = harness(tokenizer, add_bos)
            for length in LENGTHS:
                got = list(ours(folder, pairs, bos, length))
                differ = [i for i, pair in enumerate(pairs)
                          if got[i] != theirs(lm, *pair, length)]
                good, bad = good + (not differ), bad + bool(differ)
                print("%s %-16s bos %s, max_length %d: %d pairs%s" %
                      ("FAIL" if differ else "ok  ", name, word, length, len(pairs),
                       ", pairs %s differ" % differ[:5] if differ else ""), flush=True)
    print("%d passed, %d failed, 0 skipped" % (good, bad))
    return 0 if not bad else 1


if __name__ == "__main__":
    sys.exit(main())
