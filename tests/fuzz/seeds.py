#!/usr/bin/env python3
"""seeds.py DIR: what each fuzzer starts from, as DIR/<fuzzer>/<number>; equal bytes every time.

Everything is made here, so that a seed can be read, and knows nothing of the C code."""
import json
import pathlib
import struct
import sys

folder = pathlib.Path(sys.argv[1])


def write(fuzzer, seeds):
    (folder / fuzzer).mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds):
        (folder / fuzzer / f"{number:03}").write_bytes(seed)


def text(value):
    return value if isinstance(value, bytes) else (value if isinstance(value, str) else json.dumps(value)).encode()


# ---- weights: a kind, a length of data, a header; or a whole file

def tensor(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


HEADERS = [
    (b"\x0c", {"__metadata__": {"format": "pt"}, "a": tensor("F32", [2], 0, 8), "b": tensor("BF16", [1, 2], 8, 12)}),
    (b"\x08", {"model.embed_tokens.weight": tensor("F16", [2, 2], 0, 8), "e": tensor("F16", [0, 3], 8, 8)}),
    (b"\x01", {"s": tensor("U8", [], 0, 1)}), (b"\x00", {}),
    (b"\x10", {"x": tensor("I64", [1, 1, 1, 1, 1, 1, 1, 2], 0, 16)}),
]
write("fuzz_safetensors", [b"\x00" + size + text(header) + b"   " for size, header in HEADERS] + [
    b"\x01" + struct.pack("<Q", len(text(header))) + text(header) + bytes(size[0]) for size, header in HEADERS])

write("fuzz_checkpoint", [text(index) for index in (
    {"metadata": {"total_size": 8}, "weight_map": {"a": "a.safetensors"}},
    {"weight_map": {"a": "a.safetensors", "b": "b.safetensors"}},
    {"weight_map": {"a": "../a.safetensors"}}, {"weight_map": {}}, {"weight_map": {"a": "c.safetensors"}})])

CONFIGS = [
    {"architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "intermediate_size": 128,
     "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 256,
     "max_position_embeddings": 128, "rms_norm_eps": 1e-5, "hidden_act": "silu", "tie_word_embeddings": True,
     "attention_bias": False, "mlp_bias": False, "torch_dtype": "bfloat16", "rope_theta": 500000.0,
     "rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
                      "original_max_position_embeddings": 64}},
    {"architectures": ["MistralForCausalLM"], "sliding_window": 16, "head_dim": None, "dtype": "float32",
     "rope_parameters": {"rope_type": "linear", "factor": 2.0, "rope_theta": 10000.0}},
    {"model_type": "qwen2", "use_sliding_window": True, "sliding_window": 32, "max_window_layers": 1,
     "num_hidden_layers": 3, "layer_types": ["full_attention", "sliding_attention", "sliding_attention"]},
    {"architectures": ["Qwen3ForCausalLM"], "quantization_config": {"bits": 4}},
    {"model_type": "llama", "eos_token_id": [1, 2], "rope_scaling": {"type": "yarn", "factor": 2}},
]
write("fuzz_config", [text(config) for config in CONFIGS])

# ---- tokenizer.json, tokenizer_config.json, special_tokens_map.json, config.json and a text, NUL between

BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
VOCAB = {"a": 0, "b": 1, "Ġ": 2, "ab": 3, "Ġab": 4, "<s>": 5, "</s>": 6, "ê": 7, "°": 8, "Ģ": 9}
SPACE = "\u2581"
METASPACE = {"type": "Metaspace", "replacement": SPACE, "prepend_scheme": "first", "split": False}
TEMPLATE = {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [], "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}}
ADDED = [{"id": 5, "content": "<s>", "single_word": False, "lstrip": False, "rstrip": True, "normalized": False,
          "special": True}, {"id": 10, "content": "<|im|>", "normalized": True, "single_word": True, "lstrip": True}]


def tokenizer(model, **more):
    base = {"version": "1.0", "truncation": None, "padding": None, "added_tokens": ADDED, "normalizer": None,
            "pre_tokenizer": BYTE_LEVEL, "post_processor": None, "decoder": {"type": "ByteLevel"}}
    return dict(base, model=dict({"type": "BPE", "dropout": None, "unk_token": None, "byte_fallback": False,
                                  "ignore_merges": False, "fuse_unk": False}, **model), **more)


BYTES = {"vocab": VOCAB, "merges": ["a b", "Ġ ab"]}
PIECES = {"vocab": {"a": 0, SPACE: 1, SPACE + "a": 2, "<0xEA>": 3, "<unk>": 4}, "merges": [[SPACE, "a"]],
          "byte_fallback": True, "unk_token": "<unk>", "fuse_unk": True}
FILES = [
    (tokenizer(BYTES, post_processor=TEMPLATE), {"bos_token": "<s>", "eos_token": {"content": "</s>"},
                                                 "model_max_length": 1000000000000000019884624838656}),
    (tokenizer(PIECES, pre_tokenizer=None, normalizer={"type": "Sequence", "normalizers": [
        {"type": "Prepend", "prepend": SPACE},
        {"type": "Replace", "pattern": {"String": " "}, "content": SPACE}, {"type": "NFC"}]}),
     {"tokenizer_class": "LlamaTokenizer", "add_bos_token": False, "add_eos_token": True}),
    (tokenizer(PIECES, pre_tokenizer=METASPACE), {}),
    (tokenizer(BYTES, pre_tokenizer={"type": "Sequence", "pretokenizers": [
        {"type": "Digits", "individual_digits": True}, {"type": "Split", "pattern": {"String": " "},
                                                        "behavior": "MergedWithNext", "invert": False}, BYTE_LEVEL]},
               post_processor={"type": "Sequence", "processors": [BYTE_LEVEL, TEMPLATE]}), {"bos_token": None}),
]
TEXT = "ab 가ab<s> 12 <|im|>\u3000b"
write("fuzz_tokenizer", [b"\0".join([text(files), text(config), b'{"unk_token":"a"}', b'{"vocab_size":12}', TEXT.encode()])
                         for files, config in FILES])

# ---- tasks and data: a kind, then what it is

SHOT = {
    "doc_to_text": {"native": "kobest.wic_doc_to_text"}, "doc_to_target": {"int": 1}, "doc_to_choice": {"list": ["A", "B"]},
    "gen_prefix": None, "target_delimiter": " ", "fewshot_delimiter": "\n\n",
}
DEFINITION = {
    "task": "t", "output_type": "multiple_choice", "doc_to_text": {"template": "{{q.strip()}}"},
    "doc_to_target": {"template": "{{a}}"}, "doc_to_choice": {"column": "c"}, "gen_prefix": None,
    "description": {"template": "About {{a}}."}, "target_delimiter": " ", "fewshot_delimiter": "\n\n", "shot": SHOT,
    "fewshot": {"sampler": "default", "exclude_self": False, "num_fewshot": None},
    "metric_list": [{"metric": "acc_mutual_info", "aggregation": "mean", "higher_is_better": True}],
    "multiple_input": False, "multiple_target": False,
}
CONTEXTS = dict(DEFINITION, multiple_input=True, doc_to_text={"template": "{{a}}"}, shot=dict(SHOT, doc_to_text={"column": "q"}))
YAML = """task: t
output_type: multiple_choice
test_split: test
doc_to_text: q
doc_to_target: '{{a}}'
doc_to_choice: [x, 'y']
fewshot_config: {sampler: first_n, samples: [{q: 1}]}
metric_list:
  - {metric: f1, aggregation: !function utils.macro_f1_score}
metadata: {version: 1.0}
tag: [a, b]
"""
COLUMNS = """format: tsv
columns:
  x: {from: q, map: {"가 나": 1}, type: int, shift: -1}
  y: a
  z: {from: c, type: json}
"""
GROUP = """group: g
task: [t, {task: u, num_fewshot: 2}]
aggregate_metric_list: [{metric: acc, weight_by_size: true}]
anchor: &a {x: 1}
use: *a
block: |
  one
  two
"""
write("fuzz_task", [
    b"\0" + text(YAML), b"\0" + text(GROUP), b"\1" + text(COLUMNS), b"\2" + text(DEFINITION),
    b"\2" + text(CONTEXTS) + b'\0{"q":"x","a":1,"c":["u","v"]}',
    b"\2" + text(dict(DEFINITION, output_type="loglikelihood"))])
write("fuzz_data", [
    b"\0" + text('q,a\n"x, ""y""\r\nz",1\r\n\r\n가,2\n'), b"\1" + text("\ufeffq\ta\r\nx\ty\n"),
    b"\2" + text('{"a":1}\n\n{"b":[1.5,"\\u0000",{"c":null}]}\n'), b"\0" + text("a\n1\n")])
TEMPLATES = [
    "{{a-1}}|{{q.strip()}}|{{c}}|{{d.k}} {{d['k'][0]}}", "{{['A','B'][a-1] if a is defined else z}}",
    "{{ zzz is defined }} {{ zzz|default('q') }} {{ e|d('x', true) }}",
    "{% if a == 1 %}one{% elif a == 4 %}four{% else %}other{% endif %}",
    "{% for x in c %}{{loop.index}}/{{loop.length}} {{x}}{% if not loop.last %}, {% endif %}{% endfor %}",
    "{% for x in [3,1] if x > 1 %}{{x}}{% else %}none{% endfor %}", "a {%- set x = a * 2 -%}  {{ x }} {# c #} z",
    "{{ q.split(' ')[:-1]|join(' ')|upper }} {{ c|length }} {{ q.replace('가','나')|trim }} {{ 7 // 2 ** 2 % 3 ~ 'x' }}",
    "{% raw %}{{ a }}{% endraw %} {{ c[::-1] }} {{ 'a' in c and not a }} {{ d.items()|list }} {{ c|tojson }}",
]
write("fuzz_template", [b"\0" + text(template) for template in TEMPLATES] + [
    b"\1" + text("['a', \"b\\n\\x41\\u00e9\", 1, -2.5, None, True, (1,), {'k': [1]}]")])


# ---- frames: the side they come from (0 an agent), then an Envelope; koeval.proto has the numbers

def varint(n):
    out = b""
    while n > 127:
        out, n = out + bytes([n & 127 | 128]), n >> 7
    return out + bytes([n])


def message(*fields):
    """Of (number, value): an int is a varint, bytes stand by their length, a float is a fixed64."""
    out = b""
    for number, value in fields:
        if isinstance(value, bytes):
            out += varint(number << 3 | 2) + varint(len(value)) + value
        elif isinstance(value, float):
            out += varint(number << 3 | 1) + struct.pack("<Q", int(value))
        else:
            out += varint(number << 3) + varint(value)
    return out


def packed(*numbers):
    return b"".join(map(varint, numbers))


def frame(side, number, body, session=257.0):
    return bytes([side]) + message((1, 1), (2, session), (3, 1), (number, body))


LEASE, DIGEST, ID = message((1, 9), (2, 1)), bytes(range(32)), bytes(range(16))
GPU = message((1, ID), (2, b"H100"), (3, 81920), (4, 90), (5, 132), (6, 5706502))
LOAD = message((1, 90), (2, 1000), (3, 120), (4, 300))
NODE = message((1, 500), (2, 1 << 30), (3, 1 << 31), (4, 7), (5, 8), (7, 100))
PARAMS = message((1, 1), (2, 1), (3, 1), (7, 2048), (8, 1), (9, 1))
PROMPT = message((1, "물음: 가?".encode()))
TURNS = message((2, message((1, 2), (2, b"hi"))), (3, b"A"), (4, 1))
ITEM = message((1, 5), (2, 3), (3, PROMPT), (3, TURNS), (4, message((2, b" yes"))), (4, message((1, 1), (2, b" no"))))
RESULTS = message(
    (1, 1), (2, LEASE), (3, packed(5, 6)), (4, struct.pack("<QQ", 1, 2)), (5, packed(2, 2)),
    (8, struct.pack("<dddd", -1, -2, -3, -0.0)), (9, packed(1, 0, 0, 1)), (10, packed(1, 1, 2, 1)), (14, 80), (15, 60), (16, 5))
FAILED = message((1, 2), (2, LEASE), (3, packed(7)), (4, struct.pack("<Q", 3)), (5, packed(0)), (6, packed(7)), (7, packed(18)))
GENERATED = message((1, 3), (2, LEASE), (3, packed(8)), (4, struct.pack("<Q", 4)), (5, packed(1)), (10, packed(3)),
                    (12, packed(1)), (13, "답".encode()))
HELLO = message((1, 1), (2, 1), (3, b"koeval-1.0"), (4, 3), (5, ID), (6, b"node-1"), (7, DIGEST), (8, b'{"backend":"cpu"}'),
                (9, GPU), (10, 2), (11, DIGEST), (12, DIGEST), (13, LEASE), (14, 1), (15, 77))
AGENT = [
    (10, HELLO), (11, message((1, 1), (2, LEASE), (3, packed(4)), (4, 100), (5, DIGEST), (6, LOAD), (7, NODE))),
    (12, message((1, 2), (2, DIGEST), (3, DIGEST))), (13, message((1, LEASE), (2, 3), (3, 65536))),
    (14, RESULTS), (14, FAILED), (14, GENERATED), (15, message((1, LEASE), (2, 11), (3, 4))), (16, message((1, 9))),
]
COORDINATOR = [
    (30, message((1, 257.0), (2, 1), (3, 1), (4, 5000), (5, 60000), (6, 1 << 20), (7, 200), (8, LEASE), (9, 1))),
    (31, message((1, 1), (2, 50), (3, LEASE), (4, 1))),
    (32, message((1, LEASE), (2, 60000), (3, 1), (4, 7), (6, 3), (7, 9), (8, 6), (9, DIGEST), (10, PARAMS))),
    (33, message((1, LEASE), (2, 3), (3, ITEM), (4, 1))), (34, message((1, 1), (2, 1), (4, 65536), (5, 1))),
    (35, message((1, LEASE), (2, 4))), (36, message((1, LEASE), (2, 12))), (37, message((1, 1000))), (38, b""),
    (39, message((1, 1), (2, 3), (3, 500))),
]
write("fuzz_wire", [frame(0, number, body, 0.0 if number == 10 else 257.0) for number, body in AGENT] +
      [frame(1, number, body) for number, body in COORDINATOR])
