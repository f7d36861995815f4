"""`elusive augment` given what cannot be used: one line that says what and what to do, and nothing half-written."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz.bad_input import CORPORA, MISSPELT, MODELS, OPTIONS
from tests.fuzz.refusing import hold_to_refusal
from tests.fuzz.tally import Tally

Refuse = Callable[..., None]


@pytest.fixture
def refuse(corpus: Path, large: str, small: str, tmp_path: Path, tally: Tally) -> Refuse:
    """Runs the command, and holds it to its refusal."""

    def run(*arguments: str, what: str, words: str, source: Path = corpus, large: str = large) -> None:
        command = ["augment", str(source), "--preset", "paper", "--large", large, "--small", small, *arguments]
        hold_to_refusal(command, folder=tmp_path, words=words, tally=tally, what=f"the command, given {what}")

    return run


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
