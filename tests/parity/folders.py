"""The tokenizers that are compared: name -> folder, made under build/ where shared lacks a file."""
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
MADE = os.path.join(ROOT, "build/parity/tokenizers")
# family of tests/fixtures/tokenizer_json.py, source under shared/data/tokenizers
WRITTEN = {
    "gpt2": ("gpt2", "gpt2"),
    "llama2": ("spm", "llama2/tokenizer.model"),
    "llama3": ("llama3", "llama3"),
    "mistral_v1": ("spm", "mistral/tokenizer.model.v1"),
    "qwen2": ("qwen2", "qwen2_qwen25_qwen3"),
}
AS_PUBLISHED = ["gpt_neox_pythia", "mistral", "polyglot_ko"]


def folders(shared):
    source = os.path.join(shared, "data/tokenizers")
    result = {name: os.path.join(source, name) for name in AS_PUBLISHED}
    for name, (family, path) in WRITTEN.items():
        result[name] = os.path.join(MADE, name)
        subprocess.run([sys.executable, os.path.join(ROOT, "tests/fixtures/tokenizer_json.py"),
                        family, os.path.join(source, path), result[name]], check=True)
    return dict(sorted(result.items()))


def reference(name, folder):
    """The Hugging Face fast tokenizer of the folder."""
    from transformers import AutoTokenizer, PreTrainedTokenizerFast
    if name == "mistral":  # its configuration asks for a SentencePiece file that is not there
        return PreTrainedTokenizerFast(tokenizer_file=os.path.join(folder, "tokenizer.json"),
                                       bos_token="<s>", eos_token="</s>", unk_token="<unk>")
    return AutoTokenizer.from_pretrained(folder)
