#!/usr/bin/env python3
"""Token ids of koeval and of Hugging Face, equal on random text and on whole benchmarks.

    tokens.py SHARED [--write]     --write: renew digests/tokens.tsv

A digest is the SHA-256 of, for every string, the count of its ids and the ids, as int32; special
tokens included.  tests/unit/agent/text/test_digests.c recomputes it without Python.
"""
import hashlib
import os
import random
import struct
import subprocess
import sys

import folders
import published

HERE = os.path.dirname(os.path.abspath(__file__))
ENCODE = os.path.join(folders.ROOT, "build/release/bin/parity_encode")
RANDOM_TEXTS = 4000
# What tokenizers have been seen to disagree on: jamo, marks, odd spaces, case folding, digits in
# other scripts, private marks of SentencePiece, and the special tokens themselves.
PIECES = (list("가나다라마바사아자차카타파하한국어답정문제은는이가을를에서 ")
          + list("abcXYZ0123456789.,:;()[]/'\"-=…·")
          + ["'s", "'t", "'RE", "'ll", "'D", "'\u017f", "\u212a", "  ", "       ", "\n", "\r\n",
             "\n\n\n", "\t", "\u3000", "\u00a0", "\u200b", "\u0085", "\u2028", "\u115f", "\u3164",
             "ㅋ", "ㅎ", "\u1100\u1161\u11a8", "가\u11a8", "e\u0301", "\u00e9", "½", "Ⅷ", "五",
             "漢字", "\u302e", "\uff71\uff9e", "\uffa1", "\ufdfa", "😀",
             "\U0001f468\u200d\U0001f469\u200d\U0001f467", "\u2581", "\u2581\u2581", "\U0001d7d8",
             "<s>", "</s>", "<unk>", "<|endoftext|>", "<|im_start|>", "[INST]",
             "<|begin_of_text|>", "\u0cf1", "\u0130", "ß", "\0", "\x1c", "----------"])


def random_text(rnd):
    if rnd.random() < 0.1:
        ranges = [(0x20, 0x3000), (0x3000, 0xD800), (0xE000, 0x10000), (0x10000, 0x20000)]
        return "".join(chr(rnd.randrange(*rnd.choice(ranges)))
                       for _ in range(rnd.randrange(1, 20)))
    return "".join(rnd.choice(PIECES) for _ in range(rnd.randrange(0, rnd.choice((40, 40, 400)))))


def ours(folder, texts, special):
    stream = b"".join(struct.pack("<i", len(b)) + b for b in (t.encode() for t in texts))
    out = subprocess.run([ENCODE, folder, "tokens", str(int(special))], input=stream,
                         stdout=subprocess.PIPE, check=True).stdout
    return out


def packed(ids):
    return struct.pack("<%di" % (len(ids) + 1), len(ids), *ids)


def theirs(tokenizer, texts, special):
    backend = tokenizer.backend_tokenizer
    return b"".join(packed(e.ids) for i in range(0, len(texts), 10000)
                    for e in backend.encode_batch(texts[i:i + 10000], add_special_tokens=special))


def split(stream):
    at = 0
    while at < len(stream):
        count, = struct.unpack_from("<i", stream, at)
        yield struct.unpack_from("<%di" % count, stream, at + 4)
        at += 4 * (count + 1)


def check(name, what, got, expected):
    """Never prints a text: only which one it was."""
    if got == expected:
        print("ok   %-16s %s" % (name, what))
        return True
    differ = [i for i, (a, b) in enumerate(zip(split(got), split(expected))) if a != b]
    print("FAIL %-16s %s: %d differ, the first is text %d" %
          (name, what, len(differ), differ[0] if differ else -1))
    return False


def main():
    shared, write = sys.argv[1], "--write" in sys.argv
    rnd = random.Random(1)
    noise = [random_text(rnd) for _ in range(RANDOM_TEXTS)]
    benchmarks = {b: list(published.every_string(shared, b)) for b in ("kmmlu", "kobest")}
    lines, good, bad = ["tokenizer\tbenchmark\ttexts\tids\tsha256"], 0, 0
    for name, folder in folders.folders(shared).items():
        tokenizer = folders.reference(name, folder)
        for special in (True, False):
            ok = check(name, "random text, special tokens %s" % special,
                       ours(folder, noise, special), theirs(tokenizer, noise, special))
            good, bad = good + ok, bad + (not ok)
        for benchmark, texts in benchmarks.items():
            expected = theirs(tokenizer, texts, True)
            ok = check(name, benchmark, ours(folder, texts, True), expected)
            good, bad = good + ok, bad + (not ok)
            lines.append("\t".join([name, benchmark, str(len(texts)),
                                    str(len(expected) // 4 - len(texts)),
                                    hashlib.sha256(expected).hexdigest()]))
    table = "\n".join(lines) + "\n"
    path = os.path.join(HERE, "digests/tokens.tsv")
    if write and not bad:
        with open(path, "w", encoding="utf-8") as f:
            f.write(table)
    with open(path, encoding="utf-8") as f:
        same = f.read() == table
    print("%s   digests/tokens.tsv" % ("ok  " if same else "FAIL"))
    print("%d passed, %d failed, 0 skipped" % (good + same, bad + (not same)))
    return 0 if same and not bad else 1


if __name__ == "__main__":
    sys.exit(main())
