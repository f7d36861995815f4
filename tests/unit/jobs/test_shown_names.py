"""What a page may show of readers: the shortest end of a path that tells it from the others, in names and in faults."""

from pathlib import Path

import pytest

from elusive.config import ScoreReaderConfig
from elusive.indicators.examples import ReaderExamples
from elusive.jobs.reader_sources import ReaderSource, Sources
from elusive.jobs.shown_names import ShownNames
from elusive.models import ModelSource
from elusive.readers.reader import ReaderOptions


def shown(*names: str, adapter: str | None = None, fault: str = "", **options: object) -> ShownNames:
    """Of these readers, the first of which has a fault."""
    sources = tuple(ReaderSource(ModelSource(name=name), adapter, ReaderOptions()) for name in names)
    config = ScoreReaderConfig(reader=names, **options)
    return ShownNames(config, Sources(sources, None, {sources[0].name: fault}))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("/data/x/tuned",), ("tuned",)),
        (("/data/x/tuned", "/data/y/tuned"), ("x/tuned", "y/tuned")),
        (("/data/x/tuned", "/data/x/tuned-2", "./tuned-3"), ("tuned", "tuned-2", "tuned-3")),
        (("owner/tuned", "/data/owner/tuned", "tiny:reader"), ("owner/tuned", "tuned", "tiny:reader")),
        (("./absent/base", "/data/base"), ("absent/base", "data/base")),
    ],
)
def test_a_local_reader_goes_by_as_much_of_its_path_as_tells_it_from_the_others(
    names: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    found = shown(*names)
    assert tuple(found.names.values()) == found.config.reader == expected


def test_short_names_are_replaced_as_words_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here" / "a").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    found = shown("a", "/data/x/a", "tiny:reader", fault="a: its weights lack a_proj.a (/data/x/a)")
    assert list(found.names.values()) == ["here/a", "x/a", "tiny:reader"]
    assert found.left_out == {"here/a": "here/a: its weights lack a_proj.a (x/a)"}


def test_files_and_what_went_wrong_lose_their_paths_too() -> None:
    name, fault = (
        "/data/x/base + /data/y/lora",
        "/data/y/lora: the folder has no adapter_config.json, see /data/y/lora/x",
    )
    found = shown("/data/x/base", adapter="/data/y/lora", fault=fault, data="/data/qa.jsonl", passages="owner/wiki")
    assert found.names == {name: "base + lora"}
    assert found.left_out == {"base + lora": "lora: the folder has no adapter_config.json, see lora/x"}
    assert (found.config.data, found.config.passages, found.config.template) == ("qa.jsonl", "owner/wiki", None)
    examples = ReaderExamples(
        reader=name, kind="decoder-only", examples=(), unread={"q": "/data/x/base (x)"}, head_lifts=(), prompts=()
    )
    assert found.examples(examples).unread == {"q": "base (x)"}
    assert found.examples(examples).reader == "base + lora"
