"""The rows that a run set aside, as its page shows them: by reason, and the first few of them."""

import itertools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from elusive.report.glyphs import shortened
from elusive.report.page import Table

_N_ROWS: Final = 20
_MAX_DETAIL, _MAX_FILE = 200, 120


@dataclass(frozen=True)
class RejectedRow:
    """A row that was set aside."""

    place: str
    reason: str
    detail: str


@dataclass(frozen=True)
class RejectedRows:
    """All rows that were set aside: how many, by reason, and the first few."""

    n: int
    reasons: Table
    first: tuple[RejectedRow, ...]


def rejected_rows(path: Path, counts: Mapping[str, int], *, root: Path) -> RejectedRows:
    """The rows of a file of rejected rows.

    Args:
        path: the file.
        counts: of all of them, by reason.
        root: where the data lie; rows are placed within it.
    """
    by_reason = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return RejectedRows(
        n=sum(counts.values()),
        reasons=Table(
            "Rows set aside, by reason", ("reason", "rows"), tuple((reason, f"{n:,}") for reason, n in by_reason)
        ),
        first=tuple(_first(path, root=root)),
    )


def _first(path: Path, *, root: Path) -> Iterator[RejectedRow]:
    with path.open(encoding="utf-8") as lines:
        for line in itertools.islice(lines, _N_ROWS):
            row = json.loads(line)
            file = _inside(row["file"], root)
            place = file if row["line"] is None else f"{file}, line {row['line']:,}"
            yield RejectedRow(shortened(place, _MAX_FILE), row["reason"], shortened(row["detail"], _MAX_DETAIL))


def _inside(file: str, root: Path) -> str:
    """A file by its path in the data, without the place of that on this machine."""
    path = Path(file)
    return str(path.relative_to(root)) if path.is_relative_to(root) and path != root else path.name
