"""`elusive score-reader` given what cannot be used says so in one line, and what to do; what is strange, it reads."""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner

from elusive.embedded import path_of
from tests.fuzz import bad_input
from tests.fuzz.bad_questions import (
    BARE,
    MISSPELT,
    OPTIONS,
    PASSAGE_FILES,
    QUESTIONS,
    SET_ASIDE,
    STRANGE,
    TEMPLATES,
    lines,
    row,
)
from tests.fuzz.refusing import hold_to_refusal
from tests.fuzz.tally import Tally
from tests.tiny import save_llama

Refuse = Callable[..., None]
WHAT = "score-reader, given"
READER = ("--reader", "tiny:reader")
MODELS = {kind: case for kind, case in bad_input.MODELS.items() if not kind.startswith("encoder-")}
_LORA = {"peft_type": "LORA", "r": 2, "target_modules": ["q_proj"], "task_type": "CAUSAL_LM"}


@pytest.fixture
def refuse(tmp_path: Path, tally: Tally) -> Refuse:
    """Runs the command on a good question unless told otherwise, and holds it to its refusal."""

    def run(
        *arguments: str, what: str, words: str, data: bytes | None = lines(row()), reader: tuple[str, ...] = READER
    ) -> None:
        given(tmp_path, "given.jsonl", data)
        command = ["score-reader", "--data", str(tmp_path / "given.jsonl"), *reader, *arguments]
        hold_to_refusal(command, folder=tmp_path, words=words, tally=tally, what=f"{WHAT} {what}")

    return run


def given(folder: Path, name: str, content: bytes | None) -> str:
    """A file, or the name of one that is not there."""
    if content is not None:
        (folder / name).write_bytes(content)
    return str(folder / name)


@pytest.mark.parametrize("kind", QUESTIONS)
def test_questions_that_cannot_be_used_are_named_in_one_line(kind: str, refuse: Refuse) -> None:
    data, words = QUESTIONS[kind]
    refuse(what="questions that cannot be used", words=words, data=data)


@pytest.mark.parametrize("kind", PASSAGE_FILES)
def test_passages_that_cannot_be_used_are_named_in_one_line(kind: str, refuse: Refuse, tmp_path: Path) -> None:
    content, words = PASSAGE_FILES[kind]
    passages = given(tmp_path, "passages.jsonl", content)
    refuse("--passages", passages, what="passages that cannot be used", words=words, data=BARE)


@pytest.mark.parametrize("kind", TEMPLATES)
def test_a_template_that_cannot_be_used_is_named_in_one_line(kind: str, refuse: Refuse, tmp_path: Path) -> None:
    content, words = TEMPLATES[kind]
    template = given(tmp_path, "template.yaml", content)
    refuse("--template", template, what="a template that cannot be used", words=words)


@pytest.mark.parametrize("arguments", OPTIONS, ids=lambda arguments: " ".join(arguments)[:40])
def test_an_option_that_makes_no_sense_is_named_in_one_line(arguments: tuple[str, ...], refuse: Refuse) -> None:
    refuse(*arguments, what="options that make no sense", words=OPTIONS[arguments])


@pytest.mark.parametrize("arguments", MISSPELT, ids=" ".join)
def test_a_command_line_that_cannot_be_understood_shows_its_usage(arguments: tuple[str, ...], refuse: Refuse) -> None:
    refuse(*arguments, what="options that cannot be understood", words="Usage: |Error")


def test_given_nouns_that_are_not_there_are_named_in_one_line(refuse: Refuse) -> None:
    without = lines({name: value for name, value in row().items() if name != "nouns"})
    words = r"no list of nouns\); take nouns from textblob"
    refuse("--nouns", "given", what="questions that cannot be used", words=words, data=without)


