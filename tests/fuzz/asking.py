"""Asks a file of questions and judges the outcome: a sample that can be asked, or one line of error."""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from elusive.choices import Rows
from elusive.config import ScoreReaderConfig
from elusive.errors import ElusiveError
from elusive.jobs.asking import QUESTIONS, REJECTED, Asked, ask
from elusive.progress import Bars
from tests.fuzz.tally import Outcome


@dataclass(frozen=True)
class Asking:
    """What came of a file: the sample, or the refusal; and the first row that was set aside, if any was."""

    asked: Asked | None
    line: str

    @property
    def outcome(self) -> Outcome:
        return "refused" if self.line else "survived"


def asking_of(
    source: Path, out: Path, *, k: int = 3, passages: Path | None = None, rows: Rows = "predicting"
) -> Asking:
    """Draws the questions of `source` into `out`, and holds the outcome to what every run goes on from."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    config = ScoreReaderConfig(data=str(source), out=str(out), k=k, passages=passages and str(passages), rows=rows)
    try:
        asked = ask(config, out, record=out / "record.json", progress=Bars(quiet=True))
    except ElusiveError as error:
        line = str(error)
        assert len(line.splitlines()) == 1, "an error of several lines"
        assert line.isprintable(), "an error that a terminal would not show as it is"
        assert not list(out.iterdir()), "something half-made"
        return Asking(None, line)
    assert asked.questions
    assert len({question.id for question in asked.questions}) == len(asked.questions)
    for question in asked.questions:
        assert 1 <= len(question.passages) <= k
        assert question.target_answer or rows == "generated"
    rejected = [json.loads(row) for row in (out / REJECTED).read_text(encoding="utf-8").splitlines()]
    assert sum(asked.rejected.values()) == len(rejected)
    (out / QUESTIONS).read_text(encoding="utf-8", errors="strict")
    assert ask(config, out, record=out / "record.json", progress=Bars(quiet=True)) == asked, "not what was written"
    return Asking(asked, str(rejected[0]["reason"]) if rejected else "")
