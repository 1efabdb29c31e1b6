#!/usr/bin/env python3
"""Trains one model.   usage: python3 -m train.train NAME KIND HIDDEN LAYERS HEADS KV INNER STEPS
[--workers N] [--lr] [--window] [--seed] [--tokens] --data DIR --out DIR      (0 steps: untrained)

A row is one sentence, <s> prompt answer </s>, never packed: position 0 is <s> as in the evaluation.
Each of N workers takes every N-th sentence of a batch; gradients are added in rank order through
shared memory and every worker makes the same optimizer step, so the result is fixed for a fixed N.
"""
import argparse
import random
import shutil

import torch
import torch.multiprocessing as mp
import torch.nn.functional as F

from .bpe import Tokenizer
from .model import LM, config, save

PROMPT_WEIGHT = 0.3  # a prompt's tokens count less than the answer's
WARM_UP = 100


def batches(sentences, r, tokens):
    """Bucketed by length inside shuffled blocks, so that little is padding."""
    while True:
        r.shuffle(sentences)
        out = []
        for at in range(0, len(sentences), 4096):
            batch, longest = [], 0
            for s in sorted(sentences[at:at + 4096], key=lambda s: len(s[0])):
                if batch and (len(batch) + 1) * max(longest, len(s[0])) > tokens:
                    out.append(batch)
                    batch, longest = [], 0
                batch.append(s)
                longest = max(longest, len(s[0]))
            out.append(batch)
        r.shuffle(out)
        yield from out


def loss_of(model, batch, pad):
    """Weighted sum of the losses, and the mean loss of the answers' tokens."""
    length = max(len(ids) for ids, _ in batch)
    ids = torch.full((len(batch), length), pad)
    weight = torch.zeros(len(batch), length)
    for i, (row, prompt) in enumerate(batch):
        ids[i, :len(row)] = torch.tensor(row)
        weight[i, 1:prompt] = PROMPT_WEIGHT
        weight[i, prompt:len(row)] = 1.0
    weight = weight[:, 1:].reshape(-1)
    kept = weight.nonzero()[:, 0]
    hidden = model(ids[:, :-1]).reshape(-1, model.c['hidden_size'])[kept]
    loss = F.cross_entropy(hidden @ model.head(), ids[:, 1:].reshape(-1)[kept], reduction='none')
    return (loss * weight[kept]).sum(), loss.detach()[weight[kept] == 1].mean().item()


def rate(step, steps):
    warm = max(1, min(WARM_UP, steps // 10))
    if step < warm:
        return (step + 1) / warm
    return 0.05 + 0.95 * (1 - (step - warm) / (steps - warm))


def work(rank, a, vocab, sentences, gradients, barrier, pad):
    torch.set_num_threads(1)
    model = LM(config(a.kind, vocab, a.hidden, a.layers, a.heads, a.kv, a.inner, a.window), a.seed)
    params = list(model.parameters())
    groups = [{'params': [p for p in params if p.dim() == 2], 'weight_decay': 0.05},
              {'params': [p for p in params if p.dim() != 2], 'weight_decay': 0}]
    optimizer = torch.optim.AdamW(groups, lr=a.lr, betas=(.9, .98), eps=1e-9)
    source, smooth = batches(sentences, random.Random(a.seed), a.tokens), None
    for step in range(a.steps):
        full = next(source)
        total = sum(PROMPT_WEIGHT * (n - 1) + len(ids) - n for ids, n in full)
        mine, slot = full[rank::a.workers], gradients[step % 2]
        optimizer.zero_grad()
        if mine:
            loss, answer = loss_of(model, mine, pad)
            (loss / total).backward()
            smooth = answer if smooth is None else .98 * smooth + .02 * answer
            slot[rank].copy_(torch.cat([p.grad.reshape(-1) for p in params]))
        else:
            slot[rank].zero_()
        barrier.wait()
        summed, at = slot.sum(0), 0
        for p in params:
            p.grad = summed[at:at + p.numel()].view_as(p)
            at += p.numel()
        for group in optimizer.param_groups:
            group['lr'] = a.lr * rate(step, a.steps)
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        if rank == 0 and step % 100 == 99:
            print(f'{a.name} step {step + 1} answer loss {smooth:.3f}', flush=True)
    if rank == 0:
        save(model, f'{a.out}/{a.name}')
        shutil.copy(f'{a.data}/tokenizer.json', f'{a.out}/{a.name}/tokenizer.json')


def arguments():
    ap = argparse.ArgumentParser()
    for name in ('name', 'kind'):
        ap.add_argument(name)
    for name in ('hidden', 'layers', 'heads', 'kv', 'inner', 'steps'):
        ap.add_argument(name, type=int)
    ap.add_argument('--lr', type=float, default=3e-3)
    ap.add_argument('--window', type=int)
    ap.add_argument('--seed', type=int, default=1)
    ap.add_argument('--tokens', type=int, default=1024)
    ap.add_argument('--workers', type=int, default=2)
    ap.add_argument('--data', required=True)
    ap.add_argument('--out', required=True)
    return ap.parse_args()


def main():
    a = arguments()
    tokenizer = Tokenizer(f'{a.data}/tokenizer.json')
    vocab = (len(tokenizer.vocab) + 63) // 64 * 64
    shape = config(a.kind, vocab, a.hidden, a.layers, a.heads, a.kv, a.inner, a.window)
    parameters = sum(p.numel() for p in LM(shape).parameters())
    print(a.name, 'parameters', parameters, flush=True)
    sentences = []
    with open(f'{a.data}/corpus.txt', encoding='utf-8') as f:
        for line in f:
            prompt, answer = line.rstrip('\n').split('\t')
            whole = tokenizer.encode(f'{prompt} {answer}') + [tokenizer.eos]
            sentences.append((whole, len(tokenizer.encode(prompt))))
    gradients = torch.zeros(2, a.workers, parameters).share_memory_()
    fork = mp.get_context('fork')
    barrier = fork.Barrier(a.workers)
    workers = [fork.Process(target=work, args=(rank, a, vocab, sentences, gradients, barrier,
                                               tokenizer.pad)) for rank in range(a.workers)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()


if __name__ == '__main__':
    main()
