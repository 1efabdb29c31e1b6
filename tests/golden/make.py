#!/usr/bin/env python3
"""Writes golden.json: what transformers says of tiny random models.  Needs PyPI; the test does not.

    make.py [--venv DIR] [--demo DIR] [--spread]
        the venv (default: build/golden-venv) is made where it does not exist; --demo: a folder of
        model folders to add; --spread: writes nothing, prints how far transformers' own ways of
        attention are from each other in bf16

Weights come from the generator of tests/fixtures/random_model.py, so that tests/random_model.h makes
the same bytes in C; a checksum of them is in golden.json.  Log-probs are log_softmax in fp32 of the
logits as the model leaves them, for one request at a time, without padding.
"""
import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
PINNED = ["torch==2.8.0", "transformers==4.57.6", "numpy==2.2.6", "safetensors==0.8.0"]

BASE = dict(vocab_size=512, hidden_size=64, intermediate_size=176, num_hidden_layers=2,
            num_attention_heads=4, num_key_value_heads=2, hidden_act="silu",
            max_position_embeddings=512, rms_norm_eps=1e-5, rope_theta=10000.0,
            tie_word_embeddings=False, torch_dtype="float32")
LLAMA = dict(architectures=["LlamaForCausalLM"], model_type="llama")
MISTRAL = dict(architectures=["MistralForCausalLM"], model_type="mistral")
QWEN2 = dict(architectures=["Qwen2ForCausalLM"], model_type="qwen2", use_sliding_window=False)
LLAMA3 = dict(rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)

CASES = {
    "llama": {**BASE, **LLAMA},
    "llama one key-value head, tied": {**BASE, **LLAMA, "num_key_value_heads": 1,
                                       "tie_word_embeddings": True},
    "llama head_dim apart from hidden": {**BASE, **LLAMA, "hidden_size": 56, "head_dim": 32,
                                         "num_attention_heads": 3, "num_key_value_heads": 3},
    "llama biases everywhere": {**BASE, **LLAMA, "attention_bias": True, "mlp_bias": True},
    "llama rope llama3": {**BASE, **LLAMA, "rope_theta": 500000.0, "rope_scaling": LLAMA3,
                          "head_dim": 64},
    "llama rope linear": {**BASE, **LLAMA, "rope_scaling": dict(type="linear", factor=4.0)},
    "mistral window 5": {**BASE, **MISTRAL, "sliding_window": 5},
    "mistral without a window": {**BASE, **MISTRAL, "sliding_window": None},
    "qwen2": {**BASE, **QWEN2, "sliding_window": 7},
    "qwen2 window in the second layer, tied": {
        **BASE, **QWEN2, "use_sliding_window": True, "sliding_window": 9, "max_window_layers": 1,
        "tie_word_embeddings": True},
    "qwen2 layer_types": {
        **BASE, **QWEN2, "use_sliding_window": True, "sliding_window": 6,
        "layer_types": ["sliding_attention", "full_attention"]},
}
# "paged" is our attention in torch: it differs from sdpa by the maximum that P is rounded against.
RUNS = {"fp32": ("float32", "sdpa"), "bf16": ("bfloat16", "sdpa"), "f16": ("float16", "sdpa"),
        "bf16 paged": ("bfloat16", "paged")}
PAGE = 64


