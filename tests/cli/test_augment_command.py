"""`elusive augment` as a user meets it: results on stdout, talk on stderr, one line for whatever is wrong."""

import json
import re
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from elusive_cli.app import app
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BertConfig, BertLMHeadModel, T5Config, T5ForConditionalGeneration
from typer.testing import CliRunner, Result

from elusive.config import AugmentConfig
from tests.files import contents
from tests.tiny import WORDS, byte_bpe, save_llama

Invoke = Callable[..., Result]


@pytest.fixture
def invoke(corpus: Path, large: str, small: str, tmp_path: Path) -> Invoke:
    def run(*arguments: str, source: str | None = None, large: str = large, small: str = small) -> Result:
        command = ["augment", source or str(corpus), "--large", large, "--small", small, "-o", str(tmp_path / "out")]
        return CliRunner().invoke(app, [*command, *arguments])

    return run


def test_json_is_the_whole_of_stdout(invoke: Invoke, texts: dict[str, str]) -> None:
    result = invoke("--json")
    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    expected = {"texts", "tokens", "rows", "rejected", "drop_rate", "sink_mass", "seconds", "peak_bytes", "out"}
    assert expected <= told.keys()
    assert told["texts"] == len(texts)
    assert told["drop_rate"].keys() == {"planned", "realised"}
    assert told["sink_mass"].keys() == {"large", "small"}


def test_the_table_tells_what_was_done(invoke: Invoke, texts: dict[str, str], tmp_path: Path) -> None:
    result = invoke()
    assert result.exit_code == 0, result.stderr
    for words in ("texts", "drop rate", "sink mass", "copies equal", "peak memory", str(tmp_path / "out")):
        assert words in result.stdout
    assert "score with large model" in result.stderr


def test_quiet_says_nothing_on_stderr(invoke: Invoke) -> None:
    assert invoke("--quiet").stderr == ""


