"""`elusive evaluate` on a few people and a random model, for tests of the job."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from elusive import statistics
from elusive.jobs.evaluate import EvaluateResult, evaluate
from elusive.progress import Bars
from tests.distill_fixtures import question_rows, write_lines
from tests.unit.evaluation.exams import PEOPLE

Evaluate = Callable[..., EvaluateResult]


@pytest.fixture(autouse=True)
def few_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "_RESAMPLES", 50)


@pytest.fixture
def people(tmp_path: Path) -> str:
    return write_lines(tmp_path / "people.jsonl", PEOPLE)


@pytest.fixture
def judge(people: str, reader_a: str, tmp_path: Path) -> Evaluate:
    """The job on four people and a random model, quietly, into a folder of the test."""

    def run(out: str = "out", **options: Any) -> EvaluateResult:
        given = {"model": reader_a, "questions": people, "shots": 2, "max_new_tokens": 4, "batch_size": 2} | options
        return evaluate(given.pop("model"), out=tmp_path / out, progress=Bars(quiet=True), **given)

    return run


def rows_of(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "answers.jsonl").read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def towns(tmp_path: Path) -> str:
    return write_lines(tmp_path / "towns.jsonl", question_rows()[:12])
