"""What was tried and what came of it, counted where it really ran.

`survived`: read rightly. `refused`: one line that says what is wrong, or the row set aside with its reason. `wrong`:
anything else, and never more than zero.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

Outcome = Literal["survived", "refused", "wrong"]
FULL = os.environ.get("ELUSIVE_FUZZ") == "full"
"""Whether all of it runs, and `docs/fuzz.json` is written; else a small share with the same seeds."""
EXAMPLE_LEN = 200


def share(full: int, *, usual: int) -> int:
    """How many to try."""
    return full if FULL else usual


@dataclass
class Counts:
    tried: int = 0
    survived: int = 0
    refused: int = 0
    wrong: int = 0
    example: str = ""


@dataclass
class Tally:
    """Counts by what was tried, in plain words."""

    rows: dict[str, Counts] = field(default_factory=dict)

    def note(self, what: str, outcome: Outcome, line: str = "", *, hide: Iterable[object] = ()) -> None:
        """Counts one thing that was tried.

        Args:
            what: in plain words.
            outcome: what came of it.
            line: the refusal; the first one is shown.
            hide: folders of this machine, which the line shows as nothing.
        """
        counts = self.rows.setdefault(what, Counts())
        counts.tried += 1
        setattr(counts, outcome, getattr(counts, outcome) + 1)
        if outcome == "refused" and not counts.example:
            for folder in hide:
                line = line.replace(f"{folder}/", "")
            counts.example = " ".join(line.split())[:EXAMPLE_LEN]

    def write(self, path: Path) -> None:
        rows = {what: asdict(counts) for what, counts in self.rows.items()}
        path.write_text(json.dumps(rows, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
