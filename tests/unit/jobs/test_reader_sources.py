"""Which readers a run has, what is seen of them before they are loaded, and what their readings depend on."""

import json
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from elusive.config import ScoreReaderConfig
from elusive.errors import ElusiveError
from elusive.indicators import nouns
from elusive.jobs.reader_runs import ReaderRun
from elusive.jobs.reader_sources import ReaderSource, checked_sources, reader_options, reader_sources
from elusive.progress import Bars
from elusive.readers.prompts import Template

pytestmark = pytest.mark.usefixtures("collector_off")

QUIET = Bars(quiet=True)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What lies in an adapter's folder, as far as it is looked at before it is loaded."""
    folder = tmp_path_factory.mktemp("adapter")
    (folder / "adapter_config.json").write_text('{"peft_type": "LORA"}')
    save_file({"a": torch.ones(2)}, folder / "adapter_model.safetensors")
    return folder


def names(**options: Any) -> tuple[list[str], str | None]:
    readers, reference = reader_sources(ScoreReaderConfig(**options))
    return [reader.name for reader in readers], reference.name if reference else None


# -- which they are --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "readers", "reference"),
    [
        ({}, ["tiny:reader"], "tiny:reader-untuned"),
        ({"reference": "a/b"}, ["tiny:reader"], "a/b"),
        ({"reader": "a/b"}, ["a/b"], None),
        ({"reader": ["a/b", "./c"], "reference": "d"}, ["a/b", "./c"], "d"),
        ({"reader": ["a/b", "./c"], "reference": "a/b"}, ["./c"], "a/b"),
        ({"reader": ["a/b", "./c"], "reference": "c"}, ["a/b"], "c"),
        ({"reader": "a/b", "adapter": ["x", "y"]}, ["a/b + x", "a/b + y"], "a/b"),
        ({"reader": "a/b", "adapter": "x", "reference": "d"}, ["a/b + x"], "d"),
        ({"reader": "a/b@v2", "reference": "a/b@v1"}, ["a/b@v2"], "a/b@v1"),
    ],
    ids=lambda value: str(value),
)
def test_readers_and_reference_by_the_options(
    options: dict[str, Any], readers: list[str], reference: str | None
) -> None:
    assert names(**options) == (readers, reference)


def test_a_revision_is_the_hubs_and_a_folder_may_hold_an_at() -> None:
    pinned, folder = reader_sources(ScoreReaderConfig(reader=("owner/model@v2", "./model@home")))[0]
    assert (pinned.source.name, pinned.source.revision) == ("owner/model", "v2")
    assert (folder.source.name, folder.source.revision) == ("./model@home", None)


def test_a_reader_that_is_its_own_reference_is_refused() -> None:
    with pytest.raises(ElusiveError, match=r"^\./a is named as reader and as reference; name another --reader"):
        names(reader="a", reference="./a")


def test_how_readers_are_asked_is_what_the_options_say() -> None:
    options = reader_options(
        ScoreReaderConfig(rows="first", layers="0,-1", heads=[2], values=False, max_tokens=99, batch_size=3, seed=7)
    )
    assert (options.rows, options.layers, options.heads, options.values) == ("first", (0, -1), (2,), False)
    assert (options.max_tokens, options.batch_size, options.shuffle_seed, options.template) == (99, 3, 7, None)
    assert reader_options(ScoreReaderConfig(shuffle=False)).shuffle_seed is None


# -- templates -------------------------------------------------------------------------------------------------------


def template_of(tmp_path: Path, text: str | bytes) -> Template | None:
    file = tmp_path / "template.yaml"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return reader_options(ScoreReaderConfig(template=str(file))).template


def test_a_template_is_read_from_yaml_and_what_it_leaves_out_stays(tmp_path: Path) -> None:
    found = template_of(tmp_path, 'question: "Q: {question}\\nA:"\npassage: |\n  [{title}] {text}\n')
    assert found == Template(question="Q: {question}\nA:", passage="[{title}] {text}\n")