@pytest.mark.parametrize("kind", MODELS)
def test_a_reader_that_cannot_be_used_is_named_in_one_line(kind: str, refuse: Refuse, tmp_path: Path) -> None:
    make, words = MODELS[kind]
    (tmp_path / "model").mkdir()
    model = make(tmp_path / "model", str(path_of("tiny:reader")))
    refuse(what="a reader that cannot be used", words=words, reader=("--reader", model))


ADAPTERS: dict[str, tuple[dict[str, bytes] | None, str]] = {
    "absent": (None, r"adapter"),
    "an empty folder": ({}, r"no adapter_config\.json"),
    "a config that is no JSON": ({"adapter_config.json": b"{"}, r"adapter cannot be loaded"),
    "weights that are none": (
        {"adapter_config.json": json.dumps(_LORA).encode(), "adapter_model.safetensors": b"x"},
        r"adapter cannot be loaded",
    ),
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("kind", ADAPTERS)
def test_an_adapter_that_cannot_be_used_is_named_in_one_line(kind: str, refuse: Refuse, tmp_path: Path) -> None:
    pytest.importorskip("peft")
    files, words = ADAPTERS[kind]
    folder = tmp_path / "adapter"
    if files is not None:
        folder.mkdir()
        for name, content in files.items():
            (folder / name).write_bytes(content)
    refuse("--adapter", str(folder), what="an adapter that cannot be used", words=words)


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_an_adapter_of_another_model_is_named_in_one_line(refuse: Refuse, tmp_path: Path) -> None:
    peft = pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    other = AutoModelForCausalLM.from_pretrained(save_llama(tmp_path / "other", seed=1))
    peft.get_peft_model(other, peft.LoraConfig(target_modules=["q_proj"])).save_pretrained(tmp_path / "adapter")
    words = r"adapter cannot be loaded: .*size mismatch"
    refuse("--adapter", str(tmp_path / "adapter"), what="an adapter that cannot be used", words=words)


def test_strange_questions_are_read_and_bad_rows_are_set_aside_and_counted(tmp_path: Path, tally: Tally) -> None:
    strange = [row(id=kind, **other) for kind, other in STRANGE.items()]
    too_long = row(id="too long", question="long " * 20_000)
    bad = [row(id=f"bad {i}", **other) for i, other in enumerate(SET_ASIDE.values())]
    data = given(tmp_path, "given.jsonl", lines(*bad, too_long, *strange) + b"{broken\n")
    out = tmp_path / "out"
    broken = save_nan_reader(tmp_path / "broken")
    command = ["score-reader", "--data", data, "--reader", broken, *READER]
    few = ["--k", "50", "--max-new-tokens", "2", "-o", str(out), "--json"]
    result = CliRunner().invoke(app, [*command, *few])
    assert result.exit_code == 0, result.stderr
    found = json.loads(result.stdout)
    assert list(found["left_out"]) == [broken]
    assert found["left_out"][broken].startswith(f"LlamaForCausalLM ({broken}) gave attention that is not finite")
    assert len(found["left_out"][broken].splitlines()) == 1
    examples = [json.loads(line) for line in (out / "examples.jsonl").read_text(encoding="utf-8").splitlines()]
    assert [example["id"] for example in examples] == list(STRANGE)
    assert [reader["unread"] for reader in found["readers"]] == [1]
    rejected = [json.loads(line) for line in (out / "rejected.jsonl").read_text(encoding="utf-8").splitlines()]
    one_answer = "answer is empty or not a string"
    expected = Counter([*SET_ASIDE, "broken JSON", one_answer])
    assert Counter(one["reason"] for one in rejected) == expected
    assert found["rejected"] == len(rejected)
    for _ in STRANGE:
        tally.note(f"{WHAT} strange questions among good ones", "survived")


def save_nan_reader(folder: Path) -> str:
    """The tiny reader with weights that are no numbers."""
    folder.mkdir()
    make, _ = bad_input.MODELS["NaN weights"]
    return make(folder, str(path_of("tiny:reader")))
