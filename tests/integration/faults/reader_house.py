"""The house of `elusive score-reader`: questions, a reader and its reference, the tiny ones.

A chunk is three questions, read one by one, and a figure's interval takes few draws, so that a run is short.
"""

from pathlib import Path
from types import MappingProxyType
from typing import Any

from elusive import statistics
from elusive.embedded import path_of
from elusive.indicators import judged
from elusive.jobs import reader_runs, reading, score_reader
from tests.integration.faults.house import House
from tests.integration.faults.moments import Watch

BAD_ROWS = ('{"question": "Who?", "answers": []}', '{"question": " ", "answers": ["a"]}', "{broken")


def questions_file(folder: Path) -> Path:
    """The first questions of those shipped, and rows that cannot be used."""
    rows = path_of("sample:miniature-dev").read_text(encoding="utf-8").splitlines()[:8]
    file = folder / "questions.jsonl"
    file.write_text("\n".join([*rows[:4], *BAD_ROWS, *rows[4:]]) + "\n", encoding="utf-8")
    return file


class ReaderHouse(House):
    """See `House`."""

    job = "score-reader"
    data, models, store = "asked.jsonl", ("reader", "reference"), "readings"
    results = ("questions.jsonl", "rejected.jsonl", "examples.jsonl")
    beside = ("notes.txt", "readings/mine", "data/notes.txt", ".elusive/mine")
    others_in_the_way = ("questions.jsonl", "rejected.jsonl", "examples.jsonl", "report.html")
    another = MappingProxyType({"reference": None})

    def call(self, **options: Any) -> object:
        reader, reference = (str(self.home / name) for name in self.models)
        given = {"reader": reader, "reference": reference, "k": 2, "batch_size": 1, "max_new_tokens": 3}
        return score_reader.score_reader(self.home / self.data, **(given | options))

    @property
    def command_line(self) -> list[str]:
        models = [word for name in self.models for word in (f"--{name}", str(self.home / name))]
        few = ["--k", "2", "--batch-size", "1", "--max-new-tokens", "3"]
        return ["score-reader", "--data", str(self.home / self.data), *models, "--out", str(self.out), *few]

    def prepare(self, watch: Watch) -> None:
        if self.small_chunks:
            reader_runs.CHUNK = 3  # type: ignore[misc]
            statistics._RESAMPLES = 20  # type: ignore[misc]
        self.counted(reading.Reading, "read", lambda _reading, reader, part: f"chunk {reader.name} {part[0].id}")
        watch.see(reading._Marked, "add")
        watch.see(score_reader, "judge", stage="judge")
        watch.see(judged, "summarise")
        watch.see(score_reader, "score_reader_page", stage="finish")
