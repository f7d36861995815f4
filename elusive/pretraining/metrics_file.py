"""`metrics.jsonl`: a line every few steps, written as training goes on, and the same whether it was killed or not."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from elusive.data.atomic import write_text

Figures = Mapping[str, float]


@dataclass(frozen=True)
class MetricsFile:
    """The lines of a run.

    Attributes:
        path: the file.
    """

    path: Path

    def rows(self) -> list[Figures]:
        """All whole lines."""
        if not self.path.exists():
            return []
        text = self.path.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def cut_after(self, step: int) -> None:
        """Leave out what was written after a step that is gone back to.

        Raises:
            FolderError: as `atomic_write`.
        """
        kept = [row for row in self.rows() if row["step"] <= step]
        write_text(self.path, "".join(json.dumps(row) + "\n" for row in kept))

    def add(self, row: Figures) -> None:
        """Write a line down."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
