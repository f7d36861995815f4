"""Two unlike tiny models on disk, a corpus of many kinds of text, and a way to run the job on them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive.jobs.augment import AugmentResult, augment
from elusive.progress import Bars
from tests.tiny import WORDS, save_llama


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_llama(tmp_path_factory.mktemp("large"), seed=1, layers=3)


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save_llama(tmp_path_factory.mktemp("small"), seed=2, layers=1, width=16)


@pytest.fixture(scope="session")
def texts() -> dict[str, str]:
    found = {f"t{i}": WORDS[7 * i :] + " " + WORDS[: 7 * i] for i in range(12)}
    found["long"] = " ".join([WORDS] * 6)  # longer than the models' context
    found["unicode"] = "naïve 👩‍👩‍👧 日本語 e\u0301 \x00 <s> שלום. " + WORDS
    found["one"] = "a"
    return found


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory, texts: dict[str, str]) -> Path:
    path = tmp_path_factory.mktemp("corpus") / "texts.jsonl"
    lines = [json.dumps({"id": i, "text": t}) for i, t in texts.items()]
    path.write_text("\n".join([*lines, '{"id": "blank", "text": " "}', "{broken"]), encoding="utf-8")
    return path


Run = Callable[..., AugmentResult]


@pytest.fixture
def run(corpus: Path, large: str, small: str, tmp_path: Path) -> Run:
    """`augment` as in the paper, on the corpus and the two models, quietly, into a folder of the test."""

    def run_augment(out: str = "out", **options: Any) -> AugmentResult:
        given = {"corpus": corpus, "large": large, "small": small, "preset": "paper"} | options
        return augment(given.pop("corpus"), out=tmp_path / out, progress=Bars(quiet=True), **given)

    return run_augment
