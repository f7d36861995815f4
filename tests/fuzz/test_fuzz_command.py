"""`elusive augment` given what cannot be used: one line that says what and what to do, and nothing half-written."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from elusive_cli.app import app
from typer.testing import CliRunner, Result

from tests.files import contents
from tests.fuzz.bad_input import CORPORA, MISSPELT, MODELS, OPTIONS
from tests.fuzz.tally import Tally

Refuse = Callable[..., None]


@pytest.fixture
def refuse(corpus: Path, large: str, small: str, tmp_path: Path, tally: Tally) -> Refuse:
    """Runs the command, and holds it to its refusal."""

    def run(*arguments: str, what: str, words: str, source: Path = corpus, large: str = large) -> None:
        models = ["--large", large, "--small", small, "-o", str(tmp_path / "out"), "--quiet"]
        result = CliRunner().invoke(app, ["augment", str(source), *models, *arguments])
        line = re.sub("[─╭╮╰╯│]", "", result.stderr).strip().removeprefix("error: ")
        right = _is_refusal(result) and re.search(words, line) is not None and not _half_written(tmp_path)
        tally.note(f"the command, given {what}", "refused" if right else "wrong", line, hide=[tmp_path])
        assert right, (result.exit_code, result.output, result.exception, _half_written(tmp_path))

    return run


def _is_refusal(result: Result) -> bool:
    if result.stdout or not isinstance(result.exception, SystemExit):
        return False
    if result.exit_code == 2:  # the command line itself is wrong: its usage is shown
        return "Traceback" not in result.stderr
    lines = result.stderr.strip().splitlines()
    return result.exit_code == 1 and len(lines) == 1 and lines[0].startswith("error: ")


def _half_written(folder: Path) -> list[str]:
    return [name for name in contents(folder, "out") if "scores" not in name]


@pytest.mark.parametrize("kind", MODELS)
def test_a_model_that_cannot_be_used_is_named_in_one_line(
    kind: str, refuse: Refuse, large: str, tmp_path: Path
) -> None:
    make, words = MODELS[kind]
    folder = tmp_path / "model"
    folder.mkdir()
    refuse(what="a model that cannot be used", words=words, large=make(folder, large))


@pytest.mark.parametrize("kind", CORPORA)
def test_a_corpus_that_cannot_be_used_is_named_in_one_line(kind: str, refuse: Refuse, tmp_path: Path) -> None:
    content, words = CORPORA[kind]
    source = tmp_path / "given.jsonl"
    if content is not None:
        source.write_bytes(content)
    refuse(what="a corpus that cannot be used", words=words, source=source)


@pytest.mark.parametrize("arguments", OPTIONS, ids=lambda arguments: " ".join(arguments)[:40])
def test_an_option_that_makes_no_sense_is_named_in_one_line(arguments: tuple[str, ...], refuse: Refuse) -> None:
    refuse(*arguments, what="options that make no sense", words=OPTIONS[arguments])


@pytest.mark.parametrize("arguments", MISSPELT, ids=" ".join)
def test_a_command_line_that_cannot_be_understood_shows_its_usage(arguments: tuple[str, ...], refuse: Refuse) -> None:
    refuse(*arguments, what="options that cannot be understood", words="Usage: |Error")


def test_a_gated_model_without_a_token_says_how_to_get_in(refuse: Refuse, monkeypatch: pytest.MonkeyPatch) -> None:
    from transformers import AutoConfig

    def gated(*_args, **_options):
        raise OSError("You are trying to access a gated repo.\nMake sure to have access to it at …")

    monkeypatch.setattr(AutoConfig, "from_pretrained", gated)
    words = r"owner/gated is gated.*hf auth login"
    refuse(what="a model that cannot be used", words=words, large="owner/gated")
