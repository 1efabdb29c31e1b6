#!/usr/bin/env python3
"""Writes the corpus and the six tasks.   usage: python3 -m world.build OUTDIR [--docs N] [--items N]

corpus.txt: prompt TAB answer.  demo_*.jsonl: id, family, question, choices, answer.
Needs nothing but Python 3.
"""
import argparse
import json
import os
import random

from . import commonsense, ethics, hallucination, knowledge, language, reasoning

# task: (families, weight in the corpus)
TASKS = {'demo_reasoning': (reasoning.FAMILIES, 1.6),
         'demo_commonsense': (commonsense.FAMILIES, 1.0),
         'demo_language': (language.FAMILIES, 0.8),
         'demo_hallucination': (hallucination.FAMILIES, 1.4),
         'demo_ethics': (ethics.FAMILIES, 0.7),
         'demo_knowledge': (knowledge.FAMILIES, 1.3)}
SPARE = 1.3  # items drawn for one kept: some turn out to stand in the corpus


def draw(family, r, test):
    for _ in range(100000):
        c = family(r)
        if c.test == test and len(set(c.wrong) | {c.gold}) == len(c.wrong) + 1:
            return c
    raise RuntimeError(f'{family.__name__}: no case on the {"test" if test else "corpus"} side')


def draw_items(families, items, r):
    out, seen = [], set()
    for family, _, share in families:
        wanted, tries = round(items * share / 100 * SPARE), 0
        got = 0
        while got < wanted and tries < 40 * wanted:
            tries += 1
            c = draw(family, r, test=True)
            if (c.prompt, c.gold) in seen:
                continue
            seen.add((c.prompt, c.gold))
            got += 1
            choices = [c.gold] + c.wrong
            r.shuffle(choices)
            out.append({'family': family.__name__, 'question': c.prompt, 'choices': choices,
                        'answer': choices.index(c.gold)})
    return out


def sentence(item):
    return item['question'] + ' ' + item['choices'][item['answer']]


def draw_corpus(docs, banned, r):
    corpus, names = [], list(TASKS)
    while len(corpus) < docs:
        families = TASKS[r.choices(names, [TASKS[n][1] for n in names])[0]][0]
        family = r.choices([f[0] for f in families], [f[1] for f in families])[0]
        c = draw(family, r, test=False)
        if f'{c.prompt} {c.gold}' not in banned:
            corpus.append((c.prompt, c.gold))
    return corpus


def keep_unseen(name, drawn, items, whole, r):
    """Drops what stands in the corpus, even as a part of a longer sentence."""
    kept = []
    for family, _, share in TASKS[name][0]:
        fresh = [o for o in drawn if o['family'] == family.__name__ and sentence(o) not in whole]
        kept += fresh[:round(items * share / 100)]
    r.shuffle(kept)
    return [dict(id=f'{name}-{i:03d}', **o) for i, o in enumerate(kept)]


def build(docs, items, seed):
    r = random.Random(seed)
    drawn = {name: draw_items(families, items, r) for name, (families, _) in TASKS.items()}
    banned = {sentence(o) for items_ in drawn.values() for o in items_}
    corpus = draw_corpus(docs, banned, r)
    whole = '\n'.join(f'{p} {g}' for p, g in corpus)
    return corpus, {name: keep_unseen(name, drawn[name], items, whole, r) for name in drawn}


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument('out')
    ap.add_argument('--docs', type=int, default=120000)
    ap.add_argument('--items', type=int, default=240)
    ap.add_argument('--seed', type=int, default=1)
    a = ap.parse_args()
    corpus, tests = build(a.docs, a.items, a.seed)
    os.makedirs(a.out, exist_ok=True)
    with open(f'{a.out}/corpus.txt', 'w', encoding='utf-8') as f:
        f.writelines(f'{p}\t{g}\n' for p, g in corpus)
    for name, items in tests.items():
        with open(f'{a.out}/{name}.jsonl', 'w', encoding='utf-8') as f:
            f.writelines(json.dumps(o, ensure_ascii=False) + '\n' for o in items)
        chance = sum(1 / len(o['choices']) for o in items) / len(items)
        count = {}
        for o in items:
            count[o['family']] = count.get(o['family'], 0) + 1
        print(f'{name:20s} items {len(items):4d} chance {chance:.3f} {count}')
    print('sentences', len(corpus), 'distinct', len(set(corpus)))


if __name__ == '__main__':
    main()