def generator():
    path = os.path.join(ROOT, "tests", "fixtures", "random_model.py")
    spec = importlib.util.spec_from_file_location("random_model", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tensors(c):
    """random_model's list, with the biases that it does not know."""
    h, inter = c["hidden_size"], c["intermediate_size"]
    d = c.get("head_dim", h // c["num_attention_heads"])
    q, kv = c["num_attention_heads"] * d, c["num_key_value_heads"] * d
    qkv_bias = c["model_type"] == "qwen2" or c.get("attention_bias")

    def linear(name, out, inp, bias):
        yield (name + ".weight", [out, inp], 0.0, math.sqrt(3.0 / inp))
        if bias:
            yield (name + ".bias", [out], 0.0, 0.5)

    yield ("model.embed_tokens.weight", [c["vocab_size"], h], 0.0, math.sqrt(3.0 / h))
    for i in range(c["num_hidden_layers"]):
        p = "model.layers.%d." % i
        yield (p + "input_layernorm.weight", [h], 1.0, 0.25)
        for name, out in (("q", q), ("k", kv), ("v", kv)):
            yield from linear(p + "self_attn.%s_proj" % name, out, h, qkv_bias)
        yield from linear(p + "self_attn.o_proj", h, q, c.get("attention_bias"))
        yield (p + "post_attention_layernorm.weight", [h], 1.0, 0.25)
        for name in ("gate", "up"):
            yield from linear(p + "mlp.%s_proj" % name, inter, h, c.get("mlp_bias"))
        yield from linear(p + "mlp.down_proj", h, inter, c.get("mlp_bias"))
    yield ("model.norm.weight", [h], 1.0, 0.25)
    if not c["tie_word_embeddings"]:
        yield ("lm_head.weight", [c["vocab_size"], h], 0.0, math.sqrt(3.0 / h))


def fnv(path):
    """FNV-1a, 64 bits, of the data behind a safetensors header."""
    with open(path, "rb") as f:
        data = f.read()
    hash = 0xCBF29CE484222325
    for byte in data[8 + int.from_bytes(data[:8], "little"):]:
        hash = (hash ^ byte) * 0x100000001B3 & (1 << 64) - 1
    return "%016x" % hash


def requests(rng, vocab):
    """Requests that share prefixes, as the choices of an item do, up to 150 tokens."""
    header = [int(x) for x in rng.integers(0, vocab, 80)]
    made = []
    for keep, grow, choices, length in ((80, 30, 2, 4), (80, 66, 1, 3), (63, 0, 2, 2), (1, 0, 1, 1)):
        context = header[:keep] + [int(x) for x in rng.integers(0, vocab, grow)]
        for _ in range(choices):
            made.append((context, [int(x) for x in rng.integers(0, vocab, length)]))
    return [{"ctx": len(c), "tokens": c + t} for c, t in made]


def log_probs(model, request):
    import torch
    ids = torch.tensor([request["tokens"]])
    with torch.no_grad():
        logits = model(ids[:, :-1]).logits[0, request["ctx"] - 1:].float()
    asked = ids[0, request["ctx"]:, None]
    return [float("%.9g" % x) for x in torch.log_softmax(logits, -1).gather(1, asked)[:, 0]]


def paged(page):
    """Attention that takes keys `page` at a time: P = e^(score - maximum so far), rounded to T."""
    import torch

    def attend(module, query, key, value, _mask, scaling=None, sliding_window=None, **_):
        n, d = query.shape[-2:]
        key, value = (x.repeat_interleave(query.shape[1] // key.shape[1], 1).float()
                      for x in (key, value))
        at = torch.arange(n)
        seen = at[None, :] <= at[:, None]
        if sliding_window:
            seen &= at[None, :] > at[:, None] - sliding_window
        score = (query.float() @ key.transpose(2, 3)) * (scaling or d ** -0.5)
        score = score.masked_fill(~seen, -math.inf)
        top = torch.full_like(score[..., :1], -math.inf)
        total, out = torch.zeros_like(top), torch.zeros_like(query, dtype=torch.float32)
        for first in range(0, n, page):
            part = score[..., first:first + page]
            old, top = top, torch.maximum(top, part.amax(-1, keepdim=True))
            base = top.masked_fill(top == -math.inf, 0)
            keep, p = torch.exp(old - base), torch.exp(part - base)
            total = total * keep + p.sum(-1, keepdim=True)
            out = out * keep + p.to(query.dtype).float() @ value[:, :, first:first + page]
        return (out / total).to(query.dtype).transpose(1, 2).contiguous(), None
    return attend


def attention_prepare():
    from transformers.integrations import sdpa_attention
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    # On a CPU, grouped heads without a mask would take torch's unfused attention, which rounds the
    # scores; the fused one, which a GPU takes too, does not.
    sdpa_attention.use_gqa_in_sdpa = lambda *_: False
    ALL_ATTENTION_FUNCTIONS.register("paged", paged(PAGE))
    ALL_ATTENTION_FUNCTIONS.register("whole rows", paged(1 << 30))


def log_probs_all(folder, asked, dtype, attention, backend=None):
    import torch
    from contextlib import nullcontext
    from transformers import AutoModelForCausalLM
    attention_prepare()
    model = AutoModelForCausalLM.from_pretrained(
        folder, torch_dtype=getattr(torch, dtype), attn_implementation=attention).eval()
    with torch.nn.attention.sdpa_kernel(backend) if backend else nullcontext():
        return [log_probs(model, r) for r in asked]


def runs_add(out, folder):
    """The folder's checksum and its log-probs in every dtype."""
    out["fnv"] = fnv(os.path.join(folder, "model.safetensors"))
    for run, (dtype, attention) in RUNS.items():
        out[run] = log_probs_all(folder, out["requests"], dtype, attention)
    return out


def distance(name, asked, one, other):
    """The greatest and the mean difference, of paths of one page and of longer ones."""
    text = []
    for longer in (False, True):
        d = [abs(x - y) for r, a, b in zip(asked, one, other) for x, y in zip(a, b)
             if (len(r["tokens"]) - 1 > PAGE) == longer]
        text.append("%.4f %.5f" % (max(d), sum(d) / len(d)))
    print("    sdpa and %-12s up to a page %s, past it %s" % (name, *text))


def spread_print(out, folder):
    import torch
    asked, dtype = out["requests"], "bfloat16"
    math_only = torch.nn.attention.SDPBackend.MATH
    print(out["name"])
    for name, attention, backend in (("whole rows", "whole rows", None), ("pages of 64", "paged", None),
                                     ("eager", "eager", None), ("sdpa unfused", "sdpa", math_only)):
        distance(name, asked, log_probs_all(folder, asked, dtype, "sdpa"),
                 log_probs_all(folder, asked, dtype, attention, backend))
    return out


def case_make(random_model, name, config, seed, then):
    import numpy
    out = {"name": name, "seed": seed, "config": config,
           "requests": requests(numpy.random.default_rng(seed), config["vocab_size"])}
    random_model.tensors = lambda c, bias: tensors(c)
    with tempfile.TemporaryDirectory() as folder:
        with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as f:
            json.dump(config, f)
        random_model.write_weights(os.path.join(folder, "model.safetensors"), config, "f32", seed,
                                   None)
        return then(out, folder)


def demo_make(folder, then):
    """A real model that is found by its name where the test runs."""
    import numpy
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as f:
        vocab = json.load(f)["vocab_size"]
    return then({"name": os.path.basename(folder), "folder": True,
                 "requests": requests(numpy.random.default_rng(7), vocab)}, folder)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--venv", default=os.path.join(ROOT, "build", "golden-venv"))
    p.add_argument("--demo")
    p.add_argument("--spread", action="store_true")
    p.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    a = p.parse_args()
    python = os.path.join(a.venv, "bin", "python")
    if not a.inside:
        if not os.path.exists(python):
            subprocess.check_call([sys.executable, "-m", "venv", a.venv])
            subprocess.check_call([python, "-m", "pip", "install", "-q", *PINNED])
        return subprocess.call([python, os.path.abspath(__file__), "--inside", *sys.argv[1:]])
    random_model, then = generator(), spread_print if a.spread else runs_add
    cases = [case_make(random_model, name, CASES[name], seed + 1, then)
             for seed, name in enumerate(CASES)]
    for name in sorted(os.listdir(a.demo)) if a.demo else []:
        cases.append(demo_make(os.path.join(a.demo, name), then))
    if a.spread:
        return 0
    with open(os.path.join(HERE, "golden.json"), "w", encoding="utf-8") as f:
        f.write('{"made_with": %s,\n"cases": [\n' % json.dumps(PINNED))
        f.write(",\n".join(json.dumps(c, separators=(",", ":")) for c in cases) + "\n]}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