@pytest.mark.parametrize(
    ("text", "because"),
    [
        ("question: [", r"template\.yaml: not YAML: "),
        (b"question: \xff", r"template\.yaml: not YAML: "),
        ("", r"expected a mapping of names to values, found NoneType$"),
        ("- a", r"expected a mapping of names to values, found list$"),
        ("pasage: '{text}'", r"there is no 'pasage' in a template; did you mean 'passage'\?$"),
        ("1: '{text}'", r"expected a mapping of names to values, found dict$"),
        ("target: 3", r"target is 3; expected text$"),
        ("passage: 'none'", r"template passage 'none' lacks \{text\}"),
        ("question: '{question} {answer}'", r"holds \{answer\}"),
        ("target: '{answer'", r"a brace that is text is doubled$"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_in_one_line(tmp_path: Path, text: str | bytes, because: str) -> None:
    with pytest.raises(ElusiveError, match=because) as caught:
        template_of(tmp_path, text)
    assert "\n" not in str(caught.value)


def test_a_template_that_is_not_there_is_named() -> None:
    with pytest.raises(ElusiveError, match=r"^no template file 'absent\.yaml'$"):
        reader_options(ScoreReaderConfig(template="absent.yaml"))


# -- what is seen before a reader is loaded --------------------------------------------------------------------------


@dataclass(frozen=True)
class Heard(Bars):
    """Quiet progress that keeps what it is told."""

    quiet: bool = True
    said: list[str] = field(default_factory=list)

    def say(self, message: str) -> None:
        self.said.append(message)


def test_a_reader_that_cannot_be_seen_is_left_out_aloud_and_the_others_go_on(reader_a: str, tmp_path: Path) -> None:
    absent, heard = str(tmp_path / "absent"), Heard()
    sources = checked_sources(ScoreReaderConfig(reader=(absent, reader_a)), progress=heard)
    assert [source.name for source in sources.usable] == [reader_a]
    assert sources.faults == {absent: f"{absent}: no such folder"}
    assert heard.said == [f"left out: {absent}: no such folder"]


@pytest.mark.parametrize(
    ("options", "because"),
    [
        ({"reader": "./absent"}, r"^\./absent: no such folder$"),
        ({"reader": ("./absent", "./gone")}, r"^no reader can be used: \./absent: .*; \./gone: no such folder$"),
        ({"reference": "./absent"}, r"^the reference cannot be used: \./absent: no such folder$"),
        ({"adapter": "./absent"}, r"^\./absent: no such folder$"),
        ({"layers": "9"}, r"^the reference cannot be used: layers \[9\] are not all among"),
        ({"heads": "4"}, r"heads \[4\] are not all among the model's heads 0 to 3$"),
    ],
    ids=str,
)
def test_with_no_reader_or_no_reference_left_one_line_says_why(
    reader_a: str, reader_b: str, options: dict[str, Any], because: str
) -> None:
    config = ScoreReaderConfig(**{"reader": reader_a, "reference": reader_b} | options)
    with pytest.raises(ElusiveError, match=because):
        checked_sources(config, progress=QUIET)


def test_a_tagger_that_is_not_installed_is_said_before_a_reader_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    nouns._spacy.cache_clear()
    with pytest.raises(
        ElusiveError, match=r"needs spacy, which is not installed; run: pip install 'elusive\[spacy\]'$"
    ):
        checked_sources(ScoreReaderConfig(reader="./absent", nouns="spacy"), progress=QUIET)


def test_of_an_encoder_decoder_layers_are_checked_before_it_is_loaded(reader_t5: str) -> None:
    [source], _ = reader_sources(ScoreReaderConfig(reader=reader_t5, layers="1"))
    source.check()
    assert source.kind == "encoder-decoder"
    with pytest.raises(ElusiveError, match=r"layers \[2\] are not all among the model's layers 0 to 1$"):
        checked_sources(ScoreReaderConfig(reader=reader_t5, layers="2"), progress=QUIET)


# -- what readings depend on -----------------------------------------------------------------------------------------


def key_of(reader: str, **options: Any) -> str:
    """All that one reader's readings of a question depend on."""
    config = ScoreReaderConfig(reader=reader, **options)
    run = ReaderRun(reader_sources(config)[0][0], config, QUIET)
    return run.store._folder.name


@pytest.mark.parametrize(
    "options",
    [
        {"rows": "own"},
        {"layers": "0"},
        {"heads": "0"},
        {"values": False},
        {"percentile": "99"},
        {"nouns": "given"},
        {"exact_match": False},
        {"max_new_tokens": 8},
        {"max_tokens": 64},
        {"shuffle": False},
        {"seed": 1},
        {"dtype": "bfloat16"},
        {"chat": True},
    ],
    ids=str,
)
def test_readings_are_kept_apart_by_every_option_that_may_change_them(reader_a: str, options: dict[str, Any]) -> None:
    assert key_of(reader_a, **options) != key_of(reader_a)


@pytest.mark.parametrize(
    "options",
    [{"batch_size": 1}, {"k": 2}, {"samples": 5}, {"out": "x"}, {"reference": "y"}, {"percentile": "95"}],
    ids=str,
)
def test_readings_are_shared_whatever_else_is_told(
    reader_a: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert key_of(reader_a, **options) == key_of(reader_a)


def test_readings_depend_on_what_the_template_says_and_not_on_its_name(reader_a: str, tmp_path: Path) -> None:
    one, other = tmp_path / "one.yaml", tmp_path / "other.yaml"
    one.write_text("target: '{answer}'")
    other.write_text("target: '{answer}'  # the same")
    assert key_of(reader_a, template=str(one)) == key_of(reader_a, template=str(other)) != key_of(reader_a)
    other.write_text("target: ' = {answer}'")
    assert key_of(reader_a, template=str(one)) != key_of(reader_a, template=str(other))


def test_readings_depend_on_weights_and_tokenizer_and_not_on_the_folder(reader_a: str, tmp_path: Path) -> None:
    copy = shutil.copytree(reader_a, tmp_path / "copy")
    assert key_of(str(copy)) == key_of(reader_a)
    weights = load_file(copy / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, copy / "model.safetensors", metadata={"format": "pt"})
    changed = key_of(str(copy))
    assert changed != key_of(reader_a)
    tokenizer = json.loads((copy / "tokenizer.json").read_text(encoding="utf-8"))
    tokenizer["model"]["merges"].pop()
    (copy / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    assert key_of(str(copy)) not in (changed, key_of(reader_a))


def test_an_adapted_reader_has_its_own_readings_which_depend_on_the_adapters_weights(
    reader_a: str, adapter: Path, tmp_path: Path
) -> None:
    def fingerprint(folder: Path) -> str:
        return reader_sources(ScoreReaderConfig(reader=reader_a, adapter=str(folder)))[0][0].fingerprint

    bare: ReaderSource = reader_sources(ScoreReaderConfig(reader=reader_a))[0][0]
    copy = shutil.copytree(adapter, tmp_path / "copy")
    assert fingerprint(copy) == fingerprint(adapter) != bare.fingerprint
    assert fingerprint(adapter).startswith(bare.fingerprint)
    save_file({"a": torch.tensor([1.0, 2.0])}, copy / "adapter_model.safetensors")
    assert fingerprint(copy) != fingerprint(adapter)


def test_an_adapter_without_its_config_is_refused(reader_a: str, tmp_path: Path) -> None:
    [source], _ = reader_sources(ScoreReaderConfig(reader=reader_a, adapter=str(tmp_path)))
    with pytest.raises(ElusiveError, match=r"the folder has no adapter_config\.json"):
        source.check()
