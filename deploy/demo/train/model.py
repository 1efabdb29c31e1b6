"""Llama, Mistral and Qwen2 in a page of torch, with the published names and layouts of their
weights; a safetensors writer and reader (bf16)."""
import json
import math
import os
import struct

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

CLASSES = {'llama': 'LlamaForCausalLM', 'mistral': 'MistralForCausalLM',
           'qwen2': 'Qwen2ForCausalLM'}


def config(kind, vocab, hidden, layers, heads, kv_heads, inner, window=None):
    c = {'architectures': [CLASSES[kind]], 'model_type': kind, 'vocab_size': vocab,
         'hidden_size': hidden, 'intermediate_size': inner, 'num_hidden_layers': layers,
         'num_attention_heads': heads, 'num_key_value_heads': kv_heads, 'hidden_act': 'silu',
         'max_position_embeddings': 512, 'initializer_range': 0.02, 'rms_norm_eps': 1e-05,
         'rope_theta': 10000.0, 'attention_dropout': 0.0, 'tie_word_embeddings': True,
         'use_cache': True, 'bos_token_id': 0, 'eos_token_id': 1, 'torch_dtype': 'bfloat16'}
    if kind == 'llama':
        c.update(attention_bias=False, mlp_bias=False, rope_scaling=None, pretraining_tp=1,
                 pad_token_id=2, head_dim=hidden // heads)
    if kind == 'mistral':
        c.update(sliding_window=window, head_dim=hidden // heads)
    if kind == 'qwen2':
        c.update(use_sliding_window=False, sliding_window=None, max_window_layers=layers)
    return c


class Norm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight, self.eps = nn.Parameter(torch.ones(size)), eps

    def forward(self, x):
        return self.weight * (x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps))


def rotate(x, cos, sin):
    half = x.shape[-1] // 2
    return x * cos + torch.cat((-x[..., half:], x[..., :half]), -1) * sin


class Attention(nn.Module):
    def __init__(self, c):
        super().__init__()
        hidden, bias = c['hidden_size'], c['model_type'] == 'qwen2'
        self.heads, self.kv_heads = c['num_attention_heads'], c['num_key_value_heads']
        self.dim = hidden // self.heads
        self.q_proj = nn.Linear(hidden, self.heads * self.dim, bias)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.dim, bias)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.dim, bias)
        self.o_proj = nn.Linear(self.heads * self.dim, hidden, False)

    def forward(self, x, cos, sin, mask):
        rows, length, _ = x.shape
        split = lambda y, heads: y.view(rows, length, heads, self.dim).transpose(1, 2)
        q = rotate(split(self.q_proj(x), self.heads), cos, sin)
        k = rotate(split(self.k_proj(x), self.kv_heads), cos, sin)
        v = split(self.v_proj(x), self.kv_heads)
        k, v = (y.repeat_interleave(self.heads // self.kv_heads, 1) for y in (k, v))
        weights = F.softmax(q @ k.transpose(-1, -2) / math.sqrt(self.dim) + mask, -1)
        return self.o_proj((weights @ v).transpose(1, 2).reshape(rows, length, -1))


class Mlp(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, False)
        self.up_proj = nn.Linear(hidden, inner, False)
        self.down_proj = nn.Linear(inner, hidden, False)

    def forward(self, x):
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, c):
        super().__init__()
        hidden, eps = c['hidden_size'], c['rms_norm_eps']
        self.self_attn, self.mlp = Attention(c), Mlp(hidden, c['intermediate_size'])
        self.input_layernorm = Norm(hidden, eps)
        self.post_attention_layernorm = Norm(hidden, eps)

    def forward(self, x, *rope_and_mask):
        x = x + self.self_attn(self.input_layernorm(x), *rope_and_mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class LM(nn.Module):
    """forward gives the last hidden states; logits are their product with the tied embedding."""

    def __init__(self, c, seed=0):
        super().__init__()
        torch.manual_seed(seed)
        self.c = c
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(c['vocab_size'], c['hidden_size'])
        self.model.layers = nn.ModuleList(Block(c) for _ in range(c['num_hidden_layers']))
        self.model.norm = Norm(c['hidden_size'], c['rms_norm_eps'])
        for name, p in self.named_parameters():
            if 'embed' in name:
                nn.init.normal_(p, 0, 0.02)
            elif p.dim() == 2:
                residual = 'o_proj' in name or 'down' in name
                nn.init.normal_(p, 0, (0.5 if residual else 1) / math.sqrt(p.shape[1]))
            elif 'bias' in name:
                nn.init.zeros_(p)

    def head(self):
        return self.model.embed_tokens.weight.t()

    def forward(self, ids):
        length, c = ids.shape[1], self.c
        dim = c['hidden_size'] // c['num_attention_heads']
        inverse = c['rope_theta'] ** (-torch.arange(0, dim, 2).float() / dim)
        angle = torch.arange(length)[:, None] * inverse[None]
        angle = torch.cat((angle, angle), -1)
        at = torch.arange(length)
        hidden = at[None] > at[:, None]
        if c.get('sliding_window'):
            hidden = hidden | (at[:, None] - at[None] >= c['sliding_window'])
        mask = torch.zeros(length, length).masked_fill(hidden, -1e30)
        x = self.model.embed_tokens(ids)
        for block in self.model.layers:
            x = block(x, angle.cos(), angle.sin(), mask)
        return self.model.norm(x)


def bf16(values):
    """float32 -> bits of bfloat16, to nearest even."""
    bits = np.ascontiguousarray(values, dtype=np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype('<u2')


def write_json(path, value):
    with open(path, 'w', encoding='utf-8') as f:
        json.dump(value, f, indent=2)
        f.write('\n')


def save(model, folder):
    os.makedirs(folder, exist_ok=True)
    head, raw, at = {'__metadata__': {'format': 'pt'}}, [], 0
    for name, p in sorted(model.state_dict().items()):
        data = bf16(p.detach().numpy()).tobytes()
        head[name] = {'dtype': 'BF16', 'shape': list(p.shape), 'data_offsets': [at, at + len(data)]}
        raw.append(data)
        at += len(data)
    text = json.dumps(head, separators=(',', ':')).encode()
    text += b' ' * (-len(text) % 8)
    with open(f'{folder}/model.safetensors', 'wb') as f:
        f.write(struct.pack('<Q', len(text)) + text + b''.join(raw))
    write_json(f'{folder}/config.json', model.c)
    write_json(f'{folder}/generation_config.json',
               {'bos_token_id': 0, 'eos_token_id': 1, 'pad_token_id': 2})
    write_json(f'{folder}/tokenizer_config.json',
               {'tokenizer_class': 'PreTrainedTokenizerFast', 'bos_token': '<s>',
                'eos_token': '</s>', 'pad_token': '<pad>', 'unk_token': None,
                'clean_up_tokenization_spaces': False, 'model_max_length': 512})


def load(folder):
    with open(f'{folder}/config.json', encoding='utf-8') as f:
        model = LM(json.load(f))
    with open(f'{folder}/model.safetensors', 'rb') as f:
        data = f.read()
    size = struct.unpack('<Q', data[:8])[0]
    state = {}
    for name, t in json.loads(data[8:8 + size]).items():
        if name == '__metadata__':
            continue
        begin, end = (8 + size + x for x in t['data_offsets'])
        bits = np.frombuffer(data[begin:end], '<u2').astype(np.uint32) << 16
        state[name] = torch.from_numpy(bits.view(np.float32).reshape(t['shape']).copy())
    model.load_state_dict(state)
    return model.eval()
