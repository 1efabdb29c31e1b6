#!/usr/bin/env python3
"""acc by log-likelihood, 0 shots, in torch: what koeval's own board is compared with.
usage: python3 -m train.evaluate TASKS_DIR MODEL_DIR..."""
import json
import math
import sys

import torch

from .bpe import Tokenizer
from .model import load

NAMES = ['reasoning', 'commonsense', 'language', 'hallucination', 'ethics', 'knowledge']
BATCH = 64


def requests_of(tasks, tokenizer):
    for name, items in tasks.items():
        for i, item in enumerate(items):
            context = len(tokenizer.encode(item['question']))
            for choice, text in enumerate(item['choices']):
                yield (name, i, choice), tokenizer.encode(item['question'] + ' ' + text), context


def log_likelihoods(model, tokenizer, tasks):
    requests = sorted(requests_of(tasks, tokenizer), key=lambda q: len(q[1]))
    out = {}
    with torch.no_grad():
        for at in range(0, len(requests), BATCH):
            batch = requests[at:at + BATCH]
            ids = torch.full((len(batch), max(len(q[1]) for q in batch)), tokenizer.pad)
            for row, (_, tokens, _) in enumerate(batch):
                ids[row, :len(tokens)] = torch.tensor(tokens)
            logits = model(ids[:, :-1]) @ model.head()
            logprob = torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])[..., 0]
            for row, (key, tokens, context) in enumerate(batch):
                out[key] = logprob[row, context - 1:len(tokens) - 1].sum().item()
    return out


def right(tasks, score):
    return {name: [max(range(len(o['choices'])), key=lambda c: score[name, i, c]) == o['answer']
                   for i, o in enumerate(items)] for name, items in tasks.items()}


def mean_and_error(values):
    p = sum(values) / len(values)
    return p, math.sqrt(p * (1 - p) / (len(values) - 1))


def line(label, cells):
    print(f'{label:24s}' + ''.join(f'{c:>15s}' for c in cells))


def main():
    torch.set_num_threads(1)
    folder, models = sys.argv[1], sys.argv[2:]
    tasks = {}
    for name in NAMES:
        with open(f'{folder}/demo_{name}.jsonl', encoding='utf-8') as f:
            tasks[name] = [json.loads(text) for text in f]
    results = {}
    for path in models:
        scores = log_likelihoods(load(path), Tokenizer(f'{path}/tokenizer.json'), tasks)
        results[path] = right(tasks, scores)
    line('', NAMES + ['average'])
    for path, result in results.items():
        cells = [mean_and_error(result[n]) for n in NAMES]
        average = sum(c[0] for c in cells) / len(cells)
        error = math.sqrt(sum(c[1] ** 2 for c in cells)) / len(cells)
        line(path.rstrip('/').split('/')[-1],
             [f'{100 * m:.1f} ± {100 * e:.1f}' for m, e in cells + [(average, error)]])
    for name in NAMES:
        for family in sorted({o['family'] for o in tasks[name]}):
            at = [i for i, o in enumerate(tasks[name]) if o['family'] == family]
            chance = sum(1 / len(tasks[name][i]['choices']) for i in at) / len(at)
            share = [f'{100 * sum(results[m][name][i] for i in at) / len(at):.1f}' for m in models]
            line(f'{name[:11]} {family}', [f'n {len(at)}', f'{100 * chance:.0f}'] + share)


if __name__ == '__main__':
    main()
