#!/usr/bin/env python3
"""Byte-level BPE: trainer, encoder, tokenizer.json.   usage: python3 -m train.bpe CORPUS VOCAB OUT"""
import json
import re
import sys
from collections import Counter, defaultdict

# The GPT-2 split in re's terms: [^\W\d_] is \p{L} and \d is \p{N} for the corpus's text.
SPLIT = re.compile(
    r"'s|'t|'re|'ve|'m|'ll|'d| ?[^\W\d_]+| ?\d+| ?(?:[^\s\w]|_)+|\s+(?!\S)|\s+")
SPECIAL = ['<s>', '</s>', '<pad>']


def byte_alphabet():
    """The printable stand-in of each byte."""
    printable = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    hidden = [b for b in range(256) if b not in printable]
    return {**{b: chr(b) for b in printable}, **{b: chr(256 + i) for i, b in enumerate(hidden)}}


ALPHABET = byte_alphabet()


def pairs_of(symbols):
    return zip(symbols, symbols[1:])


def merged(symbols, pair):
    out, k = [], 0
    while k < len(symbols):
        if tuple(symbols[k:k + 2]) == pair:
            out.append(symbols[k] + symbols[k + 1])
            k += 2
        else:
            out.append(symbols[k])
            k += 1
    return out


def train(text, vocab_size):
    """Merges the most frequent pair, again and again; ties go to the greater pair."""
    words = [([ALPHABET[b] for b in word.encode()], n)
             for word, n in sorted(Counter(SPLIT.findall(text)).items())]
    vocab, merges = SPECIAL + [ALPHABET[b] for b in range(256)], []
    count, where = Counter(), defaultdict(set)
    for i, (symbols, n) in enumerate(words):
        for pair in pairs_of(symbols):
            count[pair] += n
            where[pair].add(i)
    while len(vocab) < vocab_size:
        best = max(count.items(), key=lambda kv: (kv[1], kv[0]))[0]
        merges.append(best)
        vocab.append(''.join(best))
        for i in list(where[best]):
            symbols, n = words[i]
            for pair in pairs_of(symbols):
                count[pair] -= n
                where[pair].discard(i)
            words[i] = (merged(symbols, best), n)
            for pair in pairs_of(words[i][0]):
                count[pair] += n
                where[pair].add(i)
        count = +count
    return vocab, merges


class Tokenizer:
    def __init__(self, path):
        with open(path, encoding='utf-8') as f:
            model = json.load(f)['model']
        self.vocab = model['vocab']
        self.rank = {tuple(m.split(' ')): i for i, m in enumerate(model['merges'])}
        self.bos, self.eos, self.pad = (self.vocab[t] for t in SPECIAL)
        self.cache = {}

    def word(self, text):
        if text not in self.cache:
            symbols = [ALPHABET[b] for b in text.encode()]
            while len(symbols) > 1:
                best = min(pairs_of(symbols), key=lambda p: self.rank.get(p, len(self.rank)))
                if best not in self.rank:
                    break
                symbols = merged(symbols, best)
            self.cache[text] = [self.vocab[s] for s in symbols]
        return self.cache[text]

    def encode(self, text):
        return [self.bos] + [t for word in SPLIT.findall(text) for t in self.word(word)]


def write(path, vocab, merges):
    added = [{'id': i, 'content': t, 'single_word': False, 'lstrip': False, 'rstrip': False,
              'normalized': False, 'special': True} for i, t in enumerate(SPECIAL)]
    byte_level = {'type': 'ByteLevel', 'add_prefix_space': False, 'trim_offsets': True,
                  'use_regex': True}
    piece = lambda kind, name, i: {kind: {'id': name, 'type_id': i}}
    start = [piece('SpecialToken', '<s>', 0), piece('Sequence', 'A', 0)]
    second = [piece('SpecialToken', '<s>', 1), piece('Sequence', 'B', 1)]
    whole = {
        'version': '1.0', 'truncation': None, 'padding': None, 'added_tokens': added,
        'normalizer': None, 'pre_tokenizer': byte_level,
        'post_processor': {'type': 'TemplateProcessing', 'single': start, 'pair': start + second,
                           'special_tokens': {'<s>': {'id': '<s>', 'ids': [0],
                                                      'tokens': ['<s>']}}},
        'decoder': byte_level,
        'model': {'type': 'BPE', 'dropout': None, 'unk_token': None,
                  'continuing_subword_prefix': None, 'end_of_word_suffix': None,
                  'fuse_unk': False, 'byte_fallback': False, 'ignore_merges': False,
                  'vocab': {t: i for i, t in enumerate(vocab)},
                  'merges': [' '.join(m) for m in merges]}}
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(whole, f, ensure_ascii=False)


def main():
    corpus, size, out = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with open(corpus, encoding='utf-8') as f:
        text = f.read().replace('\t', ' ')
    write(out, *train(text, size))


if __name__ == '__main__':
    main()
