"""What users give that cannot be used, for the command line: models, corpora and options, and the words that say so."""

import os
import struct
from collections.abc import Callable
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BertConfig, BertLMHeadModel, T5Config, T5ForConditionalGeneration

from tests.tiny import byte_bpe


def _folder_without_weights(folder: Path, model: str) -> str:
    for file in Path(model).iterdir():
        if file.suffix != ".safetensors":
            (folder / file.name).write_bytes(file.read_bytes())
    return str(folder)


def _nan_model(folder: Path, model: str) -> str:
    _folder_without_weights(folder, model)
    weights = load_file(Path(model) / "model.safetensors")
    weights["model.layers.0.self_attn.q_proj.weight"][:] = torch.nan
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    return str(folder)


def _damaged_model(folder: Path, model: str) -> str:
    _folder_without_weights(folder, model)
    whole = (Path(model) / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(struct.pack("<Q", 10**9) + whole[8:100])
    return str(folder)


def _bert(folder: Path, _model: str) -> str:
    config = BertConfig(
        vocab_size=512, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertLMHeadModel(config).save_pretrained(folder)
    byte_bpe().save_pretrained(folder)
    return str(folder)


def _t5(folder: Path, _model: str) -> str:
    config = T5Config(vocab_size=512, d_model=16, d_ff=16, num_layers=1, num_heads=2)
    T5ForConditionalGeneration(config).save_pretrained(folder)
    byte_bpe().save_pretrained(folder)
    return str(folder)


def _slow_tokenizer(folder: Path, model: str) -> str:
    AutoModelForCausalLM.from_pretrained(model).save_pretrained(folder)
    (folder / "tokenizer_config.json").write_text('{"tokenizer_class": "CanineTokenizer"}')
    return str(folder)


def _broken(name: str, content: bytes) -> Callable[[Path, str], str]:
    """The model with one of its files spoiled."""

    def make(folder: Path, model: str) -> str:
        for file in Path(model).iterdir():
            (folder / file.name).write_bytes(content if file.name == name else file.read_bytes())
        return str(folder)

    return make


_empty_weights = _broken("model.safetensors", b"")

MODELS = {
    "no weights": (_folder_without_weights, r"no weights"),
    "NaN weights": (_nan_model, r"not finite"),
    "damaged weights": (_damaged_model, r"weights cannot be loaded"),
    "encoder-only": (_bert, r"causal"),
    "encoder-decoder": (_t5, r"encoder-decoder"),
    "slow tokenizer": (_slow_tokenizer, r"tokenizer"),
    "no model": (lambda folder, _model: str(folder), r"no config\.json"),
    "weights of no bytes": (_empty_weights, r"weights cannot be loaded"),
    "config that is no JSON": (_broken("config.json", b"{"), r"config cannot be loaded"),
    "config of a list": (_broken("config.json", b"[]"), r"config cannot be loaded"),
    "config of no known kind": (_broken("config.json", b'{"model_type": "nothing"}'), r"config cannot be loaded"),
    "config of bytes": (_broken("config.json", b"\xff\xfe\x00"), r"config cannot be loaded"),
    "tokenizer that is no JSON": (_broken("tokenizer.json", b"{"), r"tokenizer cannot be loaded"),
    "tokenizer without a vocabulary": (
        _broken("tokenizer.json", b'{"version": "1.0", "added_tokens": [], "model": {"type": "BPE"}}'),
        r"tokenizer cannot be loaded",
    ),
    "tokenizer of an empty object": (_broken("tokenizer.json", b"{}"), r"tokenizer cannot be loaded"),
    "no folder": (lambda folder, _model: str(folder / "absent"), r"no such folder"),
}

CORPORA = {
    "absent": (None, r"no file or folder"),
    "empty": (b"", r"is empty"),
    "blank rows only": (b'{"text": ""}\n{"text": " "}\n', r"all 2 rows"),
    "binary": (b"\x7fELF\x00\x00\x01" * 50, r"binary|UTF-8"),
    "no such column": (b'{"txt": "a", "id": 1}\n', r"no column 'text'.*did you mean 'txt'"),
    "duplicate ids": (b'{"id": 1, "text": "a"}\n{"id": "1", "text": "b"}\n', r"there twice: .*:1 and .*:2"),
    "one array": (b'[{"text": "a"}]', r"one JSON array"),
    "numbers for texts": (b'{"text": 1}\n', r"not a string"),
    "nulls for texts": (b'{"text": null}\n', r"is null"),
    "no ids": (b'{"text": "a", "id": null}\n', r"id is missing"),
    "ids that are fractions": (b'{"text": "a", "id": 0.5}\n', r"neither a string nor an integer"),
    "a lone surrogate": (b'{"text": "\\ud800"}\n', r"lone surrogate"),
    "broken JSON": (b'{"text": "a"\n', r"broken JSON"),
    "words": (b"text\n", r"broken JSON"),
    "one key twice": (b'{"text": "a", "text": "b"}\n', r"there 2 times"),
    "brackets without end": (b"[" * 100_000, r"broken JSON"),
    "UTF-16": ('{"text": "a"}'.encode("utf-16"), r"UTF-16"),
    "UTF-16 without a mark": ('{"text": "a"}'.encode("utf-16-le"), r"UTF-16LE"),
    "Latin-1": ('{"text": "é"}'.encode("latin-1"), r"invalid UTF-8"),
    "gzip cut short": (b"\x1f\x8b\x08\x00\x00\x00", r"is the file complete"),
    "zstandard cut short": (b"\x28\xb5\x2f\xfd\x04", r"is the file complete"),
    "parquet cut short": (b"PAR1\x00", r"cannot be read as Parquet"),
    "arrow cut short": (b"ARROW1\x00\x00", r"cannot be read as Arrow"),
}

OPTIONS = {
    ("--alpha", "1.5"): r"alpha is 1\.5",
    ("--alpha", "-0.1"): r"alpha",
    ("--beta", "0"): r"beta",
    ("--copies", "0", "--no-originals"): r"--no-originals leaves nothing to write without copies",
    ("--limit", "0"): r"limit",
    ("--target-rate", "0.9"): r"0\.9 cannot be reached with alpha 0\.7; raise --alpha",
    ("--target-rate", "0.6999"): r"0\.6999 cannot be reached with alpha 0\.7: .*rank 0",
    ("--target-rate", "0.3", "--beta", "0.1"): r"--beta and --target-rate both set",
    ("--match-rate", "random"): r"--match-rate random cannot be met",
    ("--beta", "inf"): r"beta is",
    ("--set", "alpha=: ["): r"not YAML",
    ("--layers", "2-0"): r"runs backwards",
    ("--device", "cuda:99"): r"device 'cuda:99' cannot be used here",
    ("--device", "meta"): r"device 'meta' cannot be used here",
    ("--device-map", "cuda:99"): r"cannot be used here|accelerate",
    ("--window", "129"): r"window 129 is more than the context of .*128",
    ("--guide", "contrats"): r"guide is 'contrats'",
    ("--set", "alfa=1"): r"no option 'alfa'.*did you mean 'alpha'",
    ("--set", "alpha"): r"has no '='",
    ("--config", "absent.yaml"): r"no config file",
    ("--protect", "("): r"neither a regular expression",
    ("--layers", "9"): r"layers 0 to",
    ("--layers", "a"): r"0,4-7,-1",
    ("--heads", "4"): r"heads 0 to 3",
    ("--device-map", "auto", "--quantize", "nf4"): r"bitsandbytes",
    ("--dtype", "float8"): r"dtype is 'float8'",
    ("--alpha", "nan"): r"alpha is nan",
    ("--alpha", "inf"): r"alpha is inf",
    ("--beta", "-1"): r"beta is -1",
    ("--beta", "nan"): r"beta is nan",
    ("--beta", "1e400"): r"beta is inf",
    ("--copies", "-3"): r"copies is -3",
    ("--limit", "-1"): r"limit is -1",
    ("--target-rate", "0"): r"target_rate is 0",
    ("--target-rate", "1"): r"target_rate is 1",
    ("--target-rate", "nan"): r"target_rate is nan",
    ("--match-rate", "contrats"): r"match_rate is 'contrats'",
    ("--match-rate", "contrast", "--target-rate", ".3"): r"--match-rate and --target-rate both set",
    ("--rank", "relativ"): r"rank is 'relativ'",
    ("--contrast", "ratio"): r"contrast is 'ratio'",
    ("--drop-mode", "erase"): r"drop_mode is 'erase'",
    ("--unit", "char"): r"unit is 'char'",
    ("--seed", "-1"): r"seed is -1",
    ("--impl", "magic"): r"impl is 'magic'",
    ("--format", "xlsx"): r"format is 'xlsx'",
    ("--window", "2"): r"window is 2",
    ("--window", "0"): r"window is 0",
    ("--batch-tokens", "0"): r"batch_tokens is 0",
    ("--workers", "0"): r"workers is 0",
    ("--layers", ""): r"0,4-7,-1",
    ("--layers", "1-"): r"0,4-7,-1",
    ("--layers", "9" * 5000): r"layers is",
    ("--layers", "-3"): r"layers 0 to",
    ("--heads", "0,0,x"): r"0,4-7,-1",
    ("--heads", "-9"): r"heads 0 to 3",
    ("--device", "gpu"): r"device 'gpu' cannot be used here",
    ("--device", ""): r"device '' cannot be used here",
    ("--device-map", "nowhere"): r"'nowhere' cannot be used here|accelerate",
    ("--quantize", "int3"): r"quantize is 'int3'",
    ("--protect", "(?P<a>"): r"neither a regular expression",
    ("--protect", "*"): r"neither a regular expression",
    ("--protect", "a{99999999999}"): r"neither a regular expression",
    ("--protect", "(?<=a+)b"): r"neither a regular expression",
    ("--text-column", "txet"): r"no column 'txet'.*did you mean 'text'",
    ("--id-column", "idd"): r"no column 'idd'.*did you mean 'id'",
    ("--split", "test"): r"no split 'test'",
    ("--paragraphs",): r"paragraphs are for plain text",
    ("--set", ""): r"has no '='",
    ("--set", "=1"): r"no option ''",
    ("--set", "alpha=.nan"): r"alpha is nan",
    ("--set", "alpha=[1]"): r"alpha is \[1\]",
    ("--set", "alpha=2024-99-99"): r"not YAML",
    ("--set", "alpha=!!bool x"): r"not YAML",
    ("--set", "alpha=!!python/object:os.system x"): r"not YAML",
    ("--set", "alpha=" + "[" * 3000): r"not YAML",
    ("--set", "layers=[1,a]"): r"layers\.1 is 'a'",
    ("--set", "copies=null"): r"copies is None",
    ("--set", "nothing=1"): r"no option 'nothing'",
    ("--set", "protect=3"): r"protect(\.0)? is 3",
    ("--set", "originals=maybe"): r"originals is 'maybe'",
    ("--set", "self=1"): r"no option 'self'",
    ("--set", "a.b=1"): r"no option 'a\.b'",
    ("--set", 'mask_string="\\ud800"'): r"mask_string is",
    ("--mask-string", os.fsdecode(b"\xff")): r"mask_string is",
    ("--scores", "~nobody-of-that-name/x", "--alpha", "2"): r"alpha is 2",
    ("--scores", "/dev/null"): r"is a file",
    ("--config", "/dev/null"): r"expected a mapping",
    ("--config", "."): r"directory",
    ("--config", "a" * 5000): r"too long",
}

MISSPELT = [
    ("--alpha", "x"), ("--alpha", ""), ("--copies", "1.5"), ("--copies", "ten"), ("--seed", "1e3"), ("--limit", "all"),
    ("--no-such-option",), ("--alpha",), ("another-corpus",), ("--alhpa", "0.1"), ("--workers", "two"),
]  # fmt: skip
"""What is wrong with the command line itself: exit code 2, and its usage."""