def test_dry_run_shows_the_plan_and_writes_nothing(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("--dry-run", "--limit", "3")
    assert result.exit_code == 0, result.stderr
    assert "rows to write  33" in result.stdout
    assert not (tmp_path / "out").exists()


def test_limit_previews(invoke: Invoke) -> None:
    assert json.loads(invoke("--limit", "3", "--json").stdout)["rows"] == 33


def test_a_file_of_options_is_overruled_by_set_and_set_by_flags(invoke: Invoke, tmp_path: Path) -> None:
    options = tmp_path / "options.yaml"
    options.write_text("alpha: 0.2\ncopies: 2\ndrop-mode: blank\nlayers: 0,-1\n")
    arguments = ["--config", str(options), "--set", "copies=3", "--set", "seed=4", "--seed", "5", "--json"]
    assert invoke(*arguments).exit_code == 0
    recorded = json.loads((tmp_path / "out" / "run.json").read_text())["options"]
    assert (recorded["alpha"], recorded["copies"], recorded["seed"], recorded["drop_mode"]) == (0.2, 3, 5, "blank")
    assert recorded["layers"] == [0, -1]


def test_unlike_tokenizers_are_aligned_and_it_is_said(invoke: Invoke, texts: dict[str, str], tmp_path: Path) -> None:
    other = save_llama(tmp_path / "other", seed=3, tokenizer=byte_bpe(vocab_size=300, text=WORDS[::-1]))
    result = invoke(small=other)
    assert result.exit_code == 0, result.stderr
    assert re.search(r"aligned texts +1\d +\(the two tokenizers differ", result.stdout)


def test_help_names_every_option_with_the_default_that_the_job_has() -> None:
    text = CliRunner().invoke(app, ["augment", "--help"], env={"COLUMNS": "200", "TERM": "dumb"}).stdout
    for name, field in AugmentConfig.model_fields.items():
        flag = "CORPUS" if name == "corpus" else "--" + name.replace("_", "-")
        line = next((line for line in text.splitlines() if re.search(rf"(^|\s){re.escape(flag)}\s", line)), None)
        assert line is not None, flag
        if field.default not in (None, ()) and not isinstance(field.default, bool):
            assert f"Default: {field.default}." in line
    assert "Examples" in text


# -- whatever is wrong: exit code 1, one line that says what and what to do, nothing half-written ---------------------


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


MODELS = {
    "no weights": (_folder_without_weights, r"no weights"),
    "NaN weights": (_nan_model, r"not finite"),
    "damaged weights": (_damaged_model, r"weights cannot be loaded"),
    "encoder-only": (_bert, r"causal"),
    "encoder-decoder": (_t5, r"encoder-decoder"),
    "slow tokenizer": (_slow_tokenizer, r"tokenizer"),
    "no model": (lambda folder, _model: str(folder), r"no config\.json"),
    "no folder": (lambda folder, _model: str(folder / "absent"), r"no such folder"),
}


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_cannot_be_used_is_named_in_one_line(
    kind: str, invoke: Invoke, large: str, tmp_path: Path
) -> None:
    make, words = MODELS[kind]
    folder = tmp_path / "model"
    folder.mkdir()
    _refused(invoke("--quiet", large=make(folder, large)), words, tmp_path)


CORPORA = {
    "absent": (None, r"no file or folder .*did you mean|no file or folder"),
    "empty": (b"", r"no|empty"),
    "blank rows only": (b'{"text": ""}\n{"text": " "}\n', r"2"),
    "binary": (b"\x7fELF\x00\x00\x01" * 50, r"binary|format|UTF-8"),
    "no such column": (b'{"txt": "a", "id": 1}\n', r"no column 'text'.*did you mean 'txt'"),
    "duplicate ids": (b'{"id": 1, "text": "a"}\n{"id": "1", "text": "b"}\n', r"line|:1.*:2"),
}


@pytest.mark.parametrize("kind", CORPORA)
def test_a_corpus_that_cannot_be_used_is_named_in_one_line(kind: str, invoke: Invoke, tmp_path: Path) -> None:
    content, words = CORPORA[kind]
    source = tmp_path / "given.jsonl"
    if content is not None:
        source.write_bytes(content)
    _refused(invoke("--quiet", source=str(source)), words, tmp_path)


OPTIONS = {
    ("--alpha", "1.5"): r"alpha is 1\.5",
    ("--alpha", "-0.1"): r"alpha",
    ("--beta", "0"): r"beta",
    ("--copies", "0"): r"copies",
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
}


@pytest.mark.parametrize("arguments", OPTIONS, ids=" ".join)
def test_an_option_that_makes_no_sense_is_named_in_one_line(
    arguments: tuple[str, ...], invoke: Invoke, tmp_path: Path
) -> None:
    _refused(invoke("--quiet", *arguments), OPTIONS[arguments], tmp_path)


def _refused(result: Result, words: str, folder: Path) -> None:
    assert result.exit_code == 1, result.output
    [line] = result.stderr.strip().splitlines()
    assert line.startswith("error: ")
    assert re.search(words, line), line
    assert result.stdout == ""
    left = contents(folder, "out")
    assert all("scores" in name for name in left), f"half-written: {sorted(left)}"


def test_a_gated_model_without_a_token_says_how_to_get_in(invoke: Invoke, tmp_path: Path, monkeypatch) -> None:
    from transformers import AutoConfig

    def gated(*_args, **_options):
        raise OSError("You are trying to access a gated repo.\nMake sure to have access to it at …")

    monkeypatch.setattr(AutoConfig, "from_pretrained", gated)
    _refused(invoke("--quiet", large="owner/gated"), r"owner/gated is gated.*hf auth login", tmp_path)


def test_a_run_in_use_is_refused_with_its_owner(invoke: Invoke, tmp_path: Path) -> None:
    from elusive.data.run_folder import open_run

    with open_run(tmp_path / "out", {}, products=()):
        result = invoke("--quiet")
    assert result.exit_code == 1
    assert re.search(r"in use by process \d+", result.stderr)


@pytest.mark.parametrize("overwrite", [[], ["--overwrite"]], ids=["plain", "overwrite"])
def test_files_that_are_no_runs_are_never_touched(invoke: Invoke, tmp_path: Path, overwrite: list[str]) -> None:
    (tmp_path / "out" / "data").mkdir(parents=True)
    (tmp_path / "out" / "data" / "precious").write_text("mine")
    result = invoke("--quiet", *overwrite)
    assert result.exit_code == 1
    assert "already holds data but no run.json" in result.stderr
    assert contents(tmp_path, "out") == {"out/data/precious": b"mine"}


def test_errors_show_their_traceback_when_asked(invoke: Invoke, monkeypatch) -> None:
    monkeypatch.setenv("ELUSIVE_DEBUG", "1")
    result = invoke("--alpha", "2")
    assert type(result.exception).__name__ == "OptionError"
